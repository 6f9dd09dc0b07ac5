package source

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"sluice"
	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/schedule"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

// slowProducer is a producer that takes each message after a delay, and drops what does not fit.
type slowProducer struct {
	sluice.Producer
	delay   func(k int) // called before message k
	due     []time.Time // of each message
	sent    []time.Time
	setDue  time.Time
	flushes int
}

func (p *slowProducer) SetDue(at time.Time) { p.setDue = at }
func (p *slowProducer) Flush()              { p.flushes++ }
func (p *slowProducer) Reserve(ctx context.Context, n int) ([]byte, error) {
	if p.delay != nil {
		p.delay(len(p.due))
	}
	p.due, p.sent = append(p.due, p.setDue), append(p.sent, time.Now())
	return p.Producer.Reserve(ctx, n)
}

func (p *slowProducer) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	for i, msg := range msgs {
		room, err := p.Reserve(ctx, len(msg))
		if err != nil {
			return i, err
		}
		p.Commit(copy(room, msg))
		p.Publish()
	}
	return len(msgs), nil
}

func newSlowProducer(t *testing.T) *slowProducer {
	t.Helper()
	to, err := sluice.Create(t.Context(), testenv.SegmentName(t), sluice.ProducerOptions{OnFull: sluice.Drop, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	return &slowProducer{Producer: to}
}

// never is what Run is given that ends by itself.
func never(time.Duration) {}

func (p *slowProducer) header() *layout.Header { return p.Segment().Header() }

// wantAccount expects how many messages were offered, and how many of them are unsent.
func (p *slowProducer) wantAccount(t *testing.T, offered, unsent uint64) {
	t.Helper()
	if got := endpoint.Offered(p.header()); got.Offered() != offered || got.Unsent != unsent {
		t.Errorf("%+v; want %d offered, %d unsent", got, offered, unsent)
	}
}

// Whatever holds the producer back, each message is due when the schedule says, none is skipped,
// and none is sent before.
func TestOpenLoop_HeldBack_SameTimes(t *testing.T) {
	for _, s := range []schedule.Spec{
		{Rate: 5000}, {Rate: 5000, Burst: 20}, {Rate: 5000, Arrivals: schedule.Poisson, Seed: 1}, {Rate: 1e7},
	} {
		to := newSlowProducer(t)
		to.delay = func(k int) {
			if k == 50 {
				time.Sleep(30 * time.Millisecond)
			}
		}
		const n = 300
		o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, s, n, 0, nil)
		if err := o.Run(never, func() error {
			return Generate(t.Context(), to, 0, 8, Limits{Count: n, Pace: o})
		}); err != nil {
			t.Fatal(err)
		}
		times := s.Times()
		for k, at := range to.due {
			if want := o.start.Add(times.Next()); !at.Equal(want) {
				t.Fatalf("%+v: message %d was due %v after message 0, want %v", s, k, at.Sub(to.due[0]), want.Sub(to.due[0]))
			}
			if to.sent[k].Before(at) {
				t.Fatalf("%+v: message %d was sent %v before it was due", s, k, at.Sub(to.sent[k]))
			}
		}
		to.wantAccount(t, n, 0)
		h := to.header()
		if base := h.Schedule.Base.Load(); base != monotonic.At(o.start) || h.Schedule.Due.Load() != n || h.Schedule.Holder.Load() != 0 {
			t.Errorf("%+v: base %d, due %d, holder %d", s, base, h.Schedule.Due.Load(), h.Schedule.Holder.Load())
		}
	}
}

// A message that was due while the one before it was still being sent is late because of that one,
// not because of the generator.
func TestOpenLoop_Lateness_OnlyOfMessagesThatWereWaitedFor(t *testing.T) {
	to := newSlowProducer(t)
	const n, held = 200, 20 * time.Millisecond
	to.delay = func(k int) {
		if k == 0 { // from message 0 on all of them are late
			time.Sleep(held)
		}
	}
	o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 20_000}, n, 0, nil)
	send := func() error { return Generate(t.Context(), to, 0, 8, Limits{Count: n, Pace: o}) }
	if err := o.Run(never, send); err != nil {
		t.Fatal(err)
	}
	if got := to.header().Lateness.Count.Load(); got != 0 {
		t.Errorf("the lateness of %d messages was counted", got)
	}
	to = newSlowProducer(t)
	o = NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 200}, 10, 0, nil)
	if err := o.Run(never, func() error { return Generate(t.Context(), to, 0, 8, Limits{Count: 10, Pace: o}) }); err != nil {
		t.Fatal(err)
	}
	// All but the first; on a busy machine one may be later than the next one was due.
	if got := to.header().Lateness.Count.Load(); got < 1 || got > 9 {
		t.Errorf("the lateness of %d messages was counted, want 9", got)
	}
}

