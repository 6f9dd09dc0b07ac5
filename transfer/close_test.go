package transfer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/cpu"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// closeElsewhere closes an end on another goroutine than the test's.
func closeElsewhere(t *testing.T, end any) {
	t.Helper()
	testenv.WantErr(t, testenv.Background(func() error {
		switch end := end.(type) {
		case *Sender:
			_, err := finish(context.Background(), end)
			return err
		case *Receiver:
			return end.Close()
		}
		panic("neither end")
	})(), nil)
}

// patiently makes the Close of an end wait for as long as a test does.
func patiently(s *Sender, r *Receiver) {
	if s != nil {
		s.closeTimeout = testenv.Timeout
	}
	if r != nil {
		r.closeTimeout = testenv.Timeout
	}
}

func TestClose_EndsWaitingCall(t *testing.T) {
	for name, call := range map[string]func(*Receiver) error{
		"Next":    func(r *Receiver) error { _, err := r.Next(context.Background()); return err },
		"Take":    func(r *Receiver) error { _, err := r.Take(context.Background()); return err },
		"Receive": func(r *Receiver) error { _, err := r.Receive(context.Background(), nil); return err },
		"Messages": func(r *Receiver) (last error) {
			for _, last = range r.Messages(context.Background()) {
			}
			return last
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := pair(t, endOptions{})
			send(t, s, "a")
			wantMessages(t, r, "a")
			r.Release()
			waiting := testenv.Background(func() error { return call(r) })
			testenv.Eventually(t, "a wait", func() bool { return layout.State(r.own.State.Load()) == layout.StateBlocked })
			closeElsewhere(t, r)
			testenv.WantErr(t, waiting(), ErrClosed)
			testenv.WantErr(t, call(r), ErrClosed) // and every later one
			h := s.Segment().Header()
			if state, blocked := layout.State(h.ConsumerStats.State.Load()), h.ConsumerStats.Blocked.Load(); state != layout.StateClosed || int64(blocked) < 0 {
				t.Errorf("state %v, blocked %d", state, int64(blocked))
			}
		})
	}
}

func TestClose_Concurrent_OnlyOne(t *testing.T) {
	for range 20 {
		name, opt := place(t)
		s, r := create(t, name, opt), open(t, name, opt)
		send(t, s, "a", "b")
		wantMessages(t, r, "a")
		var all sync.WaitGroup
		var mu sync.Mutex
		total := uint64(0)
		for range 4 {
			all.Go(func() { testenv.WantErr(t, r.Close(), nil) })
			all.Go(func() {
				lost, err := lostIn(s.Abort())
				if err != nil && !errors.Is(err, ErrUndelivered) {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				total += lost
			})
		}
		all.Wait()
		if total != 2 {
			t.Errorf("%d lost in all", total)
		}
	}
}

// The user of a Sender has a reservation and fills it, and another goroutine closes. All
// that is committed comes, and nothing else.
func TestClose_OtherGoroutine_ReservationStaysWritable(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		patiently(s, nil)
		send(t, s, "a", "b")
		room, err := s.Reserve(t.Context(), 1000)
		testenv.WantErr(t, err, nil)
		copy(room, "before")
		got := testenv.Background(func() error {
			for _, want := range []string{"a", "b"} {
				if msg, err := r.Next(context.Background()); string(msg) != want || err != nil {
					return fmt.Errorf("%q, %w", msg, err)
				}
			}
			if _, err := r.Next(context.Background()); err != io.EOF {
				return err
			}
			r.Release()
			return nil
		})
		closeElsewhere(t, s)
		testenv.WantErr(t, got(), nil)
		closes(t, r)
		// The page, and the buffer of the reservation.
		for i := range room {
			room[i] = byte(i)
		}
		s.Commit(500)
		s.Publish()
		s.Flush()
		if n := s.Unread(); n != 0 {
			t.Errorf("%d queued", n)
		}
		_, err = s.Reserve(t.Context(), 1)
		testenv.WantErr(t, err, ErrClosed)
		stillMapped(t, 0)
	})
}

