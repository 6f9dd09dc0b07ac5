package sleep

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/internal/futex"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestWait_Cancel(t *testing.T) {
	_, c, h := pair(SpinAdaptive)
	for n := range uint64(3) {
		ctx, cancel := context.WithCancelCause(context.Background())
		waiting := testenv.Background(func() error { return c.Wait(ctx, patient{}) })
		waitUntilAsleep(t, h, layout.Consumer, n+1)
		cancel(errWaited)
		testenv.WantErr(t, waiting(), errWaited)
	}
}

// After a short sleep the next one is expected to be short, after a long one to be long.
func TestWait_RemembersHowLongItSlept(t *testing.T) {
	_, c, h := pair(never)
	for n, sleep := range []time.Duration{0, 2 * futex.MaxRaw, 0} {
		ctx, cancel := context.WithCancelCause(context.Background())
		waiting := testenv.Background(func() error { return c.Wait(ctx, patient{}) })
		waitUntilAsleep(t, h, layout.Consumer, uint64(n+1))
		time.Sleep(sleep)
		cancel(errWaited)
		testenv.WantErr(t, waiting(), errWaited)
		if c.lasted < uint64(sleep) {
			t.Errorf("%d ns are remembered of a sleep of %v", c.lasted, sleep)
		}
	}
}

// Whoever waits often with one context arranges for its cancel once.
func TestWait_CancelOfSameContextLater(t *testing.T) {
	p, c, h := pair(never)
	ctx, cancel := context.WithCancelCause(context.Background())
	for n := range uint64(3) {
		waiting := testenv.Background(func() error { return c.next(ctx) })
		waitUntilAsleep(t, h, layout.Consumer, 2*n+1)
		watched := c.watched
		p.publish()
		testenv.WantErr(t, waiting(), nil)
		if watched != ctx.Done() {
			t.Error("its cancel is not watched for")
		}
		other := testenv.Background(func() error { return c.next(context.Background()) })
		waitUntilAsleep(t, h, layout.Consumer, 2*n+2)
		p.publish()
		testenv.WantErr(t, other(), nil)
	}
	waiting := testenv.Background(func() error { return c.Wait(ctx, patient{}) })
	waitUntilAsleep(t, h, layout.Consumer, 7)
	cancel(errWaited)
	testenv.WantErr(t, waiting(), errWaited)
	if c.StopWatching(); c.watched != nil {
		t.Error("the context is still held")
	}
}

func TestWait_Deadline(t *testing.T) {
	_, c, _ := pair(SpinAdaptive)
	for _, spin := range []time.Duration{SpinAdaptive, never, time.Hour} {
		c.spin = newSpinner(spin)
		ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Millisecond, errWaited)
		testenv.WantErr(t, testenv.Background(func() error { return c.Wait(ctx, patient{}) })(), errWaited)
		cancel()
	}
}

// late is a context whose timer is late: its deadline has passed, and it is not done.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestWait_LateTimer(t *testing.T) {
	_, c, _ := pair(SpinAdaptive)
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errWaited) })
	testenv.WantErr(t, testenv.Background(func() error { return c.Wait(late{ctx}, patient{}) })(), errWaited)
}

func TestInterrupt_ChecksConditionAgain(t *testing.T) {
	_, c, h := pair(never)
	closed := make(chan bool)
	errEnd := errors.New("the condition fails")
	waiting := testenv.Background(func() error { return c.Wait(context.Background(), until{closed, errEnd}) })
	waitUntilAsleep(t, h, layout.Consumer, 1)
	close(closed)
	c.Interrupt()
	testenv.WantErr(t, waiting(), errEnd)
}

// until is patient, and fails once the channel is closed.
type until struct {
	closed <-chan bool
	err    error
}

func (u until) Ready() (bool, error) {
	select {
	case <-u.closed:
		return false, u.err
	default:
		return false, nil
	}
}
func (until) Deadlocked() error { return nil }
func (until) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return patient{}.WakeAt(0)
}

func TestWait_LeavesNoFlag(t *testing.T) {
	p, c, h := pair(never)
	testenv.WantErr(t, c.next(canceled()), errWaited)
	if flag := h.ConsumerSleep.Flag.Load(); flag != 0 {
		t.Errorf("flag %d after a wait that was canceled", flag)
	}
	waiting := testenv.Background(func() error { return c.next(context.Background()) })
	waitUntilAsleep(t, h, layout.Consumer, 2)
	p.publish()
	testenv.WantErr(t, waiting(), nil)
	if flag := h.ConsumerSleep.Flag.Load(); flag != 0 {
		t.Errorf("flag %d", flag)
	}
	if state := layout.State(h.ConsumerStats.State.Load()); state != layout.StateRunning {
		t.Errorf("state %v", state)
	}
}

// The memory may go between the load of the word and the sleep on it.
func TestWait_WordIsGone(t *testing.T) {
	_, err := futex.Wait(nil, 0, 0)
	testenv.WantErr(t, waitError(err), shm.ErrTruncated)
	other := errors.New("another error")
	testenv.WantErr(t, waitError(other), other)
}

func TestWait_SpuriousWakeIsCounted(t *testing.T) {
	p, c, h := pair(never)
	waiting := testenv.Background(func() error { return c.next(context.Background()) })
	waitUntilAsleep(t, h, layout.Consumer, 1)
	// A wake for what was published already: the sleeper asks again.
	testenv.Eventually(t, "the wake", func() bool {
		p.Wake(1<<40, 0)
		return h.ConsumerStats.Spurious.Load() > 0
	})
	testenv.Eventually(t, "the next sleep", func() bool { return h.ConsumerSleep.Flag.Load() != 0 })
	p.publish()
	testenv.WantErr(t, waiting(), nil)
	if waits := h.ConsumerStats.Waits.Load(); waits != 1 {
		t.Errorf("%d waits, want one with a wake in between", waits)
	}
}

// status is a PeerStatus.
type status struct {
	absent bool
	err    error
}

func (s status) Status() (absent bool, err error) { return s.absent, s.err }

// A side that sleeps shows that it runs whenever it looks at its peer: who does not for a
// while is taken for stopped.
func TestCheckPeer_StoresProgressAndState(t *testing.T) {
	gone := errors.New("the memory is gone")
	for _, c := range []struct {
		peer PeerStatus
		want layout.State
		err  error
	}{
		{nil, layout.StateNone, nil},
		{status{}, layout.StateBlocked, nil},
		{status{absent: true}, layout.StateAlone, nil},
		{status{absent: true, err: gone}, layout.StateAlone, gone},
	} {
		var h layout.Header
		s := New(WordsOf(&h, layout.Consumer), never, c.peer)
		_, err := s.checkPeer()
		testenv.WantErr(t, err, c.err)
		if got := layout.State(h.ConsumerStats.State.Load()); got != c.want || h.ConsumerStats.ProgressAt.Load() == 0 {
			t.Errorf("%+v: state %v, progress at %d", c.peer, got, h.ConsumerStats.ProgressAt.Load())
		}
	}
}

// A side asks its condition whether it waits in vain when nothing came for a while.
func TestWait_Deadlocked(t *testing.T) {
	_, c, _ := pair(never)
	testenv.WantErr(t, testenv.Background(func() error { return c.Wait(context.Background(), deadlocked{}) })(), errWaited)
}

// deadlocked is a condition that is looked at every millisecond.
type deadlocked struct{ patient }

func (deadlocked) Deadlocked() error { return errWaited }
func (deadlocked) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return 1 << 40, 0, time.Millisecond
}
