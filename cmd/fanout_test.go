package cmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// startFanOut starts a producer to a ring of 64 messages for each policy, and returns their names.
func startFanOut(t *testing.T, policies []string, args ...string) (p *testenv.Process, names []string) {
	t.Helper()
	args = append([]string{"--slots", "64", "--format", "json"}, args...)
	for _, policy := range policies {
		name := testenv.SegmentName(t)
		names = append(names, name)
		args = append(args, "--to", name+":"+policy)
	}
	return testenv.Start(t, "producer", args...), names
}

func startReader(t *testing.T, name string, args ...string) *testenv.Process {
	t.Helper()
	return testenv.Start(t, "consumer", append([]string{"--name", name, "--verify", "--format", "json", "--report", "0"}, args...)...)
}

// missedOf returns how many messages a consumer was told that were dropped while nobody was there.
func missedOf(p *testenv.Process) (n uint64) {
	for line := range strings.Lines(p.Stderr.String()) {
		var note struct{ MissedCount *uint64 }
		if json.Unmarshal([]byte(line), &note) == nil && note.MissedCount != nil && strings.Contains(line, `"note"`) {
			n += *note.MissedCount
		}
	}
	return n
}

// ringOf waits for a segment, and returns its header once ok says so.
func ringOf(t *testing.T, name, what string, ok func(h *layout.Header) bool) (h *layout.Header) {
	t.Helper()
	testenv.Eventually(t, what, func() bool {
		h = testenv.Header(name)
		return h != nil && ok(h)
	})
	return h
}

func consumed(n uint64) func(*layout.Header) bool {
	return func(h *layout.Header) bool { return h.Count(layout.Consumer) >= n }
}

// readersCame waits until every ring has a reader, and returns how many messages each of them has
// missed until then. That may be some: a producer does not wait for long for a reader that is not
// there, and on a loaded machine one takes longer to come.
func readersCame(t *testing.T, names []string) (missed []uint64) {
	t.Helper()
	for _, name := range names {
		ringOf(t, name, "a consumer of "+name, consumed(1))
	}
	before := testenv.Header(names[0]).Count(layout.Producer)
	ringOf(t, names[0], "a message that was sent since", func(h *layout.Header) bool { return h.Count(layout.Producer) >= before+2 })
	for _, name := range names {
		missed = append(missed, testenv.Header(name).ProducerStats.Missed.Load())
	}
	return missed
}

// lastOf returns the last report of the producer on a ring.
func lastOf(t *testing.T, p *testenv.Process, name string) testenv.Report {
	t.Helper()
	for _, r := range p.Reports() {
		if r["name"] == name && r["final"] == true {
			return r
		}
	}
	t.Fatalf("no last report on %s:\n%s", name, p.Stderr.String())
	return nil
}

// One of each policy, and a fourth. One reader is stopped and one is slow: the others get all
// messages that are sent while they are there, and what the two lack is counted.
func TestFanOut_EachPolicy(t *testing.T) {
	t.Parallel()
	const n = 20_000
	p, names := startFanOut(t, []string{"block", "drop", "disconnect", "block"}, "--keep")
	var readers []*testenv.Process
	for i, name := range names {
		readers = append(readers, startReader(t, name, "--keep", "--work", []string{"0", "0", "5ms", "0"}[i]))
	}
	late := readersCame(t, names)
	readers[1].Pause()
	ringOf(t, names[0], "messages", consumed(n))
	ringOf(t, names[1], "a drop", func(h *layout.Header) bool { return h.ProducerStats.Dropped.Load() > 0 })
	ringOf(t, names[2], "a disconnection", func(h *layout.Header) bool { return h.ProducerStats.End.Load() == uint64(layout.EndDisconnected) })
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	readers[1].Continue()
	for i, code := range []int{0, 0, 7, 0} {
		readers[i].WantExit(code)
	}
	sent := lastOf(t, p, names[0]).Num("offeredCount")
	for i, name := range names {
		last := lastOf(t, p, name)
		h := testenv.Header(name)
		received, dropped := float64(h.Count(layout.Consumer)), last.Num("droppedCount")
		if received+dropped != sent || last.Num("offeredCount") != sent {
			t.Errorf("ring %d: %v received and %v dropped, %v offered of %v", i, received, dropped, last.Num("offeredCount"), sent)
		}
		missed, told := last.Num("missedCount"), float64(missedOf(readers[i]))
		ok := dropped > 0
		switch i {
		case 1:
			ok = ok && missed == 0 && told == 0
		case 2:
			ok = ok && missed == dropped
		default:
			ok = dropped == float64(late[i]) && missed == dropped && told == dropped
		}
		if !ok {
			t.Errorf("ring %d: %v dropped, %v of them missed, %v before a reader came; told of %v", i, dropped, missed, late[i], told)
		}
	}
	if end := lastOf(t, p, names[2])["streamEnd"]; end != "disconnected" {
		t.Errorf("the end is %v", end)
	}
	if said := readers[2].Stderr.String(); !strings.Contains(said, "disconnected this consumer") {
		t.Errorf("said %s", said)
	}
}

