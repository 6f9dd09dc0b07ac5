package ring

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestReader_Next_RoomKeptUntilRelease(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a", "b")
		first, err := r.Next(canceled)
		if err != nil {
			t.Fatal(err)
		}
		wantMessages(t, r, "b")
		if n := mem.Header.Count(layout.Consumer); n != 0 || string(first) != "a" {
			t.Errorf("%d released, %q", n, first)
		}
		r.Release()
		if n := mem.Header.Count(layout.Consumer); n != 2 {
			t.Errorf("%d released, want 2", n)
		}
	})
}

func TestReader_Take_ReleasesPrevious(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a", "b")
		for i, want := range []string{"a", "b"} {
			got, err := r.Take(canceled)
			if err != nil || string(got) != want {
				t.Fatalf("%q, %v", got, err)
			}
			if n := mem.Header.Count(layout.Consumer); n != uint64(i) {
				t.Errorf("%d released while %q is held", n, got)
			}
		}
		_, err := r.Take(canceled)
		wantErr(t, err, errWaited)
		if n := mem.Header.Count(layout.Consumer); n != 2 {
			t.Errorf("%d released: waiting for the next must not hold the last", n)
		}
	})
}

func TestReader_Receive_CopiesAndReleases(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "first", "2nd")
		buf := make([]byte, 0, 64)
		a, err := r.Receive(canceled, buf)
		if err != nil || string(a) != "first" || &a[0] != &buf[:1][0] {
			t.Fatalf("%q, %v", a, err)
		}
		if mem.Header.Count(layout.Consumer) != 1 {
			t.Error("not released")
		}
		if b, err := r.Receive(canceled, nil); err != nil || string(b) != "2nd" || string(a) != "first" {
			t.Errorf("%q, %q, %v", a, b, err)
		}
	})
}

func TestReader_Next_MessageCapacityLimited(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a sample", "none")
	for range 2 {
		if msg, err := r.TryNext(); err != nil || cap(msg) != len(msg) {
			t.Errorf("%q has room for %d, %v", msg, cap(msg), err)
		}
	}
}

func TestReader_Messages_ReleasesSeen(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "1", "2", "3")
		for msg, err := range r.Messages(canceled) {
			if err != nil {
				t.Fatal(err)
			}
			if string(msg) == "2" {
				break
			}
		}
		if n := mem.Header.Count(layout.Consumer); n != 1 {
			t.Errorf("%d released; the one that broke off is not done", n)
		}
		w.Close()
		var got []string
		for msg, err := range r.Messages(canceled) {
			if err != nil {
				t.Fatalf("%v: the end is no error", err)
			}
			got = append(got, string(msg))
		}
		if strings.Join(got, " ") != "3" {
			t.Errorf("%q", got)
		}
	})
}

func TestReader_Messages_EndsWithError(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		_, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		var last error
		for _, err := range r.Messages(canceled) {
			last = err
		}
		wantErr(t, last, errWaited)
	})
}

func TestReader_WriterClosed_ReadsRest(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a", "b")
		w.Close()
		wantMessages(t, r, "a", "b")
		_, err := r.Next(context.Background())
		wantErr(t, err, io.EOF)
		wantErr(t, err, io.EOF)
		_, err = r.Next(context.Background()) // and again
		wantErr(t, err, io.EOF)
		_, err = r.TryNext()
		wantErr(t, err, io.EOF)
	})
}

func TestReader_Follow_WaitsForNextWriter(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{Follow: true})
		send(t, w, "a")
		w.Close()
		wantMessages(t, r, "a")
		_, err := r.Next(canceled)
		wantErr(t, err, errWaited)
		send(t, k.writerOn(t, mem, WriterOptions{}), "b")
		wantMessages(t, r, "b")
	})
}

// A consumer that is started after a producer has come and gone, with all of
// its messages read, belongs to the next producer.
func TestReader_AfterEnd_WaitsForNextWriter(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a")
		w.Close()
		wantMessages(t, r, "a")
		r.Release()
		r.Close()

		late := k.readerOn(t, mem, ReaderOptions{})
		_, err := late.Next(canceled)
		wantErr(t, err, errWaited)
		next := k.writerOn(t, mem, WriterOptions{})
		send(t, next, "b")
		next.Close()
		wantMessages(t, late, "b")
		_, err = late.TryNext()
		wantErr(t, err, io.EOF)
	})
}

// The writer needs room that only the reader's caller can give, and that one
// waits for the writer.
func TestReader_HoldsEverything_ErrUnreleased(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 2, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
		send(t, w, "1", "2")
		wantMessages(t, r, "1", "2")
		ctx, cancel := context.WithCancelCause(context.Background())
		blocked := testenv.Background(func() error { return w.Send(ctx, make([]byte, w.MaxMessage())) })
		asleep(t, mem.Header, layout.Producer, 1)
		_, err := r.Next(context.Background())
		wantErr(t, err, ErrUnreleased)
		r.Release()
		if err := blocked(); err != nil {
			t.Error(err)
		}
		cancel(nil)
	})
}

