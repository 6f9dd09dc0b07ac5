package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/ratelimit"
	"sluice/internal/schedule"
	"sluice/ring"
)

// recorder is a producer that keeps what it is given, and drops message number drop.
type recorder struct {
	sluice.Producer // nil: the calls that a source does not make
	buf             []byte
	got             []string
	drop            int
	n               int
	batches         []int  // sizes of the batches, in messages
	idle            func() // called before each read, nil for nothing
}

func (r *recorder) Reserve(_ context.Context, n int) ([]byte, error) {
	if r.n++; r.n == r.drop {
		return nil, ring.ErrDropped
	}
	r.buf = make([]byte, n)
	return r.buf, nil
}
func (r *recorder) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	r.batches = append(r.batches, len(msgs))
	for i, msg := range msgs {
		room, err := r.Reserve(ctx, len(msg))
		if err != nil {
			return i, err
		}
		r.Commit(copy(room, msg))
	}
	return len(msgs), nil
}
func (r *recorder) Commit(n int) { r.got = append(r.got, string(r.buf[:n])) }
func (r *recorder) Publish()     {}
func (r *recorder) Flush() {
	if r.idle != nil {
		r.idle()
	}
}
func (r *recorder) MaxMessage() int { return 1 << 20 }

// input is a file with that content, or a FIFO that ends after it.
func input(t *testing.T, content string, fifo bool) *Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	if fifo {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(path, os.O_RDWR, 0) // does not wait for a reader
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.WriteString(content); err != nil {
			t.Fatal(err)
		}
	} else if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := OpenInput(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

func lengthFramed(msgs ...string) string {
	var b bytes.Buffer
	for _, msg := range msgs {
		binary.Write(&b, binary.LittleEndian, uint32(len(msg)))
		b.WriteString(msg)
	}
	return b.String()
}

func TestFraming_MessageBoundaries(t *testing.T) {
	long := strings.Repeat("x", 100_000) // more than a bufio.Scanner takes unless told
	byLine := func(max int) func(*Input) Cutter { return func(in *Input) Cutter { return Lines(in, max) } }
	byLength := func(max int) func(*Input) Cutter { return func(in *Input) Cutter { return Lengths(in, max) } }
	byChunk := func(size int) func(*Input) Cutter { return func(in *Input) Cutter { return Chunks(in, size) } }
	for _, c := range []struct {
		name, content string
		cut           func(*Input) Cutter
		drop          int
		want          []string
		err           error
		says          string
	}{
		{"no lines", "", byLine(10), 0, nil, nil, ""},
		{"lines, the last without its end", "a\n\nb", byLine(10), 0, []string{"a\n", "\n", "b"}, nil, ""},
		{"a long line", long + "\nb\n", byLine(1 << 20), 0, []string{long + "\n", "b\n"}, nil, ""},
		{"a line of the most bytes", "a\n123456789\n", byLine(10), 0, []string{"a\n", "123456789\n"}, nil, ""},
		{"a line that is too long", "a\n1234567890\n", byLine(10), 0, []string{"a\n"}, sluice.ErrTooLarge, "input is too large: line 2 has more than 10 bytes"},
		{"a dropped line", "a\nb\nc\n", byLine(10), 2, []string{"a\n", "c\n"}, nil, ""},
		{"lengths", lengthFramed("a", "", "bcd"), byLength(3), 0, []string{"a", "", "bcd"}, nil, ""},
		{"a length that is too large", lengthFramed("a", "bcde"), byLength(3), 0, []string{"a"}, ErrTooLarge, "input is too large: message 2 has 4 bytes"},
		{"an end in a message", lengthFramed("a", "bcd")[:10], byLength(3), 0, []string{"a"}, ErrCutShort, "it ends inside message 2"},
		{"an end before a message", lengthFramed("a", "bcd")[:9], byLength(3), 0, []string{"a"}, ErrCutShort, "it ends inside message 2"},
		{"an end in a length", lengthFramed("a", "bcd")[:7], byLength(3), 0, []string{"a"}, ErrCutShort, "it ends inside message 2"},
		{"a dropped message", lengthFramed("a", "bcd", "e"), byLength(3), 2, []string{"a", "e"}, nil, ""},
		{"an end in a dropped message", lengthFramed("a", "bcd")[:10], byLength(3), 2, []string{"a"}, ErrCutShort, "it ends inside message 2"},
		{"chunks", "abcdefg", byChunk(3), 0, []string{"abc", "def", "g"}, nil, ""},
		{"whole chunks", "abcdef", byChunk(3), 0, []string{"abc", "def"}, nil, ""},
		{"a dropped chunk", "abcdefg", byChunk(3), 2, []string{"abc", "g"}, nil, ""},
		{"a dropped last chunk", "abcdefg", byChunk(3), 3, []string{"abc", "def"}, nil, ""},
	} {
		for _, how := range []struct {
			fifo  bool
			batch Batch
		}{{false, Batch{}}, {true, Batch{}}, {false, Batch{2, 1 << 20}}, {true, Batch{100, 1 << 20}}, {false, Batch{100, 3}}} {
			if how.fifo && len(c.content) > 60_000 {
				continue // more than a pipe holds
			}
			t.Run(fmt.Sprintf("%s, %v", c.name, how), func(t *testing.T) {
				in, to := input(t, c.content, how.fifo), &recorder{drop: c.drop}
				err := Copy(t.Context(), to, in, c.cut(in), Limits{Pace: ratelimit.New(schedule.Spec{}), Batch: how.batch})
				if !errors.Is(err, c.err) || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v, want %v with %q", err, c.err, c.says)
				}
				if !slices.Equal(to.got, c.want) {
					t.Errorf("%.60q, want %.60q", to.got, c.want)
				}
				if discarded := in.Discarded(); c.err == nil && discarded != 0 {
					t.Errorf("%d bytes are discarded after the end", discarded)
				}
			})
		}
	}
}