// A killed reader of a ring that blocks holds the others for a second; its successor is told what
// it lacks, and is waited for.
func TestFanOut_KilledBlockReader(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"block", "block"}, "--rate", "20000", "--keep")
	startReader(t, names[0])
	killed := startReader(t, names[1])
	late := readersCame(t, names)[1]
	told := func(h *layout.Header) bool { return h.ConsumerStats.Missed.Load() == h.ProducerStats.Missed.Load() }
	ringOf(t, names[1], "messages", func(h *layout.Header) bool { return consumed(100)(h) && told(h) })
	killed.Kill()
	ringOf(t, names[1], "a drop", func(h *layout.Header) bool { return h.ProducerStats.Missed.Load() > late })
	before := testenv.Header(names[0]).Count(layout.Consumer)
	ringOf(t, names[0], "messages without the other", consumed(before+1000))
	next := startReader(t, names[1], "--keep")
	ringOf(t, names[1], "messages again", told)
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	next.WantExit(0)
	h := testenv.Header(names[1])
	if told := missedOf(killed) + missedOf(next); told != h.ProducerStats.Missed.Load() || told != h.ProducerStats.Dropped.Load() {
		t.Errorf("told of %d messages, %d missed, %d dropped", told, h.ProducerStats.Missed.Load(), h.ProducerStats.Dropped.Load())
	}
	sent := uint64(lastOf(t, p, names[0]).Num("offeredCount"))
	if got := h.Count(layout.Consumer) + h.ProducerStats.Dropped.Load(); got != sent {
		t.Errorf("%d received and dropped, %d sent", got, sent)
	}
}

// A stopped reader of a ring that blocks is alive: it holds the others for longer than a dead one.
func TestFanOut_StoppedBlockReader(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"block", "block"}, "--rate", "20000")
	startReader(t, names[0])
	r := startReader(t, names[1])
	late := readersCame(t, names)[1]
	ringOf(t, names[1], "messages", consumed(100))
	r.Pause()
	full := func(h *layout.Header) bool { return h.Count(layout.Producer)-h.Count(layout.Consumer) == 64 }
	held := ringOf(t, names[1], "a full ring", full).Count(layout.Producer)
	time.Sleep(1300 * time.Millisecond)
	if h := testenv.Header(names[1]); h.ProducerStats.Dropped.Load() != late || h.Count(layout.Producer) != held {
		t.Errorf("%d dropped, %d before the reader came; %d published since", h.ProducerStats.Dropped.Load(), late, h.Count(layout.Producer)-held)
	}
	r.Continue()
	ringOf(t, names[0], "messages again", consumed(held+100))
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	r.WantExit(0)
	if dropped := lastOf(t, p, names[1]).Num("droppedCount"); dropped != float64(late) {
		t.Errorf("%v dropped, %d before the reader came", dropped, late)
	}
}

// A reader that is disconnected drains the ring and exits with 7. Killed while it drains, it leaves
// that to the next one; the one after that receives the present messages.
func TestFanOut_Disconnect_KilledWhileDraining(t *testing.T) {
	t.Parallel()
	// So few messages that the third one is not disconnected before it runs, on a loaded machine:
	// for that its ring has to fill up, which takes more than a second.
	p, names := startFanOut(t, []string{"block", "disconnect"}, "--rate", "50", "--keep")
	startReader(t, names[0])
	slow := startReader(t, names[1], "--work", "200ms")
	ringOf(t, names[1], "a disconnection", func(h *layout.Header) bool { return h.ProducerStats.End.Load() == uint64(layout.EndDisconnected) })
	slow.Kill()
	second := startReader(t, names[1])
	second.WantExit(7)
	h := testenv.Header(names[1])
	if h.Count(layout.Producer) != h.Count(layout.Consumer) {
		t.Errorf("%d published, %d received", h.Count(layout.Producer), h.Count(layout.Consumer))
	}
	produced := h.Count(layout.Producer)
	third := startReader(t, names[1], "--keep")
	ringOf(t, names[1], "the next stream", consumed(produced+10))
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	third.WantExit(0)
	h = testenv.Header(names[1])
	gap := h.ProducerStats.Dropped.Load()
	if told := missedOf(slow) + missedOf(second) + missedOf(third); gap == 0 || told != gap {
		t.Errorf("told of %d messages, %d dropped", told, gap)
	}
	sent := uint64(lastOf(t, p, names[0]).Num("offeredCount"))
	if got := h.Count(layout.Consumer); got+gap != sent {
		t.Errorf("%d received, %d dropped, %d sent", got, gap, sent)
	}
}

