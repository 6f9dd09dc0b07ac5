package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

func transferring(name string, args ...string) []string {
	return append([]string{"--mode", "transfer", "--name", name, "--format", "json"}, args...)
}

func TestATransferInEitherOrder(t *testing.T) {
	for _, first := range []string{"producer", "consumer"} {
		t.Run(first+" first", func(t *testing.T) {
			name := segmentName(t)
			var p, c *proc
			consumer := []string{"--name", name, "--verify", "--format", "json"} // which finds the mode out
			if first == "producer" {
				p = start(t, "producer", transferring(name, "--count", "5000")...)
				eventually(t, name, "5000 queued messages", func(h *layout.Header) bool { return h.Producer.Count.Load() == 5000 })
				c = start(t, "consumer", consumer...)
			} else {
				c = start(t, "consumer", consumer...)
				p = start(t, "producer", transferring(name, "--count", "5000")...)
			}
			p.ends(0)
			c.ends(0)
			for _, side := range []*proc{p, c} {
				f := side.final()
				if f.num("producedCount") != 5000 || f.num("consumedCount") != 5000 || f["mode"] != "transfer" || f.num("lostCount") != 0 || f.num("queueBytes") != 0 {
					t.Errorf("%v: %v", side.cmd.Args, f)
				}
			}
			gone(t, name)
		})
	}
}

func TestATransferredFileComesOutAsItWentIn(t *testing.T) {
	for _, c := range []struct {
		name    string
		content []byte
		args    []string
	}{
		{"raw", randomBytes(16<<20 + 5), nil},
		{"raw, packed", randomBytes(4<<20 + 5), []string{"--chunk", "1000", "--buffer", "64KiB"}},
		{"raw, recycled", randomBytes(16<<20 + 5), []string{"--recycle"}},
		{"lines", text(20_000), []string{"--framing", "lines"}},
		{"lines, packed", text(300_000), []string{"--framing", "lines", "--buffer", "64KiB"}},
		{"lines, packed and recycled", text(300_000), []string{"--framing", "lines", "--buffer", "64KiB", "--recycle"}},
		{"lines longer than the buffer", text(20_000), []string{"--framing", "lines", "--buffer", "32"}},
		{"length", lengthFramed([]byte("one"), nil, randomBytes(70_000), []byte("\n")), []string{"--framing", "length"}},
		{"length, packed", lengthFramed([]byte("one"), nil, randomBytes(70_000), []byte("\n")), []string{"--framing", "length", "--buffer", "4KiB"}},
		{"an empty file", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, output := segmentName(t), filepath.Join(t.TempDir(), "output")
			p := start(t, "producer", transferring(name, append(c.args, "--input", writeFile(t, c.content))...)...)
			start(t, "consumer", "--name", name, "--output", output).ends(0)
			p.ends(0)
			if got, err := os.ReadFile(output); err != nil || !bytes.Equal(got, c.content) {
				t.Errorf("%v, %d bytes in, %d out", err, len(c.content), len(got))
			}
			gone(t, name)
		})
	}
}

// A pipe that has no more for now does not keep back what it gave.
func TestAPackedMessageDoesNotWaitForTheNext(t *testing.T) {
	name := segmentName(t)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := startWith(t, "producer", run{Args: transferring(name, "--input", "-", "--buffer", "64KiB"), Stdin: in})
	c := start(t, "consumer", "--name", name, "--output", "-", "--report", "0")
	in.Close()
	for i := range uint64(3) {
		out.WriteString("a line\n")
		eventually(t, name, "the line at the consumer", func(h *layout.Header) bool { return h.Consumer.Count.Load() == i+1 })
	}
	out.Close()
	p.ends(0)
	c.ends(0)
	if got := c.stdout.String(); got != strings.Repeat("a line\n", 3) {
		t.Errorf("%q", got)
	}
}

func TestAStoppedConsumerMakesTheQueueGrow(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--verify")
	p := start(t, "producer", transferring(name, "--rate", "2000", "--report", "200ms")...)
	moved(t, name, 100)
	c.pause()
	grown := func(h *layout.Header) bool { return h.Producer.Count.Load()-h.Consumer.Count.Load() > 2000 }
	eventually(t, name, "a growing queue", grown)
	c.signal(unix.SIGCONT)
	eventually(t, name, "an empty queue", func(h *layout.Header) bool { return h.Producer.Count.Load()-h.Consumer.Count.Load() < 100 })
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
	growing := 0
	for _, f := range p.reports() {
		if f["verdict"] == "stopped" && f.num("limitInSec") > 0 && f.num("queueDepth") > 0 {
			growing++
		}
		if f.num("producerWaits") != 0 {
			t.Errorf("the producer waited: %v", f)
		}
	}
	if growing == 0 {
		t.Errorf("no report said that the consumer is stopped and when the limit is reached:\n%s", p.stderr.String())
	}
}

func TestAtTheLimitAllThatWasAcceptedIsDelivered(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--work", "5ms", "--verify", "--format", "json")
	p := start(t, "producer", transferring(name, "--size", "64KiB", "--limit", "16MiB", "--rate", "500")...) // the consumer comes before the limit
	p.refuses(5, name, "memory limit reached: 16 MiB in flight", "the consumer took", "times less", "--rate", "--limit")
	c.ends(7) // the producer had more to send
	if f := c.final(); f.num("consumedCount") < 256 || f.num("consumedCount") != f.num("producedCount") {
		t.Errorf("%v produced, %v consumed", f["producedCount"], f["consumedCount"])
	}
	gone(t, name)
}

