package cmd_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// How a producer ends, and what its consumer says and does then. The consumer is there
// before the producer, or comes when that is gone.
func TestConsumer_StreamEnd_ReasonAndExitCode(t *testing.T) {
	t.Parallel()
	const (
		complete   = ""
		stopped    = "the producer was stopped before it had sent everything"
		failed     = "the producer failed before it had sent everything"
		nothing    = ""
		wholeInput = "one\ntwo\n"
	)
	for _, c := range []struct {
		name string
		args []string
		in   string // of a pipe that stays open when stop is set
		stop bool
		code int // of the producer
		want string
	}{
		{"the end of the input", []string{"--input", "-"}, wholeInput, false, 0, complete},
		{"an empty input", []string{"--input", "-"}, nothing, false, 0, complete},
		{"the count", []string{"--count", "20"}, nothing, false, 0, complete},
		{"a load without an end, stopped", []string{"--rate", "100"}, nothing, true, 0, complete},
		{"stopped before the end of its input", []string{"--input", "-"}, wholeInput, true, 0, stopped},
		{"stopped before its first message", []string{"--input", "-"}, nothing, true, 0, stopped},
		{"stopped before its count", []string{"--count", "1000000", "--rate", "100"}, nothing, true, 0, stopped},
		{"--duration before its count", []string{"--count", "1000000", "--rate", "100", "--duration", "8s"}, nothing, false, 0, stopped}, // in 8 s the consumer has come
		{"failed", []string{"--input", "-", "--framing", "length"}, "\x03\x00\x00\x00one\xff\xff\xff\xff", false, 1, failed},
		{"failed before its first message", []string{"--input", "-", "--framing", "length"}, "\xff\xff\xff\xff", false, 1, failed},
	} {
		for _, mode := range []string{"ring", "transfer"} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				out := filepath.Join(t.TempDir(), "out")
				consumer := testenv.Start(t, "consumer", "--name", name, "--report", "0", "--output", out)
				r, w := testenv.Pipe(t)
				args := append([]string{"--name", name, "--mode", mode, "--report", "0"}, c.args...)
				producer := testenv.StartWith(t, "producer", testenv.Options{Args: args, Stdin: r})
				if _, err := w.WriteString(c.in); err != nil {
					t.Fatal(err)
				}
				if !c.stop {
					w.Close()
				} else {
					testenv.EventuallyHeader(t, name, "what was read to be sent, and a consumer", func(h *layout.Header) bool {
						return h.Count(layout.Producer) >= uint64(strings.Count(c.in, "\n")) && h.ConsumerStats.Generation.Load() > 0
					})
					time.Sleep(50 * time.Millisecond) // the producer waits for more; sooner would only stop it sooner
					producer.Signal(unix.SIGTERM)
				}
				producer.WantExit(c.code)
				code := 0
				if c.want != complete {
					code = 7
				}
				consumer.WantExit(code)
				if said := consumer.Stderr.String(); c.want != "" && !strings.Contains(said, "the stream is not complete: "+c.want) {
					t.Errorf("the consumer says:\n%s", said)
				}
				if c.in == wholeInput {
					if got, err := os.ReadFile(out); err != nil || string(got) != wholeInput {
						t.Errorf("it kept %q, %v", got, err)
					}
				}
				testenv.WantNoSegment(t, name)
			})
		}
	}
}

func TestConsumer_StoppedStreamThenCompleteOne_Incomplete(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := testenv.SegmentName(t)
			args := []string{"--name", name, "--mode", mode, "--report", "0", "--count"}
			consumer := testenv.Start(t, "consumer", "--name", name, "--report", "0", "--work", "1ms")
			half := testenv.Start(t, "producer", append(args, "1000000", "--rate", "1000")...)
			testenv.EventuallyHeader(t, name, "a consumer and some messages", func(h *layout.Header) bool {
				return h.ConsumerStats.Generation.Load() == 1 && h.Count(layout.Producer) > 10
			})
			half.Kill() // does not end the stream
			before := testenv.Header(name).Count(layout.Producer)
			second := testenv.Start(t, "producer", append(args, "1000000", "--rate", "1000")...)
			testenv.EventuallyHeader(t, name, "messages of the second producer", func(h *layout.Header) bool { return h.Count(layout.Producer) > before })
			if mode == "transfer" { // its lost messages alone would make it incomplete
				second.Signal(unix.SIGTERM)
				second.WantExit(0)
				consumer.WantExit(7)
				return
			}
			consumer.Pause()
			second.Signal(unix.SIGTERM)
			second.WantExit(0)
			testenv.Start(t, "producer", append(args, "10")...).WantExit(0)
			consumer.Continue()
			consumer.WantExit(7)
			if said := consumer.Stderr.String(); !strings.Contains(said, "an earlier producer was stopped or failed") {
				t.Error(said)
			}
		})
	}
}

