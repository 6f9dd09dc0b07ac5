package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// The mistakes of people, where nothing is wrong with the segment.

func TestFile_InputIsAlsoOutput_ProducerFails(t *testing.T) {
	t.Parallel()
	name, file := testenv.SegmentName(t), testenv.WriteFile(t, testenv.RandomBytes(4<<20))
	p := testenv.Start(t, "producer", "--name", name, "--input", file, "--rate", "100")
	testenv.EventuallyHeader(t, name, "something to take", func(h *layout.Header) bool { return h.Count(layout.Producer) > 0 })
	c := testenv.Start(t, "consumer", "--name", name, "--output", file)
	p.WantError(1, name, file, "was truncated after", "is it also the consumer's output?")
	c.Wait()
}

func TestProducer_TwoReadOnePipe_BothStop(t *testing.T) {
	t.Parallel()
	in, out := testenv.Pipe(t)
	var all []*testenv.Process
	var names []string
	for range 2 {
		names = append(names, testenv.SegmentName(t))
		all = append(all, testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", names[len(names)-1], "--input", "-"}, Stdin: in}))
	}
	in.Close()
	for _, name := range names {
		testenv.EventuallyHeader(t, name, "its start", func(*layout.Header) bool { return true })
	}
	taken := func() (n uint64) {
		for _, name := range names {
			if h := testenv.Header(name); h != nil {
				n += h.Count(layout.Producer)
			}
		}
		return n
	}
	for i := range uint64(5) {
		out.WriteString("a line for one of them\n")
		testenv.Eventually(t, "a line that somebody takes", func() bool { return taken() == i+1 })
	}
	for _, p := range all {
		p.Signal(unix.SIGTERM)
	}
	for _, p := range all {
		p.WantExit(0)
	}
}

func TestProducer_StoppedWithUnreadInput_DiscardedBytes(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--name"}, {"--to", "--to"}} {
		t.Run(fmt.Sprintf("%d rings", len(flags)), func(t *testing.T) {
			args := []string{"--rate", "10", "--input", "-", "--format", "json"}
			var name string
			for _, flag := range flags {
				name = testenv.SegmentName(t)
				args = append(args, flag, name)
			}
			p := testenv.StartWith(t, "producer", testenv.Options{
				Args: args, Stdin: strings.NewReader(strings.Repeat("a line\n", 5000)),
			})
			testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Count(layout.Producer) > 0 })
			p.Signal(unix.SIGTERM)
			p.WantExit(0)
			if n := p.Final().Num("discardedBytes"); n <= 0 || int(n)%len("a line\n") != 0 {
				t.Errorf("discardedBytes %v", n)
			}
		})
	}
}

// Half a line that the producer has read is no message: the rest may be on its way.
func TestProducer_StoppedInsideLine_SendsNoHalf(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
			t.Run(mode+", "+unix.SignalName(sig), func(t *testing.T) {
				r, w := testenv.Pipe(t)
				name, out := testenv.SegmentName(t), filepath.Join(t.TempDir(), "out")
				p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--mode", mode, "--input", "-", "--format", "json"}, Stdin: r})
				r.Close()
				c := testenv.Start(t, "consumer", "--name", name, "--output", out)
				if _, err := w.WriteString("one\ntwo hal"); err != nil { // at once, as it is read
					t.Fatal(err)
				}
				testenv.EventuallyHeader(t, name, "the first line", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 1 })
				p.Signal(sig)
				p.WantExit(0)
				c.WantExit(7)
				if got, err := os.ReadFile(out); err != nil || string(got) != "one\n" {
					t.Errorf("%q, %v", got, err)
				}
				if f := p.Final(); f.Num("producedCount") != 1 || f.Num("discardedBytes") != 7 {
					t.Errorf("final report %v", f)
				}
			})
		}
	}
}

func TestSegment_OfAnotherUser_Refused(t *testing.T) {
	t.Parallel()
	testenv.RequireRoot(t)
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	for _, command := range []string{"consumer", "producer"} {
		testenv.StartWith(t, command, testenv.Options{Args: []string{"--name", name}, Attr: testenv.AsUser(t, testenv.Nobody)}).WantError(6, name, "another user: ", "has uid 0, want ")
	}
}
