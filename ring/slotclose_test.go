package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/pressure"
	"sluice/shm"
)

// numbered is a message that tells whether it is intact.
type numbered struct{ N, Sum uint64 }

func numberedAt(n uint64) numbered { return numbered{n, (n + 1) * 0x9e3779b97f4a7c15} }

// numberedFrom makes n messages from a number on.
func numberedFrom(first uint64, n int) []numbered {
	all := make([]numbered, n)
	for i := range all {
		all[i] = numberedAt(first + uint64(i))
	}
	return all
}

// received checks messages that were received: their order, and what is in them.
type received struct {
	next uint64 // number of the message that comes next
	sum  uint64 // of the messages so far
}

func (r *received) take(msgs ...numbered) error {
	for _, msg := range msgs {
		if msg != numberedAt(r.next) {
			return fmt.Errorf("message %d is %+v, want %+v", r.next, msg, numberedAt(r.next))
		}
		r.next++
		r.sum += msg.Sum
	}
	return nil
}

// check compares with the number of messages that were sent.
func (r *received) check(sent uint64) error {
	var sum uint64
	for i := range sent {
		sum += numberedAt(i).Sum
	}
	if r.next != sent || r.sum != sum {
		return fmt.Errorf("%d messages with the sum %#x, want %d with %#x", r.next, r.sum, sent, sum)
	}
	return nil
}

// slotSend is a loop in which messages are sent in slots.
type slotSend struct {
	// send sends some messages, from number i on, and returns how many it knows to be sent.
	send func(w *WriterOf[numbered], i uint64) (int, error)
	// bytes is send for a Writer of bytes.
	bytes func(w *SlotWriter, i uint64) (int, error)
	// exact: those were sent and no others, also if the end was closed meanwhile. Others cannot
	// know, because they end with a call that returns no error.
	exact bool
}

var slotSends = map[string]slotSend{
	"Slot": {send: func(w *WriterOf[numbered], i uint64) (int, error) {
		slot, err := w.Slot(context.Background())
		if err != nil {
			return 0, err
		}
		*slot = numberedAt(i)
		w.Publish()
		return 1, nil
	}},
	"TrySlot": {send: func(w *WriterOf[numbered], i uint64) (int, error) {
		slot, err := w.TrySlot()
		if err != nil {
			return 0, err
		}
		*slot = numberedAt(i)
		w.Publish()
		return 1, nil
	}},
	"Window": {send: func(w *WriterOf[numbered], i uint64) (int, error) {
		window, err := w.Window(context.Background(), 50)
		if err != nil {
			return 0, err
		}
		n := copy(window, numberedFrom(i, len(window)))
		w.PublishN(n)
		return n, nil
	}},
	"Push": {exact: true, send: func(w *WriterOf[numbered], i uint64) (int, error) {
		return oneIf(w.Push(context.Background(), numberedAt(i)))
	}},
	"TryPush": {exact: true, send: func(w *WriterOf[numbered], i uint64) (int, error) {
		return oneIf(w.TryPush(numberedAt(i)))
	}},
	"PushAll": {exact: true, send: func(w *WriterOf[numbered], i uint64) (int, error) {
		return w.PushAll(context.Background(), numberedFrom(i, 50))
	}},
	"Reserve": {bytes: func(w *SlotWriter, i uint64) (int, error) {
		buf, err := w.Reserve(context.Background(), w.MaxMessage())
		if err != nil {
			return 0, err
		}
		msg := numberedAt(i)
		w.Commit(copy(buf, bytesOf(&msg)))
		w.Publish()
		return 1, nil
	}},
	"Send": {exact: true, bytes: func(w *SlotWriter, i uint64) (int, error) {
		msg := numberedAt(i)
		return oneIf(w.Send(context.Background(), bytesOf(&msg)))
	}},
	"SendBatch": {exact: true, bytes: func(w *SlotWriter, i uint64) (int, error) {
		return w.SendBatch(context.Background(), bytesOfAll(numberedFrom(i, 50)))
	}},
}