func TestConsumer_Follow_LineForEachEnd(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := testenv.SegmentName(t)
			args := []string{"--name", name, "--mode", mode, "--report", "0", "--count", "100"}
			consumer := testenv.Start(t, "consumer", "--name", name, "--report", "0", "--follow")
			said := func(what string) func() bool {
				return func() bool { return strings.Contains(consumer.Stderr.String(), what) }
			}
			testenv.Start(t, "producer", args...).WantExit(0)
			testenv.Eventually(t, "the first end", said("consumer: the stream is complete; waiting for the next producer\n"))
			testenv.Start(t, "producer", append(args, "--rate", "100", "--duration", "50ms")...).WantExit(0)
			testenv.Eventually(t, "the second end", said("consumer: the stream is not complete: the producer was stopped before it had sent everything; waiting"))
			consumer.Signal(unix.SIGTERM)
			consumer.WantExit(0)
		})
	}
}

// A consumer that was killed when it had released everything was told of no end.
func TestConsumer_AfterKilledOne_ToldOfEnd(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := testenv.SegmentName(t)
			r, w := testenv.Pipe(t)
			producer := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--mode", mode, "--report", "0", "--input", "-"}, Stdin: r})
			first := testenv.Start(t, "consumer", "--name", name, "--report", "0")
			w.WriteString("one\ntwo\n")
			testenv.EventuallyHeader(t, name, "all to be released", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 2 })
			first.Kill()
			w.Close()
			if mode == "ring" {
				producer.WantExit(0) // nothing keeps it
			}
			testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(0)
			producer.WantExit(0)
			testenv.WantNoSegment(t, name)
		})
	}
}

// An input that was sent to its end is complete, whatever ends the wait for somebody to tell.
func TestProducer_StoppedAfterEndOfInput_EndIsComplete(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	r, w := testenv.Pipe(t)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--mode", "transfer", "--input", "-"}, Stdin: r})
	r.Close()
	io.WriteString(w, "a line\n")
	testenv.Start(t, "consumer", "--name", name, "--count", "1").WantExit(0)
	w.Close()
	testenv.EventuallyHeader(t, name, "the end of the input", func(h *layout.Header) bool {
		return layout.End(h.ProducerStats.End.Load()) == layout.EndComplete
	})
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	testenv.Start(t, "consumer", "--name", name).WantExit(0)
	testenv.WantNoSegment(t, name)
}

// A consumer that was stopped and comes back finds out how its stream has ended meanwhile,
// where it would else wait for another. Nothing is kept of a load that is generated until
// somebody stops it.
func TestConsumer_BackAfterEnd_ToldOfEnd(t *testing.T) {
	t.Parallel()
	const waits = "--rate 0.01 " // for a second message
	for _, mode := range []string{"ring", "transfer"} {
		for form, want := range map[string]int{"--input -": 0, waits + "--duration 8s": 0, waits + "--count 2": 7, waits: -1} {
			t.Run(mode+" "+form, func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				r, w := testenv.Pipe(t)
				p := testenv.StartWith(t, "producer", testenv.Options{Args: append(strings.Fields(form), "--mode", mode, "--name", name), Stdin: r})
				r.Close()
				io.WriteString(w, "a line\n")
				c := testenv.Start(t, "consumer", "--name", name)
				testenv.EventuallyHeader(t, name, "a message taken", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 1 })
				c.Signal(unix.SIGTERM)
				c.WantExit(0)
				w.Close()
				if want != 0 {
					p.Signal(unix.SIGTERM)
				}
				if mode == "ring" || form != "--input -" { // there it waits for a consumer to tell
					p.WantExit(0)
				}
				if want < 0 {
					testenv.WantNoSegment(t, name)
					return
				}
				testenv.Start(t, "consumer", "--name", name).WantExit(want)
				p.WantExit(0)
				testenv.WantNoSegment(t, name)
			})
		}
	}
}

