package ring

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/layout"
)

// full is a Writer with that timeout whose ring of 4 messages is full.
func full(t *testing.T, k kind, policy Policy, timeout time.Duration) (writerEnd, readerEnd, *layout.Header) {
	t.Helper()
	w, r, mem := k.pair(t, 4096, 4, WriterOptions{OnFull: policy, BlockTimeout: timeout}, ReaderOptions{})
	send(t, w, "1", "2", "3", "4")
	return w, r, mem.Header
}

// Each call waits by itself, the wait counts as blocked, and then the policy says what happens.
func TestBlockTimeout_Over_PolicyCountsTheMessage(t *testing.T) {
	const timeout = 30 * time.Millisecond
	for _, c := range []struct {
		policy                  Policy
		err                     error
		dropped, refused, waits uint64
		end                     layout.End
	}{
		{Drop, ErrDropped, 2, 0, 2, layout.EndNone},
		{Fail, ErrFull, 0, 2, 2, layout.EndNone},
		{Disconnect, ErrDropped, 2, 0, 1, layout.EndDisconnected}, // nothing is waited for then
	} {
		t.Run(c.policy.String(), func(t *testing.T) {
			eachKind(t, func(t *testing.T, k kind) {
				w, _, h := full(t, k, c.policy, timeout)
				s := &h.ProducerStats
				for range 2 {
					began, waits := time.Now(), s.Waits.Load()
					if err := w.Send(canceledLater(t), []byte("5")); err != c.err {
						t.Fatalf("error is %v, want %v", err, c.err)
					}
					if took := time.Since(began); s.Waits.Load() > waits && took < timeout {
						t.Errorf("it has waited for %v, want %v", took, timeout)
					}
				}
				if s.Dropped.Load() != c.dropped || s.RefusedMessages.Load() != c.refused || s.Waits.Load() != c.waits {
					t.Errorf("%d dropped, %d refused, %d waits", s.Dropped.Load(), s.RefusedMessages.Load(), s.Waits.Load())
				}
				if blocked := time.Duration(s.Blocked.Load()); blocked < time.Duration(c.waits)*timeout*9/10 { // the rest is spun
					t.Errorf("blocked for %v", blocked)
				}
				if end := layout.End(s.End.Load()); end != c.end || s.BlockTimeout.Load() != uint64(timeout) {
					t.Errorf("end %v, timeout of %d ns", end, s.BlockTimeout.Load())
				}
			})
		})
	}
}

// The message is sent when there is room in time.
func TestBlockTimeout_RoomInTime_Sent(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, h := full(t, k, Drop, time.Minute)
		sent := make(chan error)
		go func() { sent <- w.Send(canceledLater(t), []byte("5")) }()
		asleep(t, h, layout.Producer, 1)
		wantMessages(t, r, "1", "2", "3", "4")
		r.Release()
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		wantMessages(t, r, "5")
		if n := h.ProducerStats.Dropped.Load(); n != 0 {
			t.Errorf("%d dropped", n)
		}
	})
}

// A context that is done before ends the call with its cause, and the message is not given up.
func TestBlockTimeout_ContextDoneBefore_NothingDropped(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, _, h := full(t, k, Drop, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := w.Send(ctx, []byte("5")); !errors.Is(err, context.DeadlineExceeded) || h.ProducerStats.Dropped.Load() != 0 {
			t.Errorf("error %v, %d dropped", err, h.ProducerStats.Dropped.Load())
		}
	})
}

// A batch sends what there is room for, waits for the rest of it, and drops one message.
func TestBlockTimeout_Batch_OneGivenUp(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 4, WriterOptions{OnFull: Drop, BlockTimeout: 10 * time.Millisecond}, ReaderOptions{})
		msgs := bytesOfStrings([]string{"1", "2", "3", "4", "5", "6"})
		if n, err := w.SendBatch(canceledLater(t), msgs); n != 4 || err != ErrDropped {
			t.Errorf("sent %d, %v", n, err)
		}
		s := &mem.Header.ProducerStats
		if s.Dropped.Load() != 1 || s.Waits.Load() != 1 {
			t.Errorf("%d dropped after %d waits", s.Dropped.Load(), s.Waits.Load())
		}
		wantMessages(t, r, "1", "2", "3", "4")
	})
}

