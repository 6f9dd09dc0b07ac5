package cmd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// The mistakes of people, where nothing is wrong with the segment.

func TestTheInputIsNotTheOutput(t *testing.T) {
	name, file := segmentName(t), writeFile(t, randomBytes(4<<20))
	p := start(t, "producer", "--name", name, "--input", file, "--rate", "100")
	eventually(t, name, "something to take", func(h *layout.Header) bool { return h.Producer.Count.Load() > 0 })
	c := start(t, "consumer", "--name", name, "--output", file)
	p.refuses(1, name, file, "became shorter", "is it the consumer's output as well?")
	c.wait()
}

func TestTwoProducersOfOnePipeCanBothBeStopped(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var all []*proc
	var names []string
	for range 2 {
		names = append(names, segmentName(t))
		all = append(all, startWith(t, "producer", run{Args: []string{"--name", names[len(names)-1], "--input", "-"}, Stdin: in}))
	}
	in.Close()
	for _, name := range names {
		eventually(t, name, "its start", func(*layout.Header) bool { return true })
	}
	taken := func() (n uint64) {
		for _, name := range names {
			if h := header(name); h != nil {
				n += h.Producer.Count.Load()
			}
		}
		return n
	}
	for i := range uint64(5) {
		out.WriteString("a line for one of them\n")
		within(t, "a line that somebody takes", func() bool { return taken() == i+1 })
	}
	for _, p := range all {
		p.signal(unix.SIGTERM)
	}
	for _, p := range all {
		p.ends(0)
	}
}

func TestBytesThatAreLostAtAStopAreInTheFigures(t *testing.T) {
	name := segmentName(t)
	p := startWith(t, "producer", run{
		Args:  []string{"--name", name, "--slots", "10", "--input", "-", "--format", "json"},
		Stdin: strings.NewReader(strings.Repeat("a line\n", 5000)),
	})
	eventually(t, name, "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
	p.signal(unix.SIGTERM)
	p.ends(0)
	if n := p.final().num("unsentBytes"); n <= 0 || int(n)%len("a line\n") != 0 {
		t.Errorf("unsentBytes %v", n)
	}
}

// Half a line that the producer has read is no message: the rest may be on its way.
func TestAStopInALineSendsNoHalfOfIt(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
			t.Run(mode+", "+unix.SignalName(sig), func(t *testing.T) {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				name, out := segmentName(t), filepath.Join(t.TempDir(), "out")
				p := startWith(t, "producer", run{Args: []string{"--name", name, "--mode", mode, "--input", "-", "--format", "json"}, Stdin: r})
				r.Close()
				c := start(t, "consumer", "--name", name, "--output", out)
				if _, err := w.WriteString("one\ntwo hal"); err != nil { // at once, as it is read
					t.Fatal(err)
				}
				eventually(t, name, "the first line", func(h *layout.Header) bool { return h.Consumer.Count.Load() == 1 })
				p.signal(sig)
				p.ends(0)
				c.ends(7)
				if got, err := os.ReadFile(out); err != nil || string(got) != "one\n" {
					t.Errorf("%q, %v", got, err)
				}
				if f := p.final(); f.num("producedCount") != 1 || f.num("unsentBytes") != 7 {
					t.Errorf("final report %v", f)
				}
			})
		}
	}
}

func TestAnOutputThatIsASocketIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start(t, "consumer", "--name", segmentName(t), "--output", path).refuses(1, path)
}

func TestAnotherUsersSegmentIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start commands as somebody else")
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for _, command := range []string{"consumer", "producer"} {
		startWith(t, command, run{Args: []string{"--name", name}, Attr: nobody}).refuses(6, name, "belongs to user 0")
	}
}

// It would be overwritten.
func TestAnArgumentIsNotTheValueOfTheLastFlag(t *testing.T) {
	file := writeFile(t, []byte("precious"))
	start(t, "consumer", file, "--name", segmentName(t), "--duration", "1s", "--output").refuses(2, "--output: a value is missing", "hint: --output FILE")
}

func TestFlagsOfTheOtherCommandAreCalledThat(t *testing.T) {
	for command, flags := range map[string][]string{
		"producer": {"capacity", "slots", "on-full", "size", "burst", "input", "chunk", "buffer", "recycle", "limit", "fresh"},
		"consumer": {"work", "output", "verify", "follow"},
	} {
		other := map[string]string{"producer": "consumer", "consumer": "producer"}[command]
		for _, flag := range flags {
			start(t, other, "--"+flag).refuses(2, fmt.Sprintf("--%s is a flag of the %s", flag, command))
			help, err := exec.Command(filepath.Join(bin, command), "--help").Output()
			if err != nil || !strings.Contains(string(help), "--"+flag) {
				t.Errorf("%s --help does not show --%s (%v)", command, flag, err)
			}
		}
	}
}
