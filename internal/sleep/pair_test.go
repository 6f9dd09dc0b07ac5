package sleep

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/testenv"
	"sluice/layout"
)

// end is one of two Sleepers over a header that no segment holds: it publishes by moving its
// index by 8 bytes and its count by 1.
type end struct {
	*Sleeper
	cursor       *layout.Cursor
	index, count uint64
}

const never = -1 * time.Nanosecond // to spin

// pair returns two ends that wait for each other.
func pair(spin time.Duration) (producer, consumer *end, h *layout.Header) {
	h = new(layout.Header)
	return newEnd(h, layout.Producer, spin), newEnd(h, layout.Consumer, spin), h
}

func newEnd(h *layout.Header, role layout.Role, spin time.Duration) *end {
	s := New(WordsOf(h, role), spin, nil)
	s.Attach(0)
	return &end{Sleeper: &s, cursor: h.Cursor(role)}
}

// publish is what a side does for each message.
func (e *end) publish() {
	e.index, e.count = e.index+8, e.count+1
	endpoint.Publish(e.cursor, e.count-1, e.index, e.count, 0, e.FullFence())
	if e.PeerSleeps() {
		e.Wake(e.index, e.count)
	}
}

// next waits for the peer's next message.
func (e *end) next(ctx context.Context) error {
	seen := e.words.PeerIndex.Load()
	return e.Wait(ctx, beyond{e, seen})
}

// beyond is the condition that the peer's index has moved on.
type beyond struct {
	e    *end
	seen uint64
}

func (c beyond) Ready() (bool, error) { return c.e.words.PeerIndex.Load() > c.seen, nil }
func (c beyond) Deadlocked() error    { return nil }
func (c beyond) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return c.seen + 8, 0, 0
}

// patient is a condition that never comes true, and that is not looked at again for an
// hour: what ends a wait for it is an interrupt, or the time.
type patient struct{}

func (patient) Ready() (bool, error) { return false, nil }
func (patient) Deadlocked() error    { return nil }
func (patient) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return 1 << 40, 0, time.Hour
}

var errWaited = errors.New("it would have waited")

// canceled is for waits that must not sleep.
func canceled() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errWaited)
	return ctx
}

// waitUntilAsleep waits until a role has gone to sleep n times, and says so.
func waitUntilAsleep(t *testing.T, h *layout.Header, r layout.Role, n uint64) {
	t.Helper()
	testenv.Eventually(t, "the sleep", func() bool {
		return h.Stats(r).Waits.Load() >= n && h.Sleep(r).Flag.Load() != 0
	})
}
