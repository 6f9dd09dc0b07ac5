package cmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestTransfer_EitherSideFirst(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"producer", "consumer"} {
		t.Run(first+" first", func(t *testing.T) {
			name := testenv.SegmentName(t)
			var p, c *testenv.Process
			consumer := []string{"--name", name, "--verify", "--format", "json"} // which finds the mode out
			if first == "producer" {
				p = testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "5000")...)
				testenv.EventuallyHeader(t, name, "5000 queued messages", func(h *layout.Header) bool { return h.Count(layout.Producer) == 5000 })
				c = testenv.Start(t, "consumer", consumer...)
			} else {
				c = testenv.Start(t, "consumer", consumer...)
				p = testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "5000")...)
			}
			p.WantExit(0)
			c.WantExit(0)
			for _, side := range []*testenv.Process{p, c} {
				f := side.Final()
				if f.Num("producedCount") != 5000 || f.Num("consumedCount") != 5000 || f["mode"] != "transfer" || f.Num("lostCount") != 0 || f.Num("queueBytes") != 0 {
					t.Errorf("%v: %v", side.Cmd.Args, f)
				}
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

func TestTransfer_File_ArrivesUnchanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		content []byte
		args    []string
	}{
		{"raw", testenv.RandomBytes(16<<20 + 5), nil},
		{"raw, packed", testenv.RandomBytes(4<<20 + 5), []string{"--chunk", "1000", "--buffer", "64KiB"}},
		{"raw, recycled", testenv.RandomBytes(16<<20 + 5), []string{"--recycle"}},
		{"lines", testenv.Lines(20_000), []string{"--framing", "lines"}},
		{"lines, packed", testenv.Lines(300_000), []string{"--framing", "lines", "--buffer", "64KiB"}},
		{"lines, packed and recycled", testenv.Lines(300_000), []string{"--framing", "lines", "--buffer", "64KiB", "--recycle"}},
		{"lines longer than the buffer", testenv.Lines(20_000), []string{"--framing", "lines", "--buffer", "32"}},
		{"length", lengthFramed([]byte("one"), nil, testenv.RandomBytes(70_000), []byte("\n")), []string{"--framing", "length"}},
		{"length, packed", lengthFramed([]byte("one"), nil, testenv.RandomBytes(70_000), []byte("\n")), []string{"--framing", "length", "--buffer", "4KiB"}},
		{"an empty file", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, output := testenv.SegmentName(t), filepath.Join(t.TempDir(), "output")
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(c.args, "--input", testenv.WriteFile(t, c.content))...)...)
			testenv.Start(t, "consumer", "--name", name, "--output", output).WantExit(0)
			p.WantExit(0)
			if got, err := os.ReadFile(output); err != nil || !bytes.Equal(got, c.content) {
				t.Errorf("%v, %d bytes in, %d out", err, len(c.content), len(got))
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

// A pipe that has no more for now does not keep back what it gave.
func TestTransfer_PackedMessage_SentWithoutNext(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	in, out := testenv.Pipe(t)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: testenv.TransferArgs(name, "--input", "-", "--buffer", "64KiB"), Stdin: in})
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-", "--report", "0")
	in.Close()
	for i := range uint64(3) {
		out.WriteString("a line\n")
		testenv.EventuallyHeader(t, name, "the line at the consumer", func(h *layout.Header) bool { return h.Count(layout.Consumer) == i+1 })
	}
	out.Close()
	p.WantExit(0)
	c.WantExit(0)
	if got := c.Stdout.String(); got != strings.Repeat("a line\n", 3) {
		t.Errorf("%q", got)
	}
}

