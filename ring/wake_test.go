package ring

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/internal/membarrier"
	"sluice/internal/testenv"
	"sluice/layout"
)

func TestWake_OnlyAtRequestedIndex(t *testing.T) {
	w, _, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	sleeper, side := &mem.Header.ConsumerSleep, &mem.Header.ProducerStats
	sleeper.Index.Store(100)
	sleeper.Count.Store(2)
	sleeper.Flag.Store(7)
	for i, c := range []struct {
		msg   int
		wakes uint64
	}{{40, 0}, {0, 0}, {40, 1}, {40, 1}} { // index 56, 64, 112, 160
		send(t, w, string(make([]byte, c.msg)))
		if got := side.WakesSent.Load(); got != c.wakes || (sleeper.Flag.Load() == 0) != (got == 1) {
			t.Errorf("after %d messages: %d wakes, flag %d", i+1, got, sleeper.Flag.Load())
		}
	}
	sleeper.Count.Store(100)
	sleeper.Flag.Store(8)
	send(t, w, "")
	if sleeper.Flag.Load() != 8 || side.WakesSent.Load() != 1 {
		t.Error("woken for an index, without the messages that it asked for")
	}
}

// An eighth of the ring for the first millisecond, then what is needed; and
// never more than an empty ring has.
func TestWake_BlockedWriter_Hysteresis(t *testing.T) {
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
		w, _, _ := pair(t, 4096, c.slots, WriterOptions{}, ReaderOptions{})
		w.tail, w.staged, w.need = 8000, 100, c.need
		index, count, timeout := roomFor{w}.WakeAt(0)
		if index != c.index || c.slots > 0 && count != c.count || timeout != hysteresis {
			t.Errorf("%+v: at first index %d, count %d for %v", c, int64(index), count, timeout)
		}
		index, count, timeout = roomFor{w}.WakeAt(hysteresis)
		if index != c.laterIndex || c.slots > 0 && count != c.laterCnt || timeout != 0 {
			t.Errorf("%+v: later index %d, count %d for %v", c, int64(index), count, timeout)
		}
	}
}

// A publisher may be held up between its publish and its look at the flag, while
// the sleeper takes what was published and lies down again. Ended then for what it
// has had already, that sleep would be one with the flag down: nobody wakes it.
func TestWake_LatePublisher_NextSleepKept(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, slots := range []uint64{0, 1} {
			if slots == 0 && k.slotSize > 0 {
				continue // one message does not fill it
			}
			w, r, mem := k.pair(t, 4096, slots, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
			give := func() { send(t, w, strings.Repeat("x", w.MaxMessage())) }

			give()
			wantMessages(t, r, strings.Repeat("x", w.MaxMessage()))
			r.Release()
			next := testenv.Background(func() error { _, err := r.Next(context.Background()); return err })
			asleep(t, mem.Header, layout.Consumer, 1)
			lateWake(w)
			if mem.Header.ConsumerSleep.Flag.Load() == 0 {
				t.Errorf("slots %d: the reader's flag went down for what it has taken", slots)
			}
			give()
			wantErr(t, next(), nil)

			room := testenv.Background(func() error { _, err := w.Reserve(context.Background(), 0); return err })
			asleep(t, mem.Header, layout.Producer, 1)
			lateWake(r)
			if mem.Header.ProducerSleep.Flag.Load() == 0 {
				t.Errorf("slots %d: the writer's flag went down for room that it has used", slots)
			}
			r.Release()
			wantErr(t, room(), nil)
		}
	})
}

// lateWake is the look at the flag of a publish that is over.
func lateWake(end any) {
	s := sideOf(end)
	s.sleeper.Wake(s.ownCursor.Index.Load(), s.mem.Header.Count(s.role))
}

func TestWake_EveryPublish(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		sleeper := &mem.Header.ConsumerSleep
		for form, give := range sends {
			for i := range uint64(100) {
				sleeper.Flag.Store(i + 1)
				if err := give(w, []byte("x")); err != nil {
					t.Fatal(err)
				}
				w.Publish() // batch has its own mind about when
				if sleeper.Flag.Load() != 0 {
					t.Fatalf("%s, message %d: nobody was woken", form, i)
				}
				wantMessages(t, r, "x")
				r.Release()
			}
		}
	})
}

