package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestEnvironment_SetsFlags(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.StartWith(t, "producer", testenv.Options{Env: []string{"SLUICE_NAME=" + name, "SLUICE_COUNT=5", "SLUICE_CAPACITY=8KiB", "SLUICE_KEEP=true"}}).WantExit(0)
	if h := testenv.Header(name); h == nil || h.Count(layout.Producer) != 5 || h.Identity.Capacity.Load() != 8192 {
		t.Errorf("the segment is not what the environment asked for")
	}
	testenv.StartWith(t, "consumer", testenv.Options{Env: []string{"SLUICE_NAME=" + name, "SLUICE_WORK=fast"}}).WantError(2, "SLUICE_WORK")
}

func TestProducer_MessageLargerThanRing(t *testing.T) {
	t.Parallel()
	long := testenv.WriteFile(t, []byte("short\n"+strings.Repeat("x", 5000)+"\n"))
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--capacity", "4KiB", "--framing", "lines", "--input", long).WantError(1, "line 2", "4088", "--capacity")
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	c.WantExit(7)
	if got := c.Stdout.String(); got != "short\n" {
		t.Errorf("output %q: what came before the long line should be there", got)
	}
	cut := testenv.WriteFile(t, []byte("\x03\x00\x00\x00abc\x09\x00\x00\x00de"))
	testenv.Start(t, "producer", "--name", name, "--framing", "length", "--input", cut).WantError(1, "inside message 2", "truncated")
}

func TestSegment_Damaged_Refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		spoil      func(t *testing.T, name string)
		producer   int // exit codes
		consumer   int
	}{
		{"something else", "not a sluice segment", func(t *testing.T, name string) {
			os.WriteFile(shm.Path(name), testenv.RandomBytes(20000), 0o600)
		}, 6, 6},
		{"an empty file", "not a sluice segment", func(t *testing.T, name string) {
			os.WriteFile(shm.Path(name), nil, 0o600)
		}, 6, 6},
		{"another version", "version 99", func(t *testing.T, name string) { testenv.Overwrite(t, name, 8, 99) }, 6, 6},
		{"shortened", "9000", func(t *testing.T, name string) { os.Truncate(shm.Path(name), 9000) }, 6, 6},
		{"a write index from nowhere", "write index", func(t *testing.T, name string) {
			testenv.Overwrite(t, name, testenv.FieldOffset(t, "Producer.Index"), 1<<40)
		}, 6, 6},
		{"a record longer than what is there", "record", func(t *testing.T, name string) { testenv.Overwrite(t, name, layout.HeaderSize, 1<<30) }, 0, 6},
		{"a symbolic link", "symbolic link", func(t *testing.T, name string) {
			os.Remove(shm.Path(name))
			os.Symlink("/etc/passwd", shm.Path(name))
		}, 6, 6},
		{"a directory", "not a regular file", func(t *testing.T, name string) {
			os.Remove(shm.Path(name))
			os.Mkdir(shm.Path(name), 0o700)
		}, 6, 6},
		{"a file that everybody may write", "everybody", func(t *testing.T, name string) { os.Chmod(shm.Path(name), 0o666) }, 6, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := testenv.SegmentName(t)
			records := []string{"--name", name, "--input", testenv.WriteFile(t, testenv.Lines(10)), "--framing", "lines"}
			testenv.Start(t, "producer", append(records, "--count", "3")...).WantExit(0)
			c.spoil(t, name)
			says := []string{c.says, name}
			if c.producer == 0 {
				says = nil
			}
			testenv.Start(t, "producer", append(records, "--count", "1")...).WantError(c.producer, says...)
			testenv.Start(t, "consumer", "--name", name).WantError(c.consumer, c.says, name)
		})
	}
}

func TestRing_SegmentTruncatedToZero_BothExit6(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p, c := testenv.Start(t, "producer", "--name", name), testenv.Start(t, "consumer", "--name", name)
	testenv.EventuallyConsumed(t, name, 100_000)
	if err := os.Truncate(shm.Path(name), 0); err != nil {
		t.Fatal(err)
	}
	p.WantError(6, "truncated")
	c.WantError(6, "truncated")
}

