package cmd_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// All that was accepted is delivered, whatever the signal.
func TestSignal_Transfer_DeliversEverything(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			c := testenv.Start(t, "consumer", "--name", name, "--work", "1ms", "--verify", "--format", "json")
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "5000")...)
			testenv.EventuallyConsumed(t, name, 50)
			p.Signal(s)
			p.WantExit(0)
			c.WantExit(0)
			produced, consumed := p.Final().Num("producedCount"), c.Final().Num("consumedCount")
			if produced != consumed || produced < 50 {
				t.Errorf("%v messages produced, %v consumed", produced, consumed)
			}
		})
	}
}

// As nohup(1) starts it, and a shell without job control starts what is in the background.
func TestSignal_IgnoredAtStart_StaysIgnored(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGHUP} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			name := testenv.SegmentName(t)
			testenv.Start(t, "consumer", "--name", name)
			script := `trap "" ` + strings.TrimPrefix(unix.SignalName(s), "SIG") + `; exec "$0" "$@"`
			p, err := testenv.StartCommand(t, exec.Command("sh", "-c", script, testenv.Command("producer"), "--name", name, "--rate", "1000"), testenv.Options{})
			if err != nil {
				t.Fatal(err)
			}
			testenv.EventuallyConsumed(t, name, 1)
			p.Signal(s)
			testenv.EventuallyConsumed(t, name, 100)
			p.Signal(unix.SIGTERM)
			p.WantExit(0)
		})
	}
}

var lostAtOnce = regexp.MustCompile(`exited at once on a second signal; ([0-9,]+) messages that had not been handed over are lost`)

// What the producer has not handed over of a queue is lost; what is in the socket and in
// the consumer's hands is not. The consumer gets what it was said to get, whether it runs
// or is stopped at that moment.
func TestSignal_Second_Transfer_SaysWhatIsLost(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"", "--recycle", "--buffer 64", "--recycle --buffer 64"} {
		for _, stopped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stopped: %v", form, stopped), func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				c := testenv.Start(t, "consumer", "--name", name, "--work", "50us", "--verify", "--format", "json")
				p := testenv.Start(t, "producer", append(strings.Fields(form), "--mode", "transfer", "--name", name, "--rate", "100000", "--limit", "1GiB")...)
				testenv.EventuallyConsumed(t, name, 10)
				if stopped {
					c.Pause()
				}
				queued := uint64(6_000) // more than a socket holds
				if strings.Contains(form, "--buffer") {
					queued = 40_000
				}
				testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > h.Count(layout.Consumer)+queued })
				p.SignalTwice()
				p.WantExit(1)
				var lost uint64
				if said := p.Stderr.String(); !strings.Contains(said, "signal; all messages were handed over; ") && !strings.Contains(said, "signal; no sent message is lost") { // on a slow machine
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
					c.Continue()
				}
				produced := testenv.Header(name).Count(layout.Producer)
				t.Logf("%s, stopped %v: %d of %d lost", form, stopped, lost, produced)
				handedOver := produced - lost
				testenv.EventuallyHeader(t, name, fmt.Sprintf("%d messages taken, of %d: %s", handedOver, produced, p.Stderr.String()), func(h *layout.Header) bool { return h.ConsumerStats.Consumed.Load() >= handedOver })
				c.Signal(unix.SIGTERM)
				if code := c.Wait(); code != 7 && lost > 0 {
					t.Errorf("exit code %d", code)
				}
				if f := c.Final(); f.Num("consumedCount") != float64(handedOver) || f.Num("lostCount") != float64(lost) {
					t.Errorf("%d lost, said the producer; the consumer: %v", lost, f)
				}
			})
		}
	}
}

// What is handed over is not lost, even if it was all.
func TestSignal_Second_Transfer_AllHandedOver(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	r, w := testenv.Pipe(t)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--mode", "transfer", "--name", name, "--input", "-"}, Stdin: r})
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-", "--format", "json")
	for i := range uint64(2) {
		w.WriteString("a line\n")
		testenv.EventuallyHeader(t, name, "a line sent", func(h *layout.Header) bool { return h.Count(layout.Producer) == i+1 && h.Count(layout.Consumer) >= i })
		if i == 0 {
			testenv.EventuallyConsumed(t, name, 1-testenv.Header(name).Count(layout.Consumer))
			c.Pause()
		}
	}
	testenv.EventuallyHeader(t, name, "a line handed over", func(h *layout.Header) bool { return h.ProducerStats.Buffers.Load() == 2 })
	p.SignalTwice()
	p.WantError(1, "exited at once", "all messages were handed over; ", "lost if the consumer exits before it receives them: 1 message", "; input that was read but not sent is lost")
	c.Continue()
	testenv.Eventually(t, "both lines written", func() bool { return c.Stdout.String() == "a line\na line\n" })
	c.Cmd.Process.Signal(unix.SIGTERM) // unless it has ended by itself
	// 7: there was more to read. 0: the second signal came before the end of the stream was sent,
	// as that of a kill.
	if code := c.Wait(); code != 7 && code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := c.Stdout.String(); got != "a line\na line\n" || c.Final().Num("lostCount") != 0 {
		t.Errorf("%q, %v", got, c.Final())
	}
}
