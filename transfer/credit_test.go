package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/sleep"
	"sluice/internal/testenv"
	"sluice/layout"
)

// A page of payload that is a buffer of its own in every form, or most of one.
var pageful = strings.Repeat("x", 2500)

// atLimit returns a pair whose Sender may have n pages in flight, and has, and what its policy does
// about the next message: the returned function sends that in another goroutine, and waits for it.
func atLimit(t *testing.T, n uint64, opt endOptions) (s *Sender, r *Receiver, next func() error) {
	t.Helper()
	opt.Limit = n * pageSize
	s, r = pair(t, opt)
	for range n {
		send(t, s, pageful)
	}
	return s, r, sendInBackground(t.Context(), s)
}

func sendInBackground(ctx context.Context, s *Sender) (wait func() error) {
	return testenv.Background(func() error { return s.Send(ctx, []byte(pageful)) })
}

// waitUntilBlocked waits until the Sender has gone to sleep for the nth time, and is asleep.
func waitUntilBlocked(t *testing.T, s *Sender, n uint64) {
	t.Helper()
	testenv.Eventually(t, "that the producer is blocked", func() bool {
		return s.own.Waits.Load() == n && s.segment.Header().ProducerSleep.Flag.Load() != 0
	})
}

func take(t *testing.T, r *Receiver, n int) {
	t.Helper()
	for range n {
		wantMessages(t, r, pageful)
	}
	r.Release()
}

func TestBlock_GoesOnAtTheMark(t *testing.T) {
	for _, c := range []struct {
		resumeAt float64
		mark     int // pages of 16
	}{{0, 8}, {0.25, 4}, {0.5, 8}, {0.001, 0}, {1, 15}} {
		inEveryForm(t, func(t *testing.T, opt endOptions) {
			opt.OnLimit, opt.ResumeAt = Block, c.resumeAt
			s, r, next := atLimit(t, 16, opt)
			waitUntilBlocked(t, s, 1)
			for in := 16; in > c.mark+1; in-- {
				take(t, r, 1)
			}
			// Not woken, and no less is enough when it looks by itself.
			if wakes, spurious := r.own.WakesSent.Load(), s.own.Spurious.Load(); wakes+spurious > 0 || queued(s) != uint64(c.mark+1) {
				t.Errorf("%d wakes, %d of them for nothing, with %d pages in flight", wakes, spurious, queued(s))
			}
			take(t, r, 1)
			testenv.WantErr(t, next(), nil)
			if wakes, waits := r.own.WakesSent.Load(), s.own.Waits.Load(); wakes != 1 || waits != 1 {
				t.Errorf("%d wakes, %d waits", wakes, waits)
			}
			if s.own.Blocked.Load() == 0 || s.own.Refused.Load()+s.own.RefusedMessages.Load()+s.own.RefuseReason.Load() != 0 {
				t.Error("a wait is to be counted as blocked, and not as refused")
			}
			s.Flush()
			take(t, r, c.mark+1)
			ended(t, s, r)
		})
	}
}

// What the message takes may be more than lies between the limit and the mark: then a sleep until
// the mark would end without room.
func TestBlock_LargeMessage_WaitsUntilItFits(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Limit, opt.OnLimit, opt.ResumeAt = 32*pageSize, Block, 0.9
		s, r := pair(t, opt)
		for range 32 {
			send(t, s, pageful)
		}
		large := strings.Repeat("l", int(20*pageSize))
		sent := testenv.Background(func() error { return s.Send(t.Context(), []byte(large)) })
		waitUntilBlocked(t, s, 1)
		for queued(s) > 12 { // the large one takes at most 21 pages, and 22 when it is rounded up
			take(t, r, 1)
		}
		for queued(s) > 8 && s.own.Waits.Load() == 1 && s.segment.Header().ProducerSleep.Flag.Load() != 0 {
			take(t, r, 1)
		}
		testenv.WantErr(t, sent(), nil)
		if waits, wakes := s.own.Waits.Load(), r.own.WakesSent.Load(); waits != 1 || wakes != 1 {
			t.Errorf("%d waits, %d wakes", waits, wakes)
		}
		s.Flush()
		for queued(s) > 1 {
			take(t, r, 1)
		}
		wantMessages(t, r, large)
		r.Release()
		ended(t, s, r)
	})
}