func TestRole_HeldByLiveProcess_Refused(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p, c := testenv.Start(t, "producer", "--name", name), testenv.Start(t, "consumer", "--name", name)
	testenv.EventuallyConsumed(t, name, 1)
	testenv.Start(t, "producer", "--name", name).WantError(4, "producer", name)
	testenv.Start(t, "producer", "--name", name, "--fresh").WantError(4, "producer", name)
	testenv.Start(t, "consumer", "--name", name).WantError(4, "consumer", name)
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
}

func TestProducer_OtherGeometry_UnreadMessagesKept(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--slots", "8").WantError(2, "3 unread", "--fresh")
	testenv.Start(t, "consumer", "--name", name, "--verify", "--keep").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--slots", "8", "--count", "1").WantExit(0)
	if h := testenv.Header(name); h == nil || h.Identity.Slots.Load() != 8 {
		t.Error("an empty segment should have been replaced")
	}
}

// The consumer would find the borders between messages where they are not. Generated messages have
// another segment.
func TestProducer_OtherFraming_UnreadMessagesKept(t *testing.T) {
	t.Parallel()
	lengths := string(lengthFramed([]byte("abc"), []byte("de")))
	for _, first := range []struct{ framing, content, output string }{
		{"lines", "abc\nde", "abc\nde"},
		{"length", lengths, lengths},
		{"raw", "abcde", "abcde"},
	} {
		send := func(name, framing string) *testenv.Process {
			if framing == "none" {
				return testenv.Start(t, "producer", "--name", name, "--count", "2")
			}
			return testenv.Start(t, "producer", "--name", name, "--input", testenv.WriteFile(t, []byte(first.content)), "--framing", framing)
		}
		for _, then := range []string{"lines", "length", "raw", "none"} {
			t.Run(first.framing+", then "+then, func(t *testing.T) {
				name, out := testenv.SegmentName(t), filepath.Join(t.TempDir(), "out")
				send(name, first.framing).WantExit(0)
				if then == first.framing {
					send(name, then).WantExit(0)
					return
				}
				says := "another framing: " + first.framing
				if then == "none" {
					says = "another type: records"
				}
				send(name, then).WantError(2, says, "unread", "--fresh")
				testenv.Start(t, "consumer", "--name", name, "--output", out, "--keep").WantExit(0)
				if got, err := os.ReadFile(out); err != nil || string(got) != first.output {
					t.Errorf("%q, %v; want %q", got, err, first.output)
				}
				if then == "none" || then == "raw" { // which take any input
					send(name, then).WantExit(0)
				}
				testenv.Start(t, "producer", "--name", name, "--count", "1", "--fresh").WantExit(0)
				send(name, first.framing).WantError(2, "another type: 131,072 slots of 8 bytes", "1 unread message", "--fresh")
			})
		}
	}
}

func TestProducer_AfterKilledOne_FramingStays(t *testing.T) {
	t.Parallel()
	name, out := testenv.SegmentName(t), filepath.Join(t.TempDir(), "out")
	r, w := testenv.Pipe(t)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--input", "-"}, Stdin: r})
	r.Close()
	if _, err := w.WriteString("one\n"); err != nil {
		t.Fatal(err)
	}
	testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Producer.Index.Load() > 0 })
	p.Kill()
	file := testenv.WriteFile(t, []byte("two\n"))
	testenv.Start(t, "producer", "--name", name, "--input", file).WantError(2, "another framing: lines", "1 unread")
	testenv.Start(t, "producer", "--name", name, "--input", file, "--framing", "lines").WantExit(0)
	testenv.Start(t, "consumer", "--name", name, "--output", out).WantExit(0)
	if got, err := os.ReadFile(out); err != nil || string(got) != "one\ntwo\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// One environment for both sides, as a systemd unit has it.
func TestEnvironment_FlagsOfTheOtherSide_Ignored(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	env := []string{"SLUICE_NAME=" + name, "SLUICE_SIZE=64", "SLUICE_FRAMING=lines", "SLUICE_INPUT=", "SLUICE_OUTPUT=", "SLUICE_CHUNK=100"}
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--count", "3"}, Env: env}).WantExit(0)
	testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--verify"}, Env: env}).WantExit(0)
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--input", testenv.WriteFile(t, []byte("a\nb\n"))}, Env: env}).WantExit(0)
	testenv.StartWith(t, "consumer", testenv.Options{Env: env}).WantExit(0)
}