func TestTransfer_ConsumerPaused_QueueGrows(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--verify")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "2000", "--report", "200ms")...)
	testenv.EventuallyConsumed(t, name, 100)
	c.Pause()
	grown := func(h *layout.Header) bool { return h.Count(layout.Producer)-h.Count(layout.Consumer) > 2000 }
	testenv.EventuallyHeader(t, name, "a growing queue", grown)
	c.Continue()
	testenv.EventuallyHeader(t, name, "an empty queue", func(h *layout.Header) bool { return h.Count(layout.Producer)-h.Count(layout.Consumer) < 100 })
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
	growing := 0
	for _, f := range p.Reports() {
		if f["verdict"] == "stopped" && f.Num("limitInSec") > 0 && f.Num("queueDepth") > 0 {
			growing++
		}
		if f.Num("producerWaits") != 0 {
			t.Errorf("the producer waited: %v", f)
		}
	}
	if growing == 0 {
		t.Errorf("no report said that the consumer is stopped and when the limit is reached:\n%s", p.Stderr.String())
	}
}

func TestTransfer_Limit_AcceptedMessagesDelivered(t *testing.T) {
	t.Parallel()
	name, output := testenv.SegmentName(t), filepath.Join(t.TempDir(), "output")
	const chunk = 64 << 10
	content := testenv.RandomBytes(32 << 20)
	in, out := testenv.Pipe(t)
	c := testenv.Start(t, "consumer", "--name", name, "--output", output, "--format", "json")
	args := testenv.TransferArgs(name, "--input", "-", "--framing", "raw", "--chunk", "64KiB", "--limit", "16MiB")
	p := testenv.StartWith(t, "producer", testenv.Options{Args: args, Stdin: in})
	in.Close()
	if _, err := out.Write(content[:chunk]); err != nil {
		t.Fatal(err)
	}
	// The consumer comes before the limit is reached, and takes nothing more until it is, however
	// slowly the content is written.
	testenv.EventuallyHeader(t, name, "the first message taken", func(h *layout.Header) bool { return h.Count(layout.Consumer) > 0 })
	c.Pause()
	go out.Write(content[chunk:]) // until nobody reads it any more
	testenv.EventuallyHeader(t, name, "a refused message", func(h *layout.Header) bool { return h.ProducerStats.RefusedMessages.Load() > 0 })
	c.Continue()
	p.WantError(5, name, "memory limit reached: 16 MiB in flight", "the consumer received", "times less", "--rate", "--limit")
	c.WantExit(7) // the producer had more to send
	if f := c.Final(); f.Num("consumedCount") < 256 || f.Num("consumedCount") != f.Num("producedCount") {
		t.Errorf("%v produced, %v consumed", f["producedCount"], f["consumedCount"])
	}
	if got, err := os.ReadFile(output); err != nil || len(got) < 16<<20 || !bytes.HasPrefix(content, got) {
		t.Errorf("%v, %d bytes out, which are not what went in", err, len(got))
	}
	testenv.WantNoSegment(t, name)
}

func TestMode_DiffersFromSegment_Refused(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	testenv.Start(t, "consumer", "--name", name, "--mode", "transfer").WantError(2, name, "another mode: ring, not transfer", "--mode")
	testenv.Start(t, "producer", "--name", name, "--mode", "transfer").WantError(2, name, "another mode")
	testenv.Start(t, "consumer", "--name", name).WantExit(0)
	testenv.WantNoSegment(t, name)
}

// With a umask of 0002, which some systems give each user, mkdir makes a directory in
// which the user's group may replace the socket.
func TestTransfer_SocketDirGroupWritable_Refused(t *testing.T) {
	t.Parallel()
	name, dir := testenv.SegmentName(t), filepath.Join(testenv.PrivateDir(t), "run")
	mkdir := func(umask string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", "umask "+umask+" && mkdir "+dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	mkdir("0002")
	socket := filepath.Join(dir, "s")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "1", "--socket", socket)...)
	testenv.Start(t, "consumer", "--name", name, "--socket", socket).WantError(1, name, dir+" is writable by others (mode 0775)", "chmod go-w", "umask 022")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	mkdir("022")
	testenv.Start(t, "consumer", "--name", name, "--socket", socket).WantExit(0)
	p.WantExit(0)
}