// Only the end of an input makes a message of a last line without its end. What
// another error leaves behind a line end may go on.
func TestFraming_IncompleteMessage_NotSent(t *testing.T) {
	byLine := func(in *Input) Cutter { return Lines(in, 1<<20) }
	byLength := func(in *Input) Cutter { return Lengths(in, 1<<20) }
	byChunk := func(in *Input) Cutter { return Chunks(in, 6) }
	long := strings.Repeat("x", readSize+1000) // more than is read at once
	for _, c := range []struct {
		name, content string
		cut           func(*Input) Cutter
		drop          int
		want          []string
		discarded     int
	}{
		{"a line", "one\ntwo hal", byLine, 0, []string{"one\n"}, 7},
		{"the first line", "hal", byLine, 0, nil, 3},
		{"a long line", "one\n" + long, byLine, 0, []string{"one\n"}, len(long)},
		{"the end of a line", "one\ntwo\n", byLine, 0, []string{"one\n", "two\n"}, 0},
		{"a length", lengthFramed("one", "two")[:9], byLength, 0, []string{"one"}, 2},
		{"the end of a length", lengthFramed("one", "two")[:11], byLength, 0, []string{"one"}, 4},
		{"a message with a length", lengthFramed("one", "two")[:13], byLength, 0, []string{"one"}, 6},
		{"a dropped message with a length", lengthFramed("one", "two")[:13], byLength, 2, []string{"one"}, 6},
		{"a long message with a length", lengthFramed("one", long)[:readSize+50], byLength, 0, []string{"one"}, readSize + 43},
		{"the end of a message with a length", lengthFramed("one", "two"), byLength, 0, []string{"one", "two"}, 0},
		{"a chunk, which may be shorter", "one, two", byChunk, 0, []string{"one, t", "wo"}, 0},
	} {
		t.Run("stopped in "+c.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			stopped := errors.New("stopped")
			in := openPipe(t, ctx, c.content)
			to := &recorder{drop: c.drop, idle: func() {
				if in.read == int64(len(c.content)) {
					stop(stopped)
				}
			}}
			err := Copy(ctx, to, in, c.cut(in), Limits{Pace: ratelimit.New(schedule.Spec{})})
			if err != stopped {
				t.Errorf("error %v, want the cause of the context", err)
			}
			if !slices.Equal(to.got, c.want) {
				t.Errorf("%.60q, want %.60q", to.got, c.want)
			}
			if discarded := in.Discarded(); discarded != int64(c.discarded) {
				t.Errorf("%d bytes are discarded, want %d", discarded, c.discarded)
			}
		})
		t.Run("a file that became shorter in "+c.name, func(t *testing.T) {
			in, to := input(t, c.content+"\n", false), &recorder{drop: c.drop}
			if err := os.Truncate(in.name, int64(len(c.content))); err != nil {
				t.Fatal(err)
			}
			err := Copy(t.Context(), to, in, c.cut(in), Limits{Pace: ratelimit.New(schedule.Spec{})})
			if err == nil || !strings.Contains(err.Error(), "was truncated after") {
				t.Errorf("error %v", err)
			}
			if !slices.Equal(to.got, c.want) {
				t.Errorf("%.60q, want %.60q", to.got, c.want)
			}
		})
	}
}

// openPipe returns a FIFO with that content and a writer that does not end.
func openPipe(t *testing.T, ctx context.Context, content string) *Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0) // does not wait for a reader
	if err != nil {
		t.Fatal(err)
	}
	in, err := OpenInput(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	var written sync.WaitGroup
	written.Go(func() { // a pipe may hold less
		if _, err := w.WriteString(content); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		w.Close()
		written.Wait()
		in.Close()
	})
	return in
}

