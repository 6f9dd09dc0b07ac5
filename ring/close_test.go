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
	"slices"
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

// mapped returns a function that reports whether this process still has the data mapped that ends
// have, or what Close has put in its place.
func mapped(t *testing.T, ends ...interface{ Segment() *shm.Segment }) func() bool {
	t.Helper()
	var places []uintptr
	for _, end := range ends {
		data := end.Segment().Data()
		places = append(places, addressOf(data[len(data)/2:]))
	}
	return func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(maps)) {
			var from, to uintptr
			fmt.Sscanf(line, "%x-%x", &from, &to)
			if slices.ContainsFunc(places, func(at uintptr) bool { return from <= at && at < to }) {
				return true
			}
		}
		return false
	}
}

// wantClosed makes a call for the next message of ends that are closed. They have to unmap then
// what they have left mapped for what their users had.
func wantClosed(t *testing.T, ends ...any) {
	t.Helper()
	for _, end := range ends {
		var err error
		switch end := end.(type) {
		case writerEnd:
			_, err = end.Reserve(context.Background(), 1)
		case readerEnd:
			_, err = end.Next(context.Background())
		}
		if err != ErrClosed {
			t.Errorf("%v, want %v", err, ErrClosed)
		}
	}
}

func TestClose_EndsWaitingCall(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		full := func(w writerEnd) error { return w.Send(context.Background(), []byte("x")) }
		for _, c := range []struct {
			name string
			role layout.Role
			call func(w writerEnd, r readerEnd) error
		}{
			{"Next", layout.Consumer, func(_ writerEnd, r readerEnd) error { _, err := r.Next(context.Background()); return err }},
			{"NextBatch", layout.Consumer, func(_ writerEnd, r readerEnd) error {
				n, err := r.NextBatch(context.Background(), make([][]byte, 2), 100)
				if n != 0 {
					t.Errorf("%d taken", n)
				}
				return err
			}},
			{"Take", layout.Consumer, func(_ writerEnd, r readerEnd) error { _, err := r.Take(context.Background()); return err }},
			{"Receive", layout.Consumer, func(_ writerEnd, r readerEnd) error { _, err := r.Receive(context.Background(), nil); return err }},
			{"Messages", layout.Consumer, func(_ writerEnd, r readerEnd) (last error) {
				for _, last = range r.Messages(context.Background()) {
				}
				return last
			}},
			{"Reserve", layout.Producer, func(w writerEnd, _ readerEnd) error { _, err := w.Reserve(context.Background(), 1); return err }},
			{"Send", layout.Producer, func(w writerEnd, _ readerEnd) error { return full(w) }},
			{"SendBatch", layout.Producer, func(w writerEnd, _ readerEnd) error {
				n, err := w.SendBatch(context.Background(), [][]byte{{1}})
				if n != 0 {
					t.Errorf("%d accepted", n)
				}
				return err
			}},
			{"Drain", layout.Producer, func(w writerEnd, _ readerEnd) error { return w.Drain(context.Background()) }},
			{"a Window of the producer", layout.Producer, func(w writerEnd, _ readerEnd) error { return window(w) }},
			{"a Window of the consumer", layout.Consumer, func(_ writerEnd, r readerEnd) error { return window(r) }},
		} {
			if k.slotSize == 0 && strings.HasPrefix(c.name, "a Window") {
				continue
			}
			for how, spin := range map[string]time.Duration{"asleep": SpinNever, "spinning": time.Hour} {
				t.Run(c.name+" "+how, func(t *testing.T) {
					name := testenv.SegmentName(t)
					w := k.creates(t, name, WriterOptions{Slots: 1, Spin: spin})
					r := k.opens(t, name, ReaderOptions{Spin: spin})
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
	})
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
	eachKind(t, func(t *testing.T, k kind) {
		for range 50 {
			name := testenv.SegmentName(t)
			w := k.creates(t, name, WriterOptions{})
			send(t, w, "a", "b")
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { wantErr(t, w.Close(), nil) })
			}
			all.Wait()
			if n := w.Unread(); n != 2 {
				t.Errorf("%d unread", n)
			}
			wantMessages(t, k.opens(t, name, ReaderOptions{}), "a", "b")
		}
	})
}