// A consumer that is started again after a disconnection ends with the producer, although that has
// no further message for it: one with --follow is told so.
func TestFanOut_Disconnect_NoFurtherMessage(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"disconnect", "disconnect", "block"})
	holder := startReader(t, names[2])
	ringOf(t, names[2], "messages", consumed(1000))
	holder.Pause()
	ringOf(t, names[2], "a full ring", func(h *layout.Header) bool { return h.Count(layout.Producer)-h.Count(layout.Consumer) == 64 })
	follower := startReader(t, names[1], "--follow")
	startReader(t, names[0]).WantExit(7)
	again := startReader(t, names[0])
	for _, name := range names[:2] {
		ringOf(t, name, "a reader that waits", func(h *layout.Header) bool {
			return h.ConsumerStats.JoinedAfter.Load() == h.ProducerStats.Generation.Load() && h.ConsumerSleep.Flag.Load() != 0
		})
	}
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	again.WantExit(0)
	if told := float64(missedOf(again)); told != lastOf(t, p, names[0]).Num("missedCount") || told == 0 {
		t.Errorf("told of %v messages, want %v", told, lastOf(t, p, names[0]).Num("missedCount"))
	}
	testenv.Eventually(t, "the number of missed messages", func() bool {
		return float64(missedOf(follower)) == lastOf(t, p, names[1]).Num("missedCount")
	})
	follower.Signal(unix.SIGTERM)
	follower.WantExit(0)
	holder.Kill()
}

func TestFanOut_Disconnect_Follow(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"block", "disconnect"}, "--rate", "20000")
	startReader(t, names[0])
	r := startReader(t, names[1], "--follow", "--work", "1ms", "--keep")
	ringOf(t, names[1], "three streams", func(h *layout.Header) bool { return h.ProducerStats.Generation.Load() > 3 })
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	last := lastOf(t, p, names[1])
	ringOf(t, names[1], "the end", func(h *layout.Header) bool {
		return h.Count(layout.Consumer) == h.Count(layout.Producer) && h.ConsumerStats.Missed.Load() == h.ProducerStats.Missed.Load()
	})
	r.Signal(unix.SIGTERM)
	r.WantExit(0)
	if told := float64(missedOf(r)); told != last.Num("droppedCount") || last.Num("offeredCount") != lastOf(t, p, names[0]).Num("offeredCount") {
		t.Errorf("told of %v messages; %v", told, last)
	}
}

// Wherever a producer is killed, its successor sends numbers that every reader can account for.
func TestFanOut_KilledProducer_Verify(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"block", "block", "drop"})
	var readers []*testenv.Process
	for _, name := range names {
		readers = append(readers, startReader(t, name))
	}
	args := []string{"--format", "json", "--report", "0"}
	for i, name := range names {
		args = append(args, "--to", fmt.Sprintf("%s:%s", name, []string{"block", "block", "drop"}[i]))
	}
	for range 3 {
		before := ringOf(t, names[1], "a segment", func(*layout.Header) bool { return true }).Count(layout.Consumer)
		ringOf(t, names[1], "messages", consumed(before+500))
		p.Kill()
		p = testenv.Start(t, "producer", args...)
	}
	before := testenv.Header(names[1]).Count(layout.Consumer)
	ringOf(t, names[1], "messages", consumed(before+500))
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	for i, r := range readers {
		r.WantExit(0)
		if n := lastOf(t, p, names[i]).Num("offeredCount"); n != lastOf(t, p, names[0]).Num("offeredCount") {
			t.Errorf("ring %d was offered %v messages", i, n)
		}
	}
}

// Whoever takes a role keeps it; a destination that is taken is named, and the others are given
// back.
func TestFanOut_RoleTaken(t *testing.T) {
	t.Parallel()
	free, taken := testenv.SegmentName(t), testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", taken)
	ringOf(t, taken, "a producer", func(h *layout.Header) bool { return h.ProducerStats.Generation.Load() > 0 })
	testenv.Start(t, "producer", "--to", free, "--to", taken).WantError(4, taken)
	testenv.WantNoSegment(t, free)
}