func TestWake_EveryRelease(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for form, release := range map[string]func(r readerEnd) error{
			"Release": func(r readerEnd) error { _, err := r.Next(canceled); r.Release(); return err },
			"Take": func(r readerEnd) error {
				_, first := r.Take(canceled)
				_, second := r.Take(canceled)
				return errors.Join(first, second)
			},
			"Receive": func(r readerEnd) error { _, err := r.Receive(canceled, nil); return err },
			"Messages": func(r readerEnd) (err error) {
				for _, err = range r.Messages(canceled) {
					if !r.Buffered() {
						break // the one before was released
					}
				}
				return err
			},
		} {
			w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
			send(t, w, "a", "b")
			sleeper := &mem.Header.ProducerSleep
			sleeper.Flag.Store(7)
			if err := release(r); err != nil {
				t.Errorf("%s: %v", form, err)
			}
			if sleeper.Flag.Load() != 0 || mem.Header.ConsumerStats.WakesSent.Load() != 1 {
				t.Errorf("%s: nobody was woken", form)
			}
		}
	})
}

// A side learns in a wait, or when it wakes its peer, that the peer has no barrier for both: from
// then on every publish and every release has a full fence, which only the slow path issues.
func TestSlots_PeerWithoutBarrier_FullFences(t *testing.T) {
	if !layout.StoreReleaseOvertaken || !membarrier.Register() {
		t.Skip("SKIPPED: there is only one kind of fence")
	}
	const full = uint64(layout.FenceFull)
	for _, c := range []struct {
		name string
		wait func(w *WriterOf[uint64], r *ReaderOf[uint64], mem Memory) (flag **layout.Uint64)
	}{
		{"waits for room", func(w *WriterOf[uint64], r *ReaderOf[uint64], mem Memory) **layout.Uint64 {
			wantErr(t, w.Push(canceled, 1), nil)
			mem.Header.ConsumerStats.Fence.Store(full)
			waiting := testenv.Background(func() error { _, err := w.Slot(context.Background()); return err })
			asleep(t, mem.Header, layout.Producer, 1)
			_, err := r.TryPop()
			wantErr(t, err, nil)
			wantErr(t, waiting(), nil)
			return &w.flag
		}},
		{"drains", func(w *WriterOf[uint64], r *ReaderOf[uint64], mem Memory) **layout.Uint64 {
			wantErr(t, w.Push(canceled, 1), nil)
			mem.Header.ConsumerStats.Fence.Store(full)
			wantErr(t, w.Drain(canceled), errWaited)
			return &w.flag
		}},
		{"wakes the Reader", func(w *WriterOf[uint64], r *ReaderOf[uint64], mem Memory) **layout.Uint64 {
			mem.Header.ConsumerStats.Fence.Store(full)
			mem.Header.ConsumerSleep.Flag.Store(7)
			wantErr(t, w.Push(canceled, 1), nil)
			return &w.flag
		}},
		{"waits for a message", func(w *WriterOf[uint64], r *ReaderOf[uint64], mem Memory) **layout.Uint64 {
			mem.Header.ProducerStats.Fence.Store(full)
			_, err := r.Next(canceled)
			wantErr(t, err, errWaited)
			return &r.flag
		}},
		{"wakes the Writer", func(w *WriterOf[uint64], r *ReaderOf[uint64], mem Memory) **layout.Uint64 {
			mem.Header.ProducerStats.Fence.Store(full)
			mem.Header.ProducerSleep.Flag.Store(7)
			wantErr(t, w.Push(canceled, 1), nil)
			_, err := r.TryPop()
			wantErr(t, err, nil)
			return &r.flag
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r, mem := valuePair(t, 1, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
			if flag := c.wait(w, r, mem); *flag != alwaysSet {
				t.Error("publishes without a full fence")
			}
		})
	}
}

// A side that wakes its peer often issues full fences, for the peer to need no barriers, until it
// has not done that for long.
func TestFence_ForNow(t *testing.T) {
	if !layout.StoreReleaseOvertaken || !membarrier.Register() {
		t.Skip("SKIPPED: there is only one kind of fence")
	}
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 64<<10, 0, WriterOptions{}, ReaderOptions{})
		h := mem.Header
		for _, c := range []struct {
			role  layout.Role
			end   any
			peers *layout.Uint64 // flag
		}{{layout.Producer, w, &h.ConsumerSleep.Flag}, {layout.Consumer, r, &h.ProducerSleep.Flag}} {
			check := func(when string, want layout.Fence) {
				t.Helper()
				if got := layout.Fence(h.Stats(c.role).Fence.Load()); got != want || sideOf(c.end).sleeper.FullFence() != (want == layout.FenceForNow) {
					t.Errorf("the %v says fence %d %s, want %d", c.role, got, when, want)
				}
				if flag, ok := c.end.(interface{ peerFlag() *layout.Uint64 }); ok && (flag.peerFlag() == alwaysSet) != (want == layout.FenceForNow) {
					t.Errorf("the %v takes the wrong path %s", c.role, when)
				}
			}
			stream := func(messages int) {
				for range messages {
					send(t, w, "a")
					wantMessages(t, r, "a")
					r.Release()
				}
			}
			c.peers.Store(7)
			stream(1)
			c.peers.Store(8)
			stream(1)
			check("when the other sleeps often", layout.FenceForNow)
			stream(5000)
			check("when it does not", layout.FenceAsymmetric)
		}
	})
}

