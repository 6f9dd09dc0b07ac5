package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// hints expects an exit code, words of the error and its hint, and others that are not
// there: what they advise does not help where the sides are in this state.
func (p *proc) hints(code int, words, not string) {
	p.t.Helper()
	p.refuses(code, strings.Split(words, "|")...)
	line, _, _ := complaint(p.stderr.String())
	for w := range strings.SplitSeq(not, "|") {
		if w != "" && strings.Contains(line, w) {
			p.t.Errorf("%v: says %q in this state:\n%s", p.cmd.Args, w, line)
		}
	}
}

// says waits until the command has said something.
func (p *proc) says(text string) {
	p.t.Helper()
	within(p.t, strconv.Quote(text), func() bool { return strings.Contains(p.stderr.String(), text) })
}

// A consumer that never came can be started, and not sped up.
func TestHintsWithoutAConsumer(t *testing.T) {
	ring, soft := segmentName(t), segmentName(t)
	start(t, "producer", "--name", ring, "--on-full", "fail", "--slots", "3").hints(5, "ring is full|start a consumer|--on-full block", "speed|--capacity")
	p := start(t, "producer", "--mode", "transfer", "--name", soft, "--limit", "64KiB")
	p.says("no more is sent; waiting for a consumer of what is queued, 16 messages (stop it to lose what is left)")
	p.signal(unix.SIGTERM)
	p.hints(5, "memory limit|16 that no consumer was there for|start a consumer, allow more (--limit)", "speed|--rate")
	if said := p.stderr.String(); !strings.Contains(said, "no consumer was told that the stream failed before its end; ") || strings.Contains(said, "complete") {
		t.Errorf("messages were lost:\n%s", said)
	}
}

// What a limit counts may be far more than the messages have bytes.
func TestHintsAtALimitThatFewBytesReach(t *testing.T) {
	limited := func(name string, args ...string) *proc {
		p := start(t, "producer", append(args, "--mode", "transfer", "--name", name, "--limit", "256KiB")...)
		p.says("no more is sent")
		p.signal(unix.SIGTERM)
		return p
	}
	limited(segmentName(t), "--size", "3000").hints(5, "memory limit|start a consumer", "counts")
	limited(segmentName(t)).hints(5, "memory limit|a message counts for whole pages: --buffer", "")
	const rate = "--rate=20" // so that each is sent by itself
	limited(segmentName(t), rate, "--buffer", "64KiB", "--recycle").hints(5, "memory limit|start a consumer|a recycled buffer counts whole|smaller --buffer", "")
	limited(segmentName(t), "--size", "1000", "--buffer", "64KiB", "--recycle").hints(5, "memory limit", "counts")

	name := segmentName(t)
	start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "1", "--duration", "10ms", "--keep").ends(1)
	c := start(t, "consumer", "--name", name, "--work", "1m", "--follow")
	eventually(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	p := start(t, "producer", "--mode", "transfer", "--name", name, "--limit", "256KiB", rate, "--buffer", "64KiB", "--recycle")
	p.says("no more is sent")
	c.kill()
	p.signal(unix.SIGTERM)
	p.hints(5, "memory limit|speed the consumer up|a recycled buffer counts whole|smaller --buffer", "start a consumer")
}

// The slots are what is full.
func TestHintsWithASlowConsumer(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "1", "--slots", "3", "--keep").ends(0)
	start(t, "consumer", "--name", name, "--work", "1m")
	eventually(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	p := start(t, "producer", "--name", name, "--on-full", "fail")
	p.hints(5, "ring is full|speed the consumer up, choose more --slots", "--capacity|start a consumer")
	if said := p.stderr.String(); !strings.Contains(said, "going on after 1 message left unread") || strings.Contains(said, "--fresh") {
		t.Errorf("what a consumer has cannot be discarded:\n%s", said)
	}
}