func TestClose_OtherGoroutine_PublishesStagedIfIdle(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		for _, msg := range []string{"a", "b"} {
			buf, err := w.Reserve(canceled, 1)
			wantErr(t, err, nil)
			w.Commit(copy(buf, msg))
		}
		if unread := closeElsewhere(t, w); unread != 2 {
			t.Errorf("%d unread", unread)
		}
		r := k.opens(t, name, ReaderOptions{})
		wantMessages(t, r, "a", "b")
		_, err := r.TryNext()
		wantErr(t, err, io.EOF)
	})
}

// The user of a Writer has a reservation and fills it, and another goroutine closes.
func TestClose_OtherGoroutine_ReservationStaysWritable(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		isMapped := mapped(t, w)
		send(t, w, "published")
		buf, err := w.Reserve(canceled, 20)
		wantErr(t, err, nil)
		copy(buf, "before")
		closeElsewhere(t, w)
		before := fileOf(t, name)

		next := k.creates(t, name, WriterOptions{})
		wantErr(t, next.Send(canceled, bytes.Repeat([]byte("successor"), 2)), nil)
		r := k.opens(t, name, ReaderOptions{})
		wantMessages(t, r, "published", strings.Repeat("successor", 2))
		after := fileOf(t, name)
		othersMapped := mapped(t, next, r)
		if k.slotSize == 0 && string(buf[:6]) != "before" { // a Writer of slots does not know that one is in use
			t.Errorf("the reservation holds %q", buf[:6])
		}
		copy(buf, "late")
		w.Commit(10)
		w.Publish()
		if !bytes.Equal(after, fileOf(t, name)) || bytes.Equal(before, after) {
			t.Error("the file has changed by what the closed Writer does")
		}
		next.Close()
		r.Release()
		r.Close()
		wantClosed(t, w, next, r)
		if isMapped() || othersMapped() {
			t.Error("the memory is still mapped")
		}
	})
}

// Drain is no call for a slot, so it leaves what the last one has returned as it is.
func TestClose_DuringDrain_ReservationStaysWritable(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		isMapped := mapped(t, w)
		send(t, w, "published")
		buf, err := w.Reserve(canceled, 20)
		wantErr(t, err, nil)
		draining := testenv.Background(func() error { return w.Drain(context.Background()) })
		asleep(t, w.Segment().Header(), layout.Producer, 1)
		closeElsewhere(t, w)
		wantErr(t, draining(), ErrClosed)
		wantErr(t, w.Drain(context.Background()), ErrClosed)
		copy(buf, "late")
		if unread := w.Unread(); unread != 1 || !isMapped() {
			t.Errorf("%d unread, the memory is mapped: %v", unread, isMapped())
		}
		wantClosed(t, w)
		if isMapped() {
			t.Error("the memory is still mapped")
		}
	})
}

// The user of a Writer may find it closed before Close has published what is staged.
func TestClose_UserTurnedAwayFirst_PublishesStaged(t *testing.T) {
	eachStaging(t, func(t *testing.T, k kind) {
		for range 20 {
			name := testenv.SegmentName(t)
			w := k.creates(t, name, WriterOptions{})
			for _, msg := range []string{"a", "b"} {
				buf, err := w.Reserve(canceled, 1)
				wantErr(t, err, nil)
				w.Commit(copy(buf, msg))
			}
			gate := &sideOf(w).gate
			gate.Enter() // Close waits for that
			closing := testenv.Background(w.Close)
			for !gate.Closed() {
				runtime.Gosched()
			}
			wantClosed(t, w)
			wantErr(t, closing(), nil)
			if n := w.Published(); n != 2 {
				t.Errorf("%d published", n)
			}
			wantMessages(t, k.opens(t, name, ReaderOptions{}), "a", "b")
		}
	})
}

