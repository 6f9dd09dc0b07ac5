package cmd_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func lengthFramed(messages ...[]byte) (b []byte) {
	for _, m := range messages {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(m))), m...)
	}
	return b
}

func TestRing_File_ArrivesUnchanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		content []byte
		args    []string
	}{
		{"raw", testenv.RandomBytes(32<<20 + 5), nil},
		{"raw in small chunks", testenv.RandomBytes(1<<20 + 1), []string{"--chunk", "100"}},
		{"raw through the smallest ring", testenv.RandomBytes(1<<20 + 1), []string{"--capacity", "4KiB"}},
		{"raw with one slot", testenv.RandomBytes(1 << 20), []string{"--slots", "1"}},
		{"lines", testenv.Lines(300_000), []string{"--framing", "lines"}},
		{"lines in a few slots", testenv.Lines(20_000), []string{"--framing", "lines", "--slots", "2"}},
		{"length", lengthFramed([]byte("one"), nil, testenv.RandomBytes(70_000), []byte("\n")), []string{"--framing", "length"}},
		{"an empty file", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, in := testenv.SegmentName(t), testenv.WriteFile(t, c.content)
			out := in + ".out"
			cons := testenv.Start(t, "consumer", "--name", name, "--output", out)
			prod := testenv.Start(t, "producer", append([]string{"--name", name, "--input", in}, c.args...)...)
			prod.WantExit(0)
			cons.WantExit(0)
			got, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, c.content) {
				t.Errorf("%d bytes came out, sha256 %x; %d went in, sha256 %x", len(got), sha256.Sum256(got), len(c.content), sha256.Sum256(c.content))
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

// The producer is gone before the consumer comes, and has left no message that
// could tell of it.
func TestRing_EmptyFile_EndWaitsForConsumer(t *testing.T) {
	t.Parallel()
	name, in := testenv.SegmentName(t), testenv.WriteFile(t, nil)
	testenv.Start(t, "producer", "--name", name, "--input", in).WantExit(0)
	testenv.Start(t, "consumer", "--name", name, "--output", in+".out").WantExit(0)
	if info, err := os.Stat(in + ".out"); err != nil || info.Size() != 0 {
		t.Error(info, err)
	}
	testenv.WantNoSegment(t, name)
}

// A last line may lack its line feed. The next producer's first line is one of
// its own all the same.
func TestRing_LinesOfSeveralProducers_StaySeparate(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--output", "-")
	for i, text := range []string{"a\nb", "c\n", "d"} {
		testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--input", "-"}, Stdin: strings.NewReader(text)}).WantExit(0)
		testenv.EventuallyHeader(t, name, "an empty ring", func(h *layout.Header) bool {
			return h.ProducerStats.Generation.Load() == uint64(i+1) && h.Count(layout.Consumer) == h.Count(layout.Producer)
		})
	}
	c.Signal(unix.SIGINT)
	c.WantExit(0)
	if got := c.Stdout.String(); got != "a\nb\nc\nd" {
		t.Errorf("%q", got)
	}
}

func TestRing_StdinToStdout(t *testing.T) {
	t.Parallel()
	name, content := testenv.SegmentName(t), testenv.Lines(100_000)
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--input", "-"}, Stdin: bytes.NewReader(content)}).WantExit(0)
	c.WantExit(0)
	if c.Stdout.String() != string(content) {
		t.Errorf("%d bytes came out, %d went in", len(c.Stdout.String()), len(content))
	}
}

func TestProducer_EndlessInput_Stopped(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	r, w := testenv.Pipe(t)
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--input", "-"}, Stdin: r})
	io.WriteString(w, "one\n")
	testenv.EventuallyHeader(t, name, "the first line", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 1 })
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(7)
	if got := c.Stdout.String(); got != "one\n" {
		t.Errorf("output %q", got)
	}
}
