package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestReceiver_TryNext_TakesBatch(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		_, err := r.TryNext()
		testenv.WantErr(t, err, ErrEmpty)
		n, err := s.SendBatch(t.Context(), [][]byte{[]byte("a"), nil, []byte("c")})
		if n != 3 || err != nil {
			t.Fatalf("%d sent, %v", n, err)
		}
		s.Flush()
		var got []string
		testenv.Eventually(t, "the batch", func() bool {
			msg, err := r.TryNext()
			if err == nil {
				got = append(got, string(msg))
			} else if err != ErrEmpty {
				t.Fatal(err)
			}
			return len(got) == 3
		})
		if !slices.Equal(got, []string{"a", "", "c"}) {
			t.Errorf("%q", got)
		}
		r.Release()
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
		testenv.Eventually(t, "the end", func() bool { _, err := r.TryNext(); return errors.Is(err, io.EOF) })
	})
}

func TestReceiver_NextBatch_TakesWhatIsThere(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		want := []string{"a", "", "c", "four", "e", "f"}
		send(t, s, want...)
		s.Flush()
		var got []string
		for len(got) < len(want) {
			msgs := make([][]byte, 3)
			n, err := r.NextBatch(t.Context(), msgs, 4)
			if n == 0 || err != nil {
				t.Fatalf("%d messages, %v", n, err)
			}
			bytes := 0
			for i, msg := range msgs[:n] {
				if i > 0 && bytes >= 4 {
					t.Errorf("%d messages, of which %d have 4 bytes", n, i)
				}
				bytes += len(msg)
				got = append(got, string(msg))
			}
		}
		if !slices.Equal(got, want) || r.Held() != len(want) {
			t.Errorf("%q, %d held", got, r.Held())
		}
		if n, err := r.NextBatch(t.Context(), nil, 4); n != 0 || err != nil {
			t.Errorf("%d messages, %v", n, err)
		}
		n, err := r.NextBatch(noWait, make([][]byte, 3), 4)
		if n != 0 || err != errNoWait {
			t.Errorf("%d messages, %v", n, err)
		}
	})
}

// A batch is held back as single messages are: a caller with many of them gets full buffers.
func TestSender_SendBatch_Packed_WaitsForFlush(t *testing.T) {
	name, opt := place(t)
	opt.Buffer, opt.Limit = 4096, NoLimit
	s := create(t, name, opt)
	if _, err := s.SendBatch(t.Context(), [][]byte{{1}, {2}}); err != nil {
		t.Fatal(err)
	}
	if s.messages != 2 {
		t.Errorf("%d messages are held back, want 2", s.messages)
	}
	s.Flush()
	if s.messages != 0 || s.Unread() != 2 {
		t.Errorf("%d messages are held back after Flush, %d queued", s.messages, s.Unread())
	}
}

// Batches of every length, of messages of every size, some larger than a buffer, end where they
// like in a buffer: they come as they were sent, and are counted as such.
func TestSender_SendBatch_AnySizes_InOrder(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		sizes := []int{8, 8, 0, 7, 8, 9, 1, 16, 8, 300, 4087, 8, 4088, 8, 8, 9000}
		number, payload := uint64(0), uint64(0)
		for round := range 60 {
			var batch, want [][]byte
			for k := range round % 40 {
				msg := numbered(make([]byte, 9000), number)[:sizes[(round+k)%len(sizes)]]
				batch, want = append(batch, msg), append(want, bytes.Clone(msg))
				number++
				payload += uint64(len(msg))
			}
			if n, err := s.SendBatch(t.Context(), batch); n != len(batch) || err != nil {
				t.Fatalf("%d of %d sent, %v", n, len(batch), err)
			}
			for _, msg := range batch {
				clear(msg) // it is the caller's again
			}
			if h := s.Segment().Header(); h.Producer.Count.Load() != number || h.Producer.Bytes.Load() != payload {
				t.Fatalf("%d messages, %d bytes are published, want %d, %d", h.Producer.Count.Load(), h.Producer.Bytes.Load(), number, payload)
			}
			s.Flush()
			for i, msg := range want {
				if got, err := r.Next(t.Context()); err != nil || !bytes.Equal(got, msg) {
					t.Fatalf("message %d of batch %d: %q, %v; want %q", i, round, got, err, msg)
				}
			}
			r.Release()
		}
		ended(t, s, r)
	})
}

// The last message of a buffer fills it, or is begun in the next one.
func TestSender_SendBatch_EndOfBuffer_WholeMessages(t *testing.T) {
	for more := range 9 {
		s, r := pair(t, endOptions{Buffer: 4096})
		last := bytes.Repeat([]byte{'x'}, 4096-2*layout.RecordHeader-8+more)
		if _, err := s.SendBatch(t.Context(), [][]byte{[]byte("8 bytes!"), last}); err != nil {
			t.Fatal(err)
		}
		if whole := s.messages == 2; whole != (more == 0) {
			t.Errorf("%d messages in a buffer for %d bytes more than it has", s.messages, more)
		}
		s.Flush()
		wantMessages(t, r, "8 bytes!", string(last))
	}
}

// A message of a batch that is in memory which faults ends the call, and the Sender goes on as if
// the call had not come to the messages that it had not counted.
func TestSender_SendBatch_Fault_SenderGoesOn(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		if _, err := s.SendBatch(t.Context(), [][]byte{[]byte("first")}); err != nil {
			t.Fatal(err)
		}
		if err := shm.Guard(func() error { _, err := s.SendBatch(t.Context(), [][]byte{unreadable(t)}); return err }); err == nil {
			t.Fatal("no fault")
		}
		if _, err := s.SendBatch(t.Context(), [][]byte{[]byte("second"), []byte("third")}); err != nil {
			t.Fatal(err)
		}
		s.Flush()
		wantMessages(t, r, "first", "second", "third")
		r.Release()
		ended(t, s, r)
	})
}

