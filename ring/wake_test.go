package ring

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/internal/lateness"
	"sluice/layout"
)

func TestASleeperIsWokenForWhatItAskedAndNothingLess(t *testing.T) {
	w, _, mem := pair(t, 4096, 0, Options{})
	bed, side := &mem.Header.ConsumerSleep, &mem.Header.ProducerStats
	bed.Index.Store(100)
	bed.Count.Store(2)
	bed.Flag.Store(7)
	for i, c := range []struct {
		msg   int
		wakes uint64
	}{{40, 0}, {0, 0}, {40, 1}, {40, 1}} { // index 56, 64, 112, 160
		send(t, w, string(make([]byte, c.msg)))
		if got := side.WakesSent.Load(); got != c.wakes || (bed.Flag.Load() == 0) != (got == 1) {
			t.Errorf("after %d messages: %d wakes, flag %d", i+1, got, bed.Flag.Load())
		}
	}
	bed.Count.Store(100)
	bed.Flag.Store(8)
	send(t, w, "")
	if bed.Flag.Load() != 8 || side.WakesSent.Load() != 1 {
		t.Error("woken for an index, without the messages that it asked for")
	}
}

// An eighth of the ring for the first millisecond, then what is needed; and
// never more than an empty ring has.
func TestABlockedWriterAsksForAWorthwhilePartOnlyAtFirst(t *testing.T) {
	for _, c := range []struct {
		slots, need          uint64
		index, count         uint64 // at first, with the writer at index 8000, message 100
		laterIndex, laterCnt uint64
	}{
		{slots: 0, need: 16, index: 8000 + 512 - 4096, laterIndex: 8000 + 16 - 4096},
		{slots: 0, need: 4096, index: 8000, laterIndex: 8000},
		{slots: 100, need: 16, index: 8000 + 512 - 4096, laterIndex: 8000 + 16 - 4096, count: 12, laterCnt: 1},
		{slots: 4, need: 16, index: 8000 + 512 - 4096, laterIndex: 8000 + 16 - 4096, count: 97, laterCnt: 97},
	} {
		w, _, _ := pair(t, 4096, c.slots, Options{})
		w.tail, w.staged, w.need = 8000, 100, c.need
		index, count, patience := w.wakeAt(0)
		if index != c.index || c.slots > 0 && count != c.count || patience != hysteresis {
			t.Errorf("%+v: at first index %d, count %d for %v", c, int64(index), count, patience)
		}
		index, count, patience = w.wakeAt(uint64(hysteresis))
		if index != c.laterIndex || c.slots > 0 && count != c.laterCnt || patience != pollInterval {
			t.Errorf("%+v: later index %d, count %d for %v", c, int64(index), count, patience)
		}
	}
}

// A publisher may be held up between its publish and its look at the flag, while
// the sleeper takes what was published and lies down again. Ended then for what it
// has had already, that sleep would be one with the flag down: nobody wakes it.
func TestALatePublisherDoesNotEndTheSleepThatCameAfter(t *testing.T) {
	for _, slots := range []uint64{0, 1} {
		w, r, mem := pair(t, 4096, slots, Options{Spin: SpinNever})
		give := func() { send(t, w, string(make([]byte, 4096-8))) }

		give()
		takes(t, r, string(make([]byte, 4096-8)))
		r.Release()
		next := background(func() error { _, err := r.Next(context.Background()); return err })
		asleep(t, mem.Header, layout.Consumer, 1)
		w.wake()
		if mem.Header.ConsumerSleep.Flag.Load() == 0 {
			t.Errorf("slots %d: the reader's flag went down for what it has taken", slots)
		}
		give()
		is(t, next(), nil)

		room := background(func() error { _, err := w.Reserve(context.Background(), 0); return err })
		asleep(t, mem.Header, layout.Producer, 1)
		r.wake()
		if mem.Header.ProducerSleep.Flag.Load() == 0 {
			t.Errorf("slots %d: the writer's flag went down for room that it has used", slots)
		}
		r.Release()
		is(t, room(), nil)
	}
}

