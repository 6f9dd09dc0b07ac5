package cmd_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// How a producer ends, and what its consumer says and does then. The consumer is there
// before the producer, or comes when that is gone.
func TestTheConsumerSaysHowTheStreamEnded(t *testing.T) {
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
		{"--duration before its count", []string{"--count", "1000000", "--rate", "100", "--duration", "3s"}, nothing, false, 0, stopped}, // in 3 s the consumer has come
		{"failed", []string{"--input", "-", "--framing", "length"}, "\x03\x00\x00\x00one\xff\xff\xff\xff", false, 1, failed},
		{"failed before its first message", []string{"--input", "-", "--framing", "length"}, "\xff\xff\xff\xff", false, 1, failed},
	} {
		for _, mode := range []string{"ring", "transfer"} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				name := segmentName(t)
				out := filepath.Join(t.TempDir(), "out")
				consumer := start(t, "consumer", "--name", name, "--report", "0", "--output", out)
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				args := append([]string{"--name", name, "--mode", mode, "--report", "0"}, c.args...)
				producer := startWith(t, "producer", run{Args: args, Stdin: r})
				if _, err := w.WriteString(c.in); err != nil {
					t.Fatal(err)
				}
				if !c.stop {
					w.Close()
				} else {
					eventually(t, name, "what was read to be sent", func(h *layout.Header) bool {
						return h.Producer.Count.Load() >= uint64(strings.Count(c.in, "\n"))
					})
					time.Sleep(50 * time.Millisecond) // the producer waits for more; sooner would only stop it sooner
					producer.signal(unix.SIGTERM)
				}
				producer.ends(c.code)
				code := 0
				if c.want != complete {
					code = 7
				}
				consumer.ends(code)
				if said := consumer.stderr.String(); c.want != "" && !strings.Contains(said, "the stream is not complete: "+c.want) {
					t.Errorf("the consumer says:\n%s", said)
				}
				if c.in == wholeInput {
					if got, err := os.ReadFile(out); err != nil || string(got) != wholeInput {
						t.Errorf("it kept %q, %v", got, err)
					}
				}
				gone(t, name)
			})
		}
	}
}

func TestHalfOfAStreamAndAllOfTheNextIsNotComplete(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := segmentName(t)
			args := []string{"--name", name, "--mode", mode, "--report", "0", "--count"}
			consumer := start(t, "consumer", "--name", name, "--report", "0", "--work", "1ms")
			half := start(t, "producer", append(args, "1000000", "--rate", "1000")...)
			eventually(t, name, "a consumer and some messages", func(h *layout.Header) bool {
				return h.ConsumerStats.Generation.Load() == 1 && h.Producer.Count.Load() > 10
			})
			half.kill() // does not end the stream
			before := header(name).Producer.Count.Load()
			second := start(t, "producer", append(args, "1000000", "--rate", "1000")...)
			eventually(t, name, "messages of the second producer", func(h *layout.Header) bool { return h.Producer.Count.Load() > before })
			if mode == "transfer" { // its lost messages alone would make it incomplete
				second.signal(unix.SIGTERM)
				second.ends(0)
				consumer.ends(7)
				return
			}
			consumer.pause()
			second.signal(unix.SIGTERM)
			second.ends(0)
			start(t, "producer", append(args, "10")...).ends(0)
			consumer.signal(unix.SIGCONT)
			consumer.ends(7)
			if said := consumer.stderr.String(); !strings.Contains(said, "an earlier producer was stopped or failed") {
				t.Error(said)
			}
		})
	}
}

func TestAFollowingConsumerHasALineForEachEnd(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := segmentName(t)
			args := []string{"--name", name, "--mode", mode, "--report", "0", "--count", "100"}
			consumer := start(t, "consumer", "--name", name, "--report", "0", "--follow")
			said := func(what string) func() bool {
				return func() bool { return strings.Contains(consumer.stderr.String(), what) }
			}
			start(t, "producer", args...).ends(0)
			within(t, "the first end", said("consumer: the stream is complete; waiting for the next producer\n"))
			start(t, "producer", append(args, "--rate", "100", "--duration", "50ms")...).ends(0)
			within(t, "the second end", said("consumer: the stream is not complete: the producer was stopped before it had sent everything; waiting"))
			consumer.signal(unix.SIGTERM)
			consumer.ends(0)
		})
	}
}