// Where it had begun to fill a buffer that is there already, that is sent without it.
func TestClose_OpenReservation_CommittedSent(t *testing.T) {
	for _, recycle := range []bool{false, true} {
		s, r := pair(t, endOptions{Buffer: 4096, Recycle: recycle})
		send(t, s, "a")
		room, err := s.Reserve(t.Context(), 100)
		testenv.WantErr(t, err, nil)
		closing := testenv.Background(func() error { _, err := finish(context.Background(), s); return err })
		wantMessages(t, r, "a")
		copy(room, bytes.Repeat([]byte{99}, 100))
		fails(t, r, io.EOF)
		r.Release()
		testenv.WantErr(t, closing(), nil)
		copy(room, bytes.Repeat([]byte{98}, 100))
		s.Commit(100)
	}
}

// The user of a Receiver works on messages, and another goroutine closes.
func TestClose_OtherGoroutine_HeldMessagesStayReadable(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s, r := create(t, name, opt), open(t, name, opt)
		send(t, s, "released", "first", strings.Repeat("long ", 200))
		s.Flush()
		wantMessages(t, r, "released")
		r.Release()
		first, err := r.Next(t.Context())
		testenv.WantErr(t, err, nil)
		second, err := r.Next(t.Context())
		testenv.WantErr(t, err, nil)
		closeElsewhere(t, r)
		if string(first) != "first" || string(second) != strings.Repeat("long ", 200) {
			t.Errorf("what is held has changed: %q, %.20q", first, second)
		}

		// They come again to the next Receiver, who releases them. The buffers are used
		// again, and what is held may change with them.
		next := open(t, name, opt)
		wantMessages(t, next, "first", strings.Repeat("long ", 200))
		next.Release()
		for i := range 20 {
			send(t, s, fmt.Sprint(i))
			s.Flush()
			wantMessages(t, next, fmt.Sprint(i))
			next.Release()
		}
		if _, err := r.Next(t.Context()); err != ErrClosed {
			t.Error(err)
		}
		if !opt.Recycle && (string(first) != "first" || string(second) != strings.Repeat("long ", 200)) {
			t.Errorf("what is held has changed: %q, %.20q", first, second)
		}
		sum := 0
		for _, b := range append(first, second...) {
			sum += int(b)
		}
		count := next.cursor.Count.Load()
		r.Release()
		if next.cursor.Count.Load() != count {
			t.Error("a closed Receiver has released something")
		}
		ended(t, s, next)
		closes(t, next)
		stillMapped(t, 0)
	})
}

func TestClose_Unreferenced_Unmapped(t *testing.T) {
	for _, buffer := range []int{0, 4096} {
		func() {
			name, opt := place(t)
			opt.Buffer, opt.Recycle = buffer, true
			s, err := Create(t.Context(), name, opt.sender())
			testenv.WantErr(t, err, nil)
			r, err := Open(t.Context(), name, opt.receiver())
			testenv.WantErr(t, err, nil)
			send(t, s, "held")
			s.Flush()
			wantMessages(t, r, "held")
			_, err = s.Reserve(t.Context(), 10)
			testenv.WantErr(t, err, nil)
			closes(t, r)
			err = s.Abort()
			testenv.WantErr(t, err, ErrUndelivered)
		}()
	}
	stillMapped(t, 0)
}

// One whose goroutine is in the middle of a copy, say. Nothing is done behind its back, and
// nothing is lost by asking again.
func TestDrain_ContextEnds_ChangesNothing(t *testing.T) {
	s, r := pair(t, endOptions{Buffer: 4096})
	send(t, s, "a")
	s.Flush()
	wantMessages(t, r, "a")
	send(t, s, "b")
	s.closeTimeout, r.closeTimeout = time.Millisecond, time.Millisecond
	s.gate.Enter()
	r.gate.Enter()
	err := s.Close()
	testenv.WantErr(t, err, ErrBusy)
	err = s.Shutdown(t.Context())
	testenv.WantErr(t, err, ErrBusy)
	testenv.WantErr(t, r.Close(), ErrBusy)
	if h := s.Segment().Header(); layout.State(h.ProducerStats.State.Load()) == layout.StateClosed || layout.State(h.ConsumerStats.State.Load()) == layout.StateClosed {
		t.Error("they are closed")
	}
	if n := s.Unread(); n != 2 {
		t.Errorf("%d queued", n)
	}
	s.gate.Leave()
	r.gate.Leave()
	testenv.WantErr(t, s.Send(t.Context(), nil), ErrClosed)
	_, err = r.Next(t.Context())
	testenv.WantErr(t, err, ErrClosed)
	closes(t, r)
	lost, err := lostIn(s.Abort())
	testenv.WantErr(t, err, ErrUndelivered)
	if lost != 2 {
		t.Errorf("%d lost", lost)
	}
}