func (w *slotWriter) peerFlag() *layout.Uint64 { return w.flag }
func (r *slotReader) peerFlag() *layout.Uint64 { return r.flag }

// A Reader that never has to wait shows progress with the samples that it takes.
func TestProgress_SampleTaken(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "first, so a sample")
		progress := &sideOf(r).ownStats.ProgressAt
		progress.Store(0)
		wantMessages(t, r, "first, so a sample")
		if progress.Load() == 0 {
			t.Error("no progress is noted")
		}
	})
}

// A Reader that holds messages and waits is deadlocked when the Writer waits for their room,
// and not when what the Writer has asked for is there: then it is about to wake up.
func TestReader_Deadlocked_OnlyIfWriterWaitsForIt(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a", "b")
	wantMessages(t, r, "a")
	r.Release()
	wantMessages(t, r, "b")
	sleeper := &mem.Header.ProducerSleep
	wantErr(t, nextMessage{r}.Deadlocked(), nil)
	sleeper.Flag.Store(7)
	sleeper.Index.Store(r.index)
	wantErr(t, nextMessage{r}.Deadlocked(), nil)
	sleeper.Index.Store(r.index + 8)
	wantErr(t, nextMessage{r}.Deadlocked(), ErrUnreleased)
	r.Release()
	wantErr(t, nextMessage{r}.Deadlocked(), nil)
}

// A call may look at the peer while Close is shutting it out, and then no later call may
// pass.
func TestReady_DuringClose_Fails(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a")
	r.gate.Close()
	if ok, err := r.refresh(); !ok || err != nil || r.avail.Load() != 0 {
		t.Errorf("reader: %v, %v; the next call may pass up to %d", ok, err, r.avail.Load())
	}
	w, r, _ = pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a")
	wantMessages(t, r, "a")
	r.Release()
	w.gate.Close()
	if ok, err := w.refresh(); !ok || err != nil || w.stop.Load() != 0 {
		t.Errorf("writer: %v, %v; the next call may pass up to %d", ok, err, w.stop.Load())
	}
}