func TestFlagsOfTheOtherModeAreRefused(t *testing.T) {
	for _, c := range []struct {
		words []string
		args  []string
	}{
		{[]string{"--buffer", "ring mode"}, []string{"--buffer", "64KiB"}},
		{[]string{"--recycle", "ring mode"}, []string{"--recycle"}},
		{[]string{"--limit", "ring mode"}, []string{"--limit", "1GiB"}},
		{[]string{"--capacity", "transfer mode"}, []string{"-m", "transfer", "--capacity", "1MiB"}},
		{[]string{"--slots", "transfer mode"}, []string{"-m", "transfer", "--slots", "8"}},
		{[]string{"--on-full", "transfer mode"}, []string{"-m", "transfer", "--on-full", "drop"}},
		{[]string{"--spin", "transfer mode"}, []string{"-m", "transfer", "--spin", "0"}},
		{[]string{"soft", "ring or transfer"}, []string{"-m", "soft"}},
		{[]string{"--limit", "4096", ">= 65536"}, []string{"-m", "transfer", "--limit", "4KiB"}},
		{[]string{"--buffer", "8", "from 16"}, []string{"-m", "transfer", "--buffer", "8"}},
	} {
		start(t, "producer", append(c.args, "--name", segmentName(t))...).refuses(2, c.words...)
	}
}

func TestBothSidesHaveOneMode(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	start(t, "consumer", "--name", name, "--mode", "transfer").refuses(2, name, "another mode: ring, not transfer", "--mode")
	start(t, "producer", "--name", name, "--mode", "transfer").refuses(2, name, "another mode")
	start(t, "consumer", "--name", name).ends(0)
	gone(t, name)
}

// With a umask of 0002, which some systems give each user, mkdir makes a directory in
// which the user's group may replace the socket.
func TestADirectoryThatAUmaskHasOpenedIsRefusedWithTheRemedy(t *testing.T) {
	name, dir := segmentName(t), filepath.Join(ownDir(t), "run")
	mkdir := func(umask string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", "umask "+umask+" && mkdir "+dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	mkdir("0002")
	socket := filepath.Join(dir, "s")
	p := start(t, "producer", transferring(name, "--count", "1", "--socket", socket)...)
	start(t, "consumer", "--name", name, "--socket", socket).refuses(1, name, "others may write to "+dir+" (mode 0775)", "chmod go-w", "umask 022")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	mkdir("022")
	start(t, "consumer", "--name", name, "--socket", socket).ends(0)
	p.ends(0)
}

func TestABadSocketPathIsRefused(t *testing.T) {
	name := segmentName(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	start(t, "producer", transferring(name, "--socket", long)...).refuses(1, long, "at most 107")

	p := start(t, "producer", transferring(name, "--count", "1", "--socket", filepath.Join(ownDir(t), "s"))...)
	file := filepath.Join(ownDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "consumer", "--name", name, "--socket", file).refuses(1, name, "is no socket")
	missing := filepath.Join(ownDir(t), "missing")
	start(t, "consumer", "--name", name, "--socket", filepath.Join(missing, "s")).refuses(1, name, "there is no directory for the socket: "+missing, "mkdir")
	p.signal(unix.SIGINT)
	p.refuses(1, name, "messages were lost: 1 that no consumer was there for")
	if header(name) == nil { // the refused consumer was none; the next one is told
		t.Error("nobody would learn that the stream has ended")
	}
}

// With buffers of powers of two, a message of a little more than a mebibyte took twice
// the limit, and the report did not say so.
func TestALimitBoundsTheMemoryOfBothProcesses(t *testing.T) {
	const limit = 64 << 20
	for _, args := range [][]string{{"--recycle", "--size", "1048580"}, {"--size", "70000"}, {"--recycle", "--buffer", "100000", "--size", "9000"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			name := segmentName(t)
			p := start(t, "producer", transferring(name, append(args, "--limit", "64MiB", "--report", "20ms")...)...)
			c := start(t, "consumer", "--name", name, "--work", "200us")
			most := uint64(0)
			for running := true; running; {
				select {
				case <-p.exited:
					running = false
				case <-time.After(5 * time.Millisecond):
				}
				most = max(most, memfds(p.cmd.Process.Pid, c.cmd.Process.Pid))
			}
			p.ends(5) // the consumer is the slower one
			c.ends(7)
			if most > limit || most < limit/2 {
				t.Errorf("%d bytes were taken at most, with a limit of %d", most, limit)
			}
			said := 0.0
			for _, f := range p.reports() {
				said = max(said, f.num("memoryBytes"))
			}
			if said > limit+layout.HeaderSize || said < float64(most)/2 {
				t.Errorf("memoryBytes was %.0f at most, and %d were taken", said, most)
			}
		})
	}
}

// memfds returns the memory of all buffers that some processes have open or mapped, in
// bytes.
func memfds(pids ...int) (n uint64) {
	seen := map[uint64]bool{}
	for _, pid := range pids {
		for _, dir := range []string{"fd", "map_files"} {
			files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/%s/*", pid, dir))
			for _, file := range files {
				var st unix.Stat_t
				if target, _ := os.Readlink(file); !strings.HasPrefix(target, "/memfd:sluice") || unix.Stat(file, &st) != nil || seen[st.Ino] {
					continue
				}
				seen[st.Ino] = true
				n += uint64(st.Blocks) * 512
			}
		}
	}
	return n
}