// A call that faults is over.
func TestClose_CallFaulted_DoesNotWait(t *testing.T) {
	for what, call := range map[string]func(s *Sender, r *Receiver) error{
		"Send":  func(s *Sender, _ *Receiver) error { return s.Send(t.Context(), make([]byte, 8)) },
		"Flush": func(s *Sender, _ *Receiver) error { s.Flush(); return nil },
		"Publish": func(s *Sender, _ *Receiver) error {
			if _, err := s.Reserve(t.Context(), 8); err != nil {
				return err
			}
			s.Commit(8)
			s.Publish()
			return nil
		},
		"Next":    func(_ *Sender, r *Receiver) error { _, err := r.Next(t.Context()); return err },
		"Release": func(_ *Sender, r *Receiver) error { r.Release(); return nil },
	} {
		for _, buffer := range []int{0, 4096} {
			t.Run(fmt.Sprint(what, " ", buffer), func(t *testing.T) {
				name, opt := place(t)
				opt.Buffer = buffer
				s, r := create(t, name, opt), open(t, name, opt)
				send(t, s, "a")
				if buffer == 0 || what == "Release" { // of nothing does nothing
					s.Flush()
					wantMessages(t, r, "a")
				}
				if err := os.Truncate(shm.Path(name), 0); err != nil {
					t.Fatal(err)
				}
				testenv.WantErr(t, shm.Guard(func() error { return call(s, r) }), shm.ErrTruncated)
				patiently(s, r)
				testenv.WantErr(t, r.Close(), shm.ErrTruncated)
				err := s.Close()
				testenv.WantErr(t, err, shm.ErrTruncated)
			})
		}
	}
}

// A producer that has given a buffer up may still be in Publish, which only stores to the
// page.
func TestClose_LatePublish_ReachesNobody(t *testing.T) {
	name, opt := place(t)
	opt.Buffer, opt.Keep = 4096, true
	s := create(t, name, opt)
	closes(t, open(t, name, opt)) // the page is not one to begin anew with
	send(t, s, "a", "b")
	err := s.Close()
	testenv.WantErr(t, err, ErrUndelivered)
	next := create(t, name, opt)
	send(t, next, "c")
	s.publishCounts()
	if count, bytes := next.cursor.Count.Load(), next.cursor.Bytes.Load(); count != 3 || bytes != 3 {
		t.Errorf("a late Publish has made the count %d, of %d bytes", count, bytes)
	}
	testenv.WantErr(t, s.Send(t.Context(), nil), ErrClosed) // and with that the page goes
}

// It works until Close, and Close does not unmap the page under it.
func TestSender_Unread_DuringClose(t *testing.T) {
	for _, buffer := range []int{0, 4096} {
		name, opt := place(t)
		opt.Buffer = buffer
		for range 100 {
			s := create(t, name, opt)
			send(t, s, "a")
			started := make(chan bool)
			var over atomic.Bool
			asking := testenv.Background(func() error {
				close(started)
				for !over.Load() {
					if n := s.Unread(); n != 1 {
						return fmt.Errorf("%d unread", n)
					}
				}
				return nil
			})
			<-started
			s.Shutdown(testenv.Canceled())
			s.Close()
			over.Store(true)
			testenv.WantErr(t, asking(), nil)
		}
	}
}

func TestClose_DuringBatch_EndsBetweenMessages(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Limit = NoLimit
		batch := make([][]byte, 200_000)
		for try := 1; ; try++ {
			name, at := place(t)
			opt.Socket = at.Socket
			s := create(t, name, opt)
			patiently(s, nil)
			var n int
			sending := testenv.Background(func() (err error) { n, err = s.SendBatch(context.Background(), batch); return err })
			for s.cursor.Count.Load() == 0 {
				runtime.Gosched()
			}
			lost, err := lostIn(s.Close())
			testenv.WantErr(t, err, ErrUndelivered)
			sendErr := sending()
			if int(lost) != n {
				t.Errorf("%d accepted, %d lost", n, lost)
			}
			if n < len(batch) {
				testenv.WantErr(t, sendErr, ErrClosed)
				return
			}
			if try > 50 { // a few may be too fast for Close
				t.Fatal("no batch was ended")
			}
		}
	})
}