// A window may be published slot by slot, so its slots stay writable while a closed Writer
// publishes.
func TestClose_WindowPublishedOneByOne_StaysWritable(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := CreateOf[uint64](canceled, name, WriterOptions{})
	wantErr(t, err, nil)
	isMapped := mapped(t, w)
	window, err := w.Window(canceled, 4)
	wantErr(t, err, nil)
	for i := range window {
		window[i] = uint64(i)
		w.Publish()
		if i == 1 {
			closeElsewhere(t, w)
		}
	}
	if n := w.Published(); n != 2 {
		t.Errorf("%d published", n)
	}
	_, err = w.Slot(canceled)
	wantErr(t, err, ErrClosed)
	if isMapped() {
		t.Error("the memory is still mapped")
	}
	r, err := OpenOf[uint64](canceled, name, ReaderOptions{})
	wantErr(t, err, nil)
	for i := range uint64(2) {
		if v, err := r.TryPop(); v != i || err != nil {
			t.Errorf("%d, %v", v, err)
		}
	}
	_, err = r.TryPop()
	wantErr(t, err, io.EOF)
	wantErr(t, r.Close(), nil)
}

// Every call of a closed end fails or does nothing, with the memory in place and without.
func TestClose_EveryCallAfterIt(t *testing.T) {
	background := context.Background()
	write := func(t *testing.T, end writerEnd) {
		var errs []error
		fails := func(err error) { t.Helper(); errs = append(errs, err) }
		switch w := end.(type) { // first, because it is for what was there before Close
		case byteWriter:
			w.PublishN(1)
			fails(window(w))
		case valueWriter[[24]byte]:
			w.WriterOf.Publish()
			w.PublishN(1)
			fails(window(w))
			fails(w.TryPush([24]byte{}))
		}
		end.Commit(1)
		end.Publish()
		end.Discard()
		end.SetDue(time.Now())
		end.EndAs(layout.EndFailed)
		end.KeepEnd()
		_, err := end.Reserve(background, 1)
		fails(err)
		_, err = end.TryReserve(1)
		fails(err)
		_, err = end.SendBatch(background, [][]byte{{1}})
		fails(err)
		fails(end.Send(background, []byte{1}))
		fails(end.Drain(background))
		for i, err := range errs {
			if err != ErrClosed {
				t.Errorf("call %d: %v", i, err)
			}
		}
		wantErr(t, end.Close(), nil)
		wantErr(t, end.Abort(), nil)
		if p, n, u := end.Published(), end.Resumed(), end.Unread(); p != 2 || n != 0 || u != 2 {
			t.Errorf("%d published, %d resumed, %d unread", p, n, u)
		}
	}
	read := func(t *testing.T, end readerEnd, held int) {
		var errs []error
		fails := func(err error) { t.Helper(); errs = append(errs, err) }
		if end.Held() != held || end.Buffered() || end.Framing() != layout.FramingNone {
			t.Errorf("%d held, buffered %v, %v", end.Held(), end.Buffered(), end.Framing())
		}
		end.ReleaseN(0)
		end.ReleaseN(held + 1)
		_, err := end.Next(background)
		fails(err)
		_, err = end.TryNext()
		fails(err)
		end.ReleaseN(min(1, held))
		_, err = end.Take(background)
		fails(err)
		_, err = end.NextBatch(background, make([][]byte, 1), 1)
		fails(err)
		_, err = end.Receive(background, nil)
		fails(err)
		for _, err := range end.Messages(background) {
			fails(err)
		}
		switch r := end.(type) {
		case byteReader:
			fails(window(r))
		case valueReader[[24]byte]:
			fails(window(r))
			_, err := r.TryPop()
			fails(err)
			for _, err := range r.Values(background) {
				fails(err)
			}
		}
		end.Release()
		for i, err := range errs {
			if err != ErrClosed {
				t.Errorf("call %d: %v", i, err)
			}
		}
		wantErr(t, end.Close(), nil)
		if end.Held() != 0 || end.Released() != 1 || end.Unread() != 1 {
			t.Errorf("%d held, %d released, %d unread", end.Held(), end.Released(), end.Unread())
		}
	}
	eachKind(t, func(t *testing.T, k kind) {
		for _, holds := range []bool{false, true} {
			t.Run(fmt.Sprint("holds ", holds), func(t *testing.T) {
				name := testenv.SegmentName(t)
				w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
				isMapped := mapped(t, w, r)
				send(t, w, "released", "unread")
				if holds {
					_, err := w.Reserve(canceled, 1)
					wantErr(t, err, nil)
				}
				closeElsewhere(t, w)
				write(t, w)
				wantMessages(t, r, "released")
				r.Release()
				held := 0
				if holds {
					wantMessages(t, r, "unread")
					held = 1
				}
				closeElsewhere(t, r)
				read(t, r, held)
				if isMapped() {
					t.Error("the memory is still mapped")
				}
				write(t, w)
				read(t, r, 0)
			})
		}
	})
}

