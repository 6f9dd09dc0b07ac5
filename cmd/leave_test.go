package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// A consumer that is killed between any two system calls from the end of its stream on has left in
// good order, with everything that it leaves removed, or the next one is told the end. Its producer
// is still there, or has exited when the consumer begins to leave.
func TestConsumer_KilledAtEachCallOfLeaving_NextToldOfEnd(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", slots, "transfer"} {
		for _, c := range []struct {
			end   string
			code  int
			alone bool
		}{{"complete", 0, false}, {"complete", 0, true}, {"stopped", 7, true}} {
			t.Run(fmt.Sprintf("%s, %s, alone %v", mode, c.end, c.alone), func(t *testing.T) {
				t.Parallel()
				must := ""
				if c.alone {
					must = "unlinkat " + shm.Path("NAME")
				}
				atEachCall(t, must, func(killAt string) ([]string, bool) {
					return killLeavingConsumer(t, mode, c.code, c.alone, killAt)
				})
			})
		}
	}
}

// killLeavingConsumer kills a consumer at a call after the end of its stream, or with alone, from
// its last report on. It returns those calls, and whether the consumer came to this one.
func killLeavingConsumer(t *testing.T, mode string, code int, alone bool, killAt string) (calls []string, killed bool) {
	t.Helper()
	name := testenv.SegmentName(t)
	producer := produceTwo(t, name, mode)
	first := startTraced(t, name, nil, "consumer", "--report", "0")
	testenv.EventuallyHeader(t, name, "all to be released, and the consumer to sleep", func(h *layout.Header) bool {
		return h.Count(layout.Consumer) == 2 && layout.State(h.ConsumerStats.State.Load()) == layout.StateBlocked
	})
	if first.killAt = killAt; alone {
		first.holdAt = "write(2)"
	}
	first.armed.Store(true)
	producer.end(code == 0)
	if alone {
		testenv.Eventually(t, "the last report", func() bool { return isClosed(first.held) })
		producer.gone()
		first.resume()
	}
	killed = first.wait()
	h := testenv.Header(name)
	left := h == nil || layout.State(h.ConsumerStats.State.Load()) == layout.StateClosed // in good order
	switch {
	case !killed && first.status.ExitStatus() != code:
		t.Fatalf("%v, want exit code %d; stderr:\n%s", first.status, code, first.output())
	case !killed && !left:
		t.Fatal("it has not recorded that it left")
	case !left:
		testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(code)
	}
	producer.gone()
	if exists(testenv.SegmentPath(name)) {
		t.Fatalf("killed at %s, the consumer leaves the segment; recorded that it has left: %v", killAt, left)
	}
	if killed {
		t.Logf("killed at %s: the segment is there %v, recorded that the consumer has left %v", killAt, h != nil, left)
	}
	return first.calls, killed
}

// A consumer with --follow prints a line for each end before it records that it was told: wherever
// it is killed, the line was printed, or the next one prints it, and not both once it is recorded.
func TestConsumer_Follow_KilledAtEachCallAfterEnd_NextToldIfNotRecorded(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", slots, "transfer"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			atEachCall(t, "write(2)", func(killAt string) ([]string, bool) { return killFollower(t, mode, killAt) })
		})
	}
}

// slots is a mode of these tests: a ring with fixed slots.
const slots = "slots"

// twoMessages is a producer of two messages, which ends when it is told to.
type twoMessages struct {
	end  func(complete bool) // or it is stopped
	gone func()              // waits until it has left
}

// produceTwo starts one: the command, or, with fixed slots, in which that sends only what it
// generates itself, an end in this process.
func produceTwo(t *testing.T, name, mode string) twoMessages {
	t.Helper()
	if mode == slots {
		p, err := sluice.Create(t.Context(), name, sluice.ProducerOptions{SlotSize: 3})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		for _, msg := range []string{"one", "two"} {
			testenv.WantErr(t, p.Send(t.Context(), []byte(msg)), nil)
		}
		return twoMessages{
			end: func(complete bool) {
				if !complete {
					p.EndAs(sluice.EndStopped)
				}
				testenv.WantErr(t, p.Close(), nil)
			},
			gone: func() {},
		}
	}
	r, w := testenv.Pipe(t)
	producer := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--mode", mode, "--report", "0", "--input", "-"}, Stdin: r})
	r.Close()
	fmt.Fprint(w, "one\ntwo\n")
	return twoMessages{
		end: func(complete bool) {
			if complete {
				w.Close()
			} else {
				producer.Signal(unix.SIGTERM)
			}
		},
		gone: func() { producer.WantExit(0) },
	}
}

const endLine = "consumer: the stream is complete; waiting for the next producer\n"