func TestEveryFormOfPublishWakes(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{})
	bed := &mem.Header.ConsumerSleep
	for form, give := range sends {
		for i := range uint64(100) {
			bed.Flag.Store(i + 1)
			if err := give(w, []byte("x")); err != nil {
				t.Fatal(err)
			}
			w.Publish() // batch has its own mind about when
			if bed.Flag.Load() != 0 {
				t.Fatalf("%s, message %d: nobody was woken", form, i)
			}
			takes(t, r, "x")
			r.Release()
		}
	}
}

func TestEveryFormOfReleaseWakes(t *testing.T) {
	for form, release := range map[string]func(r *Reader) error{
		"Release": func(r *Reader) error { _, err := r.Next(canceled); r.Release(); return err },
		"Take": func(r *Reader) error {
			_, first := r.Take(canceled)
			_, second := r.Take(canceled)
			return errors.Join(first, second)
		},
		"Receive": func(r *Reader) error { _, err := r.Receive(canceled, nil); return err },
		"Messages": func(r *Reader) (err error) {
			for _, err = range r.Messages(canceled) {
				if r.head == r.seen {
					break // the one before was released
				}
			}
			return err
		},
	} {
		w, r, mem := pair(t, 4096, 0, Options{})
		send(t, w, "a", "b")
		bed := &mem.Header.ProducerSleep
		bed.Flag.Store(7)
		if err := release(r); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		if bed.Flag.Load() != 0 || mem.Header.ConsumerStats.WakesSent.Load() != 1 {
			t.Errorf("%s: nobody was woken", form)
		}
	}
}

// A side that sleeps shows that it runs whenever it looks around: who does not for a while
// is taken for stopped.
func TestALookAroundIsProgress(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, Options{})
	for _, s := range []*side{&w.side, &r.side} {
		s.ownStats.ProgressAt.Store(0)
		if err := s.checkPeer(); err != nil || s.ownStats.ProgressAt.Load() == 0 {
			t.Errorf("%v: progress at %d, %v", s.role, s.ownStats.ProgressAt.Load(), err)
		}
	}
}

// A Reader that never has to wait shows progress with the samples that it takes.
func TestASampleThatIsTakenIsProgress(t *testing.T) {
	_, r, _ := pair(t, 4096, 0, Options{})
	r.ownStats.ProgressAt.Store(0)
	r.noteLatency(0, 1)
	if r.ownStats.ProgressAt.Load() == 0 {
		t.Error("no progress is noted")
	}
}

// A Reader that holds messages and waits is stuck when the Writer waits for their room,
// and not when what the Writer has asked for is there: then it is about to wake up.
func TestAReaderIsStuckOnlyWhenTheWriterWaitsForWhatItHolds(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{})
	send(t, w, "a", "b")
	takes(t, r, "a")
	r.Release()
	takes(t, r, "b")
	bed := &mem.Header.ProducerSleep
	is(t, r.deadlocked(), nil)
	bed.Flag.Store(7)
	bed.Index.Store(r.index)
	is(t, r.deadlocked(), nil)
	bed.Index.Store(r.index + 8)
	is(t, r.deadlocked(), ErrUnreleased)
	r.Release()
	is(t, r.deadlocked(), nil)
}

// A call may look at the peer while Close is shutting it out, and then no later call may
// pass.
func TestALookThatCrossesACloseLetsNobodyIn(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, Options{})
	send(t, w, "a")
	r.gate.Close()
	if ok, err := r.refresh(); !ok || err != nil || r.avail.Load() != 0 {
		t.Errorf("reader: %v, %v; the next call may pass up to %d", ok, err, r.avail.Load())
	}
	w.gate.Close()
	if ok, err := w.refresh(); !ok || err != nil || w.stop.Load() != 0 {
		t.Errorf("writer: %v, %v; the next call may pass up to %d", ok, err, w.stop.Load())
	}
}