// A producer that slept on what it has committed would wait for a consumer that cannot see it.
func TestBlock_SendsStagedFirst(t *testing.T) {
	for _, recycle := range []bool{false, true} {
		s, r := pair(t, endOptions{Limit: 4 * pageSize, OnLimit: Block, Buffer: int(2 * pageSize), Recycle: recycle})
		const small = 1000
		msg, sent := make([]byte, small), 0
		for ; sent < 2*(int(pageSize)*2/(small+8)); sent++ { // two full buffers
			if err := s.Send(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
		}
		next := testenv.Background(func() error { return s.Send(t.Context(), msg) })
		waitUntilBlocked(t, s, 1)
		for range sent {
			wantMessages(t, r, string(msg))
			r.Release()
		}
		testenv.WantErr(t, next(), nil)
		s.Flush()
		wantMessages(t, r, string(msg))
		r.Release()
		ended(t, s, r)
	}
}

// Buffers that are kept for reuse are given up before the producer waits.
func TestBlock_FreeBuffers_AreNoReasonToWait(t *testing.T) {
	s, r := pair(t, endOptions{Limit: 16 * pageSize, OnLimit: Block, Recycle: true})
	for size := range 8 {
		for range 100 {
			send(t, s, strings.Repeat("x", (size+1)*int(pageSize)))
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.Release()
		}
	}
	if waits := s.own.Waits.Load(); waits != 0 {
		t.Errorf("blocked %d times with an empty queue", waits)
	}
	ended(t, s, r)
}

// The Receiver wakes at most once for the memory between the limit and the mark.
func TestBlock_OneWakeUpForLimitLessMark(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		for _, resumeAt := range []float64{0.25, 0.5, 0.75} {
			const pages, messages = 16, 3000
			opt.Limit, opt.OnLimit, opt.ResumeAt = pages*pageSize, Block, resumeAt
			s, r := pair(t, opt)
			sending := testenv.Background(func() error {
				for range messages {
					if err := s.Send(t.Context(), []byte(pageful)); err != nil {
						return err
					}
				}
				s.Flush()
				return nil
			})
			for range messages {
				take(t, r, 1)
			}
			testenv.WantErr(t, sending(), nil)
			step := uint64(pages - pages*resumeAt)
			wakes, waits, spins, spurious := r.own.WakesSent.Load(), s.own.Waits.Load(), s.own.Spins.Load(), s.own.Spurious.Load()
			if wakes > waits || waits+spins > messages/step || wakes == 0 {
				t.Errorf("%d wakes, %d waits and %d spins for %d messages, want at most one for %d", wakes, waits, spins, messages, step)
			}
			t.Logf("%d wakes, %d waits, %d spins, woken %d times before all was noted as sent", wakes, waits, spins, spurious)
			ended(t, s, r)
		}
	})
}

func TestBlock_EndsWithItsContext(t *testing.T) {
	s, r, next := atLimit(t, 16, endOptions{OnLimit: Block})
	waitUntilBlocked(t, s, 1)
	take(t, r, 8)
	testenv.WantErr(t, next(), nil)
	for range 7 {
		send(t, s, pageful)
	}
	why := errors.New("because")
	ctx, cancel := context.WithCancelCause(t.Context())
	next = sendInBackground(ctx, s)
	waitUntilBlocked(t, s, 2)
	cancel(why)
	if err := next(); err != why {
		t.Errorf("%v, want the cause itself", err)
	}
	deadline, cancelDeadline := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancelDeadline()
	testenv.WantErr(t, s.Send(deadline, nil), context.DeadlineExceeded)
	if queued(s) != 16 {
		t.Errorf("%d messages are queued, want 16: those that failed were not sent", queued(s))
	}
	take(t, r, 16)
	ended(t, s, r)
}

