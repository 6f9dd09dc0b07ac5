package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func isReady(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// readable reports whether a descriptor can be read now.
func readable(t *testing.T, fd int) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	for err == unix.EINTR { // by a signal of the runtime
		n, err = unix.Poll(fds, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// readyReader is a Reader or a SlotReader, and its Writer.
type readyReader interface {
	readerEnd
	Ready() <-chan struct{}
	ReadyFD() (int, error)
}

func readyPairs(t *testing.T, test func(t *testing.T, w writerEnd, r readyReader)) {
	t.Run("records", func(t *testing.T) {
		w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		defer r.Close()
		test(t, w, r)
	})
	t.Run("slots", func(t *testing.T) {
		mem := heapSlots(t, 1, 4096, 0)
		w, err := NewSlotWriter(mem, WriterOptions{})
		testenv.WantErr(t, err, nil)
		r, err := NewSlotReader(mem, ReaderOptions{})
		testenv.WantErr(t, err, nil)
		defer r.Close()
		test(t, w, r)
	})
}

func TestReady_SaysWhatTryNextDoes(t *testing.T) {
	readyPairs(t, func(t *testing.T, w writerEnd, r readyReader) {
		if isReady(r.Ready()) {
			t.Error("ready while empty")
		}
		send(t, w, "a", "b")
		testenv.Eventually(t, "the event", func() bool { return isReady(r.Ready()) })
		wantMessages(t, r, "a")
		if !isReady(r.Ready()) {
			t.Error("not ready with a message")
		}
		wantMessages(t, r, "b")
		if isReady(r.Ready()) {
			t.Error("ready while empty again")
		}
		w.Close()
		testenv.Eventually(t, "the event of the end", func() bool { return isReady(r.Ready()) })
		_, err := r.TryNext()
		testenv.WantErr(t, err, io.EOF)
		r.Close()
		if !isReady(r.Ready()) {
			t.Error("not ready when closed")
		}
	})
}

// A channel that was returned before is closed when there is something.
func TestReady_ChannelWaitedFor_Closed(t *testing.T) {
	readyPairs(t, func(t *testing.T, w writerEnd, r readyReader) {
		for _, settled := range []time.Duration{0, 10 * time.Millisecond} {
			waited := r.Ready()
			time.Sleep(settled)
			send(t, w, "a")
			select {
			case <-waited:
			case <-time.After(testenv.Timeout):
				t.Fatal("the channel was not closed")
			}
			wantMessages(t, r, "a")
		}
		waited := r.Ready()
		r.Close()
		if !isReady(waited) {
			t.Error("Close has not closed the channel")
		}
	})
}

func TestReadyFD_ClearedByTryNextThatFindsNothing(t *testing.T) {
	readyPairs(t, func(t *testing.T, w writerEnd, r readyReader) {
		fd, err := r.ReadyFD()
		testenv.WantErr(t, err, nil)
		if readable(t, fd) {
			t.Error("readable while empty")
		}
		for range 3 {
			send(t, w, "a")
			testenv.Eventually(t, "the event", func() bool { return readable(t, fd) })
			wantMessages(t, r, "a")
			if !readable(t, fd) {
				t.Error("cleared by a call that found something")
			}
			_, err = r.TryNext()
			testenv.WantErr(t, err, ErrEmpty)
			if readable(t, fd) {
				t.Error("not cleared")
			}
		}
		r.Close()
		_, err = r.ReadyFD()
		testenv.WantErr(t, err, ErrClosed)
	})
}

// A call that waits calls the goroutine back: the wake is for one of the two.
func TestReady_NextMeanwhile(t *testing.T) {
	readyPairs(t, func(t *testing.T, w writerEnd, r readyReader) {
		for range 20 {
			waited := r.Ready()
			next := testenv.Background(func() error {
				_, err := r.Next(context.Background())
				return err
			})
			time.Sleep(time.Millisecond)
			send(t, w, "a")
			testenv.WantErr(t, next(), nil)
			if !isReady(waited) { // Next came too late to wait, and took nothing from who watches
				send(t, w, "b")
				testenv.Eventually(t, "the event, which somebody watches", func() bool { return isReady(waited) })
				_, err := r.Next(context.Background())
				testenv.WantErr(t, err, nil)
			}
			r.Release()
		}
	})
}

// A goroutine that waits for the channel alone, at every moment of publishing, misses nothing.
func TestReady_NoEdgeLost(t *testing.T) {
	readyPairs(t, func(t *testing.T, w writerEnd, r readyReader) {
		const messages = 3000
		sent := testenv.Background(func() error {
			for i := range messages {
				if err := w.Send(context.Background(), []byte{'a'}); err != nil {
					return err
				}
				switch i % 3 {
				case 0:
					time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
				case 1:
					for range rand.IntN(3000) {
					}
				}
			}
			return nil
		})
		for taken := 0; taken < messages; {
			select {
			case <-r.Ready():
			case <-time.After(testenv.Timeout):
				t.Fatalf("lost after %d messages", taken)
			}
			for {
				if _, err := r.TryNext(); err == ErrEmpty {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				taken++
				r.Release()
			}
		}
		testenv.WantErr(t, sent(), nil)
	})
}

// Where each ring has a goroutine that sleeps on it, as many as were needed for an event and for a
// call may be asleep. A wake is for one of them.
func TestGroupReady_GoroutineForEachRing_NoWakeLost(t *testing.T) {
	const rings = 128 // futex_waitv takes one less
	g, ws := group(t, 4096, slices.Repeat([]int{1}, rings)...)
	defer g.Close(true)
	err := eventsAndCalls{
		ready: g.Ready,
		next:  func() error { _, err := g.Select(context.Background()); return err },
		send:  func(round int) error { return ws[round].Send(canceled, []byte{'a'}) },
		take: func() error {
			for {
				e, err := g.TrySelect()
				if e == nil || err != nil {
					return err
				}
				if _, err := e.Reader.TryNext(); err != nil {
					return err
				}
				e.Reader.Release()
			}
		},
	}.check()
	testenv.WantErr(t, err, nil)
}

// The same for one ring, where the kernel refuses futex_waitv.
func TestReady_GoroutineForEachRing_NoWakeLost(t *testing.T) {
	if err := start(t, "", "forbid-waitv ready-and-next").Wait(); err != nil {
		t.Error(err)
	}
}

// eventsAndCalls is what waits for a message by an event in turn with a call that waits.
type eventsAndCalls struct {
	ready func() <-chan struct{}
	next  func() error
	send  func(round int) error
	take  func() error // all that is there
}

// check returns an error if most of several waits took as long as if their wake was lost: to the
// end of a poll interval, 100 ms.
func (w eventsAndCalls) check() error {
	const settled, lost = 5 * time.Millisecond, 50 * time.Millisecond
	var calls, events []time.Duration
	for round := range 5 {
		w.ready()
		time.Sleep(settled)
		next := testenv.Background(w.next)
		time.Sleep(settled)
		began := time.Now()
		if err := errors.Join(w.send(round), next()); err != nil {
			return err
		}
		calls = append(calls, time.Since(began))
		if err := w.take(); err != nil {
			return err
		}
		ready := w.ready()
		time.Sleep(settled)
		began = time.Now()
		if err := w.send(round); err != nil {
			return err
		}
		<-ready
		events = append(events, time.Since(began))
		if err := w.take(); err != nil {
			return err
		}
	}
	slices.Sort(calls)
	slices.Sort(events)
	if half := len(calls) / 2; calls[half] > lost || events[half] > lost {
		return fmt.Errorf("calls waited for %v, events came after %v", calls, events)
	}
	return nil
}

// readyAndNext is eventsAndCalls.check of a Reader.
func readyAndNext() error {
	g, err := layout.RingGeometry(4096, 0, 4096)
	if err != nil {
		return err
	}
	mem := plainMemory(g)
	w, err := NewWriter(mem, WriterOptions{})
	if err != nil {
		return err
	}
	r, err := NewReader(mem, ReaderOptions{Spin: SpinNever})
	if err != nil {
		return err
	}
	defer r.Close()
	return eventsAndCalls{
		ready: r.Ready,
		next:  func() error { _, err := r.Next(context.Background()); return err },
		send:  func(int) error { return w.Send(canceled, []byte{'a'}) },
		take: func() error {
			r.Release()
			if _, err := r.TryNext(); err != nil && err != ErrEmpty {
				return err
			}
			r.Release()
			return nil
		},
	}.check()
}

func TestGroupReady_AnyMember(t *testing.T) {
	g, ws := group(t, 4096, 1, 1, 1)
	defer g.Close(true)
	fd, err := g.ReadyFD()
	testenv.WantErr(t, err, nil)
	for _, w := range ws {
		if isReady(g.Ready()) || readable(t, fd) {
			t.Error("ready while empty")
		}
		waited := g.Ready()
		send(t, w, "a")
		select {
		case <-waited:
		case <-time.After(testenv.Timeout):
			t.Fatal("the channel was not closed")
		}
		if !readable(t, fd) {
			t.Error("not readable")
		}
		takeOne(t, g)
		if e, err := g.TrySelect(); e != nil || err != nil {
			t.Error("there is one more", err)
		}
	}
}

// withoutProducer returns the Reader of a segment that has no producer any more, and a function
// that removes its file.
func withoutProducer(t *testing.T) (r *Reader, remove func()) {
	t.Helper()
	name := testenv.SegmentName(t)
	w, err := Create(context.Background(), name, WriterOptions{})
	testenv.WantErr(t, err, nil)
	r, err = Open(context.Background(), name, ReaderOptions{Follow: true})
	testenv.WantErr(t, err, nil)
	t.Cleanup(func() { r.Close() })
	testenv.WantErr(t, w.Close(), nil)
	_, err = r.TryNext() // the end of that stream
	testenv.WantErr(t, err, ErrEmpty)
	return r, func() { testenv.WantErr(t, os.Remove(shm.Path(name)), nil) }
}

// lastError calls try whenever an event says that it need not wait, until it finds out that no
// message will come.
func lastError(t *testing.T, ready func() <-chan struct{}, try func() error) error {
	t.Helper()
	for began := time.Now(); time.Since(began) < testenv.Timeout; {
		<-ready()
		if err := try(); err != ErrEmpty {
			return err
		}
	}
	t.Fatal("it is not found out")
	return nil
}

func TestReady_FileRemoved_ErrorOfTryNext(t *testing.T) {
	r, remove := withoutProducer(t)
	if isReady(r.Ready()) {
		t.Error("ready while another producer may come")
	}
	remove()
	testenv.WantErr(t, lastError(t, r.Ready, func() error { _, err := r.TryNext(); return err }), ErrRemoved)
	if !isReady(r.Ready()) {
		t.Error("not ready, with an error")
	}
}

func TestGroupReady_FileOfOneRemoved_ErrorOfTrySelect(t *testing.T) {
	g, ws := group(t, 4096, 1, 1)
	defer g.Close(true)
	r, remove := withoutProducer(t)
	removed := g.Add(r, 2, 1)
	remove()
	err := lastError(t, g.Ready, func() error {
		e, err := g.TrySelect()
		if e == nil && err == nil {
			return ErrEmpty
		}
		if e != removed {
			t.Error("it is not the one that was removed")
		}
		return err
	})
	testenv.WantErr(t, err, ErrRemoved)
	g.Remove(removed)
	if isReady(g.Ready()) {
		t.Error("ready without it, while empty")
	}
	waited := g.Ready()
	send(t, ws[1], "a")
	<-waited
}
