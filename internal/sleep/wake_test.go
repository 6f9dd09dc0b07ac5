package sleep

import (
	"context"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestWake_Threshold(t *testing.T) {
	p, _, h := pair(never)
	s, wakes := &h.ConsumerSleep, &h.ProducerStats.WakesSent
	s.Index.Store(24)
	s.Count.Store(2)
	s.Flag.Store(7)
	for i, want := range []uint64{0, 0, 1, 1} { // index 8, 16, 24, 32
		p.publish()
		if got := wakes.Load(); got != want || (s.Flag.Load() == 0) != (got == 1) {
			t.Errorf("after %d messages: %d wakes, flag %d", i+1, got, s.Flag.Load())
		}
	}
	s.Count.Store(100)
	s.Flag.Store(8)
	p.publish()
	if s.Flag.Load() != 8 || wakes.Load() != 1 {
		t.Error("woken for an index, without the messages that it asked for")
	}
	if !p.PeerWaitsFor(p.index, 99) || p.PeerWaitsFor(p.index, 100) {
		t.Error("PeerWaitsFor does not compare with what the peer asked for")
	}
	s.Flag.Store(0)
	if p.PeerWaitsFor(p.index, 99) {
		t.Error("a peer that is awake waits for something")
	}
}

// The flag stays up: a sleeper that the end is no end for may be about to sleep on.
func TestWakeForEnd_AnyThreshold(t *testing.T) {
	_, c, h := pair(never)
	h.ConsumerSleep.Index.Store(1 << 40)
	h.ConsumerSleep.Flag.Store(7)
	WakeForEnd(WordsOf(h, layout.Producer)) // of somebody who is not there
	if flag, wakes := h.ConsumerSleep.Flag.Load(), h.ProducerStats.WakesSent.Load(); flag != 7 || wakes != 1 {
		t.Errorf("flag %d, %d wakes", flag, wakes)
	}
	closed := make(chan bool)
	waiting := testenv.Background(func() error { return c.Wait(context.Background(), until{closed, errWaited}) })
	waitUntilAsleep(t, h, layout.Consumer, 1)
	close(closed)
	WakeForEnd(WordsOf(h, layout.Producer))
	testenv.WantErr(t, waiting(), errWaited)
}

func TestArm_NumbersDiffer(t *testing.T) {
	_, c, h := pair(never)
	numbers := map[uint64]bool{}
	for range 5 {
		c.arm(8, 0, 1000) // at the same time, as far as the clock tells
		if n := h.ConsumerSleep.Flag.Load(); n == 0 || numbers[n] {
			t.Fatalf("number %d again", n)
		} else {
			numbers[n] = true
		}
	}
}

// What a side leaves when it is killed in its sleep.
func TestAttach_ClearsFlag(t *testing.T) {
	var h layout.Header
	h.ProducerSleep.Flag.Store(7)
	newEnd(&h, layout.Producer, never)
	if flag := h.ProducerSleep.Flag.Load(); flag != 0 {
		t.Errorf("flag %d", flag)
	}
}

// Two that do nothing but publish and sleep: each message is waited for by both sides.
func TestSleepers_RoundTrips(t *testing.T) {
	for name, spin := range map[string]time.Duration{"asleep": never, "spinning": SpinAdaptive} {
		t.Run(name, func(t *testing.T) {
			const rounds = 500
			p, c, h := pair(spin)
			echo := testenv.Background(func() error {
				for n := range uint64(rounds) {
					if err := c.Wait(context.Background(), beyond{c, 8 * n}); err != nil {
						return err
					}
					c.publish()
				}
				return nil
			})
			for n := range uint64(rounds) {
				p.publish()
				if err := p.Wait(t.Context(), beyond{p, 8 * n}); err != nil {
					t.Fatal(err)
				}
			}
			testenv.WantErr(t, echo(), nil)
			// A lost wake-up would cost the rest of a poll interval.
			for _, s := range []*layout.RoleStats{&h.ProducerStats, &h.ConsumerStats} {
				t.Logf("%d sleeps, %d spins, blocked %v", s.Waits.Load(), s.Spins.Load(), time.Duration(s.Blocked.Load()))
			}
		})
	}
}

func TestCheckWake(t *testing.T) {
	if err := CheckWake(); err != nil {
		t.Error(err)
	}
}

// A Sleeper needs no header: here the peer's release of memory is what moves, as for a
// producer that waits for credit.
func TestSleeper_WordsOfNoHeader(t *testing.T) {
	var (
		released, count, unused layout.Uint64
		sleeper, none           layout.SleepState
		fences                  [2]layout.Uint64
		stats, peerStats        layout.RoleStats
	)
	sender := New(Words{
		PeerIndex: &released, PeerCount: &count, OwnIndex: &unused,
		Own: &sleeper, Peer: &none, OwnFence: &fences[0], PeerFence: &fences[1], Stats: &stats,
	}, never, nil)
	sender.Attach(0)
	receiver := New(Words{
		PeerIndex: &unused, PeerCount: &unused, OwnIndex: &released,
		Own: &none, Peer: &sleeper, OwnFence: &fences[1], PeerFence: &fences[0], Stats: &peerStats,
	}, never, nil)
	receiver.Attach(0)

	waiting := testenv.Background(func() error { return sender.Wait(context.Background(), moved{&released, 4096}) })
	testenv.Eventually(t, "the sleep", func() bool { return sleeper.Flag.Load() != 0 })
	for _, c := range []struct {
		released uint64
		wakes    uint64
	}{{1024, 0}, {4095, 0}, {4096, 1}} {
		if receiver.FullFence() {
			released.Store(c.released)
		} else {
			released.StoreRelease(c.released)
		}
		if receiver.PeerSleeps() {
			receiver.Wake(c.released, 0)
		}
		if got := peerStats.WakesSent.Load(); got != c.wakes {
			t.Errorf("%d bytes released: %d wakes, want %d", c.released, got, c.wakes)
		}
	}
	testenv.WantErr(t, waiting(), nil)
	if sleeper.Flag.Load() != 0 || stats.Waits.Load() != 1 {
		t.Errorf("flag %d, %d waits", sleeper.Flag.Load(), stats.Waits.Load())
	}
}

// moved is the condition that a word has reached a value.
type moved struct {
	word *layout.Uint64
	to   uint64
}

func (m moved) Ready() (bool, error) { return m.word.Load() >= m.to, nil }
func (m moved) Deadlocked() error    { return nil }
func (m moved) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return m.to, 0, 0
}