// Any goroutine may end the Sender while another is blocked in it.
func TestBlock_EndsWithClose(t *testing.T) {
	for how, end := range map[string]func(s *Sender) error{
		"Abort":    func(s *Sender) error { return s.Abort() },
		"Shutdown": func(s *Sender) error { return s.Shutdown(giveUp) },
		"Close":    func(s *Sender) error { return s.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, opt endOptions) {
				opt.OnLimit, opt.Limit = Block, 16*pageSize
				name, at := place(t)
				opt.Socket = at.Socket
				s := create(t, name, opt)
				for range 16 {
					send(t, s, pageful)
				}
				next := sendInBackground(context.Background(), s)
				waitUntilBlocked(t, s, 1)
				lost, err := lostIn(end(s))
				testenv.WantErr(t, err, ErrUndelivered)
				if lost != 16 {
					t.Errorf("%d lost, want 16", lost)
				}
				if err := next(); err != ErrClosed {
					t.Errorf("%v, want ErrClosed itself", err)
				}
				testenv.WantErr(t, s.Send(t.Context(), nil), ErrClosed)
			})
		})
	}
}

// A batch that is blocked is cut off by a Close, which delivers what it had accepted.
func TestBlock_CloseInABatch_DeliversTheRest(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.OnLimit, opt.Limit = Block, 16*pageSize
		s, r := pair(t, opt)
		batch := make([][]byte, 20)
		for i := range batch {
			batch[i] = []byte(pageful)
		}
		accepted := make(chan int, 1)
		sending := testenv.Background(func() error {
			n, err := s.SendBatch(context.Background(), batch)
			accepted <- n
			return err
		})
		waitUntilBlocked(t, s, 1)
		closing := testenv.Background(s.Close)
		testenv.WantErr(t, sending(), ErrClosed)
		if n := <-accepted; n != 16 {
			t.Errorf("%d accepted", n)
		}
		take(t, r, 16)
		testenv.WantErr(t, closing(), nil)
	})
}

// A process that ends at once: the blocked call does not return before it is gone.
func TestBlock_StopSending_CountsAndHoldsTheCall(t *testing.T) {
	name, opt := place(t)
	opt.OnLimit, opt.Limit = Block, 16*pageSize
	s := create(t, name, opt)
	for range 16 {
		send(t, s, pageful)
	}
	returned := make(chan error, 1)
	go func() { returned <- s.Send(context.Background(), []byte(pageful)) }()
	waitUntilBlocked(t, s, 1)
	if n, exact := s.StopSending(); n != 16 || !exact {
		t.Errorf("%d lost, exact %v", n, exact)
	}
	select {
	case err := <-returned:
		t.Errorf("the call has returned: %v", err)
	case <-time.After(5 * time.Millisecond): // longer would only see more
	}
	testenv.WantErr(t, s.Abort(), ErrUndelivered)
	testenv.WantErr(t, <-returned, ErrClosed)
}

// What keeps a Sender from sending for good ends the wait.
func TestBlock_EndsWithTheSendLoop(t *testing.T) {
	name, opt := place(t)
	opt.OnLimit, opt.Limit = Block, 16*pageSize
	s := create(t, name, opt)
	for range 16 {
		send(t, s, pageful)
	}
	next := sendInBackground(t.Context(), s)
	waitUntilBlocked(t, s, 1)
	why := errors.New("because")
	s.loop.err.Store(&why)
	s.queue.interrupt()
	testenv.WantErr(t, next(), why)
	s.loop.err.Store(nil)
}

func TestBlock_NoConsumer_WaitsForOne(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket, opt.OnLimit, opt.Limit = at.Socket, Block, 16*pageSize
		s := create(t, name, opt)
		for range 16 {
			send(t, s, pageful)
		}
		next := sendInBackground(t.Context(), s)
		testenv.Eventually(t, "that the producer is alone", func() bool { return layout.State(s.own.State.Load()) == layout.StateAlone })
		// Two that take some and release nothing, or less than the mark.
		for _, released := range []int{0, 5} {
			r := open(t, name, opt)
			take(t, r, released)
			wantMessages(t, r, pageful)
			closes(t, r)
		}
		r := open(t, name, opt)
		take(t, r, 11)
		testenv.WantErr(t, next(), nil)
		s.Flush()
		take(t, r, 1)
		ended(t, s, r)
	})
}

