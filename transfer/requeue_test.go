package transfer

import (
	"os"
	"testing"

	"sluice/internal/testenv"
	"sluice/shm"
)

// What a Receiver finds when it looks around, again and again.

func TestProgress_PeerCheck(t *testing.T) {
	_, r := pair(t, endOptions{})
	r.own.ProgressAt.Store(0)
	if err := r.checkPeer(); err != nil || r.own.ProgressAt.Load() == 0 {
		t.Errorf("progress at %d, %v", r.own.ProgressAt.Load(), err)
	}
}

func TestReceiver_SegmentRemoved_DoesNotWait(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, endOptions{Socket: opt.Socket, Keep: true})
	opt.Follow = true
	r := open(t, name, opt)
	if _, err := finish(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(shm.Path(name)); err != nil {
		t.Fatal(err)
	}
	fails(t, r, shm.ErrRemoved)
}

// Once, though it looks again and again; and whoever comes after one that held something is
// told as well.
func TestFollow_EachEndToldOnce(t *testing.T) {
	name, opt := place(t)
	opt.Keep = true
	s := create(t, name, opt)
	told := 0
	opt.Follow, opt.OnEnd = true, func(err error) { told++; testenv.WantErr(t, err, ErrIncomplete) }
	r := open(t, name, opt)
	send(t, s, "a")
	wantMessages(t, r, "a")
	err := s.Abort()
	testenv.WantErr(t, err, ErrUndelivered)
	testenv.Eventually(t, "an end", func() bool {
		_, err := r.TryNext()
		testenv.WantErr(t, err, ErrEmpty)
		return told > 0
	})
	for range 5 {
		_, err := r.TryNext()
		testenv.WantErr(t, err, ErrEmpty)
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, open(t, name, endOptions{Socket: opt.Socket}), ErrIncomplete)
}

// What one producer has lost does not make the stream of the next incomplete.
func TestLoss_ToldWithItsStream(t *testing.T) {
	var told []error
	r, name, opt := killedAfter(t, endOptions{Follow: true, OnEnd: func(err error) { told = append(told, err) }}, 2, 0)
	look := func(t *testing.T, what string, ok func() bool) {
		t.Helper()
		testenv.Eventually(t, what, func() bool {
			_, err := r.TryNext()
			testenv.WantErr(t, err, ErrEmpty)
			return ok()
		})
	}
	look(t, "a count of what was lost", func() bool { return r.own.Lost.Load() == 2 })
	// Noted before the sum of both counts is: who comes after a kill in between goes by it.
	if n := r.own.NextLost.Load(); n != 2 {
		t.Errorf("%d were about to be lost", n)
	}
	for turn := range 2 {
		s := create(t, name, endOptions{Socket: opt.Socket})
		send(t, s, "next")
		wantMessages(t, r, "next")
		r.Release()
		if _, err := finish(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		look(t, "an end", func() bool { return len(told) == turn+1 })
	}
	testenv.WantErr(t, told[0], ErrIncomplete)
	testenv.WantErr(t, told[1], nil)
}