// A consumer that gets what goes on after half of a stream says so at the end, whenever it
// comes, when nobody was told before.
func TestConsumer_UntoldStop_NextStreamIncomplete(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		first, next string // args of the producers
		came        bool   // a consumer, to the first
		before      bool   // the second comes before the second producer has sent something
	}{
		{"ring/before its first message", "ring", "ring", true, true},
		{"ring/after it", "ring", "ring", true, false},
		{"ring/of another capacity", "ring", "ring --capacity 64KiB", true, false},
		{"transfer/before its first message", "transfer", "transfer", true, true},
		{"transfer/after it", "transfer", "transfer", true, false},
		{"transfer/nobody came to the first", "transfer", "transfer", false, false},
		{"a transfer after a ring", "ring", "transfer", true, true},
		{"a ring after a transfer", "transfer", "ring", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			produce := func(args string) (*testenv.Process, *os.File) {
				r, w := testenv.Pipe(t)
				t.Cleanup(func() { w.Close() })
				args = "--report 0 --input - --name " + name + " --mode " + args
				return testenv.StartWith(t, "producer", testenv.Options{Args: strings.Fields(args), Stdin: r}), w
			}
			p, in := produce(c.first)
			io.WriteString(in, "one\n")
			testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Count(layout.Producer) == 1 })
			if c.came {
				testenv.Start(t, "consumer", "--name", name, "--report", "0", "--count", "1").WantExit(0)
			}
			p.Signal(unix.SIGTERM)
			lost := map[bool]int{true: 0, false: 1}[c.came]
			p.WantExit(lost)
			if said := p.Stderr.String(); !strings.Contains(said, "kept for the next consumer") {
				t.Error(said)
			}

			p, in = produce(c.next)
			testenv.EventuallyHeader(t, name, "the second producer", func(h *layout.Header) bool {
				return layout.State(h.ProducerStats.State.Load()) != layout.StateClosed && h.ProducerStats.PID.Load() == uint64(p.Cmd.Process.Pid)
			})
			out := filepath.Join(t.TempDir(), "out")
			var consumer *testenv.Process
			consume := func() { consumer = testenv.Start(t, "consumer", "--name", name, "--report", "0", "--output", out) }
			sent := func() {
				n := testenv.Header(name).Count(layout.Producer)
				io.WriteString(in, "two\n")
				testenv.EventuallyHeader(t, name, "its message", func(h *layout.Header) bool { return h.Count(layout.Producer) > n })
			}
			if c.before {
				consume()
				testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.PID.Load() == uint64(consumer.Cmd.Process.Pid) })
				sent()
			} else {
				sent()
				consume()
			}
			in.Close()
			consumer.WantExit(7)
			p.WantExit(0)
			if said := consumer.Stderr.String(); !strings.Contains(said, "an earlier producer was stopped or failed") {
				t.Error(said)
			}
			if got, err := os.ReadFile(out); err != nil || string(got) != "two\n" {
				t.Errorf("it kept %q, %v", got, err)
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

// Nothing is kept of a load that is generated until somebody stops it, but what nobody was told
// of before.
func TestProducer_EndlessLoad_KeepsUntoldEarlierEnd(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := testenv.SegmentName(t)
			args := []string{"--name", name, "--mode", mode, "--report", "0", "--rate", "0.01"}
			for i, count := range []string{"2", "0"} {
				p := testenv.Start(t, "producer", append(args, "--count", count)...)
				testenv.EventuallyHeader(t, name, "its message", func(h *layout.Header) bool { return h.Count(layout.Producer) > uint64(i) })
				testenv.Start(t, "consumer", "--name", name, "--report", "0", "--count", "1").WantExit(0)
				p.Signal(unix.SIGTERM)
				p.WantExit(0)
				if said := p.Stderr.String(); !strings.Contains(said, "kept for the next consumer") {
					t.Error(said)
				}
			}
			testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(7)
			testenv.WantNoSegment(t, name)
		})
	}
}

func TestProducer_WaitsToTellEnd_Note(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--mode", "transfer", "--input", os.DevNull, "--report", "100ms")
	p.EventuallyPrints("producer: sending has ended and everything was delivered; waiting for a consumer to report the end to (stop it to keep that for the next one)\n")
	// A report explains a verdict once, and the first may have been before the end. It is recorded
	// after the note.
	testenv.Eventually(t, "the verdict in gauge stat", func() bool {
		return strings.Contains(testenv.GaugeOutput(t, "stat", name), "the producer has sent everything and waits to tell one that its stream has ended")
	})
	testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(0)
	p.WantExit(0)
	testenv.WantNoSegment(t, name)
}

// The consumer reads the end and leaves while the producer still writes its last report.
func TestProducer_EndToldDuringLastReport_NotCalledUntold(t *testing.T) {
	t.Parallel()
	r, w := testenv.Pipe(t)
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size-300)); err != nil { // room for a note, and not for a report
		t.Fatal(err)
	}
	name := testenv.SegmentName(t)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--mode", "transfer", "--limit", "1MiB", "--report", "0"}, Stderr: w})
	w.Close()
	testenv.EventuallyHeader(t, name, "a queue at its limit", func(h *layout.Header) bool { return h.Count(layout.Producer) >= 256 })
	testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(7)
	said, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	p.WantExit(5)
	if strings.Contains(string(said), "no consumer has received the end") {
		t.Errorf("%s", strings.Trim(string(said), "\x00"))
	}
}