// The user of a Reader works on messages, and another goroutine closes.
func TestClose_OtherGoroutine_HeldMessagesStayReadable(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w, r := k.creates(t, name, WriterOptions{Capacity: 4096}), k.opens(t, name, ReaderOptions{})
		isMapped := mapped(t, w, r)
		long := strings.Repeat("long", w.MaxMessage()/16)
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
		next := k.opens(t, name, ReaderOptions{})
		wantMessages(t, next, "first", long)
		next.Release()
		for x := strings.Repeat("x", w.MaxMessage()/4); next.Released() < 200; next.Release() {
			send(t, w, x)
			wantMessages(t, next, x)
		}
		if string(first) != "first" || string(second) != long {
			t.Error("what is held has changed")
		}
		consumed := w.Segment().Header().Count(layout.Consumer)
		if _, err = r.Next(canceled); err != ErrClosed || string(first) != "first" {
			t.Errorf("%v, and what is held is %q", err, first)
		}
		r.Release()
		if got := w.Segment().Header().Count(layout.Consumer); got != consumed {
			t.Error("a closed Reader has released something")
		}
		w.Close()
		next.Close()
		wantClosed(t, w, next, r)
		if isMapped() {
			t.Error("the memory is still mapped")
		}
	})
}

// Of a record that begins after the end of the ring, the user has the first copy of the memory.
func TestClose_HeldMessagesWrapAround_StayReadable(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w, r := k.creates(t, name, WriterOptions{Capacity: 64 << 10}), k.opens(t, name, ReaderOptions{})
		number := func(i int) string { return fmt.Sprintf("message number %8d.", i) }
		const before, during = 1792, 1024 // of 2048 that there is room for
		for i := range before {
			send(t, w, number(i))
			wantMessages(t, r, number(i))
			r.Release()
		}
		var messages [][]byte
		for i := range during {
			send(t, w, number(i))
			msg, err := r.Next(canceled)
			wantErr(t, err, nil)
			messages = append(messages, msg)
		}
		closeElsewhere(t, r)
		next := k.opens(t, name, ReaderOptions{})
		for i := range during {
			wantMessages(t, next, number(i))
		}
		next.Release()
		for range 2 * before {
			send(t, w, "other")
			wantMessages(t, next, "other")
			next.Release()
		}
		for i, msg := range messages {
			if string(msg) != number(i) {
				t.Fatalf("message %d that is held has become %q", i, msg)
			}
		}
		wantErr(t, w.Close(), nil)
		wantErr(t, next.Close(), nil)
	})
}

func TestClose_Unreferenced_Unmapped(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		var isMapped func() bool
		func() {
			w, err := k.create(canceled, name, WriterOptions{Capacity: 4 << 20})
			wantErr(t, err, nil)
			send(t, w, "held")
			_, err = w.Reserve(canceled, 1)
			wantErr(t, err, nil)
			r, err := k.open(canceled, name, ReaderOptions{})
			wantErr(t, err, nil)
			wantMessages(t, r, "held")
			isMapped = mapped(t, w, r)
			closeElsewhere(t, w)
			closeElsewhere(t, r)
			if !isMapped() {
				t.Error("the memory of what is held is not mapped")
			}
			runtime.KeepAlive(w)
			runtime.KeepAlive(r)
		}()
		for deadline := time.Now().Add(time.Minute); isMapped(); runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatal("the memory is still mapped")
			}
		}
	})
}

func TestClose_NoSlicesInUse_UnmapsAtOnce(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := create(t, name, WriterOptions{}), open(t, name, ReaderOptions{})
	isMapped := mapped(t, w, r)
	send(t, w, "a")
	wantMessages(t, r, "a")
	r.Release()
	closeElsewhere(t, w)
	closeElsewhere(t, r)
	if isMapped() {
		t.Error("the memory is still mapped")
	}
}