// A consumer that was killed when it had released everything was told of no end.
func TestAConsumerThatComesAfterAKilledOneIsToldOfTheEnd(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := segmentName(t)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			producer := startWith(t, "producer", run{Args: []string{"--name", name, "--mode", mode, "--report", "0", "--input", "-"}, Stdin: r})
			first := start(t, "consumer", "--name", name, "--report", "0")
			w.WriteString("one\ntwo\n")
			eventually(t, name, "all to be released", func(h *layout.Header) bool { return h.Consumer.Count.Load() == 2 })
			first.kill()
			w.Close()
			if mode == "ring" {
				producer.ends(0) // nothing keeps it
			}
			start(t, "consumer", "--name", name, "--report", "0").ends(0)
			producer.ends(0)
			gone(t, name)
		})
	}
}

// An input that was sent to its end is complete, whatever ends the wait for somebody to tell.
func TestTheEndOfAnInputIsKeptWhenItsProducerIsStoppedAfterIt(t *testing.T) {
	name := segmentName(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--mode", "transfer", "--input", "-"}, Stdin: r})
	r.Close()
	io.WriteString(w, "a line\n")
	start(t, "consumer", "--name", name, "--count", "1").ends(0)
	w.Close()
	eventually(t, name, "the end of the input", func(h *layout.Header) bool {
		return layout.End(h.ProducerStats.End.Load()) == layout.EndComplete
	})
	p.signal(unix.SIGTERM)
	p.ends(0)
	start(t, "consumer", "--name", name).ends(0)
	gone(t, name)
}

// A consumer that was stopped and comes back finds out how its stream has ended meanwhile,
// where it would else wait for another. Nothing is kept of a load that is generated until
// somebody stops it.
func TestAConsumerThatComesBackAfterTheEndIsTold(t *testing.T) {
	const waits = "--rate 0.01 " // for a second message
	for _, mode := range []string{"ring", "transfer"} {
		for form, want := range map[string]int{"--input -": 0, waits + "--duration 3s": 0, waits + "--count 2": 7, waits: -1} {
			t.Run(mode+" "+form, func(t *testing.T) {
				t.Parallel()
				name := segmentName(t)
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				p := startWith(t, "producer", run{Args: append(strings.Fields(form), "--mode", mode, "--name", name), Stdin: r})
				r.Close()
				io.WriteString(w, "a line\n")
				c := start(t, "consumer", "--name", name)
				eventually(t, name, "a message taken", func(h *layout.Header) bool { return h.Consumer.Count.Load() == 1 })
				c.signal(unix.SIGTERM)
				c.ends(0)
				w.Close()
				if want != 0 {
					p.signal(unix.SIGTERM)
				}
				if mode == "ring" || form != "--input -" { // there it waits for a consumer to tell
					p.ends(0)
				}
				if want < 0 {
					gone(t, name)
					return
				}
				start(t, "consumer", "--name", name).ends(want)
				p.ends(0)
				gone(t, name)
			})
		}
	}
}

// A consumer that gets what goes on after half of a stream says so at the end, whenever it
// comes, when nobody was told before.
func TestHalfOfAStreamThatNobodyWasToldOfMakesTheNextIncomplete(t *testing.T) {
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
			name := segmentName(t)
			produce := func(args string) (*proc, *os.File) {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				t.Cleanup(func() { w.Close() })
				args = "--report 0 --input - --name " + name + " --mode " + args
				return startWith(t, "producer", run{Args: strings.Fields(args), Stdin: r}), w
			}
			p, in := produce(c.first)
			io.WriteString(in, "one\n")
			eventually(t, name, "a message", func(h *layout.Header) bool { return h.Producer.Count.Load() == 1 })
			if c.came {
				start(t, "consumer", "--name", name, "--report", "0", "--count", "1").ends(0)
			}
			p.signal(unix.SIGTERM)
			lost := map[bool]int{true: 0, false: 1}[c.came]
			p.ends(lost)
			if said := p.stderr.String(); !strings.Contains(said, "kept to tell the next one") {
				t.Error(said)
			}

			p, in = produce(c.next)
			eventually(t, name, "the second producer", func(h *layout.Header) bool {
				return layout.State(h.ProducerStats.State.Load()) != layout.StateClosed && h.ProducerStats.PID.Load() == uint64(p.cmd.Process.Pid)
			})
			out := filepath.Join(t.TempDir(), "out")
			var consumer *proc
			consume := func() { consumer = start(t, "consumer", "--name", name, "--report", "0", "--output", out) }
			sent := func() {
				n := header(name).Producer.Count.Load()
				io.WriteString(in, "two\n")
				eventually(t, name, "its message", func(h *layout.Header) bool { return h.Producer.Count.Load() > n })
			}
			if c.before {
				consume()
				eventually(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.PID.Load() == uint64(consumer.cmd.Process.Pid) })
				sent()
			} else {
				sent()
				consume()
			}
			in.Close()
			consumer.ends(7)
			p.ends(0)
			if said := consumer.stderr.String(); !strings.Contains(said, "an earlier producer was stopped or failed") {
				t.Error(said)
			}
			if got, err := os.ReadFile(out); err != nil || string(got) != "two\n" {
				t.Errorf("it kept %q, %v", got, err)
			}
			gone(t, name)
		})
	}
}