// A stop ends the wait for a ring that holds the others.
func TestFanOut_StopWhileBlocked(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"block", "drop"})
	r := startReader(t, names[0], "--work", "1h")
	ringOf(t, names[0], "a full ring", func(h *layout.Header) bool { return h.Count(layout.Producer) == 64 })
	time.Sleep(10 * time.Millisecond)
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	r.Kill()
	for _, name := range names {
		if h := testenv.Header(name); h.Count(layout.Producer) != 64 {
			t.Errorf("%d messages", h.Count(layout.Producer))
		}
	}
}

// Unread messages of a ring whose file was deleted are lost, and not said to be kept. Those of the
// other rings are kept.
func TestFanOut_SegmentRemoved_NotCalledKept(t *testing.T) {
	t.Parallel()
	p, names := startFanOut(t, []string{"drop", "drop"})
	for _, name := range names {
		ringOf(t, name, "a full ring", func(h *layout.Header) bool { return h.Count(layout.Producer) == 64 })
	}
	if err := os.Remove(testenv.SegmentPath(names[0])); err != nil {
		t.Fatal(err)
	}
	p.Signal(unix.SIGTERM)
	p.WantExit(1)
	said := p.Stderr.String()
	kept := func(name string) string {
		return fmt.Sprintf(`{"note":"64 messages unread, kept for the next consumer","hint":null,"segment":%q`, name)
	}
	if strings.Contains(said, kept(names[0])) || !strings.Contains(said, kept(names[1])) || !strings.Contains(said, "lost: 64 unread messages") {
		t.Errorf("%s", said)
	}
}

// An error of the input is about no ring, and not about the default of --name.
func TestFanOut_NoInput_NamesNoSegment(t *testing.T) {
	t.Parallel()
	a, b, missing := testenv.SegmentName(t), testenv.SegmentName(t), filepath.Join(t.TempDir(), "missing")
	p := testenv.Start(t, "producer", "--to", a, "--to", b, "--input", missing, "--format", "json")
	p.WantError(1, missing)
	if said := p.Stderr.String(); !strings.Contains(said, `"segment":null`) || strings.Contains(said, "demo") {
		t.Errorf("%s", said)
	}
	testenv.WantNoSegment(t, a)
}

// A ring that was there before may be smaller than the others.
func TestFanOut_TooLarge_NamesSmallestRing(t *testing.T) {
	t.Parallel()
	small, large := testenv.SegmentName(t), testenv.SegmentName(t)
	testenv.StartWith(t, "producer", testenv.Options{
		Args: []string{"--name", small, "--capacity", "4KiB", "--input", "-", "--keep"}, Stdin: strings.NewReader(""),
	}).WantExit(0)
	to := []string{"--to", large, "--to", small, "--keep"}
	chunk := append(to, "--framing", "raw", "--chunk", "5000")
	for _, c := range []struct {
		args []string
		code int
	}{{to, 1}, {chunk, 2}} {
		p := testenv.StartWith(t, "producer", testenv.Options{
			Args: append(c.args, "--input", "-", "--format", "json"), Stdin: strings.NewReader(strings.Repeat("x", 5000)),
		})
		p.WantError(c.code, small, "4088")
	}
}

// A chunk of the input is sent by a call without an error. That a ring is corrupt is found out all
// the same, by the last chunk too.
func TestFanOut_CorruptRing_LastChunk(t *testing.T) {
	t.Parallel()
	in, out := testenv.Pipe(t)
	a, b := testenv.SegmentName(t), testenv.SegmentName(t)
	p := testenv.StartWith(t, "producer", testenv.Options{
		Args:  []string{"--to", a + ":drop", "--to", b + ":drop", "--slots", "2", "--input", "-", "--framing", "raw", "--chunk", "8"},
		Stdin: in,
	})
	in.Close()
	out.WriteString("chunk 1.chunk 2.")
	ringOf(t, b, "two chunks", func(h *layout.Header) bool { return h.Count(layout.Producer) == 2 })
	testenv.Overwrite(t, a, testenv.FieldOffset(t, "Consumer.Index"), 1<<40)
	out.WriteString("chunk 3.")
	out.Close()
	p.WantError(6, a, "corrupt")
	if end := testenv.Header(b).ProducerStats.End.Load(); end != uint64(layout.EndFailed) {
		t.Errorf("the end is %v, want failed", layout.End(end))
	}
}