// A Receiver is killed after it has acknowledged buffers, and before it moves its index, which the
// Sender sleeps on: the next one moves it.
func TestBlock_ReceiverKilledInRelease_NextOneWakes(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.OnLimit, opt.Keep = Block, true
		name, at := place(t)
		opt.Socket, opt.Limit = at.Socket, 16*pageSize
		s, r := create(t, name, opt), open(t, name, opt)
		for range 16 {
			send(t, s, pageful)
		}
		next := sendInBackground(t.Context(), s)
		waitUntilBlocked(t, s, 1)
		for range 16 {
			wantMessages(t, r, pageful)
		}
		// All that release stores but the last.
		r.cursor.Count.Store(16)
		r.cursor.Bytes.Store(r.payload)
		r.own.Consumed.Store(16)
		r.own.Buffers.Store(s.next.buffers)
		testenv.Eventually(t, "that the memory is free", func() bool { unsent, unreleased := s.queue.counts(); return unsent+unreleased == 0 })
		r.held, r.released.messages = 0, 16 // as far as Close is concerned it has released nothing since
		r.buffers.clear()
		closes(t, r)
		r = open(t, name, opt)
		sent := testenv.Background(func() error { err := next(); s.Flush(); return err })
		take(t, r, 1) // it learns where the stream goes on when it asks for more
		testenv.WantErr(t, sent(), nil)
		ended(t, s, r)
	})
}

// The consumer is faster than the sendLoop can note what it has sent: the wake-up comes too early,
// and there is no second one.
func TestBlock_ReleasedBeforeSendLoopHasNoted(t *testing.T) {
	late := 0
	const tries = 10
	for range tries {
		name, opt := place(t)
		opt.OnLimit, opt.Limit = Block, 16*pageSize
		s, err := newSender(t.Context(), name, opt.sender()) // without its sendLoop
		if err != nil {
			t.Fatal(err)
		}
		for range 16 {
			send(t, s, pageful)
		}
		next := sendInBackground(t.Context(), s)
		waitUntilBlocked(t, s, 1)
		batch, err := s.queue.nextBatch(16)
		if err != nil || len(batch) != 16 {
			t.Fatal(len(batch), err)
		}
		receiver := progress{own: s.peer, cursor: s.peerAt, sleeper: receiverSleeper(s)}
		receiver.publish(mark{position: s.next})
		testenv.Eventually(t, "a wake-up for nothing", func() bool { return s.own.Spurious.Load() == 1 })
		time.Sleep(time.Millisecond) // it sleeps on by then, or soon
		began := time.Now()
		s.queue.markSent(batch)
		testenv.WantErr(t, next(), nil)
		if time.Since(began) > 50*time.Millisecond {
			late++
		}
		go s.loop.run()
		s.Abort()
	}
	if late > tries/2 { // a loaded machine makes some late, and waiting for a poll interval nearly all
		t.Errorf("%d of %d waits were ended by their poll interval", late, tries)
	}
}

func TestBlock_ConsumerHoldsMoreThanTheMark_ErrUnreleased(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.OnLimit = Block
		s, r, next := atLimit(t, 16, opt)
		waitUntilBlocked(t, s, 1)
		for range 16 {
			wantMessages(t, r, pageful)
		}
		r.ReleaseN(7)
		_, err := r.Next(t.Context())
		testenv.WantErr(t, err, ErrUnreleased)
		if text := fmt.Sprint(err); !strings.Contains(text, "9 messages") {
			t.Error(text)
		}
		r.ReleaseN(1) // 8 are held, which is the mark
		testenv.WantErr(t, next(), nil)
		s.Flush()
		wantMessages(t, r, pageful)
		r.Release()
		ended(t, s, r)
	})
}

