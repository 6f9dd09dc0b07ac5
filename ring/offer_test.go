package ring

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/layout"
)

// offerer is the end of one ring of several that get the same messages.
type offerer interface {
	writerEnd
	Dropped() uint64
	awaitRoom(ctx context.Context) error
	room(ctx context.Context, msgs []string) (int, error)
	offer(msgs []string) (int, error)
}

type recordOfferer struct{ *Writer }

func (w recordOfferer) awaitRoom(ctx context.Context) error { return w.AwaitRoom(ctx, 1) }
func (w recordOfferer) room(ctx context.Context, msgs []string) (int, error) {
	return w.Room(ctx, bytesOfStrings(msgs))
}
func (w recordOfferer) offer(msgs []string) (int, error) { return w.Offer(bytesOfStrings(msgs)) }

type byteOfferer struct{ byteWriter }

func (w byteOfferer) awaitRoom(ctx context.Context) error { return w.AwaitRoom(ctx, w.MaxMessage()) }
func (w byteOfferer) room(ctx context.Context, msgs []string) (int, error) {
	return w.Room(ctx, w.slots(msgs))
}
func (w byteOfferer) offer(msgs []string) (int, error) { return w.Offer(w.slots(msgs)) }
func (w byteOfferer) slots(msgs []string) (all [][]byte) {
	for _, msg := range bytesOfStrings(msgs) {
		all = append(all, filled(w.MaxMessage(), msg))
	}
	return all
}

type valueOfferer struct{ valueWriter[[24]byte] }

func (w valueOfferer) awaitRoom(ctx context.Context) error { return w.AwaitRoom(ctx) }
func (w valueOfferer) room(ctx context.Context, msgs []string) (int, error) {
	return w.Room(ctx, len(msgs))
}
func (w valueOfferer) offer(msgs []string) (int, error) {
	all := make([][24]byte, len(msgs))
	for i, msg := range msgs {
		copy(all[i][:], msg)
	}
	return w.Offer(all)
}

func bytesOfStrings(msgs []string) (all [][]byte) {
	for _, msg := range msgs {
		all = append(all, []byte(msg))
	}
	return all
}

func offererOf(w writerEnd) offerer {
	switch w := w.(type) {
	case *Writer:
		return recordOfferer{w}
	case byteWriter:
		return byteOfferer{w}
	}
	return valueOfferer{w.(valueWriter[[24]byte])}
}

// presence is a peerStatus that asks whether the peer is absent.
type presence func() bool

func (absent presence) Absent(layout.Role) bool { return absent() }
func (presence) Check() error                   { return nil }

// absentOfferer is a Writer whose ring of 4 messages is full, and whose Reader is absent as long
// as that says so.
func absentOfferer(t *testing.T, k kind, absent presence) (offerer, Memory) {
	t.Helper()
	mem := k.memory(t, 4096, 4)
	w := offererOf(k.writerOn(t, mem, WriterOptions{MaxAbsence: time.Nanosecond, peerStatus: absent}))
	for _, msg := range []string{"1", "2", "3", "4"} {
		send(t, w, msg)
	}
	return w, mem
}

// A Reader comes back while the Writer waits for another ring: what it has no room for then is
// missed, and it is told how much that is.
func TestOffer_ReaderComesAfterRoom_RestMissed(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		here, told := false, uint64(0)
		w, mem := absentOfferer(t, k, func() bool { return !here })
		msgs := []string{"5", "6", "7", "8", "9"}
		if n, err := w.room(t.Context(), msgs); n != len(msgs) || err != nil {
			t.Fatalf("room for %d, %v: nobody was there", n, err)
		}
		here = true
		r := k.readerOn(t, mem, ReaderOptions{OnMissed: func(n uint64) { told += n }})
		wantMessages(t, r, "1", "2")
		r.Release()
		if n, err := w.offer(msgs); n != 2 || err != ErrDropped {
			t.Errorf("sent %d, %v", n, err)
		}
		if missed := mem.Header.ProducerStats.Missed.Load(); missed != 3 || w.Dropped() != 3 {
			t.Errorf("%d missed, %d dropped", missed, w.Dropped())
		}
		wantMessages(t, r, "3", "4", "5", "6")
		r.Release()
		if n, err := w.room(t.Context(), []string{"10"}); n != 1 || err != nil {
			t.Errorf("room for %d, %v", n, err)
		}
		if n, err := w.offer([]string{"10"}); n != 1 || err != nil {
			t.Errorf("sent %d, %v", n, err)
		}
		wantMessages(t, r, "10")
		if told != 3 {
			t.Errorf("told of %d messages, want 3", told)
		}
	})
}

// A Reader that joins while the Writer asks whether there is one is waited for, whichever look it
// is.
func TestAwaitRoom_ReaderJoinsDuringCheck_WaitedFor(t *testing.T) {
	for at := range 3 {
		var mem Memory
		looks := 0
		w, mem := absentOfferer(t, records, func() bool {
			looks++
			if looks == at+1 {
				records.readerOn(t, mem, ReaderOptions{})
			}
			return looks <= at+1
		})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := w.awaitRoom(ctx); looks > at && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("look %d: error %v", at, err)
		}
	}
}