// The flag stays up: a sleeper that the end is no end for (Follow, a full ring)
// may be about to sleep on.
func TestClosingWakesASleeperWhateverItAsked(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{})
	for _, bed := range []*layout.SleepState{&mem.Header.ConsumerSleep, &mem.Header.ProducerSleep} {
		bed.Index.Store(1 << 40)
		bed.Flag.Store(7)
	}
	w.Close()
	r.Close()
	h := mem.Header
	if h.ConsumerSleep.Flag.Load() != 7 || h.ProducerSleep.Flag.Load() != 7 || h.ProducerStats.WakesSent.Load() != 1 || h.ConsumerStats.WakesSent.Load() != 1 {
		t.Errorf("flags %d and %d, wakes %d and %d", h.ConsumerSleep.Flag.Load(), h.ProducerSleep.Flag.Load(), h.ProducerStats.WakesSent.Load(), h.ConsumerStats.WakesSent.Load())
	}
}

func TestEverySleepHasANumberOfItsOwn(t *testing.T) {
	w, r, mem := pair(t, 4096, 1, Options{Spin: SpinNever})
	numbers := map[uint64]bool{}
	for i := range uint64(5) {
		send(t, w, "")
		blocked := background(func() error { _, err := w.Reserve(canceledLater(t), 0); return err })
		asleep(t, mem.Header, layout.Producer, i+1)
		// Past the first millisecond the writer asks again, and that is a new
		// sleep too; look at it until it stays.
		var number uint64
		for number == 0 || number != mem.Header.ProducerSleep.Flag.Load() {
			number = mem.Header.ProducerSleep.Flag.Load()
			time.Sleep(5 * time.Millisecond)
		}
		if numbers[number] {
			t.Fatalf("number %d again", number)
		}
		numbers[number] = true
		takes(t, r, "")
		r.Release()
		if err := blocked(); err != nil {
			t.Fatal(err)
		}
		if mem.Header.ProducerSleep.Flag.Load() != 0 {
			t.Fatal("awake, and the flag is up")
		}
	}
}

func TestAWaitThatWasCanceledLeavesNoFlag(t *testing.T) {
	w, r, mem := pair(t, 4096, 1, Options{Spin: SpinNever})
	_, err := r.Next(canceled)
	is(t, err, errWaited)
	send(t, w, "")
	is(t, w.Send(canceled, nil), errWaited)
	if p, c := mem.Header.ProducerSleep.Flag.Load(), mem.Header.ConsumerSleep.Flag.Load(); p != 0 || c != 0 {
		t.Errorf("flags %d and %d", p, c)
	}
}

// What a side leaves when it is killed in its sleep.
func TestASuccessorTakesTheFlagDown(t *testing.T) {
	mem := heapMemory(t, 4096, 0)
	mem.Header.ProducerSleep.Flag.Store(7)
	mem.Header.ConsumerSleep.Flag.Store(8)
	writerOn(t, mem, Options{})
	readerOn(t, mem, Options{})
	if p, c := mem.Header.ProducerSleep.Flag.Load(), mem.Header.ConsumerSleep.Flag.Load(); p != 0 || c != 0 {
		t.Errorf("flags %d and %d", p, c)
	}
}

func TestASideFencesForAPeerThatCannotIssueBarriers(t *testing.T) {
	full := uint64(layout.FenceFull)
	t.Run("from the start", func(t *testing.T) {
		mem := heapMemory(t, 4096, 0)
		mem.Header.ConsumerStats.Fence.Store(full)
		if w := writerOn(t, mem, Options{}); !w.full || mem.Header.ProducerStats.Fence.Load() != full {
			t.Errorf("full %v, said %d", w.full, mem.Header.ProducerStats.Fence.Load())
		}
	})
	t.Run("from the first wake on", func(t *testing.T) {
		w, _, mem := pair(t, 4096, 0, Options{})
		mem.Header.ConsumerStats.Fence.Store(full)
		mem.Header.ConsumerSleep.Flag.Store(1)
		send(t, w, "")
		if !w.full || mem.Header.ProducerStats.Fence.Load() != full {
			t.Errorf("full %v, said %d", w.full, mem.Header.ProducerStats.Fence.Load())
		}
	})
	t.Run("from the first sleep on", func(t *testing.T) {
		_, r, mem := pair(t, 4096, 0, Options{Spin: SpinNever})
		mem.Header.ProducerStats.Fence.Store(full)
		_, err := r.Next(canceled)
		is(t, err, errWaited)
		if !r.full || mem.Header.ConsumerStats.Fence.Load() != full {
			t.Errorf("full %v, said %d", r.full, mem.Header.ConsumerStats.Fence.Load())
		}
	})
}