func TestTransfer_SocketPath_Refused(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	testenv.Start(t, "producer", testenv.TransferArgs(name, "--socket", long)...).WantError(1, long, "at most 107")

	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "1", "--socket", filepath.Join(testenv.PrivateDir(t), "s"))...)
	file := filepath.Join(testenv.PrivateDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Start(t, "consumer", "--name", name, "--socket", file).WantError(1, name, "is not a socket")
	missing := filepath.Join(testenv.PrivateDir(t), "missing")
	testenv.Start(t, "consumer", "--name", name, "--socket", filepath.Join(missing, "s")).WantError(1, name, "there is no directory for the socket: "+missing, "mkdir")
	p.Signal(unix.SIGINT)
	p.WantError(1, name, "messages were lost: 1 that no consumer has released")
	if testenv.Header(name) == nil { // the refused consumer was none; the next one is told
		t.Error("nobody would learn that the stream has ended")
	}
}

// What is wrong with a path is said before a message is accepted, and before there is a segment. A
// missing directory may still be made, so the producer only warns.
func TestTransfer_SocketPath_CheckedAtStart(t *testing.T) {
	t.Parallel()
	dir, name := testenv.PrivateDir(t), testenv.SegmentName(t)
	file, missing := filepath.Join(dir, "file"), filepath.Join(dir, "missing")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                           file + " exists and is not a socket",
		filepath.Join(file, "s"):       file + ": not a directory",
		"/" + strings.Repeat("x", 108): "at most 107 fit",
	} {
		testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "1", "--socket", path)...).WantError(1, want)
		testenv.Start(t, "consumer", "--name", name, "--socket", path).WantError(1, want)
	}
	socket := filepath.Join(missing, "s")
	noDirectory := "there is no directory for the socket: " + missing
	testenv.Start(t, "consumer", "--name", name, "--socket", socket).WantError(1, name, noDirectory, "mkdir")
	testenv.Start(t, "consumer", "--name", name, "--mode", "ring", "--socket", socket).WantError(2, "--socket cannot be used in ring mode")
	testenv.Start(t, "consumer", testenv.TransferArgs(name, "--duration", "1ms")...).WantExit(0) // the default directory is made
	testenv.WantNoSegment(t, name)

	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "1", "--socket", socket)...)
	p.EventuallyPrints(`{"hint":"create it (mkdir -m 700), or choose another --socket on both sides; the consumer fails without it","segment":"` + name + `","warning":"` + noDirectory)
	testenv.EventuallyHeader(t, name, "the message", func(h *layout.Header) bool { return h.Count(layout.Producer) == 1 })
	p.Signal(unix.SIGINT)
	p.WantHint(1, "1 that no consumer has released|there is no directory for the socket "+socket+": create it", "keep a consumer running")

	p = testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "1", "--socket", socket)...)
	p.EventuallyPrints(`{"hint":"create it (mkdir -m 700), or choose another --socket on both sides; the consumer fails without it","segment":"` + name + `","warning":"` + noDirectory)
	if err := os.Mkdir(missing, 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Start(t, "consumer", "--name", name, "--socket", socket).WantExit(7) // of the first producer nothing came
	p.WantExit(0)
}

// With buffers of powers of two, a message of a little more than a mebibyte took twice
// the limit, and the report did not say so.
func TestTransfer_Limit_BoundsMemoryOfBothSides(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20
	for _, args := range [][]string{{"--recycle", "--size", "1048580"}, {"--size", "70000"}, {"--recycle", "--buffer", "100000", "--size", "9000"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(args, "--limit", "64MiB", "--report", "20ms")...)...)
			c := testenv.Start(t, "consumer", "--name", name, "--work", "200us")
			most := uint64(0)
			for running := true; running; {
				select {
				case <-p.Exited:
					running = false
				case <-time.After(20 * time.Millisecond):
				}
				most = max(most, testenv.MemfdBytes(p.Cmd.Process.Pid, c.Cmd.Process.Pid))
			}
			p.WantExit(5) // the consumer is the slower one
			c.WantExit(7)
			if most > limit || most < limit/2 {
				t.Errorf("%d bytes were taken at most, with a limit of %d", most, limit)
			}
			said := 0.0
			for _, f := range p.Reports() {
				said = max(said, f.Num("memoryBytes"))
			}
			if said > limit+layout.HeaderSize || said < float64(most)/2 {
				t.Errorf("memoryBytes was %.0f at most, and %d were taken", said, most)
			}
		})
	}
}
