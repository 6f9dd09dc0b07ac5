package ring

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/cpu"
	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// closer is either end.
type closer interface {
	Close() error
	Unread() uint64
}

// closeElsewhere closes an end on another goroutine than the test's.
func closeElsewhere(t *testing.T, end closer) (unread uint64) {
	t.Helper()
	wantErr(t, testenv.Background(end.Close)(), nil)
	return end.Unread()
}

func fileOf(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(shm.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mapped reports whether this process has any of the segment mapped.
func mapped(t *testing.T, name string) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(maps), shm.Path(name))
}

func TestClose_EndsWaitingCall(t *testing.T) {
	full := func(w *Writer) error { return w.Send(context.Background(), make([]byte, 4000)) }
	for _, c := range []struct {
		name string
		role layout.Role
		call func(w *Writer, r *Reader) error
	}{
		{"Next", layout.Consumer, func(_ *Writer, r *Reader) error { _, err := r.Next(context.Background()); return err }},
		{"Take", layout.Consumer, func(_ *Writer, r *Reader) error { _, err := r.Take(context.Background()); return err }},
		{"Receive", layout.Consumer, func(_ *Writer, r *Reader) error { _, err := r.Receive(context.Background(), nil); return err }},
		{"Messages", layout.Consumer, func(_ *Writer, r *Reader) (last error) {
			for _, last = range r.Messages(context.Background()) {
			}
			return last
		}},
		{"Reserve", layout.Producer, func(w *Writer, _ *Reader) error { _, err := w.Reserve(context.Background(), 4000); return err }},
		{"Send", layout.Producer, func(w *Writer, _ *Reader) error { return full(w) }},
		{"SendBatch", layout.Producer, func(w *Writer, _ *Reader) error {
			n, err := w.SendBatch(context.Background(), [][]byte{make([]byte, 4000)})
			if n != 0 {
				t.Errorf("%d accepted", n)
			}
			return err
		}},
	} {
		for how, spin := range map[string]time.Duration{"asleep": SpinNever, "spinning": time.Hour} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				name := testenv.SegmentName(t)
				w := create(t, name, WriterOptions{Capacity: 4096, Spin: spin})
				r := open(t, name, ReaderOptions{Spin: spin})
				var end closer = r
				if c.role == layout.Producer {
					end = w
					wantErr(t, full(w), nil)
				}
				waiting := testenv.Background(func() error { return c.call(w, r) })
				if how == "asleep" {
					asleep(t, w.Segment().Header(), c.role, 1)
				} else {
					time.Sleep(5 * time.Millisecond)
				}
				closeElsewhere(t, end)
				wantErr(t, waiting(), ErrClosed)
				wantErr(t, c.call(w, r), ErrClosed) // and every later one
				if h := look(t, name); layout.State(h.Stats(c.role).State.Load()) != layout.StateClosed || int64(h.Stats(c.role).Blocked.Load()) < 0 {
					t.Errorf("state %v, blocked %d", h.Stats(c.role).State.Load(), int64(h.Stats(c.role).Blocked.Load()))
				}
			})
		}
	}
}

// hourly is a Reader that looks once an hour, if nothing ends its sleep.
type hourly struct{ nextMessage }

func (h hourly) WakeAt(asleep time.Duration) (index, count uint64, timeout time.Duration) {
	index, count, _ = h.nextMessage.WakeAt(asleep)
	return index, count, time.Hour
}

func TestClose_EndsSleep(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := create(t, name, WriterOptions{}), open(t, name, ReaderOptions{})
	r.closeTimeout = time.Hour
	waiting := testenv.Background(func() error {
		r.gate.Enter()
		return r.endCall(r.await(context.Background(), hourly{nextMessage{r}}))
	})
	asleep(t, w.Segment().Header(), layout.Consumer, 1)
	closeElsewhere(t, r)
	wantErr(t, waiting(), ErrClosed)
}

func TestClose_Concurrent_OnlyOne(t *testing.T) {
	for range 50 {
		name := testenv.SegmentName(t)
		w := create(t, name, WriterOptions{})
		send(t, w, "a", "b")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { wantErr(t, w.Close(), nil) })
		}
		all.Wait()
		if n := w.Unread(); n != 2 {
			t.Errorf("%d unread", n)
		}
		wantMessages(t, open(t, name, ReaderOptions{}), "a", "b")
	}
}

func TestClose_OtherGoroutine_PublishesStagedIfIdle(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{})
	for _, msg := range []string{"a", "b"} {
		buf, err := w.Reserve(canceled, 1)
		wantErr(t, err, nil)
		w.Commit(copy(buf, msg))
	}
	if unread := closeElsewhere(t, w); unread != 2 {
		t.Errorf("%d unread", unread)
	}
	r := open(t, name, ReaderOptions{})
	wantMessages(t, r, "a", "b")
	_, err := r.TryNext()
	wantErr(t, err, io.EOF)
}