// The kernel may miss a processor for a while: then the writer publishes and does not see
// the flag.
func TestASleeperThatWasMissedAsksForFullFences(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{Spin: SpinNever})
	if !r.barrier {
		t.Skip("NOT TESTED: there is no barrier to rely on")
	}
	seen := w.peerSleep
	w.peerSleep = new(layout.SleepState)
	// A reader whose flag is up may not sleep yet, and then sees the message in time.
	for sleeps := uint64(1); sleeps <= 20 && !r.full; sleeps++ {
		next := background(func() error { _, err := r.Next(context.Background()); return err })
		asleep(t, mem.Header, layout.Consumer, sleeps)
		send(t, w, "late")
		is(t, next(), nil)
	}
	if got := layout.Fence(mem.Header.ConsumerStats.Fence.Load()); got != layout.FenceFull || r.barrier || !r.full {
		t.Fatalf("the reader says fence %d, and barrier %v, full %v", got, r.barrier, r.full)
	}
	w.peerSleep = seen
	mem.Header.ConsumerSleep.Flag.Store(1)
	send(t, w, "")
	if got := layout.Fence(mem.Header.ProducerStats.Fence.Load()); got != layout.FenceFull || !w.full {
		t.Errorf("the writer says fence %d, and full %v", got, w.full)
	}
}

func TestASleepThatEndsWithItsSliceIsNoReasonForFullFences(t *testing.T) {
	for _, c := range []struct {
		name string
		flag uint64 // that is up, of sleep 7
		want uint64 // messages
	}{
		{"the writer took the flag down", 0, 1},
		{"less came than was asked for", 7, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r, mem := pair(t, 4096, 0, Options{})
			bed := &mem.Header.ConsumerSleep
			bed.Count.Store(c.want)
			send(t, w, "in time")
			r.slept = 7
			bed.Flag.Store(c.flag)
			before := layout.Fence(mem.Header.ConsumerStats.Fence.Load())
			r.checkBarrier()
			if got := layout.Fence(mem.Header.ConsumerStats.Fence.Load()); got != before {
				t.Errorf("fence %d, was %d", got, before)
			}
		})
	}
}

func TestTheSpinLearnsWhatPaysOff(t *testing.T) {
	adaptive, fixed := newSpinner(SpinAdaptive), newSpinner(3*time.Microsecond)
	for range 20 {
		adaptive.learn(uint64(time.Second))
		fixed.learn(uint64(time.Second))
	}
	if adaptive.budget != minSpin || fixed.budget != 3000 {
		t.Errorf("after long sleeps: %d and %d ns", adaptive.budget, fixed.budget)
	}
	for range 20 {
		adaptive.learn(1000)
		fixed.learn(1000)
	}
	if adaptive.budget != maxSpin || fixed.budget != 3000 {
		t.Errorf("after short sleeps: %d and %d ns", adaptive.budget, fixed.budget)
	}
	if never := newSpinner(SpinNever); never.budget != 0 {
		t.Errorf("never is %d ns", never.budget)
	}
}

func TestASpinEndsWithItsContext(t *testing.T) {
	w, r, _ := pair(t, 4096, 1, Options{Spin: time.Hour})
	send(t, w, "")
	is(t, w.Send(canceled, nil), errWaited)
	takes(t, r, "")
	_, err := r.Next(canceled)
	is(t, err, errWaited)
}

func TestAWaitIsALessonForTheSpin(t *testing.T) {
	_, r, _ := pair(t, 4096, 0, Options{})
	r.spin.budget = 1000
	_, err := r.Next(canceled)
	is(t, err, errWaited)
	if r.spin.budget == 1000 {
		t.Error("nothing learned")
	}
}

// patient is a condition that never comes true, and that is not looked at again for an
// hour: what ends a wait for it is an interrupt, or the time.
type patient struct{}

