package ring

import (
	"context"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/testenv"
	"sluice/layout"
)

// The successor may be killed as well, before, in and after its repair.
func TestRecovery_VisibleAndRepeatable(t *testing.T) {
	mem := heapMemory(t, 4096, 0)
	c := &mem.Header.Producer
	endpoint.Publish(c, 0, 64, 4, 32, false)
	c.CountBefore.Store(4)
	c.NextIndex.Store(112)
	c.Count.Store(7)
	// Its first store, and killed.
	c.Count.Store(4)
	if pos := endpoint.Recover(c); pos.Count != 4 || pos.Index != 64 {
		t.Fatalf("recovered %+v", pos)
	}
	c.Count.Store(7)
	for range 2 {
		if w := writerOn(t, mem, WriterOptions{}); w.staged != 4 || w.tail != 64 {
			t.Fatalf("resumed at %d messages, index %d", w.staged, w.tail)
		}
		if n, next := c.Count.Load(), c.NextIndex.Load(); n != 4 || next != 64 {
			t.Errorf("an observer sees %d messages, NextIndex %d", n, next)
		}
	}
}

func TestWriter_Resume_ContinuesAfterLastPublished(t *testing.T) {
	eachStaging(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "read", "published")
		wantMessages(t, r, "read")
		r.Release()
		buf, err := w.Reserve(canceled, 6)
		if err != nil {
			t.Fatal(err)
		}
		w.Commit(copy(buf, "staged")) // and killed here

		next := k.writerOn(t, mem, WriterOptions{})
		if next.Resumed() != 1 {
			t.Errorf("Resumed is %d, want 1", next.Resumed())
		}
		send(t, next, "after")
		wantMessages(t, r, "published", "after")
		if n := mem.Header.Count(layout.Producer); n != 3 {
			t.Errorf("%d produced", n)
		}
	})
}

func TestReader_Resume_UnreleasedAgain(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "released", "held", "also held", "untouched")
		wantMessages(t, r, "released")
		r.Release()
		wantMessages(t, r, "held", "also held") // and killed here

		wantMessages(t, k.readerOn(t, mem, ReaderOptions{}), "held", "also held", "untouched")
	})
}

func TestBlocked_DeathNotCounted(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		mem := k.memory(t, 4096, 0)
		side := &mem.Header.ProducerStats
		before := uint64(2 * time.Second)
		asleepAt := monotonic.Now() - uint64(time.Minute)
		endpoint.BeginSleep(side, before, asleepAt) // and nothing noted since: killed
		shown := endpoint.BlockedAt(side, monotonic.Now())
		k.writerOn(t, mem, WriterOptions{})
		got := side.Blocked.Load()
		if got != shown {
			t.Errorf("the successor says %v, an observer was shown %v", time.Duration(got), time.Duration(shown))
		}
		if most := before + uint64(time.Second); got < before || got > most {
			t.Errorf("blocked for %v, want from %v to %v", time.Duration(got), time.Duration(before), time.Duration(most))
		}
	})
}

func TestBlocked_SleepCountedDuringAndAfter(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 1, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
		side := &mem.Header.ProducerStats
		send(t, w, "1")
		began := monotonic.Now()
		blocked := testenv.Background(func() error { return w.Send(canceledLater(t), []byte("2")) })
		asleep(t, mem.Header, layout.Producer, 1)
		open := side.Blocked.Load()
		if since := -open; int64(open) >= 0 || since < began || since > monotonic.Now() {
			t.Errorf("blocked word is %d, which is no time since %d", int64(open), began)
		}
		if s := layout.State(side.State.Load()); s != layout.StateBlocked {
			t.Errorf("state %v", s)
		}
		wantMessages(t, r, "1")
		r.Release()
		if err := blocked(); err != nil {
			t.Fatal(err)
		}
		if total := side.Blocked.Load(); int64(total) <= 0 || total > monotonic.Now()-began {
			t.Errorf("blocked for %d ns of %d", int64(total), monotonic.Now()-began)
		}
		if s := layout.State(side.State.Load()); s != layout.StateRunning || side.Waits.Load() != 1 {
			t.Errorf("state %v, %d waits", s, side.Waits.Load())
		}
	})
}

// noPeer is a peerStatus without a peer.
type noPeer struct{ error }

func (noPeer) Absent(layout.Role) bool { return true }
func (l noPeer) Check() error          { return l.error }

func TestWait_NoPeer_SegmentGone_Error(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, gone := range []error{ErrRemoved, ErrTruncated} {
			mem := k.memory(t, 4096, 1)
			w := k.writerOn(t, mem, WriterOptions{peerStatus: noPeer{gone}})
			send(t, w, "1")
			wantErr(t, w.Send(context.Background(), nil), gone)
			r := k.readerOn(t, mem, ReaderOptions{peerStatus: noPeer{gone}})
			wantMessages(t, r, "1") // first what is there
			_, err := r.Next(context.Background())
			wantErr(t, err, gone)
		}
	})
}

func TestWait_NoPeer_StateAlone(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		mem := k.memory(t, 4096, 1)
		w := k.writerOn(t, mem, WriterOptions{Spin: SpinNever, peerStatus: noPeer{}})
		send(t, w, "1")
		ctx := canceledLater(t)
		blocked := testenv.Background(func() error { return w.Send(ctx, []byte("2")) })
		side := &mem.Header.ProducerStats
		for deadline := time.Now().Add(time.Minute); layout.State(side.State.Load()) != layout.StateAlone; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("state %v", layout.State(side.State.Load()))
			}
		}
		r := k.readerOn(t, mem, ReaderOptions{})
		wantMessages(t, r, "1")
		r.Release()
		if err := blocked(); err != nil {
			t.Error(err)
		}
	})
}
