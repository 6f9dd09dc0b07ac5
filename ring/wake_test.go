package ring

import (
	"context"
	"testing"
	"time"

	"sluice/layout"
)

func TestASleeperIsWokenForWhatItAskedAndNothingLess(t *testing.T) {
	w, _, mem := pair(t, 4096, 0, Options{})
	bed, side := &mem.Header.ConsumerWait, &mem.Header.ProducerSide
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
		if index != c.laterIndex || c.slots > 0 && count != c.laterCnt || patience != slice {
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
		if mem.Header.ConsumerWait.Flag.Load() == 0 {
			t.Errorf("slots %d: the reader's flag went down for what it has taken", slots)
		}
		give()
		is(t, next(), nil)

		room := background(func() error { _, err := w.Reserve(context.Background(), 0); return err })
		asleep(t, mem.Header, layout.Producer, 1)
		r.wake()
		if mem.Header.ProducerWait.Flag.Load() == 0 {
			t.Errorf("slots %d: the writer's flag went down for room that it has used", slots)
		}
		r.Release()
		is(t, room(), nil)
	}
}

func TestEveryFormOfPublishWakes(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{})
	bed := &mem.Header.ConsumerWait
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

// The flag stays up: a sleeper that the end is no end for (Follow, a full ring)
// may be about to sleep on.
func TestClosingWakesASleeperWhateverItAsked(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, Options{})
	for _, bed := range []*layout.Wait{&mem.Header.ConsumerWait, &mem.Header.ProducerWait} {
		bed.Index.Store(1 << 40)
		bed.Flag.Store(7)
	}
	w.Close()
	r.Close()
	h := mem.Header
	if h.ConsumerWait.Flag.Load() != 7 || h.ProducerWait.Flag.Load() != 7 || h.ProducerSide.WakesSent.Load() != 1 || h.ConsumerSide.WakesSent.Load() != 1 {
		t.Errorf("flags %d and %d, wakes %d and %d", h.ConsumerWait.Flag.Load(), h.ProducerWait.Flag.Load(), h.ProducerSide.WakesSent.Load(), h.ConsumerSide.WakesSent.Load())
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
		for number == 0 || number != mem.Header.ProducerWait.Flag.Load() {
			number = mem.Header.ProducerWait.Flag.Load()
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
		if mem.Header.ProducerWait.Flag.Load() != 0 {
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
	if p, c := mem.Header.ProducerWait.Flag.Load(), mem.Header.ConsumerWait.Flag.Load(); p != 0 || c != 0 {
		t.Errorf("flags %d and %d", p, c)
	}
}

// What a side leaves when it is killed in its sleep.
func TestASuccessorTakesTheFlagDown(t *testing.T) {
	mem := heapMemory(t, 4096, 0)
	mem.Header.ProducerWait.Flag.Store(7)
	mem.Header.ConsumerWait.Flag.Store(8)
	writerOn(t, mem, Options{})
	readerOn(t, mem, Options{})
	if p, c := mem.Header.ProducerWait.Flag.Load(), mem.Header.ConsumerWait.Flag.Load(); p != 0 || c != 0 {
		t.Errorf("flags %d and %d", p, c)
	}
}

func TestASideFencesForAPeerThatCannotIssueBarriers(t *testing.T) {
	full := uint64(layout.FenceFull)
	t.Run("from the start", func(t *testing.T) {
		mem := heapMemory(t, 4096, 0)
		mem.Header.ConsumerSide.Fence.Store(full)
		if w := writerOn(t, mem, Options{}); !w.full || mem.Header.ProducerSide.Fence.Load() != full {
			t.Errorf("full %v, said %d", w.full, mem.Header.ProducerSide.Fence.Load())
		}
	})
	t.Run("from the first wake on", func(t *testing.T) {
		w, _, mem := pair(t, 4096, 0, Options{})
		mem.Header.ConsumerSide.Fence.Store(full)
		mem.Header.ConsumerWait.Flag.Store(1)
		send(t, w, "")
		if !w.full || mem.Header.ProducerSide.Fence.Load() != full {
			t.Errorf("full %v, said %d", w.full, mem.Header.ProducerSide.Fence.Load())
		}
	})
	t.Run("from the first sleep on", func(t *testing.T) {
		_, r, mem := pair(t, 4096, 0, Options{Spin: SpinNever})
		mem.Header.ProducerSide.Fence.Store(full)
		_, err := r.Next(canceled)
		is(t, err, errWaited)
		if !r.full || mem.Header.ConsumerSide.Fence.Load() != full {
			t.Errorf("full %v, said %d", r.full, mem.Header.ConsumerSide.Fence.Load())
		}
	})
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

func TestACancelEndsALongSleep(t *testing.T) {
	_, r, mem := pair(t, 4096, 0, Options{})
	ctx, cancel := context.WithCancelCause(context.Background())
	waiting := background(func() error { _, err := r.Next(ctx); return err })
	asleep(t, mem.Header, layout.Consumer, 1)
	time.Sleep(long + slice) // until its slices are long
	cancel(errWaited)
	is(t, waiting(), errWaited)
}