func TestDrop_GivesUpWhatHasNoRoom(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Limit, opt.OnLimit = 16*pageSize, Drop
		s, r := pair(t, opt)
		sent, dropped := 0, 0
		for round := range 5 {
			for range 20 {
				switch err := s.Send(t.Context(), []byte(pageful)); {
				case err == ErrDropped: // itself, to be compared
					dropped++
				case err != nil:
					t.Fatal(err)
				default:
					sent++
				}
			}
			if round == 0 && sent != 16 {
				t.Errorf("%d of 20 fit into 16 pages", sent)
			}
			s.Flush()
			take(t, r, 4)
			sent -= 4
		}
		testenv.WantErr(t, ErrDropped, endpoint.ErrFull)
		if n := s.own.Dropped.Load(); n != uint64(dropped) || sent+20 != 16+16 && sent != 12 {
			t.Errorf("%d counted as dropped, want %d; %d are in flight", n, dropped, sent)
		}
		if s.own.Waits.Load()+s.own.Refused.Load()+s.own.RefusedMessages.Load()+s.own.RefuseReason.Load() != 0 {
			t.Error("a dropped message is neither waited for nor refused")
		}
		take(t, r, sent)
		ended(t, s, r)
	})
}

// A consumer that lies about what it has released harms itself: the Sender believes no more than it
// has sent.
func TestBlock_HostileConsumer(t *testing.T) {
	name, opt := place(t)
	opt.OnLimit, opt.Limit = Block, 16*pageSize
	s := create(t, name, opt)
	for range 16 {
		send(t, s, pageful)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.peerAt.Index.Store(s.next.bytes + 1<<40)
	s.peer.Buffers.Store(1 << 40)
	testenv.WantErr(t, s.Send(ctx, []byte(pageful)), context.DeadlineExceeded)
	if taken := s.queue.memory.bytes.taken.Load(); taken != opt.Limit {
		t.Errorf("%d bytes are taken", taken)
	}
}

// receiverSleeper is what a Receiver in this process would wake the Sender with.
func receiverSleeper(s *Sender) sleep.Sleeper {
	w := sleep.NewFenced(sleep.WordsOf(s.segment.Header(), layout.Consumer), sleep.SpinNever, nil)
	w.Attach(0)
	return w
}

// queued is Unread for a goroutine that is not the Sender's.
func queued(s *Sender) uint64 { return s.cursor.Count.Load() - s.peerAt.Count.Load() }

// What a consumer still has of a producer that was killed takes memory, too: the next one may not
// have a limit's worth beside it.
func TestBlock_SuccessorOfKilled_CountsWhatConsumerStillHas(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.OnLimit, opt.Limit, opt.Batch = Block, 16*pageSize, 1
		first, r := withoutSendLoop(t, &opt)
		for range 16 {
			send(t, first, pageful)
		}
		first.Flush()
		for first.loop.sent.messages < 16 {
			if _, err := first.loop.step(); err != nil {
				t.Fatal(err)
			}
		}
		for range 16 {
			wantMessages(t, r, pageful)
		}
		killsSender(t, first)
		s := create(t, r.segment.Name(), opt)
		next := sendInBackground(t.Context(), s)
		waitUntilBlocked(t, s, 1)
		if n := s.own.Memory.Load(); n != 16*pageSize {
			t.Errorf("%d bytes are said to be taken", n)
		}
		r.ReleaseN(8)
		testenv.WantErr(t, next(), nil)
		for range 7 {
			send(t, s, pageful)
		}
		s.Flush()
		if n := s.own.Memory.Load(); n != 16*pageSize {
			t.Errorf("%d bytes are said to be taken, with 8 pages of each producer", n)
		}
		r.Release()
		take(t, r, 8)
		ended(t, s, r)
	})
}