// A call that does not end in time: its thread gets no processor, say. Here it stands for
// one that has entered the gate, and goes on after Close.
func TestClose_LateCall_StoresDoNotReachPeer(t *testing.T) {
	t.Run("writer", func(t *testing.T) {
		name := testenv.SegmentName(t)
		w := create(t, name, WriterOptions{})
		isMapped := mapped(t, w)
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
		if isMapped() {
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
	eachKind(t, func(t *testing.T, k kind) {
		// Not gate.CloseTimeout: a loaded machine may take a thread's processor away for longer.
		for _, patience := range []time.Duration{testenv.Timeout, 0} {
			for form, give := range map[string]func(writerEnd, []byte) error{
				"send": sends["send"], "reserve": sends["reserve"], "sendbatch": sends["sendbatch"],
			} {
				t.Run(fmt.Sprintf("%s, patience %v", form, patience), func(t *testing.T) {
					name := testenv.SegmentName(t)
					r := readerLater(t, k, name)
					var sent, taken uint64
					for round := range 30 {
						w, err := k.create(canceled, name, WriterOptions{Capacity: 1 << 20, Keep: true})
						wantErr(t, err, nil)
						sideOf(w).closeTimeout = patience
						started := make(chan bool)
						using := testenv.Background(func() error {
							buf := make([]byte, k.largest())
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
						file := fileOf(t, name)
						wantErr(t, using(), ErrClosed)
						w.Publish()
						if !bytes.Equal(file, fileOf(t, name)) {
							t.Fatal("the file has changed after Close")
						}
						before := taken
						taken = r(before)
						// A call that was cut off may have published its message or not, and Commit
						// has no error to say so. Send and SendBatch of slots say, and those of
						// records do if Close has waited for them.
						if taken > sent+1 || taken+1 < sent {
							t.Fatalf("round %d: %d sent, %d taken", round, sent, taken)
						}
						if form != "reserve" && (k.slotSize > 0 && taken != sent || patience > 0 && taken < sent) {
							t.Fatalf("round %d: %d sent, %d taken", round, sent, taken)
						}
						if n := w.Published(); (patience > 0 || k.slotSize > 0) && n != taken-before {
							t.Fatalf("round %d: %d published by its own count, %d taken", round, n, taken-before)
						}
						sent = taken
					}
				})
			}
		}
	})
}

// readerLater returns a function that takes what there is in the segment, checks that it
// goes on with number from, and returns the number that comes next.
func readerLater(t *testing.T, k kind, name string) func(from uint64) uint64 {
	return func(from uint64) uint64 {
		t.Helper()
		r, err := k.open(canceled, name, ReaderOptions{Keep: true})
		wantErr(t, err, nil)
		defer r.Close()
		buf := make([]byte, k.largest())
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
	eachKind(t, func(t *testing.T, k kind) {
		for _, patience := range []time.Duration{testenv.Timeout, 0} {
			for form, take := range receives {
				t.Run(fmt.Sprintf("%s, patience %v", form, patience), func(t *testing.T) {
					name := testenv.SegmentName(t)
					w := k.creates(t, name, WriterOptions{Capacity: 1 << 16, Keep: true})
					buf := make([]byte, k.largest())
					var produced uint64
					for round := range 40 {
						for w.Send(canceled, message(buf, produced)) == nil {
							produced++
						}
						r, err := k.open(canceled, name, ReaderOptions{Keep: true})
						wantErr(t, err, nil)
						sideOf(r).closeTimeout = patience
						from := w.Segment().Header().Count(layout.Consumer)
						started := make(chan bool)
						using := testenv.Background(func() error {
							want := make([]byte, k.largest())
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
	})
}

func TestMisuse_TwoGoroutinesWait_Panics(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		_, r, mem := k.pair(t, 4096, 0, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
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
	})
}

// The queue never gets deeper than it is when its producer leaves.
func TestWriter_Close_UpdatesHighWater(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, _, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a", "b", "c")
		mem.Header.ProducerStats.HighWater.Store(1)
		w.Close()
		if n := mem.Header.ProducerStats.HighWater.Load(); n != 3 {
			t.Errorf("%d", n)
		}
	})
}