// open creates a segment for it, and returns its end and send.
func (s slotSend) open(t *testing.T, name string, opt WriterOptions) (slotEnd, func(i uint64) (int, error)) {
	t.Helper()
	if s.bytes != nil {
		w, err := CreateSlots(canceled, name, uint64(len(bytesOf(new(numbered)))), opt)
		wantErr(t, err, nil)
		return w, func(i uint64) (int, error) { return s.bytes(w, i) }
	}
	w, err := CreateOf[numbered](canceled, name, opt)
	wantErr(t, err, nil)
	return w, func(i uint64) (int, error) { return s.send(w, i) }
}

// slotEnd is the end of either Writer of slots.
type slotEnd interface {
	Close() error
	Abort() error
	Published() uint64
	Segment() *shm.Segment
}

func oneIf(err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// slotReceives are the loops in which they are received. Each takes some and releases them.
var slotReceives = map[string]func(r *ReaderOf[numbered], took *received) error{
	"Next": func(r *ReaderOf[numbered], took *received) error {
		msg, err := r.Next(context.Background())
		if err != nil {
			return err
		}
		err = took.take(*msg)
		r.Release()
		return err
	},
	"TryNext": func(r *ReaderOf[numbered], took *received) error {
		msg, err := r.TryNext()
		if err != nil {
			return err
		}
		err = took.take(*msg)
		r.Release()
		return err
	},
	"Pop": func(r *ReaderOf[numbered], took *received) error {
		msg, err := r.Pop(context.Background())
		if err != nil {
			return err
		}
		return took.take(msg)
	},
	"Window": func(r *ReaderOf[numbered], took *received) error {
		window, err := r.Window(context.Background(), 50)
		if err != nil {
			return err
		}
		err = took.take(window...)
		r.Release()
		return err
	},
	"Values": func(r *ReaderOf[numbered], took *received) error {
		for msg, err := range r.Values(context.Background()) {
			if err == nil {
				err = took.take(msg)
			}
			if err != nil {
				return err
			}
		}
		return io.EOF
	},
}

// untilOver runs the body of a loop until it fails, and returns nil if that is because the end is
// closed or the stream has ended.
func untilOver(step func() error) error {
	for {
		switch err := step(); {
		case err == nil:
		case errors.Is(err, ErrFull), errors.Is(err, ErrEmpty):
			runtime.Gosched()
		case err == ErrClosed, err == io.EOF, errors.Is(err, ErrIncomplete):
			return nil
		default:
			return err
		}
	}
}

// eachRace runs a test of a Close that comes at any instruction of a loop. The goroutine with the
// loop calls share, and so does that which closes: on one processor, its thread stops the loop
// anywhere, which goes on when Close is over.
func eachRace(t *testing.T, test func(t *testing.T, share func() (end func()))) {
	t.Run("on any processors", func(t *testing.T) { test(t, func() func() { return func() {} }) })
	t.Run("on one processor", func(t *testing.T) {
		var all, one unix.CPUSet
		wantErr(t, unix.SchedGetaffinity(0, &all), nil)
		for cpu := 0; one.Count() == 0; cpu++ {
			if all.IsSet(cpu) {
				one.Set(cpu)
			}
		}
		test(t, func() func() {
			runtime.LockOSThread()
			unix.SchedSetaffinity(0, &one)
			return func() {
				unix.SchedSetaffinity(0, &all)
				runtime.UnlockOSThread()
			}
		})
	})
}

// soon calls close after less than a millisecond.
func soon(share func() func(), close func() error) error {
	defer share()()
	time.Sleep(time.Duration(rand.IntN(int(time.Millisecond))))
	return close()
}

// observing looks at a segment all the time: with a view, and as its own end. What it sees never
// falls, and nobody has received more than was sent.
func observing(t *testing.T, end slotEnd) (stop func() error) {
	t.Helper()
	view, err := shm.OpenView(end.Segment().Name())
	wantErr(t, err, nil)
	var stopped atomic.Bool
	join := testenv.Background(func() error {
		defer view.Close()
		var produced, consumed uint64
		for ; !stopped.Load(); time.Sleep(10 * time.Microsecond) {
			for _, seg := range []pressure.Segment{view, end.Segment()} {
				s, err := pressure.Observe(seg)
				if err != nil && (seg == view || err != shm.ErrClosed) {
					return err
				}
				if err == nil && (s.Consumed > s.Produced || s.Produced < produced || s.Consumed < consumed || s.Produced-s.Consumed > s.Geometry.MaxMessages()) {
					return fmt.Errorf("%d produced and %d consumed, and then %d and %d", produced, consumed, s.Produced, s.Consumed)
				}
				produced, consumed = max(produced, s.Produced), max(consumed, s.Consumed)
			}
		}
		return nil
	})
	return func() error { stopped.Store(true); return join() }
}

// races is how often each loop meets a Close.
const races = 12

// Whatever the instruction at which a Writer is closed, its Reader gets what it has published, and
// the calls that return an error are right about whether that includes their message.
func TestSlotWriter_CloseAtAnyInstruction_PublishedArrives(t *testing.T) {
	eachRace(t, func(t *testing.T, share func() func()) {
		for form, f := range slotSends {
			t.Run(form, func(t *testing.T) {
				for race := range races {
					name := testenv.SegmentName(t)
					w, send := f.open(t, name, WriterOptions{Slots: 1 << 12})
					r, err := OpenOf[numbered](canceled, name, ReaderOptions{})
					wantErr(t, err, nil)
					look := func() error { return nil }
					if race%4 == 0 {
						look = observing(t, w)
					}
					var sent uint64
					var took received
					sending := testenv.Background(func() error {
						defer share()()
						return untilOver(func() error {
							n, err := send(sent)
							sent += uint64(n)
							return err
						})
					})
					receiving := testenv.Background(func() error {
						return untilOver(func() error { return slotReceives["Values"](r, &took) })
					})
					end := w.Close
					if race%2 == 1 {
						end = w.Abort
					}
					wantErr(t, testenv.Background(func() error { return soon(share, end) })(), nil)
					wantErr(t, sending(), nil)
					wantErr(t, receiving(), nil)
					wantErr(t, look(), nil)
					wantErr(t, took.check(w.Published()), nil)
					if sent < took.next || f.exact && sent != took.next {
						t.Fatalf("%d were sent as its calls say, %d have arrived", sent, took.next)
					}
					wantErr(t, r.Close(), nil)
				}
			})
		}
	})
}

// Whatever the instruction at which a Reader is closed, the next one goes on after the last message
// that it has released.
func TestSlotReader_CloseAtAnyInstruction_RestArrives(t *testing.T) {
	eachRace(t, func(t *testing.T, share func() func()) {
		for form, take := range slotReceives {
			t.Run(form, func(t *testing.T) {
				name := testenv.SegmentName(t)
				w, err := CreateOf[numbered](canceled, name, WriterOptions{Slots: 1 << 12})
				wantErr(t, err, nil)
				look := observing(t, w)
				sending := testenv.Background(func() error {
					i := uint64(0)
					return untilOver(func() error { i++; return w.Push(context.Background(), numberedAt(i-1)) })
				})
				var released received // by all readers before
				for range races {
					r, err := OpenOf[numbered](canceled, name, ReaderOptions{})
					wantErr(t, err, nil)
					took := received{next: released.next}
					receiving := testenv.Background(func() error {
						defer share()()
						return untilOver(func() error { return take(r, &took) })
					})
					wantErr(t, testenv.Background(func() error { return soon(share, r.Close) })(), nil)
					wantErr(t, receiving(), nil)
					n := r.Released()
					if n > took.next-released.next {
						t.Fatalf("%d released, %d taken", n, took.next-released.next)
					}
					wantErr(t, released.take(numberedFrom(released.next, int(n))...), nil)
				}
				r, err := OpenOf[numbered](canceled, name, ReaderOptions{})
				wantErr(t, err, nil)
				wantErr(t, w.Close(), nil)
				wantErr(t, sending(), nil)
				wantErr(t, look(), nil)
				wantErr(t, untilOver(func() error { return take(r, &released) }), nil)
				wantErr(t, released.check(w.Published()), nil)
				wantErr(t, r.Close(), nil)
			})
		}
	})
}