// The flag stays up: a sleeper that the end is no end for (Follow, a full ring)
// may be about to sleep on.
func TestWake_Close_AnyRequest(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		for _, sleeper := range []*layout.SleepState{&mem.Header.ConsumerSleep, &mem.Header.ProducerSleep} {
			sleeper.Index.Store(1 << 40)
			sleeper.Flag.Store(7)
		}
		w.Close()
		r.Close()
		h := mem.Header
		if h.ConsumerSleep.Flag.Load() != 7 || h.ProducerSleep.Flag.Load() != 7 || h.ProducerStats.WakesSent.Load() != 1 || h.ConsumerStats.WakesSent.Load() != 1 {
			t.Errorf("flags %d and %d, wakes %d and %d", h.ConsumerSleep.Flag.Load(), h.ProducerSleep.Flag.Load(), h.ProducerStats.WakesSent.Load(), h.ConsumerStats.WakesSent.Load())
		}
	})
}

func TestSleep_NumbersUnique(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 1, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
		numbers := map[uint64]bool{}
		for i := range uint64(5) {
			send(t, w, "")
			blocked := testenv.Background(func() error { _, err := w.Reserve(canceledLater(t), 0); return err })
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
			wantMessages(t, r, "")
			r.Release()
			if err := blocked(); err != nil {
				t.Fatal(err)
			}
			if mem.Header.ProducerSleep.Flag.Load() != 0 {
				t.Fatal("awake, and the flag is up")
			}
		}
	})
}

func TestSleep_Canceled_FlagCleared(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 1, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
		_, err := r.Next(canceled)
		wantErr(t, err, errWaited)
		send(t, w, "")
		wantErr(t, w.Send(canceled, nil), errWaited)
		if p, c := mem.Header.ProducerSleep.Flag.Load(), mem.Header.ConsumerSleep.Flag.Load(); p != 0 || c != 0 {
			t.Errorf("flags %d and %d", p, c)
		}
	})
}

// What a side leaves when it is killed in its sleep.
func TestSleep_Successor_ClearsFlag(t *testing.T) {
	mem := heapMemory(t, 4096, 0)
	mem.Header.ProducerSleep.Flag.Store(7)
	mem.Header.ConsumerSleep.Flag.Store(8)
	writerOn(t, mem, WriterOptions{})
	readerOn(t, mem, ReaderOptions{})
	if p, c := mem.Header.ProducerSleep.Flag.Load(), mem.Header.ConsumerSleep.Flag.Load(); p != 0 || c != 0 {
		t.Errorf("flags %d and %d", p, c)
	}
}

func TestSpin_EndsWithContext(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 1, WriterOptions{Spin: time.Hour}, ReaderOptions{Spin: time.Hour})
		send(t, w, "")
		wantErr(t, w.Send(canceled, nil), errWaited)
		wantMessages(t, r, "")
		_, err := r.Next(canceled)
		wantErr(t, err, errWaited)
	})
}

// Short deadlines must not keep a side from looking around.
func TestWait_ShortWaits_StillCheckPeer(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		mem := k.memory(t, 4096, 0)
		r := k.readerOn(t, mem, ReaderOptions{peerStatus: noPeer{ErrRemoved}})
		var err error
		for began := time.Now(); err == nil && time.Since(began) < time.Minute; {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			if _, err = r.Next(ctx); err == context.DeadlineExceeded {
				err = nil
			}
			cancel()
		}
		wantErr(t, err, ErrRemoved)
	})
}

// The bound is wide, and a busy machine has several tries; what a quiet one gives is in
// docs/protocol.md.
func TestWait_Deadlines_Kept(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		var readers []readerEnd
		var deadlines []time.Duration
		for i := range 40 {
			_, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
			readers, deadlines = append(readers, r), append(deadlines, time.Duration(1+i*5)*time.Millisecond)
		}
		const tries = 20
		for i := range tries {
			late := testenv.Lateness(deadlines, func(i int, ctx context.Context) {
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
	})
}

// BenchmarkDeadline is by how much deadlines and cancels are missed.
func BenchmarkDeadline(b *testing.B) {
	var readers []*Reader
	for range testenv.LatenessWaits {
		_, r, _ := pair(b, 4096, 0, WriterOptions{}, ReaderOptions{})
		readers = append(readers, r)
	}
	testenv.BenchmarkLateness(b, func(i int, ctx context.Context) { readers[i].Next(ctx) })
}