func TestReceiver_OnEnd_MayClose(t *testing.T) {
	name, opt := place(t)
	opt.Keep = true
	s := create(t, name, opt)
	var r *Receiver
	opt.Follow = true
	opt.OnEnd = func(error) { closes(t, r) }
	r = open(t, name, opt)
	send(t, s, "a")
	closing := testenv.Background(func() error { _, err := finish(context.Background(), s); return err })
	wantMessages(t, r, "a")
	r.Release()
	fails(t, r, ErrClosed)
	testenv.WantErr(t, closing(), nil)
}

// numbered is message number n: of some sizes, and no two alike.
func numbered(buf []byte, n uint64) []byte {
	buf = buf[:8+n*n%120]
	binary.LittleEndian.PutUint64(buf, n)
	for i := range buf[8:] {
		buf[8+i] = byte(n + uint64(i))
	}
	return buf
}

// gives are all ways to send message number n. The count is of those that are accepted.
var gives = map[string]func(s *Sender, buf []byte, n uint64) (accepted uint64, err error){
	"Send": func(s *Sender, buf []byte, n uint64) (uint64, error) {
		if err := s.Send(context.Background(), numbered(buf, n)); err != nil {
			return 0, err
		}
		return 1, nil
	},
	"Reserve": func(s *Sender, buf []byte, n uint64) (uint64, error) {
		msg := numbered(buf, n)
		room, err := s.Reserve(context.Background(), len(msg)+5)
		if err != nil {
			return 0, err
		}
		s.Commit(copy(room, msg))
		s.Publish()
		return 1, nil // or Close came before Commit
	},
	"SendBatch": func(s *Sender, buf []byte, n uint64) (uint64, error) {
		done, err := s.SendBatch(context.Background(), [][]byte{numbered(buf, n), numbered(buf[200:], n+1), numbered(buf[400:], n+2)})
		return uint64(done), err
	},
	"Transfer": func(s *Sender, buf []byte, n uint64) (uint64, error) {
		msg := numbered(buf, n)
		b := NewBuffer(len(msg))
		copy(b.bytes, msg)
		if err := s.Transfer(context.Background(), b); err != nil {
			return 0, err
		}
		return 1, nil
	},
	"Flush": func(s *Sender, buf []byte, n uint64) (uint64, error) {
		err := s.Send(context.Background(), numbered(buf, n))
		s.Flush()
		s.Unread()
		if err != nil {
			return 0, err
		}
		return 1, nil
	},
}

// ends are all ways to end a Sender.
var ends = map[string]func(*Sender) (lost uint64, err error){
	"Close": func(s *Sender) (uint64, error) { return lostIn(s.Close()) },
	"Shutdown": func(s *Sender) (uint64, error) {
		lost, err := lostIn(s.Shutdown(testenv.Canceled()))
		return lost, errors.Join(err, s.Close())
	},
	"Abort": func(s *Sender) (uint64, error) { return lostIn(s.Abort()) },
}

// A Sender without a Receiver is closed at any moment. All that it had accepted counts as
// lost, and nothing else; the page stays as it is afterwards.
func TestSender_Close_OtherGoroutineAnytime(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		for call, give := range gives {
			for way, end := range ends {
				t.Run(call+" "+way, func(t *testing.T) {
					name, at := place(t)
					opt.Socket, opt.Keep = at.Socket, true
					for range 15 {
						s, err := Create(t.Context(), name, opt.sender())
						testenv.WantErr(t, err, nil)
						patiently(s, nil)
						accepted := uint64(0)
						started := make(chan bool)
						using := testenv.Background(func() error {
							buf := make([]byte, 600)
							close(started)
							for {
								n, err := give(s, buf, accepted)
								if accepted += n; err != nil {
									return err
								}
							}
						})
						<-started
						cpu.Pause(1 + rand.Uint32N(3000))
						lost, err := end(s)
						if lost > 0 {
							testenv.WantErr(t, err, ErrUndelivered)
						} else {
							testenv.WantErr(t, err, nil)
						}
						testenv.WantErr(t, using(), ErrClosed)
						s.Publish()
						if lost != accepted && !(call == "Reserve" && lost == accepted-1) {
							t.Fatalf("%d accepted, %d lost", accepted, lost)
						}
					}
				})
			}
		}
	})
}

