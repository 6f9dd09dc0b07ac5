package cmd_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// writeFile returns the path of a new file with that content.
func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// text returns lines of many lengths, empty ones too, the last without end.
func text(lines int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	for i := range lines {
		fmt.Fprintf(&b, "%d%s\n", i, strings.Repeat("x", r.IntN(90)))
		if i%7 == 0 {
			b.WriteByte('\n')
		}
	}
	b.WriteString("the end")
	return b.Bytes()
}

func lengthFramed(messages ...[]byte) (b []byte) {
	for _, m := range messages {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(m))), m...)
	}
	return b
}

func TestAFileComesOutAsItWentIn(t *testing.T) {
	for _, c := range []struct {
		name    string
		content []byte
		args    []string
	}{
		{"raw", randomBytes(32<<20 + 5), nil},
		{"raw in small chunks", randomBytes(1<<20 + 1), []string{"--chunk", "100"}},
		{"raw through the smallest ring", randomBytes(1<<20 + 1), []string{"--capacity", "4KiB"}},
		{"raw with one slot", randomBytes(1 << 20), []string{"--slots", "1"}},
		{"lines", text(300_000), []string{"--framing", "lines"}},
		{"lines in a few slots", text(20_000), []string{"--framing", "lines", "--slots", "2"}},
		{"length", lengthFramed([]byte("one"), nil, randomBytes(70_000), []byte("\n")), []string{"--framing", "length"}},
		{"an empty file", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, in := segmentName(t), writeFile(t, c.content)
			out := in + ".out"
			cons := start(t, "consumer", "--name", name, "--output", out)
			prod := start(t, "producer", append([]string{"--name", name, "--input", in}, c.args...)...)
			prod.ends(0)
			cons.ends(0)
			got, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, c.content) {
				t.Errorf("%d bytes came out, sha256 %x; %d went in, sha256 %x", len(got), sha256.Sum256(got), len(c.content), sha256.Sum256(c.content))
			}
			gone(t, name)
		})
	}
}

// The producer is gone before the consumer comes, and has left no message that
// could tell of it.
func TestTheEndOfAnEmptyFileWaitsForTheConsumer(t *testing.T) {
	name, in := segmentName(t), writeFile(t, nil)
	start(t, "producer", "--name", name, "--input", in).ends(0)
	start(t, "consumer", "--name", name, "--output", in+".out").ends(0)
	if info, err := os.Stat(in + ".out"); err != nil || info.Size() != 0 {
		t.Error(info, err)
	}
	gone(t, name)
}

// A last line may lack its line feed. The next producer's first line is one of
// its own all the same.
func TestLinesOfSeveralProducersDoNotRunTogether(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--follow", "--output", "-")
	for i, text := range []string{"a\nb", "c\n", "d"} {
		startWith(t, "producer", run{Args: []string{"--name", name, "--input", "-"}, Stdin: strings.NewReader(text)}).ends(0)
		eventually(t, name, "an empty ring", func(h *layout.Header) bool {
			return h.ProducerStats.Generation.Load() == uint64(i+1) && h.Consumer.Count.Load() == h.Producer.Count.Load()
		})
	}
	c.signal(unix.SIGINT)
	c.ends(0)
	if got := c.stdout.String(); got != "a\nb\nc\nd" {
		t.Errorf("%q", got)
	}
}

func TestStandardInputAndOutput(t *testing.T) {
	name, content := segmentName(t), text(100_000)
	c := start(t, "consumer", "--name", name, "--output", "-")
	startWith(t, "producer", run{Args: []string{"--name", name, "--input", "-"}, Stdin: bytes.NewReader(content)}).ends(0)
	c.ends(0)
	if c.stdout.String() != string(content) {
		t.Errorf("%d bytes came out, %d went in", len(c.stdout.String()), len(content))
	}
}

func TestInputThatDoesNotEndCanBeStopped(t *testing.T) {
	name := segmentName(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := start(t, "consumer", "--name", name, "--output", "-")
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--input", "-"}, Stdin: r})
	io.WriteString(w, "one\n")
	eventually(t, name, "the first line", func(h *layout.Header) bool { return h.Consumer.Count.Load() == 1 })
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(7)
	if got := c.stdout.String(); got != "one\n" {
		t.Errorf("output %q", got)
	}
}

// An output that fails keeps its messages in the ring: the next consumer gets
// them.
func TestAFullDiskLosesNothing(t *testing.T) {
	name := segmentName(t)
	content := text(5000)
	start(t, "producer", "--name", name, "--input", writeFile(t, content), "--framing", "lines").ends(0)
	full := start(t, "consumer", "--name", name, "--output", "/dev/full")
	full.ends(1)
	if !strings.Contains(full.stderr.String(), "no space left") {
		t.Errorf("stderr: %s", full.stderr.String())
	}
	c := start(t, "consumer", "--name", name, "--output", "-")
	c.ends(0)
	if c.stdout.String() != string(content) {
		t.Errorf("%d bytes came out, %d went in", len(c.stdout.String()), len(content))
	}
}

func TestAClosedPipeLosesNothing(t *testing.T) {
	name := segmentName(t)
	content := text(5000)
	start(t, "producer", "--name", name, "--input", writeFile(t, content), "--framing", "lines").ends(0)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	broken := startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-"}, Stdout: w})
	broken.ends(1)
	if !strings.Contains(broken.stderr.String(), "broken pipe") {
		t.Errorf("stderr: %s", broken.stderr.String())
	}
	c := start(t, "consumer", "--name", name, "--output", "-")
	c.ends(0)
	if c.stdout.String() != string(content) {
		t.Errorf("%d bytes came out, %d went in", len(c.stdout.String()), len(content))
	}
}

// A write that fails half-way is taken back, so that nothing comes twice.
func TestAFileThatFillsUpEndsAtAMessage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: a small file system needs root to be mounted")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })

	name := segmentName(t)
	content := text(5000)
	start(t, "producer", "--name", name, "--input", writeFile(t, content), "--framing", "lines").ends(0)
	start(t, "consumer", "--name", name, "--output", dir+"/out").ends(1)
	head, err := os.ReadFile(dir + "/out")
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "consumer", "--name", name, "--output", "-")
	c.ends(0)
	if got := string(head) + c.stdout.String(); got != string(content) {
		t.Errorf("%d and %d bytes came out, %d went in", len(head), len(c.stdout.String()), len(content))
	}
}
