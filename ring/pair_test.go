package ring

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/layout"
)

// pair is both ends of a ring on plain memory.
func pair(t failer, capacity, slots uint64, w WriterOptions, r ReaderOptions) (*Writer, *Reader, Memory) {
	t.Helper()
	mem := heapMemory(t, capacity, slots)
	return writerOn(t, mem, w), readerOn(t, mem, r), mem
}

func writerOn(t failer, mem Memory, opt WriterOptions) *Writer {
	t.Helper()
	w, err := NewWriter(mem, opt)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func readerOn(t failer, mem Memory, opt ReaderOptions) *Reader {
	t.Helper()
	r, err := NewReader(mem, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// valuePair is both ends of a ring with that many slots for numbers, on plain memory.
func valuePair(t failer, slots uint64, w WriterOptions, r ReaderOptions) (*WriterOf[uint64], *ReaderOf[uint64], Memory) {
	t.Helper()
	we, re, mem := slotsOf[uint64]().pair(t, 0, slots, w, r)
	return we.(valueWriter[uint64]).WriterOf, re.(valueReader[uint64]).ReaderOf, mem
}

// send sends strings, and the test fails where there is no room for one.
func send(t failer, w writerEnd, msgs ...string) {
	t.Helper()
	for _, msg := range msgs {
		if err := w.Send(canceled, []byte(msg)); err != nil {
			t.Fatalf("send %q: %v", msg, err)
		}
	}
}

// wantMessages expects these messages next. They stay held.
func wantMessages(t failer, r readerEnd, want ...string) {
	t.Helper()
	for _, msg := range want {
		got, err := r.TryNext()
		if err != nil || string(got) != msg {
			t.Fatalf("took %q, %v; want %q", got, err, msg)
		}
	}
}

func wantErr(t failer, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// canceled is for calls that must not wait: one that would, fails with errWaited.
var (
	errWaited = errors.New("it would have waited")
	canceled  = func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errWaited)
		return ctx
	}()
)

// asleep waits until role r has gone to sleep n times, and says so.
func asleep(t *testing.T, h *layout.Header, r layout.Role, n uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if h.Stats(r).Waits.Load() >= n && h.Sleep(r).Flag.Load() != 0 {
			return
		}
	}
	t.Fatalf("the %v did not go to sleep", r)
}

// canceledLater is canceled when the test is over, so that a call that waits
// for ever ends with it.
func canceledLater(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(errWaited) })
	return ctx
}