// The user of a Writer has a reservation and fills it, and another goroutine closes.
func TestClose_OtherGoroutine_ReservationStaysWritable(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{})
	send(t, w, "published")
	buf, err := w.Reserve(canceled, 100)
	wantErr(t, err, nil)
	copy(buf, "before")
	closeElsewhere(t, w)
	before := fileOf(t, name)

	next := create(t, name, WriterOptions{})
	wantErr(t, next.Send(canceled, bytes.Repeat([]byte("successor"), 11)), nil)
	r := open(t, name, ReaderOptions{})
	wantMessages(t, r, "published", strings.Repeat("successor", 11))
	after := fileOf(t, name)
	if string(buf[:6]) != "before" {
		t.Errorf("the reservation holds %q", buf[:6])
	}
	copy(buf, "late")
	w.Commit(50)
	w.Publish()
	if !bytes.Equal(after, fileOf(t, name)) || bytes.Equal(before, after) {
		t.Error("the file has changed by what the closed Writer does")
	}
	_, err = w.Reserve(canceled, 1)
	wantErr(t, err, ErrClosed)
	next.Close()
	r.Release()
	r.Close()
	if mapped(t, name) {
		t.Error("the memory is still mapped")
	}
}

// The user of a Reader works on messages, and another goroutine closes.
func TestClose_OtherGoroutine_HeldMessagesStayReadable(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := create(t, name, WriterOptions{Capacity: 4096}), open(t, name, ReaderOptions{})
	long := strings.Repeat("long ", 200)
	send(t, w, "released", "first", long)
	wantMessages(t, r, "released")
	r.Release()
	first, err := r.Next(canceled)
	wantErr(t, err, nil)
	second, err := r.Next(canceled)
	wantErr(t, err, nil)
	if unread := closeElsewhere(t, r); unread != 2 {
		t.Errorf("%d unread", unread)
	}

	// They come again to the next Reader, who releases them, and the room is used again.
	next := open(t, name, ReaderOptions{})
	wantMessages(t, next, "first", long)
	next.Release()
	for range 10 {
		send(t, w, strings.Repeat("x", 1000))
		wantMessages(t, next, strings.Repeat("x", 1000))
		next.Release()
	}
	if string(first) != "first" || string(second) != long {
		t.Error("what is held has changed")
	}
	consumed := w.Segment().Header().Consumer.Count.Load()
	if _, err = r.Next(canceled); err != ErrClosed || string(first) != "first" {
		t.Errorf("%v, and what is held is %q", err, first)
	}
	r.Release()
	if got := w.Segment().Header().Consumer.Count.Load(); got != consumed {
		t.Error("a closed Reader has released something")
	}
	w.Close()
	next.Close()
	if mapped(t, name) {
		t.Error("the memory is still mapped")
	}
}

func TestClose_Unreferenced_Unmapped(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{Capacity: 4096})
	send(t, w, "held")
	func() {
		r, err := Open(canceled, name, ReaderOptions{})
		wantErr(t, err, nil)
		wantMessages(t, r, "held")
		closeElsewhere(t, r)
	}()
	w.Close()
	for deadline := time.Now().Add(time.Minute); mapped(t, name); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the memory is still mapped")
		}
	}
}

func TestClose_NoSlicesInUse_UnmapsAtOnce(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := create(t, name, WriterOptions{}), open(t, name, ReaderOptions{})
	send(t, w, "a")
	wantMessages(t, r, "a")
	r.Release()
	closeElsewhere(t, w)
	closeElsewhere(t, r)
	if mapped(t, name) {
		t.Error("the memory is still mapped")
	}
}