// Before a sleep everything is sent that is held back, and so it is within about a millisecond
// where waits are too short to sleep. Messages that are late are not flushed one by one.
func TestOpenLoop_Flushes(t *testing.T) {
	for _, c := range []struct {
		rate        float64
		n           uint64
		least, most int
	}{
		{200, 10, 1, 9}, {20_000, 2000, 10, 500},
	} {
		// On a machine that lets this process wait, all messages may be late: then more are
		// sent.
		for longer := 1; ; longer *= 2 {
			to, n := newSlowProducer(t), c.n*uint64(longer)
			o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: c.rate}, n, 0, nil)
			if err := o.Run(never, func() error { return Generate(t.Context(), to, 0, 8, Limits{Count: n, Pace: o}) }); err != nil {
				t.Fatal(err)
			}
			if to.flushes > longer*c.most || to.flushes < c.least && longer > 30 {
				t.Fatalf("rate %v: %d flushes for %d messages, want %d to %d", c.rate, to.flushes, n, c.least, longer*c.most)
			}
			if to.flushes >= c.least {
				break
			}
		}
	}
}

func TestOpenLoop_Duration_EndsSchedule(t *testing.T) {
	stopped := errors.New("stopped")
	for _, hold := range []time.Duration{0, time.Hour} {
		to := newSlowProducer(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		to.delay = func(k int) {
			if k == 10 && hold > 0 {
				<-ctx.Done()
			}
		}
		const d = 50 * time.Millisecond
		o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 1000}, 0, d, nil)
		var end *time.Timer
		stopAfter := func(after time.Duration) {
			if end != nil {
				end.Reset(after)
				return
			}
			if after <= d {
				t.Errorf("it is to stop after %v", after)
			}
			end = time.AfterFunc(10*d, func() { cancel(stopped) }) // a busy machine needs longer
		}
		began := time.Now()
		err := o.Run(stopAfter, func() error { return Generate(ctx, to, 0, 8, Limits{Pace: o}) })
		if took := time.Since(began); err != stopped || took < d {
			t.Errorf("error %v after %v, want the cause of the context", err, took)
		}
		if hold == 0 {
			to.wantAccount(t, 50, 0)
		} else {
			to.wantAccount(t, 50, 50-uint64(len(to.due)))
		}
	}
}

// The longest time there is does not become the shortest.
func TestOpenLoop_LongestDuration_DoesNotEnd(t *testing.T) {
	to := newSlowProducer(t)
	o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 1000}, 3, math.MaxInt64, nil)
	stopAfter := func(after time.Duration) {
		if after < 24*time.Hour {
			t.Errorf("it is to stop after %v", after)
		}
	}
	if err := o.Run(stopAfter, func() error { return Generate(t.Context(), to, 0, 8, Limits{Count: 3, Pace: o}) }); err != nil {
		t.Fatal(err)
	}
	to.wantAccount(t, 3, 0)
}

// A wait for a message that is due tomorrow ends with its context, and nothing is due meanwhile.
func TestOpenLoop_Canceled_Cause(t *testing.T) {
	to, stopped := newSlowProducer(t), errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(stopped) })
	o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 1e-5}, 0, 0, nil)
	if err := o.Run(never, func() error { return Generate(ctx, to, 0, 8, Limits{Pace: o}) }); err != stopped {
		t.Errorf("error %v", err)
	}
	to.wantAccount(t, 1, 0)
}

// What is due is noted while the producer does nothing, and by the end exactly.
func TestOpenLoop_Blocked_DueIsNoted(t *testing.T) {
	to := newSlowProducer(t)
	o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 1e5}, 1000, 0, nil)
	err := o.Run(never, func() error {
		testenv.Eventually(t, "the last message that is due", func() bool { return to.header().Schedule.Due.Load() == 1000 })
		to.wantAccount(t, 1000, 1000)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	to.wantAccount(t, 1000, 1000)
}

// A file has no more messages due than there are in it.
func TestOpenLoop_Input_DueUpToItsEnd(t *testing.T) {
	to, in := newSlowProducer(t), input(t, "a\nb\nc\n", false)
	cut := Lines(in, 10)
	o := NewOpenLoop(to, []*shm.Segment{to.Segment()}, schedule.Spec{Rate: 1e5}, 0, 0, cut)
	err := o.Run(never, func() error {
		time.Sleep(5 * time.Millisecond) // as if the queue was full
		return Copy(t.Context(), to, in, cut, Limits{Pace: o})
	})
	if err != nil {
		t.Fatal(err)
	}
	to.wantAccount(t, 3, 0)
	if len(to.due) != 3 || !to.due[2].Equal(o.start.Add(20*time.Microsecond)) {
		t.Errorf("%d messages, due at %v after the start", len(to.due), to.due)
	}
}