// killFollower kills a consumer with --follow at a call after the end of a stream. After that end
// it is stopped. It returns the calls, and whether the consumer came to this one.
func killFollower(t *testing.T, mode, killAt string) (calls []string, killed bool) {
	t.Helper()
	name := testenv.SegmentName(t)
	producer := produceTwo(t, name, mode)
	first := startTraced(t, name, nil, "consumer", "--report", "0", "--follow")
	testenv.EventuallyHeader(t, name, "all to be released, and the consumer to sleep", func(h *layout.Header) bool {
		return h.Count(layout.Consumer) == 2 && layout.State(h.ConsumerStats.State.Load()) == layout.StateBlocked
	})
	first.killAt = killAt
	first.armed.Store(true)
	producer.end(true)
	recorded := func() bool {
		h := testenv.Header(name)
		return h == nil || h.ConsumerStats.EndSeen.Load() == h.ProducerStats.Generation.Load()
	}
	testenv.Eventually(t, "a record of the end, or a kill", func() bool { return recorded() || isClosed(first.ended) })
	first.signal(unix.SIGTERM) // unless it is killed already
	if killed = first.wait(); !killed && first.status.ExitStatus() != 0 {
		t.Fatalf("%v; stderr:\n%s", first.status, first.output())
	}
	told := recorded()
	if told && !strings.Contains(first.output(), endLine) {
		t.Fatalf("killed at %s, the consumer has recorded an end that it did not print:\n%s", killAt, first.output())
	}
	if !told || exists(testenv.SegmentPath(name)) {
		lines := 0
		next := testenv.Start(t, "consumer", "--name", name, "--report", "0", "--follow")
		if !told {
			lines++
			next.EventuallyPrints(endLine)
		}
		producer.gone()
		again := produceTwo(t, name, mode)
		again.end(true)
		again.gone()
		lines++
		testenv.Eventually(t, "the next end", func() bool { return strings.Count(next.Stderr.String(), endLine) >= lines })
		next.Signal(unix.SIGTERM)
		next.WantExit(0)
		if n := strings.Count(next.Stderr.String(), endLine); n != lines {
			t.Fatalf("killed at %s, recorded %v: the next consumer prints %d ends, want %d", killAt, told, n, lines)
		}
	}
	producer.gone()
	testenv.WantNoSegment(t, name)
	return first.calls, killed
}

// A producer that is killed between any two system calls from the end of its input on has ended its
// stream, or the next producer continues it.
func TestProducer_KilledAtEachCallOfLeaving_EndedOrContinued(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode     string
		consumer bool // there is one before the end
	}{{"ring", true}, {"ring", false}, {"transfer", true}} {
		t.Run(fmt.Sprintf("%s, consumer %v", c.mode, c.consumer), func(t *testing.T) {
			t.Parallel()
			atEachCall(t, "fcntl", func(killAt string) ([]string, bool) {
				return killLeavingProducer(t, c.mode, c.consumer, killAt)
			})
		})
	}
}

// killLeavingProducer kills a producer at a call after the end of its input. It returns the
// calls, and whether the producer came to this one.
func killLeavingProducer(t *testing.T, mode string, before bool, killAt string) (calls []string, killed bool) {
	t.Helper()
	name, out := testenv.SegmentName(t), filepath.Join(t.TempDir(), "out")
	r, w := testenv.Pipe(t)
	args := []string{"--mode", mode, "--report", "0", "--input", "-"}
	first := startTraced(t, name, r, "producer", args...)
	r.Close()
	var consumer *testenv.Process
	start := func() {
		consumer = testenv.Start(t, "consumer", "--name", name, "--report", "0", "--output", out)
	}
	if before {
		start()
	}
	fmt.Fprint(w, "one\ntwo\n")
	testenv.EventuallyHeader(t, name, "the messages", func(h *layout.Header) bool {
		return h.Count(layout.Producer) == 2 &&
			(!before || h.Count(layout.Consumer) == 2 && layout.State(h.ConsumerStats.State.Load()) == layout.StateBlocked)
	})
	first.killAt = killAt
	first.armed.Store(true)
	w.Close()
	if killed = first.wait(); !killed && first.status.ExitStatus() != 0 {
		t.Fatalf("%v; stderr:\n%s", first.status, first.output())
	}
	if !before {
		start()
	}
	waits := false // for another producer
	testenv.Eventually(t, "an end, or a wait for another producer", func() bool {
		h := testenv.Header(name)
		waits = h != nil && layout.State(h.ConsumerStats.State.Load()) == layout.StateAlone && layout.State(h.ProducerStats.State.Load()) != layout.StateClosed
		return waits || isClosed(consumer.Exited)
	})
	want := "one\ntwo\n"
	if waits {
		r, w := testenv.Pipe(t)
		next := testenv.StartWith(t, "producer", testenv.Options{Args: append([]string{"--name", name}, args...), Stdin: r})
		fmt.Fprint(w, "three\n")
		w.Close()
		next.WantExit(0)
		want += "three\n"
	}
	consumer.WantExit(0)
	if got, err := os.ReadFile(out); err != nil || string(got) != want {
		t.Fatalf("killed at %s: received %q, %v, want %q", killAt, got, err, want)
	}
	left := exists(testenv.SegmentPath(name))
	if left {
		// The producer was still alive when the consumer left. The next pair uses the segment.
		if !killed {
			t.Fatal("the segment is there")
		}
		start()
		next := testenv.Start(t, "producer", "--name", name, "--mode", mode, "--report", "0", "--count", "1")
		next.WantExit(0)
		consumer.WantExit(0)
		if got, err := os.ReadFile(out); err != nil || len(got) == 0 {
			t.Fatalf("killed at %s: the next pair moves %q, %v", killAt, got, err)
		}
	}
	testenv.WantNoSegment(t, name)
	if killed {
		t.Logf("killed at %s: the stream has ended %v, the consumer leaves the segment %v", killAt, !waits, left)
	}
	return first.calls, killed
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