// A call that does not end in time: its thread gets no processor, say. Here it stands for
// one that has entered the gate, and goes on after Close.
func TestClose_LateCall_StoresDoNotReachPeer(t *testing.T) {
	t.Run("writer", func(t *testing.T) {
		name := testenv.SegmentName(t)
		w := create(t, name, WriterOptions{})
		send(t, w, "published")
		buf, err := w.Reserve(canceled, 6)
		wantErr(t, err, nil)
		w.commit(copy(buf, "staged"))
		w.gate.Enter()
		w.closeTimeout = time.Millisecond
		if unread := closeElsewhere(t, w); unread != 1 {
			t.Errorf("%d unread", unread)
		}
		before := fileOf(t, name)
		w.publish() // with nothing that faults
		if !bytes.Equal(before, fileOf(t, name)) {
			t.Error("a late publish has reached the file")
		}
		w.endCall(nil)
		r := open(t, name, ReaderOptions{})
		wantMessages(t, r, "published")
		_, err = r.TryNext()
		wantErr(t, err, io.EOF)
		r.Release()
		r.Close()
		_, err = w.Reserve(canceled, 1)
		wantErr(t, err, ErrClosed)
		if mapped(t, name) {
			t.Error("the memory is still mapped")
		}
	})
	t.Run("reader", func(t *testing.T) {
		name := testenv.SegmentName(t)
		w, r := create(t, name, WriterOptions{Capacity: 4096}), open(t, name, ReaderOptions{})
		send(t, w, "a", "b")
		wantMessages(t, r, "a")
		r.gate.Enter()
		r.closeTimeout = time.Millisecond
		closeElsewhere(t, r)
		next := open(t, name, ReaderOptions{})
		wantMessages(t, next, "a", "b")
		next.Release()
		for range 10 {
			send(t, w, strings.Repeat("x", 1000))
			wantMessages(t, next, strings.Repeat("x", 1000))
			next.Release()
		}
		if got, err := r.takeNext(); string(got) != "b" || err != nil { // as if it had found avail before
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("asleep", func(t *testing.T) {
		name := testenv.SegmentName(t)
		w, r := create(t, name, WriterOptions{}), open(t, name, ReaderOptions{})
		side := &r.mem.Header.ConsumerStats
		endpoint.BeginSleep(side, 0, monotonic.Now())
		r.mem.Header.ConsumerSleep.Flag.Store(5)
		r.gate.Enter()
		r.closeTimeout = time.Millisecond
		closeElsewhere(t, r)
		h := w.Segment().Header()
		if s := &h.ConsumerStats; int64(s.Blocked.Load()) < 0 || layout.State(s.State.Load()) != layout.StateClosed || h.ConsumerSleep.Flag.Load() != 0 {
			t.Errorf("blocked %d, state %d, flag %d", int64(s.Blocked.Load()), s.State.Load(), h.ConsumerSleep.Flag.Load())
		}
	})
}

// Close closes the gate, and then sets the bound: it may lose its processor in between. What
// the user does meanwhile is turned back at the gate, and no call gives it anything more.
func TestClose_GateClosedOnly_CallsFail(t *testing.T) {
	// roomy returns a Writer that looks at nothing but the bound for some messages.
	roomy := func(t *testing.T) *Writer {
		w, _, _ := pair(t, 1<<16, 0, WriterOptions{}, ReaderOptions{})
		w.sampler.next = 1 << 40
		for range 1000 {
			if w.stop.Load() > w.tail+64 {
				return w
			}
			send(t, w, "before")
		}
		t.Fatal("it looks closer at every message")
		return nil
	}
	t.Run("writer", func(t *testing.T) {
		w := roomy(t)
		w.gate.Close()
		if _, err := w.Reserve(canceled, 8); err == nil { // nothing was checked but the bound
			w.Commit(8)
		}
		w.Publish()
		for range 3 {
			_, err := w.Reserve(canceled, 8)
			wantErr(t, err, ErrClosed)
			wantErr(t, w.Send(canceled, []byte("late")), ErrClosed)
		}
	})
	t.Run("writer, too long for the bound", func(t *testing.T) {
		w := roomy(t)
		w.gate.Close()
		_, err := w.Reserve(canceled, 1<<15)
		wantErr(t, err, ErrClosed)
		_, err = w.Reserve(canceled, 8)
		wantErr(t, err, ErrClosed)
	})
	t.Run("reader", func(t *testing.T) {
		w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		w.sampler.next = 1 << 40 // the Reader looks closer at samples
		send(t, w, "a", "b", "c", "d")
		wantMessages(t, r, "a")
		r.gate.Close()
		wantMessages(t, r, "b") // nothing was checked but the bound
		r.Release()
		for range 3 {
			_, err := r.Next(canceled)
			wantErr(t, err, ErrClosed)
			_, err = r.Take(canceled)
			wantErr(t, err, ErrClosed)
		}
	})
}

// A stream is closed at any moment, by somebody who waits for the call that is under
// way or does not; the next Writer goes on, and the Reader gets everything that was sent
// without an error, in order. After each Close the file stays as it is, whatever the
// closed Writer's user still does.
func TestWriter_Close_OtherGoroutineAnytime(t *testing.T) {
	// Not gate.CloseTimeout: a loaded machine may take a thread's processor away for longer.
	for patience, rounds := range map[time.Duration]int{testenv.Timeout: 150, 0: 150} {
		for form, give := range map[string]func(*Writer, []byte) error{
			"send": sends["send"], "reserve": sends["reserve"], "sendbatch": sends["sendbatch"],
		} {
			t.Run(fmt.Sprintf("%s, patience %v", form, patience), func(t *testing.T) {
				name := testenv.SegmentName(t)
				r := readerLater(t, name)
				var sent, taken uint64
				for round := range rounds / 3 {
					w, err := Create(canceled, name, WriterOptions{Capacity: 1 << 20, Keep: true})
					wantErr(t, err, nil)
					w.closeTimeout = patience
					started := make(chan bool)
					using := testenv.Background(func() error {
						buf := make([]byte, 128)
						close(started)
						for {
							err := give(w, message(buf, sent))
							if errors.Is(err, ErrFull) {
								err = nil
								runtime.Gosched()
							}
							if err != nil {
								return err
							}
							sent++
						}
					})
					<-started
					cpu.Pause(uint32(1 + round*97%3000))
					err = w.Close()
					wantErr(t, err, nil)
					before := fileOf(t, name)
					wantErr(t, using(), ErrClosed)
					w.Publish()
					if !bytes.Equal(before, fileOf(t, name)) {
						t.Fatal("the file has changed after Close")
					}
					taken = r(taken)
					// A call that was cut off may have published its message or not. With no
					// patience it reports success for one that nobody sees, and Commit, which
					// has no error to return, may come after Close.
					if taken > sent+1 || taken+1 < sent {
						t.Fatalf("round %d: %d sent, %d taken", round, sent, taken)
					}
					if patience > 0 && form != "reserve" && taken < sent {
						t.Fatalf("round %d: %d sent, %d taken", round, sent, taken)
					}
					sent = taken
				}
			})
		}
	}
}

// readerLater returns a function that takes what there is in the segment, checks that it
// goes on with number from, and returns the number that comes next.
func readerLater(t *testing.T, name string) func(from uint64) uint64 {
	return func(from uint64) uint64 {
		t.Helper()
		r, err := Open(canceled, name, ReaderOptions{Keep: true})
		wantErr(t, err, nil)
		defer r.Close()
		buf := make([]byte, 128)
		for {
			msg, err := r.TryNext()
			if err == ErrEmpty || err == io.EOF {
				r.Release()
				return from
			}
			wantErr(t, err, nil)
			if !bytes.Equal(msg, message(buf, from)) {
				t.Fatalf("message %d is % x, number %d", from, msg, binary.LittleEndian.Uint64(msg))
			}
			from++
		}
	}
}

// The same with Readers: what the closed one has released does not come again, and all
// the rest does.
func TestReader_Close_OtherGoroutineAnytime(t *testing.T) {
	for _, patience := range []time.Duration{testenv.Timeout, 0} {
		for form, take := range receives {
			t.Run(fmt.Sprintf("%s, patience %v", form, patience), func(t *testing.T) {
				name := testenv.SegmentName(t)
				w := create(t, name, WriterOptions{Capacity: 1 << 16, Keep: true})
				buf := make([]byte, 128)
				var produced uint64
				for round := range 40 {
					for w.Send(canceled, message(buf, produced)) == nil {
						produced++
					}
					r, err := Open(canceled, name, ReaderOptions{Keep: true})
					wantErr(t, err, nil)
					r.closeTimeout = patience
					from := w.Segment().Header().Consumer.Count.Load()
					started := make(chan bool)
					using := testenv.Background(func() error {
						want := make([]byte, 128)
						close(started)
						for i := from; ; i++ {
							msg, err := take(r)
							if err != nil {
								return err
							}
							if !bytes.Equal(msg, message(want, i)) {
								return fmt.Errorf("message %d is % x", i, msg)
							}
						}
					})
					<-started
					cpu.Pause(uint32(1 + round*97%3000))
					err = r.Close()
					wantErr(t, err, nil)
					before := fileOf(t, name)
					if err := using(); err != ErrClosed {
						t.Fatal(err)
					}
					r.Release()
					if !bytes.Equal(before, fileOf(t, name)) {
						t.Fatal("the file has changed after Close")
					}
				}
			})
		}
	}
}

func TestMisuse_TwoGoroutinesWait_Panics(t *testing.T) {
	_, r, mem := pair(t, 4096, 0, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
	ctx := canceledLater(t)
	first := testenv.Background(func() error { _, err := r.Next(ctx); return err })
	asleep(t, mem.Header, layout.Consumer, 1)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		r.Close()
		wantErr(t, first(), ErrClosed)
	}()
	r.Next(ctx)
}

// The queue never gets deeper than it is when its producer leaves.
func TestWriter_Close_UpdatesHighWater(t *testing.T) {
	w, _, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a", "b", "c")
	mem.Header.ProducerStats.HighWater.Store(1)
	w.Close()
	if n := mem.Header.ProducerStats.HighWater.Load(); n != 3 {
		t.Errorf("%d", n)
	}
}