// What there is to do about a segment that is there depends on who is in it.
func TestHintsAtASegmentThatIsThere(t *testing.T) {
	name := segmentName(t)
	other := func(args ...string) *proc {
		return start(t, "producer", append(args, "--name", name, "--count", "1")...)
	}
	other().ends(0)
	other("--slots", "8").hints(2, "another geometry|with 1 unread message and no consumer|let a consumer take what is left|--fresh", "stop its consumer")
	other("--mode", "transfer").hints(2, "ring, not transfer|in --mode ring|let a consumer take what is left|--fresh", "stop its consumer")
	start(t, "consumer", "--name", name, "--work", "1m")
	eventually(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	other("--slots", "8").hints(2, "another geometry|a live consumer|stop its consumer", "--fresh|let a consumer")
	other("--input", "main_test.go").hints(2, "another framing|none|a live consumer|wait until its consumer", "--framing|--fresh|let a consumer")
	other("--mode", "transfer").hints(2, "in --mode ring|stop its consumer", "--fresh|let a consumer")
	other("--fresh").hints(4, "is its consumer|leave --fresh out", "--name")
	start(t, "consumer", "--name", name).hints(4, "is its consumer|one consumer at a time", "--name")
	start(t, "producer", "--name", name)
	eventually(t, name, "the producer", func(h *layout.Header) bool { return layout.State(h.ProducerStats.State.Load()) == layout.StateBlocked })
	other("--fresh").hints(4, "is its producer|another --name", "--fresh out")
}

func TestHintsAtUnreadMessagesWithAnotherFraming(t *testing.T) {
	name := segmentName(t)
	other := func(args ...string) *proc {
		return start(t, "producer", append(args, "--name", name, "--count", "1")...)
	}
	other("--input", "main_test.go", "--framing", "lines").ends(0)
	const help = "let a consumer take them|--fresh|another --name"
	other("--input", "main_test.go").hints(2, "another framing: lines|with 1 unread message and no consumer|--framing lines|"+help, "wait until")
	other().hints(2, "another framing: lines|1 unread|no consumer|"+help, "wait until|--framing lines")
	other("--fresh").ends(0)
	other("--input", "main_test.go").hints(2, "another framing: none|1 unread|no consumer|"+help, "wait until|--framing")
}

// A consumer that listens where this producer does not connect takes nothing, however
// fast it is.
func TestHintsWithAConsumerElsewhere(t *testing.T) {
	group := strconv.Itoa(os.Getegid())
	for _, args := range [][]string{{"--limit", "64KiB"}, {"--duration", "1s"}} {
		name := segmentName(t)
		start := func(command string, args ...string) *proc {
			return startWith(t, command, run{Args: append(args, "--name", name, "--group", group), Env: []string{"XDG_RUNTIME_DIR=" + ownDir(t)}})
		}
		start("consumer")
		p := start("producer", append(args, "--mode", "transfer", "--rate", "100")...)
		code := 1
		if args[0] == "--limit" {
			code = 5
		}
		p.hints(code, "messages were lost|give both sides the same --socket", "speed|start a consumer")
		said := p.stderr.String()
		if !strings.Contains(said, "verdict    unconnected") || strings.Contains(said, "; delivering") {
			t.Errorf("%v:\n%s", args, said)
		}
	}
}

// A file that somebody deleted is kept for nobody.
func TestARemovedSegmentIsNotKept(t *testing.T) {
	for _, args := range [][]string{{"--slots", "3"}, {"--mode", "transfer", "--rate", "100", "--format", "text"}} {
		name := segmentName(t)
		p := start(t, "producer", append(args, "--name", name)...)
		eventually(t, name, "something sent", func(h *layout.Header) bool { return h.Producer.Count.Load() >= 3 })
		if err := os.Remove(shm.Path(name)); err != nil {
			t.Fatal(err)
		}
		p.ends(1)
		if said := p.stderr.String(); strings.Contains(said, "kept") || strings.Contains(said, "waiting for a consumer") || strings.Contains(said, "start a consumer:") || !strings.Contains(said, "the segment was removed") {
			t.Errorf("%v:\n%s", args, said)
		}
	}
}

// What a consumer does not write down is not kept, and what a dead producer had queued is
// not there for the next one.
func TestHintsOfAConsumerWhoseStreamEnds(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name, "--count", "100", "--rate", "20")
	c := start(t, "consumer", "--name", name)
	moved(t, name, 1)
	p.signal(unix.SIGTERM)
	c.hints(7, "not complete|for the whole stream, start both sides again", "kept")

	p = start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "5000")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c = startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-", "--work", "1ms"}, Stdout: w})
	w.Close()
	moved(t, name, 1)
	eventually(t, name, "more than is handed over at once", func(h *layout.Header) bool { return h.Producer.Count.Load() > h.Consumer.Count.Load()+500 })
	p.kill()
	r.Close()
	c.hints(1, "broken pipe|lost with the producer, which has died", "next consumer")
}