func TestSender_SendBatch_Limit_AcceptedCount(t *testing.T) {
	name, opt := place(t)
	opt.Limit = 3 * pageSize
	s := create(t, name, opt)
	n, err := s.SendBatch(t.Context(), [][]byte{{1}, {2}, {3}, {4}})
	if n != 3 || s.Unread() != 3 {
		t.Errorf("%d sent, %d queued", n, s.Unread())
	}
	testenv.WantErr(t, err, ErrLimit)
}

func TestReceiver_Messages_ReleasesEach(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "a", "b", "c", "d")
		s.Flush()
		for msg, err := range r.Messages(t.Context()) {
			if err != nil || string(msg) != "a" {
				t.Fatalf("%q, %v", msg, err)
			}
			break // it stays unreleased, and the next call goes on after it
		}
		if n := r.cursor.Count.Load(); n != 0 {
			t.Errorf("%d released", n)
		}
		msg, err := r.Take(t.Context())
		if n := r.cursor.Count.Load(); err != nil || string(msg) != "b" || n != 1 {
			t.Errorf("%q, %v, with %d released", msg, err, n)
		}
		closed := make(chan error)
		go func() { _, err := finish(context.Background(), s); closed <- err }()
		var got []string
		for msg, err := range r.Messages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(msg))
		}
		if err := <-closed; err != nil || !slices.Equal(got, []string{"c", "d"}) {
			t.Errorf("%q, %v", got, err)
		}
		for _, err := range r.Messages(testenv.Canceled()) {
			t.Errorf("after the end: %v", err)
		}
		closes(t, r)
		for _, err := range r.Messages(t.Context()) {
			testenv.WantErr(t, err, ErrClosed)
		}
	})
}

// Any goroutine may close a Receiver, whatever another one waits for.
func TestReceiver_Close_EndsNextOfOtherGoroutine(t *testing.T) {
	for _, connected := range []bool{false, true} {
		inEveryForm(t, func(t *testing.T, opt endOptions) {
			name, at := place(t)
			opt.Socket = at.Socket
			var s *Sender
			var r *Receiver
			if connected {
				s, r = create(t, name, opt), open(t, name, opt)
				send(t, s, "a")
				s.Flush()
				wantMessages(t, r, "a")
				r.Release()
			} else {
				_, r = apart(t, name, opt)
			}
			ended := make(chan error)
			go func() { _, err := r.Next(t.Context()); ended <- err }()
			testenv.Eventually(t, "a wait", func() bool { return layout.State(r.own.State.Load()) == layout.StateBlocked })
			closes(t, r)
			testenv.WantErr(t, <-ended, ErrClosed)
		})
	}
}

// How much an alarm is worth, BenchmarkDeadline shows.
func TestReceiver_Deadline_SetsAlarm(t *testing.T) {
	before := timers()
	s, r := pair(t, endOptions{})
	send(t, s, "a")
	wantMessages(t, r, "a")
	r.Release()
	wait := func(d time.Duration) (set int) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		_, err := r.Next(ctx)
		testenv.WantErr(t, err, context.DeadlineExceeded)
		return timers() - before
	}
	d := time.Millisecond
	for ; wait(d) == 0; d *= 2 { // a deadline that passes before the wait begins needs none
		if d > time.Second {
			t.Fatalf("no timer for a wait of %v", d)
		}
	}
	if n := wait(d); n != 1 {
		t.Errorf("%d timers after two waits", n)
	}
	closes(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	send(t, s, "b")
	_, err := finish(ctx, s)
	testenv.WantErr(t, err, ErrUndelivered)
	if n := timers(); n != before {
		t.Errorf("%d timers, there were %d", n, before)
	}
}

// Most of a slice would be 100 ms, and the last thing that is done.
func TestReceiver_Cancel_EndsWait(t *testing.T) {
	s, r := pair(t, endOptions{})
	send(t, s, "a")
	wantMessages(t, r, "a")
	late := 0
	const tries = 20
	for range tries {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		began := time.Now()
		_, err := r.Next(ctx)
		cancel()
		testenv.WantErr(t, err, context.DeadlineExceeded)
		if time.Since(began) > pollInterval/2 {
			late++
		}
	}
	if late > tries/2 { // a loaded machine makes some late, and waiting for a slice makes all
		t.Errorf("%d of %d waits of 5 ms took longer than %v", late, tries, pollInterval/2)
	}
}

// A consumer that is there and takes nothing holds Shutdown up; Abort does not wait.
func TestSender_Abort_GivesUp(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "a", "b", "c")
		s.Flush()
		wantMessages(t, r, "a")
		r.Release()
		drained := make(chan error)
		go func() { err := s.Shutdown(context.Background()); drained <- err }()
		testenv.Eventually(t, "an end", func() bool { return s.loop.closing.Load() })
		lost, err := lostIn(s.Abort())
		first := <-drained
		testenv.WantErr(t, errors.Join(first, err), ErrUndelivered)
		if text := fmt.Sprint(first, err); !strings.Contains(text, "2") {
			t.Errorf("%d lost, and %s", lost, text)
		}
		if err := s.Abort(); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}

// unreadable is memory that faults when it is read.
func unreadable(t *testing.T) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem[:8]
}