// Of a producer that died without a consumer there is nothing left.
func TestBlock_SuccessorOfKilled_NoConsumer_HasWholeLimit(t *testing.T) {
	opt := endOptions{OnLimit: Block, Limit: 16 * pageSize, Keep: true}
	first, r := withoutSendLoop(t, &opt)
	for range 16 {
		send(t, first, pageful)
	}
	closes(t, r)
	killsSender(t, first)
	s := create(t, first.segment.Name(), opt)
	for range 16 {
		send(t, s, pageful)
	}
	if waits := s.own.Waits.Load(); waits != 0 {
		t.Errorf("blocked %d times below the limit", waits)
	}
	r = open(t, first.segment.Name(), opt)
	take(t, r, 16)
	if lost := r.own.Lost.Load(); lost != 16 {
		t.Errorf("%d of the first producer are counted as lost", lost)
	}
}

// withoutSendLoop returns a pair whose Sender sends nothing by itself, and sets the socket of opt.
func withoutSendLoop(t *testing.T, opt *endOptions) (*Sender, *Receiver) {
	t.Helper()
	name, at := place(t)
	opt.Socket = at.Socket
	s, err := newSender(t.Context(), name, opt.sender())
	if err != nil {
		t.Fatal(err)
	}
	return s, open(t, name, *opt)
}

// A Sender at its limit waits for so long, and then the policy says what happens. The wait is
// blocked time, and each call waits by itself.
func TestBlockTimeout_Over_PolicyCountsTheMessage(t *testing.T) {
	const timeout = 30 * time.Millisecond
	for _, policy := range []Policy{Drop, Fail} {
		inEveryForm(t, func(t *testing.T, opt endOptions) {
			opt.OnLimit, opt.BlockTimeout = policy, timeout
			s, r, next := atLimit(t, 16, opt)
			began := time.Now()
			want, dropped, refused := error(ErrDropped), uint64(2), uint64(0)
			if policy == Fail {
				want, dropped, refused = ErrLimit, 0, 2
			}
			testenv.WantErr(t, next(), want)
			testenv.WantErr(t, s.Send(t.Context(), []byte(pageful)), want)
			if took := time.Since(began); took < timeout || s.own.Waits.Load() != 2 {
				t.Errorf("%d waits, %v", s.own.Waits.Load(), took)
			}
			if blocked := time.Duration(s.own.Blocked.Load()); blocked < timeout*9/5 {
				t.Errorf("blocked for %v", blocked)
			}
			if s.own.Dropped.Load() != dropped || s.own.RefusedMessages.Load() != refused || s.own.BlockTimeout.Load() != uint64(timeout) {
				t.Errorf("%d dropped, %d refused, timeout of %d ns", s.own.Dropped.Load(), s.own.RefusedMessages.Load(), s.own.BlockTimeout.Load())
			}
			take(t, r, 16)
			ended(t, s, r)
		})
	}
}

// It is sent as soon as there is room for it.
func TestBlockTimeout_RoomInTime_Sent(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.OnLimit, opt.BlockTimeout = Drop, time.Minute
		s, r, next := atLimit(t, 16, opt)
		waitUntilBlocked(t, s, 1)
		take(t, r, 2)
		testenv.WantErr(t, next(), nil)
		if s.own.Dropped.Load() != 0 {
			t.Errorf("%d dropped", s.own.Dropped.Load())
		}
		s.Flush()
		take(t, r, 15)
		ended(t, s, r)
	})
}

// A context that is done before ends the call with its cause, and nothing is given up.
func TestBlockTimeout_ContextDoneBefore_NothingDropped(t *testing.T) {
	s, r, next := atLimit(t, 16, endOptions{OnLimit: Drop, BlockTimeout: 20 * time.Millisecond})
	testenv.WantErr(t, next(), ErrDropped)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := s.Send(ctx, []byte(pageful)); !errors.Is(err, context.DeadlineExceeded) || s.own.Dropped.Load() != 1 {
		t.Errorf("error %v, %d dropped", err, s.own.Dropped.Load())
	}
	take(t, r, 16)
	ended(t, s, r)
}