// What was written into a pipe and not read is gone: it is not kept for the next consumer.
func TestHintOfAConsumerWhoseReaderEnds(t *testing.T) {
	name := segmentName(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, more, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	startWith(t, "producer", run{Args: []string{"--name", name, "--input", "-"}, Stdin: in})
	in.Close()
	c := startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-"}, Stdout: w})
	w.Close()
	defer more.Close()
	fmt.Fprintln(more, "in the pipe")
	eventually(t, name, "the first line", func(h *layout.Header) bool { return h.Consumer.Count.Load() == 1 })
	r.Close()
	fmt.Fprintln(more, "not written")
	c.hints(1, "broken pipe|what it had not read of the pipe is lost|the next consumer gets what was not written", "what that did not")
	more.Close()
	next := start(t, "consumer", "--name", name, "--output", "-")
	next.ends(0)
	if got := next.stdout.String(); got != "not written\n" {
		t.Errorf("the next consumer got %q", got)
	}
}

// A consumer that waits for the reader of its output is not slow itself, and says what it
// waits for.
func TestAConsumerBlamesTheReaderOfItsOutput(t *testing.T) {
	name, path := segmentName(t), filepath.Join(ownDir(t), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "producer", "--name", name, "--size", "1000", "--count", "1000").ends(0)
	consume := func() *proc {
		return start(t, "consumer", "--name", name, "--output", path, "--report", "200ms", "--format", "json")
	}
	blames := func(c *proc) {
		t.Helper()
		c.says("for 100 % of the time the consumer waited for the reader of its output\",\"verdictAdvice\":\"let what reads the consumer's output read faster")
	}
	c := consume()
	blames(c)
	c.says(`{"hint":"start its reader","note":"waiting for somebody to read ` + path)
	c.signal(unix.SIGINT)
	c.ends(0)
	if f := c.final(); !strings.Contains(fmt.Sprint(f["verdictWhy"]), "waited for the reader") {
		t.Errorf("%v: %v", f["verdict"], f["verdictWhy"])
	}

	r, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = consume()
	blames(c) // a pipe that is full
	if said := c.stderr.String(); strings.Contains(said, "somebody") {
		t.Errorf("%s", said)
	}
	c.signal(unix.SIGINT)
	c.hints(1, "its reader does not read|comes again as a whole|let its reader read until the consumer has ended", "temporarily")
	r.Close()

	c = start(t, "consumer", "--name", name, "--output", filepath.Join(t.TempDir(), "out"), "--work", "10ms", "--count", "50", "--format", "json")
	c.ends(0)
	if f := c.final(); f["verdict"] != "consumer-bound" || strings.Contains(fmt.Sprint(f["verdictWhy"], f["verdictAdvice"]), "read") {
		t.Errorf("%v: %v; %v", f["verdict"], f["verdictWhy"], f["verdictAdvice"])
	}
}

// A consumer that was there and has ended did come.
func TestHintsAfterTheConsumerHasEnded(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--count", "10")
	p := start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "1000")
	c.ends(0)
	eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > 20 })
	p.signal(unix.SIGTERM)
	p.hints(1, "messages were lost|that no consumer was there for|keep a consumer running until the producer has ended", "came|start a consumer")
	if said := p.stderr.String(); !strings.Contains(said, "no consumer is there for") || strings.Contains(said, "came for") {
		t.Errorf("the verdict:\n%s", said)
	}
}

// What loses a queue depends on who is there, and on what the producer was told.
func TestAProducerSaysWhatEndsItsDelivery(t *testing.T) {
	alone := start(t, "producer", "--mode", "transfer", "--name", segmentName(t), "--count", "1", "--duration", "1500ms")
	alone.hints(1, "1 that no consumer was there for|keep a consumer running until the producer has ended", "")
	if said := alone.stderr.String(); !strings.Contains(said, "(until --duration 1.5s is over; what is left then is lost)") {
		t.Errorf("%s", said)
	}
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--work", "20ms")
	p := start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "5000")
	moved(t, name, 2)
	p.signal(unix.SIGTERM)
	p.says("(stop it again to lose what is left)")
	p.twice()
	p.ends(1)
	c.kill()
}

// Who has ended is not to be stopped.
func TestTheLastReportOfAConsumerDoesNotAdviseToStopIt(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name, "--rate", "10", "--format", "json")
	eventually(t, name, "a message", func(h *layout.Header) bool { return h.Producer.Count.Load() > 0 })
	p.kill()
	c := start(t, "consumer", "--name", name, "--duration", "300ms", "--format", "json")
	c.ends(0)
	if f := c.final(); f["verdict"] != "no-producer" && f["verdict"] != "producer-bound" || strings.Contains(fmt.Sprint(f["verdictAdvice"]), "stop the consumer") {
		t.Errorf("%v: %v; %v", f["verdict"], f["verdictWhy"], f["verdictAdvice"])
	}
}