func (patient) ready() (bool, error) { return false, nil }
func (patient) deadlocked() error    { return nil }
func (patient) wakeAt(uint64) (index, count uint64, patience time.Duration) {
	return 1 << 40, 0, time.Hour
}

func TestACancelEndsASleep(t *testing.T) {
	_, r, mem := pair(t, 4096, 0, Options{})
	for n := range uint64(3) {
		ctx, cancel := context.WithCancelCause(context.Background())
		waiting := background(func() error { return r.await(ctx, patient{}) })
		asleep(t, mem.Header, layout.Consumer, n+1)
		cancel(errWaited)
		is(t, waiting(), errWaited)
	}
}

// Whoever waits often with one context arranges for its cancel once.
func TestACancelEndsALaterSleepWithTheSameContext(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{Spin: SpinNever})
	ctx, cancel := context.WithCancelCause(context.Background())
	for n := range uint64(3) {
		waiting := background(func() error { _, err := r.Next(ctx); return err })
		asleep(t, mem.Header, layout.Consumer, n+1)
		watched := r.watched
		send(t, w, "a")
		is(t, waiting(), nil)
		if watched != ctx.Done() {
			t.Error("its cancel is not watched for")
		}
		other := background(func() error { _, err := r.Next(context.Background()); return err })
		send(t, w, "b")
		is(t, other(), nil)
	}
	waiting := background(func() error { return r.await(ctx, patient{}) })
	asleep(t, mem.Header, layout.Consumer, 4)
	cancel(errWaited)
	is(t, waiting(), errWaited)
}

func TestASleepEndsAtItsDeadline(t *testing.T) {
	_, r, _ := pair(t, 4096, 0, Options{})
	for _, spin := range []time.Duration{SpinAdaptive, SpinNever, time.Hour} {
		r.spin = newSpinner(spin)
		ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Millisecond, errWaited)
		is(t, background(func() error { return r.await(ctx, patient{}) })(), errWaited)
		cancel()
	}
}

// late is a context whose timer is late: its deadline has passed, and it is not done.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestASideWaitsForATimerThatIsLate(t *testing.T) {
	_, r, _ := pair(t, 4096, 0, Options{})
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errWaited) })
	is(t, background(func() error { return r.await(late{ctx}, patient{}) })(), errWaited)
}

// Short deadlines must not keep a side from looking around.
func TestASideLooksAroundHoweverShortItsWaitsAre(t *testing.T) {
	mem := heapMemory(t, 4096, 0)
	r := readerOn(t, mem, Options{peerStatus: lonely{ErrRemoved}})
	var err error
	for began := time.Now(); err == nil && time.Since(began) < time.Minute; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		if _, err = r.Next(ctx); err == context.DeadlineExceeded {
			err = nil
		}
		cancel()
	}
	is(t, err, ErrRemoved)
}

// The bound is wide, and a busy machine has several tries; what a quiet one gives is in
// docs/protocol.md.
func TestDeadlinesAreKept(t *testing.T) {
	var readers []*Reader
	var deadlines []time.Duration
	for i := range 40 {
		_, r, _ := pair(t, 4096, 0, Options{})
		readers, deadlines = append(readers, r), append(deadlines, time.Duration(1+i*5)*time.Millisecond)
	}
	const tries = 20
	for i := range tries {
		late := lateness.Of(deadlines, func(i int, ctx context.Context) {
			if _, err := readers[i].Next(ctx); err != context.DeadlineExceeded {
				t.Error(err)
			}
		})
		median := late[len(late)/2]
		if late[0] < 0 {
			t.Fatalf("early by %v", -late[0])
		}
		if median <= 20*time.Millisecond {
			return
		}
		t.Logf("try %d: late by up to %v, half of them by more than %v", i, late[len(late)-1], median)
	}
	t.Error("never in time")
}

// BenchmarkDeadline is by how much deadlines and cancels are missed.
func BenchmarkDeadline(b *testing.B) {
	var readers []*Reader
	for range lateness.Waits {
		_, r, _ := pair(b, 4096, 0, Options{})
		readers = append(readers, r)
	}
	lateness.Benchmark(b, func(i int, ctx context.Context) { readers[i].Next(ctx) })
}