// The same with a Receiver: all that was accepted comes, in order, and the end after it.
func TestSender_Close_Anytime_AcceptedDelivered(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		for call, give := range gives {
			t.Run(call, func(t *testing.T) {
				name, at := place(t)
				opt.Socket = at.Socket
				for range 5 {
					s := create(t, name, opt)
					r := open(t, name, opt)
					accepted := uint64(0)
					using := testenv.Background(func() error {
						buf := make([]byte, 600)
						for {
							n, err := give(s, buf, accepted)
							if accepted += n; err != nil {
								return err
							}
						}
					})
					taken := uint64(0)
					taking := testenv.Background(func() error {
						buf := make([]byte, 200)
						for ; ; taken++ {
							msg, err := r.Take(context.Background())
							if err != nil {
								r.Release()
								return err
							}
							if !bytes.Equal(msg, numbered(buf, taken)) {
								return fmt.Errorf("message %d is % x", taken, msg)
							}
						}
					})
					cpu.Pause(1 + rand.Uint32N(100_000))
					lost, err := lostIn(s.Close())
					testenv.WantErr(t, err, nil)
					testenv.WantErr(t, using(), ErrClosed)
					testenv.WantErr(t, taking(), io.EOF)
					closes(t, r)
					if lost != 0 || taken != accepted && !(call == "Reserve" && taken == accepted-1) {
						t.Fatalf("%d accepted, %d lost, %d taken", accepted, lost, taken)
					}
				}
			})
		}
	})
}

// takings are all ways to take messages. The loop ends with the error.
var takings = map[string]func(r *Receiver, got func(msg []byte)) error{
	"Next": func(r *Receiver, got func([]byte)) error {
		for i := 0; ; i++ {
			msg, err := r.Next(context.Background())
			if err != nil {
				return err
			}
			got(msg)
			if r.Buffered(); i%3 == 0 {
				r.Release()
			}
		}
	},
	"TryNext": func(r *Receiver, got func([]byte)) error {
		for {
			msg, err := r.TryNext()
			if err == ErrEmpty {
				runtime.Gosched()
				continue
			}
			if err != nil {
				return err
			}
			got(msg)
			r.Release()
		}
	},
	"Take": func(r *Receiver, got func([]byte)) error {
		for {
			msg, err := r.Take(context.Background())
			if err != nil {
				return err
			}
			got(msg)
		}
	},
	"Receive": func(r *Receiver, got func([]byte)) error {
		var buf []byte
		for {
			var err error
			if buf, err = r.Receive(context.Background(), buf); err != nil {
				return err
			}
			got(buf)
		}
	},
	"Messages": func(r *Receiver, got func([]byte)) error {
		for msg, err := range r.Messages(context.Background()) {
			if err != nil {
				return err
			}
			got(msg)
			r.WriteOff()
			r.Framing()
		}
		return nil
	},
}

// Receivers of one stream are closed at any moment. Each begins where what the one before
// it had released ends, and is given everything in order from there.
func TestReceiver_Close_OtherGoroutineAnytime(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		for call, take := range takings {
			t.Run(call, func(t *testing.T) {
				name, at := place(t)
				opt.Socket = at.Socket
				s := create(t, name, opt)
				stop := make(chan bool)
				sending := testenv.Background(func() error {
					buf := make([]byte, 200)
					for n := uint64(0); ; {
						select {
						case <-stop:
							return nil
						default:
						}
						if s.Unread() > 500 {
							s.Flush()
							time.Sleep(100 * time.Microsecond)
							continue
						}
						if err := s.Send(context.Background(), numbered(buf, n)); err != nil {
							return err
						}
						n++
					}
				})
				for range 75 {
					r, err := Open(t.Context(), name, opt.receiver())
					testenv.WantErr(t, err, nil)
					patiently(nil, r)
					from := r.released.messages
					using := testenv.Background(func() error {
						buf, next := make([]byte, 200), from
						var wrong error
						err := take(r, func(msg []byte) {
							if !bytes.Equal(msg, numbered(buf, next)) && wrong == nil {
								wrong = fmt.Errorf("message %d is % x", next, msg)
							}
							next++
						})
						r.Release()
						return cmp.Or(wrong, err)
					})
					cpu.Pause(1 + rand.Uint32N(20_000))
					testenv.WantErr(t, r.Close(), nil)
					testenv.WantErr(t, using(), ErrClosed)
				}
				close(stop)
				testenv.WantErr(t, sending(), nil)
				s.Abort()
			})
		}
	})
}