// Nothing is kept of a load that is generated until somebody stops it, but what nobody was told
// of before.
func TestALoadWithoutAnEndKeepsAnEarlierEndThatNobodyWasToldOf(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := segmentName(t)
			args := []string{"--name", name, "--mode", mode, "--report", "0", "--rate", "0.01"}
			for i, count := range []string{"2", "0"} {
				p := start(t, "producer", append(args, "--count", count)...)
				eventually(t, name, "its message", func(h *layout.Header) bool { return h.Producer.Count.Load() > uint64(i) })
				start(t, "consumer", "--name", name, "--report", "0", "--count", "1").ends(0)
				p.signal(unix.SIGTERM)
				p.ends(0)
				if said := p.stderr.String(); !strings.Contains(said, "kept to tell the next one") {
					t.Error(said)
				}
			}
			start(t, "consumer", "--name", name, "--report", "0").ends(7)
			gone(t, name)
		})
	}
}

func TestAProducerSaysThatItWaitsForAConsumerToTellTheEnd(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name, "--mode", "transfer", "--input", os.DevNull, "--report", "100ms")
	within(t, "word of the wait, and a verdict", func() bool {
		said := p.stderr.String()
		return strings.Contains(said, "producer: no more is sent, and all was taken; waiting for a consumer to tell it the end (stop it to keep that for the next one)\n") &&
			strings.Contains(said, "the producer has sent everything and waits for one to tell it the end")
	})
	start(t, "consumer", "--name", name, "--report", "0").ends(0)
	p.ends(0)
	gone(t, name)
}

// The consumer reads the end and leaves while the producer still writes its last report.
func TestAnEndThatWasToldMeanwhileIsNotCalledUntold(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size-300)); err != nil { // room for a note, and not for a report
		t.Fatal(err)
	}
	name := segmentName(t)
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--mode", "transfer", "--limit", "1MiB", "--report", "0"}, Stderr: w})
	w.Close()
	eventually(t, name, "a queue at its limit", func(h *layout.Header) bool { return h.Producer.Count.Load() >= 256 })
	start(t, "consumer", "--name", name, "--report", "0").ends(7)
	said, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	p.ends(5)
	if strings.Contains(string(said), "no consumer was told") {
		t.Errorf("%s", strings.Trim(string(said), "\x00"))
	}
}