// Of several rings one whose Reader is slower is waited for once, and again when half of it is
// free.
func TestAwaitRoom_BlockTimeout_OnceUntilHalfIsFree(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		end, r, h := full(t, k, Drop, 10*time.Millisecond)
		w := offererOf(end)
		s := &h.ProducerStats
		offer := func(msg string, want error, waits uint64) {
			t.Helper()
			if err := w.awaitRoom(canceledLater(t)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.offer([]string{msg}); err != want || s.Waits.Load() != waits {
				t.Fatalf("%s: %v after %d waits; want %v after %d", msg, err, s.Waits.Load(), want, waits)
			}
		}
		take := func(msgs ...string) {
			wantMessages(t, r, msgs...)
			r.Release()
		}
		offer("5", ErrDropped, 1)
		offer("6", ErrDropped, 1)
		take("1")
		offer("7", nil, 1)
		offer("8", ErrDropped, 1)
		take("2", "3")
		offer("9", nil, 1)
		offer("10", nil, 1)
		offer("11", ErrDropped, 2)
		if w.Dropped() != 4 || s.Missed.Load() != 0 {
			t.Errorf("%d dropped, %d missed", w.Dropped(), s.Missed.Load())
		}
	})
}

// A ring of Disconnect that got room after a wait in vain, before the message was given up, is
// waited for again when it is full the next time.
func TestAwaitRoom_BlockTimeout_RoomAfterTimeout_DisconnectsAfterAnotherWait(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		end, r, h := full(t, k, Disconnect, 10*time.Millisecond)
		w, s := offererOf(end), &h.ProducerStats
		for i, want := range []error{nil, ErrDropped} {
			if err := w.awaitRoom(canceledLater(t)); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				wantMessages(t, r, "1")
				r.Release()
			}
			if _, err := w.offer([]string{"5"}); err != want || s.Waits.Load() != uint64(i+1) {
				t.Fatalf("message %d: %v after %d waits", i, err, s.Waits.Load())
			}
		}
		if end := layout.End(s.End.Load()); end != layout.EndDisconnected {
			t.Errorf("end %v", end)
		}
	})
}

// A wait that is over while this side spins is a wait as any other.
func TestBlockTimeout_OverInSpin_CountsAsBlocked(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, timeout := range []time.Duration{1, 2 * time.Millisecond, 1100 * time.Millisecond} {
			if testing.Short() && timeout > time.Second {
				continue
			}
			w, _, mem := k.pair(t, 4096, 4, WriterOptions{OnFull: Drop, BlockTimeout: timeout, Spin: time.Hour}, ReaderOptions{})
			send(t, w, "1", "2", "3", "4")
			for range 3 {
				wantErr(t, w.Send(canceledLater(t), []byte("5")), ErrDropped)
			}
			s := &mem.Header.ProducerStats
			if blocked := time.Duration(s.Blocked.Load()); s.Waits.Load() != 3 || blocked < 3*timeout {
				t.Errorf("%v: %d waits, blocked for %v", timeout, s.Waits.Load(), blocked)
			}
		}
	})
}

// With Disconnect a ring is waited for, too, and a wait for a Reader that is not there ends with
// the absence.
func TestAwaitRoom_BlockTimeout_Disconnects(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, opt := range []WriterOptions{
			{OnFull: Disconnect, BlockTimeout: 10 * time.Millisecond},
			{OnFull: Disconnect, BlockTimeout: time.Hour, MaxAbsence: time.Nanosecond, peerStatus: presence(func() bool { return true })},
		} {
			mem := k.memory(t, 4096, 4)
			w := offererOf(k.writerOn(t, mem, opt))
			send(t, w, "1", "2", "3", "4")
			if n, err := w.room(canceledLater(t), []string{"5", "6"}); n != 2 || err != nil {
				t.Fatalf("room for %d, %v", n, err)
			}
			if n, err := w.offer([]string{"5", "6"}); n != 0 || err != ErrDropped {
				t.Errorf("sent %d, %v", n, err)
			}
			s := &mem.Header.ProducerStats
			if end := layout.End(s.End.Load()); end != layout.EndDisconnected || s.Waits.Load() != 1 || s.Missed.Load() != 2 {
				t.Errorf("end %v after %d waits, %d missed", end, s.Waits.Load(), s.Missed.Load())
			}
		}
	})
}

// A timeout is kept within a millisecond. The bound is wide, for a machine that is busy.
func TestBlockTimeout_Precise(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a second")
	}
	w, _, _ := full(t, records, Drop, 50*time.Millisecond)
	least := time.Hour
	for range 20 {
		began := time.Now()
		wantErr(t, w.Send(canceledLater(t), []byte("5")), ErrDropped)
		late := time.Since(began) - 50*time.Millisecond
		if late < 0 {
			t.Fatalf("%v early", -late)
		}
		least = min(least, late)
	}
	t.Logf("late by %v at least", least)
	if least > 5*time.Millisecond {
		t.Errorf("late by %v at least", least)
	}
}