func TestReader_HoldsLastSlot_ErrUnreleased(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 1, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
		send(t, w, "1")
		wantMessages(t, r, "1")
		blocked := testenv.Background(func() error { return w.Send(context.Background(), []byte("2")) })
		asleep(t, mem.Header, layout.Producer, 1)
		_, err := r.Next(context.Background())
		wantErr(t, err, ErrUnreleased)
		r.Release()
		if err := blocked(); err != nil {
			t.Error(err)
		}
		wantMessages(t, r, "2")
	})
}

func TestReader_AfterClose_ErrClosed(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t) // a Close cannot take plain memory away from slots
		w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
		send(t, w, "taken", "waiting")
		wantMessages(t, r, "taken")
		if err := r.Close(); r.Unread() != 2 || err != nil {
			t.Errorf("%d unread, %v; what was not released counts", r.Unread(), err)
		}
		_, err := r.Next(context.Background())
		wantErr(t, err, ErrClosed)
		wantErr(t, err, os.ErrClosed)
		_, err = r.TryNext()
		wantErr(t, err, ErrClosed)
		_, err = r.Take(context.Background())
		wantErr(t, err, ErrClosed)
		r.Release()
		if n := w.Segment().Header().Count(layout.Consumer); n != 0 || r.Released() != 0 || r.Held() != 0 {
			t.Errorf("%d released after Close, the Reader says %d and holds %d", n, r.Released(), r.Held())
		}
		if err := r.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestReader_Framing(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		_, r, mem := k.pair(t, 4096, 0, WriterOptions{Framing: layout.FramingLength}, ReaderOptions{})
		if r.Framing() != layout.FramingLength {
			t.Error(r.Framing())
		}
		mem.Header.ProducerStats.Framing.Store(77)
		if r.Framing() != layout.FramingNone {
			t.Errorf("nonsense gives %v", r.Framing())
		}
	})
}

func TestReader_NextBatch_TakesWhatIsThere(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	all := []string{"a sample", "b", "", "d", "e", "eight b.", "more"}
	send(t, w, all...)
	msgs := make([][]byte, 4)
	for _, c := range []struct{ msgs, most, want int }{{0, 9, 0}, {2, 100, 2}, {4, 2, 3}, {1, 0, 1}, {4, 100, 1}} {
		n, err := r.NextBatch(canceled, msgs[:c.msgs], c.most)
		if n != c.want || err != nil {
			t.Fatalf("%+v: %d messages, %v", c, n, err)
		}
		for i, msg := range msgs[:n] {
			if string(msg) != all[i] || cap(msg) != len(msg) {
				t.Errorf("%+v: message %d is %q with room for %d, want %q", c, i, msg, cap(msg), all[i])
			}
		}
		all = all[n:]
	}
	if r.Held() != 7 {
		t.Errorf("%d held", r.Held())
	}
	n, err := r.NextBatch(canceled, msgs, 100)
	if n != 0 {
		t.Errorf("%d messages", n)
	}
	wantErr(t, err, errWaited)
}

// Those before a damaged record are the caller's.
func TestReader_NextBatch_CorruptRecord(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a", "b", "c", "d")
	r.mem.Data[2*16+3] = 0xff // in the length of c
	n, err := r.NextBatch(canceled, make([][]byte, 4), 100)
	if n != 2 || r.Held() != 2 {
		t.Errorf("%d messages, %d held", n, r.Held())
	}
	wantErr(t, err, ErrCorrupt)
	r.Release()
	n, err = r.NextBatch(canceled, make([][]byte, 4), 100)
	if n != 0 {
		t.Errorf("%d messages", n)
	}
	wantErr(t, err, ErrCorrupt)
}

func TestReader_Buffered_NextReturnsAtOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a", "b")
		wantMessages(t, r, "a")
		if !r.Buffered() {
			t.Error("b is there")
		}
		wantMessages(t, r, "b")
		if r.Buffered() {
			t.Error("nothing is there")
		}
	})
}

// A look at the writer's index costs it its cache line. The pause before it grows while
// looks bring little, and shrinks or ends when there is much or nothing.
func TestReader_PollBackoff(t *testing.T) {
	w, r, _ := pair(t, 1<<16, 0, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
	next := func() {
		t.Helper()
		if _, err := r.Next(canceled); err != nil {
			t.Fatal(err)
		}
		r.Release()
	}
	for range 100 {
		before := r.pollBackoff
		send(t, w, "little")
		next()
		if r.pollBackoff <= before && before < maxPollBackoff || r.pollBackoff > maxPollBackoff {
			t.Fatalf("%d pauses after %d and a look that brought one message", r.pollBackoff, before)
		}
	}
	if r.pollBackoff != maxPollBackoff {
		t.Errorf("%d pauses, want %d", r.pollBackoff, maxPollBackoff)
	}
	send(t, w, string(make([]byte, r.minBatch)))
	next()
	if r.pollBackoff >= maxPollBackoff || r.pollBackoff == 0 {
		t.Errorf("%d pauses after a look that brought much", r.pollBackoff)
	}
	_, err := r.Next(canceled)
	wantErr(t, err, errWaited)
	if r.pollBackoff != 0 {
		t.Errorf("%d pauses after a look that brought nothing", r.pollBackoff)
	}

	r.pollBackoff = 100_000 // as many as can be told from none by the clock
	send(t, w, "a")
	began := time.Now()
	next()
	if took := time.Since(began); took < 100*time.Microsecond {
		t.Errorf("100000 pauses took %v", took)
	}
}
