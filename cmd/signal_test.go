package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// All that was accepted is delivered, whatever the signal.
func TestEachSignalStopsATransferInGoodOrder(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			name := segmentName(t)
			c := start(t, "consumer", "--name", name, "--work", "1ms", "--verify", "--format", "json")
			p := start(t, "producer", transferring(name, "--rate", "5000")...)
			moved(t, name, 50)
			p.signal(s)
			p.ends(0)
			c.ends(0)
			produced, consumed := p.final().num("producedCount"), c.final().num("consumedCount")
			if produced != consumed || produced < 50 {
				t.Errorf("%v messages produced, %v consumed", produced, consumed)
			}
		})
	}
}

// As nohup(1) starts it, and a shell without job control starts what is in the background.
func TestASignalThatWasIgnoredStaysIgnored(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGHUP} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			name := segmentName(t)
			start(t, "consumer", "--name", name)
			script := `trap "" ` + strings.TrimPrefix(unix.SignalName(s), "SIG") + `; exec "$0" "$@"`
			p, err := startCommand(t, exec.Command("sh", "-c", script, filepath.Join(bin, "producer"), "--name", name, "--rate", "1000"), run{})
			if err != nil {
				t.Fatal(err)
			}
			moved(t, name, 1)
			p.signal(s)
			moved(t, name, 100)
			p.signal(unix.SIGTERM)
			p.ends(0)
		})
	}
}

// twice sends the command two signals, each when the other can no longer be taken for it.
func (p *proc) twice() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		p.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-p.exited:
			return
		default:
		}
	}
	p.t.Fatalf("%v still runs", p.cmd.Args)
}

var lostAtOnce = regexp.MustCompile(`left at once, asked to stop twice; ([0-9,]+) messages that had not been handed over are lost`)

// What the producer has not handed over of a queue is lost; what is in the socket and in
// the consumer's hands is not. The consumer gets what it was said to get, whether it runs
// or is stopped at that moment.
func TestASecondSignalSaysWhatATransferLoses(t *testing.T) {
	for _, form := range []string{"", "--recycle", "--buffer 256", "--recycle --buffer 256"} {
		for _, stopped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stopped: %v", form, stopped), func(t *testing.T) {
				t.Parallel()
				name := segmentName(t)
				c := start(t, "consumer", "--name", name, "--work", "100us", "--verify", "--format", "json")
				p := start(t, "producer", append(strings.Fields(form), "--mode", "transfer", "--name", name, "--rate", "100000", "--limit", "1GiB")...)
				moved(t, name, 10)
				if stopped {
					c.pause()
				}
				eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > h.Consumer.Count.Load()+20_000 })
				p.twice()
				p.ends(1)
				var lost uint64
				if said := p.stderr.String(); !strings.Contains(said, "twice; all that was sent was handed over; ") && !strings.Contains(said, "twice; nothing that was sent is lost") { // on a slow machine
					m := lostAtOnce.FindStringSubmatch(said)
					if m == nil {
						t.Fatalf("%s", said)
					}
					var err error
					if lost, err = strconv.ParseUint(strings.ReplaceAll(m[1], ",", ""), 10, 64); err != nil {
						t.Fatal(err)
					}
				}
				if stopped {
					c.signal(unix.SIGCONT)
				}
				produced := header(name).Producer.Count.Load()
				handedOver := produced - lost
				eventually(t, name, fmt.Sprintf("%d messages taken, of %d: %s", handedOver, produced, p.stderr.String()), func(h *layout.Header) bool { return h.ConsumerStats.Consumed.Load() >= handedOver })
				c.signal(unix.SIGTERM)
				if code := c.wait(); code != 7 && lost > 0 {
					t.Errorf("exit code %d", code)
				}
				if f := c.final(); f.num("consumedCount") != float64(handedOver) || f.num("lostCount") != float64(lost) {
					t.Errorf("%d lost, said the producer; the consumer: %v", lost, f)
				}
			})
		}
	}
}

// What is handed over is not lost, even if it was all.
func TestASecondSignalWhenAllIsHandedOver(t *testing.T) {
	name := segmentName(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	p := startWith(t, "producer", run{Args: []string{"--mode", "transfer", "--name", name, "--input", "-"}, Stdin: r})
	c := start(t, "consumer", "--name", name, "--output", "-", "--format", "json")
	for i := range uint64(2) {
		w.WriteString("a line\n")
		eventually(t, name, "a line sent", func(h *layout.Header) bool { return h.Producer.Count.Load() == i+1 && h.Consumer.Count.Load() >= i })
		if i == 0 {
			moved(t, name, 1-header(name).Consumer.Count.Load())
			c.pause()
		}
	}
	eventually(t, name, "a line handed over", func(h *layout.Header) bool { return h.ProducerStats.Buffers.Load() == 2 })
	p.twice()
	p.refuses(1, "left at once", "all that was sent was handed over; ", "lost if the consumer ends before it takes it: 1 message", "; what was read from the input and not sent is lost")
	c.signal(unix.SIGCONT)
	eventually(t, name, "both lines taken", func(h *layout.Header) bool { return h.ConsumerStats.Consumed.Load() == 2 })
	c.signal(unix.SIGTERM)
	c.ends(7) // there was more to read
	if got := c.stdout.String(); got != "a line\na line\n" || c.final().num("lostCount") != 0 {
		t.Errorf("%q, %v", got, c.final())
	}
}