func TestFraming_PipeBytesNotSent_Discarded(t *testing.T) {
	for framing, cut := range map[string]func(*Input) Cutter{
		"lines":   func(in *Input) Cutter { return Lines(in, 10) },
		"lengths": func(in *Input) Cutter { return Lengths(in, 10) },
		"chunks":  func(in *Input) Cutter { return Chunks(in, 2) },
	} {
		content, took := "a\nb\nc\n", int64(2)
		if framing == "lengths" {
			content, took = lengthFramed("a", "b", "c"), 5
		}
		in := input(t, content, true)
		if err := Copy(t.Context(), &recorder{}, in, cut(in), Limits{Count: 1, Pace: ratelimit.New(schedule.Spec{})}); err != nil {
			t.Fatal(err)
		}
		want := int64(len(content)) - took
		if framing == "chunks" {
			want = 0 // it reads no further than it sends
		}
		if got := in.Discarded(); got != want {
			t.Errorf("%s: %d bytes are discarded, want %d", framing, got, want)
		}
		in = input(t, content, false) // a file can be read again
		if err := Copy(t.Context(), &recorder{}, in, cut(in), Limits{Count: 1, Pace: ratelimit.New(schedule.Spec{})}); err != nil {
			t.Fatal(err)
		}
		if got := in.Discarded(); got != 0 {
			t.Errorf("%s: %d bytes of a file are discarded", framing, got)
		}
	}
}

// Messages of every length lie across the ends of reads and of the buffer.
func TestFraming_ReadsEndInMessages_Whole(t *testing.T) {
	var want []string
	for n, size := 0, 0; size < 4*readSize; n++ {
		msg := strings.Repeat("x", n*37%5000) + "\n"
		if n == 100 {
			msg = strings.Repeat("y", readSize+readSize/3) + "\n"
		}
		want, size = append(want, msg), size+len(msg)
	}
	for name, c := range map[string]struct {
		content string
		cut     func(*Input) Cutter
	}{
		"lines":   {strings.Join(want, ""), func(in *Input) Cutter { return Lines(in, 1<<20) }},
		"lengths": {lengthFramed(want...), func(in *Input) Cutter { return Lengths(in, 1<<20) }},
	} {
		for _, drop := range []int{0, 101} { // the one that is larger than the buffer
			in, to := input(t, c.content, false), &recorder{drop: drop}
			if err := Copy(t.Context(), to, in, c.cut(in), Limits{Pace: ratelimit.New(schedule.Spec{}), Batch: Batch{100, 16 << 10}}); err != nil {
				t.Fatal(err)
			}
			sent := want
			if drop > 0 {
				sent = slices.Delete(slices.Clone(want), drop-1, drop)
			}
			if !slices.Equal(to.got, sent) || in.sent != int64(len(c.content)) {
				t.Errorf("%s: %d messages and %d bytes are sent, want %d and %d", name, len(to.got), in.sent, len(sent), len(c.content))
			}
		}
	}
}

// What is there goes as one batch, which the limits bound; a message that must wait for its time
// goes by itself.
func TestCopy_Batches(t *testing.T) {
	content := strings.Repeat("a\n", 10)
	for _, c := range []struct {
		name string
		lim  Limits
		want []int
	}{
		{"messages", Limits{Batch: Batch{4, 100}}, []int{4, 4, 2}},
		{"bytes", Limits{Batch: Batch{100, 5}}, []int{3, 3, 3, 1}},
		{"count", Limits{Batch: Batch{4, 100}, Count: 7}, []int{4, 3}},
		{"none", Limits{Count: 3}, []int{1, 1, 1}},
		{"a rate", Limits{Batch: Batch{4, 100}, Count: 3, Pace: ratelimit.New(schedule.Spec{Rate: 1e6})}, []int{1, 1, 1}},
	} {
		if c.lim.Pace == nil {
			c.lim.Pace = ratelimit.New(schedule.Spec{})
		}
		in, to := input(t, content, false), &recorder{}
		if err := Copy(t.Context(), to, in, Lines(in, 100), c.lim); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(to.batches, c.want) {
			t.Errorf("%s: batches of %v, want %v", c.name, to.batches, c.want)
		}
	}
}

// A message of a pipe that is alone is not held back until another one comes.
func TestCopy_Pipe_SentBeforeWait(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	in := openPipe(t, ctx, "one\n")
	to := &recorder{}
	to.idle = func() {
		if in.read > 0 {
			stop(stopped)
		}
	}
	err := Copy(ctx, to, in, Lines(in, 100), Limits{Pace: ratelimit.New(schedule.Spec{}), Batch: Batch{100, 100}})
	if err != stopped || !slices.Equal(to.got, []string{"one\n"}) {
		t.Errorf("%q were sent before the wait, %v", to.got, err)
	}
}

// A FIFO that nobody has opened to write has not ended.
func TestInput_FIFOWithoutWriter_Waits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "input")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	in, err := OpenInput(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	stopped := errors.New("stopped")
	in.beforeWait = func() { stop(stopped) }
	if _, err := in.Read(make([]byte, 10)); err != stopped {
		t.Errorf("error %v, want the cause of the context", err)
	}
}
