package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// named returns the flags that name several rings, and others.
func named(names []string, args ...string) (all []string) {
	for _, name := range names {
		all = append(all, "--name", name)
	}
	return append(all, args...)
}

// finals returns the last report on each ring, and that of the sum.
func finals(t *testing.T, p *testenv.Process) (rings map[string]testenv.Report, sum testenv.Report) {
	t.Helper()
	rings = map[string]testenv.Report{}
	for _, r := range p.Reports() {
		if name, ok := r["name"].(string); ok && r["final"] == true {
			rings[name] = r
		}
	}
	sum = p.Final()
	if sum["name"] != nil || sum["rings"] == nil {
		t.Errorf("the last report is not of the sum: %v", sum)
	}
	return rings, sum
}

// inRun returns a number of the run's counters in a report.
func inRun(t *testing.T, r testenv.Report, key string) float64 {
	t.Helper()
	n, ok := r["run"].(map[string]any)[key].(float64)
	if !ok {
		t.Fatalf("no run.%s in %v", key, r)
	}
	return n
}

func TestFanIn_EightProducers_EachVerified(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 8)
	c := testenv.Start(t, "consumer", named(names, "--verify", "--format", "json", "--report", "100ms")...)
	for _, name := range names {
		testenv.Start(t, "producer", "--name", name, "--count", "20000", "--capacity", "4KiB")
	}
	c.WantExit(0)
	rings, sum := finals(t, c)
	for _, name := range names {
		if n := inRun(t, rings[name], "consumedCount"); n != 20000 || rings[name]["streamEnd"] != "complete" {
			t.Errorf("%s: %v messages, the stream has ended as %v", name, n, rings[name]["streamEnd"])
		}
		testenv.WantNoSegment(t, name)
	}
	if n := inRun(t, sum, "consumedCount"); n != 160000 || sum.Num("rings") != 8 {
		t.Errorf("in sum %v messages of %v rings", n, sum["rings"])
	}
	if n := strings.Count(c.Stderr.String(), `"verifiedCount":20000`); n != 8 {
		t.Errorf("%d rings were verified:\n%s", n, c.Stderr.String())
	}
}

// A message that is no generated one is a fault of its ring, which the error names; the others
// are received all the same.
func TestFanIn_Verify_FaultNamesRing(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 2)
	testenv.Start(t, "producer", "--name", names[0], "--count", "100").WantExit(0)
	testenv.Start(t, "producer", "--name", names[1], "--input", testenv.WriteFile(t, []byte("a line\n"))).WantExit(0)
	c := testenv.Start(t, "consumer", named(names, "--verify")...)
	c.WantHint(3, names[1]+`"|verify found a fault in 1 message|omit it for a producer with --input`, names[0])
	if !strings.Contains(c.Stderr.String(), "verified 100 messages of 1 ring: none missing") {
		t.Errorf("%s", c.Stderr.String())
	}
}

// Rings that a pattern matches join when they appear and leave when they end. The consumer ends
// when all that it had have ended.
func TestFanIn_Pattern_JoinAndLeave(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 3)
	c := testenv.Start(t, "consumer", "--name", pattern, "--verify", "--report", "100ms")
	c.EventuallyPrints("consumer: note: no segment that can be joined matches " + pattern + " yet; waiting for one\n")
	first := testenv.Start(t, "producer", "--name", names[0], "--rate", "100")
	testenv.EventuallyConsumed(t, names[0], 5)
	second := testenv.Start(t, "producer", "--name", names[1], "--count", "1000")
	second.WantExit(0)
	c.EventuallyPrints("consumer: the stream is complete: " + names[1] + "\n")
	testenv.WantNoSegment(t, names[1])
	testenv.Start(t, "producer", "--name", names[2], "--count", "1000").WantExit(0)
	testenv.EventuallyConsumed(t, names[0], 5)
	first.Signal(unix.SIGTERM)
	c.WantExit(0)
	for _, want := range []string{"consumer of 3 rings ran for", "messages of 3 rings: none missing", "joined: " + names[0], "joined: " + names[1]} {
		if !strings.Contains(c.Stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, c.Stderr.String())
		}
	}
}

// A ring that is named and does not exist is waited for, and the others are served meanwhile.
func TestFanIn_NamedRingMissing_OthersServed(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 2)
	testenv.Start(t, "producer", "--name", names[0], "--count", "100").WantExit(0)
	c := testenv.Start(t, "consumer", named(names)...)
	c.EventuallyPrints("the stream is complete: " + names[0])
	c.EventuallyPrints(fmt.Sprintf("consumer: note: waiting for segment %q\n", names[1]))
	testenv.Start(t, "producer", "--name", names[1], "--count", "100").WantExit(0)
	c.WantExit(0)
	if !strings.Contains(c.Stderr.String(), "consumer of 2 rings") {
		t.Errorf("%s", c.Stderr.String())
	}

	c = testenv.Start(t, "consumer", named(names)...) // none exists
	c.EventuallyPrints("waiting for segments")
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
}

// While all rings have messages, each gets bytes in proportion to its weight, whatever the sizes
// of the messages are.
func TestFanIn_Weight_ShareOfBytes(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 3)
	for i, name := range names {
		testenv.Start(t, "producer", "--name", name, "--size", fmt.Sprint(1000+1000*i), "--capacity", "1MiB")
		testenv.EventuallyHeader(t, name, "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
	}
	c := testenv.Start(t, "consumer", named(names, "--rate", "4000", "--count", "3000", "--format", "json", "--weight", names[0]+"=3,"+names[1]+"=2", "--weight", "*=1")...)
	c.WantExit(0)
	rings, sum := finals(t, c)
	all := inRun(t, sum, "consumedBytes")
	for i, want := range []float64{3.0 / 6, 2.0 / 6, 1.0 / 6} {
		if share := rings[names[i]].Num("consumedBytes") / all; share < 0.95*want || share > 1.05*want {
			t.Errorf("%s has %.3f of the bytes, want %.3f", names[i], share, want)
		}
	}
	if n := inRun(t, sum, "consumedCount"); n != 3000 {
		t.Errorf("--count 3000: %v messages", n)
	}
}

// What was read comes out whole, and says from where.
func TestFanIn_SourcePrefix_Lines(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 2)
	c := testenv.Start(t, "consumer", named(names, "--output", "-", "--source", "prefix")...)
	want := map[string]string{}
	for i, name := range names {
		want[name] = strings.TrimSuffix(string(testenv.Lines(2000*(i+1))), "\n") + "\n"
		testenv.Start(t, "producer", "--name", name, "--input", testenv.WriteFile(t, []byte(want[name])), "--framing", "lines", "--capacity", "16KiB")
	}
	c.WantExit(0)
	got := map[string]string{}
	for line := range strings.Lines(c.Stdout.String()) {
		name, text, _ := strings.Cut(line, "\t")
		got[name] += strings.TrimSuffix(text, "\n") + "\n"
	}
	for _, name := range names {
		if got[name] != want[name] {
			t.Errorf("%s: %d bytes came out, %d went in", name, len(got[name]), len(want[name]))
		}
	}
}

// With length framing what comes out can be sent again, and comes out the same.
func TestFanIn_SourcePrefix_LengthRoundTrip(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 2)
	out := filepath.Join(t.TempDir(), "out")
	c := testenv.Start(t, "consumer", named(names, "--output", out, "--source", "prefix", "--framing", "length")...)
	want := map[string][]byte{}
	for i, name := range names {
		want[name] = testenv.RandomBytes(50_000 * (i + 1))
		testenv.Start(t, "producer", "--name", name, "--input", testenv.WriteFile(t, want[name]), "--framing", "raw", "--chunk", fmt.Sprint(1000+9000*i))
	}
	c.WantExit(0)
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for rest := written; len(rest) > 0; {
		size := 4 + int(binary.LittleEndian.Uint32(rest))
		record := rest[4:size]
		name := string(record[1 : 1+record[0]])
		got[name] = append(got[name], record[1+len(name):]...)
		rest = rest[size:]
	}
	for _, name := range names {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s: %d bytes came out, %d went in", name, len(got[name]), len(want[name]))
		}
	}

	again := filepath.Join(t.TempDir(), "again")
	testenv.Start(t, "producer", "--name", names[0], "--input", out, "--framing", "length").WantExit(0)
	testenv.Start(t, "consumer", "--name", names[0], "--output", again).WantExit(0)
	if copied, err := os.ReadFile(again); err != nil || !bytes.Equal(copied, written) {
		t.Errorf("sent again: %d bytes came out, %d went in, %v", len(copied), len(written), err)
	}
}

// Without --framing the output has that of the ring whose message is first. Another one is told.
func TestFanIn_FramingsDiffer_Told(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 2)
	run := func(args ...string) string {
		for i, framing := range []string{"lines", "raw"} {
			testenv.Start(t, "producer", "--name", names[i], "--input", testenv.WriteFile(t, []byte("abc\n")), "--framing", framing).WantExit(0)
		}
		c := testenv.Start(t, "consumer", named(names, append(args, "--output", "-")...)...)
		c.WantExit(0)
		return c.Stderr.String()
	}
	if said := run(); !strings.Contains(said, "raw framing is written as lines, that of the first message; --framing chooses one for all: "+names[1]+"\n") {
		t.Errorf("%s", said)
	}
	if said := run("--framing", "lines"); strings.Contains(said, "framing") {
		t.Errorf("%s", said)
	}
}

// A producer whose framing is raw leaves no place for names, which shows only when it is there.
func TestFanIn_SourcePrefix_RawInput_Usage(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 1)
	testenv.Start(t, "producer", "--name", names[0], "--input", testenv.WriteFile(t, []byte("abc")), "--framing", "raw").WantExit(0)
	testenv.Start(t, "consumer", "--name", pattern, "--output", "-", "--source", "prefix").WantHint(2, "raw framing has no place for the names|--framing lines or --framing length", "")
	c := testenv.Start(t, "consumer", "--name", pattern, "--output", "-", "--source", "prefix", "--framing", "lines")
	c.WantExit(0)
	if got := c.Stdout.String(); got != names[0]+"\tabc" {
		t.Errorf("%q", got)
	}
}

func TestFanIn_Mistakes(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	several := []string{"--name", name, "--name", name + "x"}
	for _, m := range []struct {
		args []string
		want string
	}{
		{[]string{"--name", name, "--name", name}, "--name: \"" + name + "\" is given twice"},
		{[]string{"--name", "a*,b,a*"}, "is given twice"},
		{[]string{"--name", "a*/b"}, "bad segment name"},
		{[]string{"--name", "a", "--name", ""}, "bad segment name"},
		{[]string{"--name", name, "--weight", "a=2"}, "--weight cannot be used with one segment"},
		{[]string{"--name", name, "--source", "none"}, "--source cannot be used with one segment"},
		{append(several, "--weight", "a"), "invalid weight"},
		{append(several, "--weight", "a=0"), "want an integer >= 1"},
		{append(several, "--weight", "a=1", "--weight", "a=2"), "\"a\" has two weights"},
		{append(several, "--weight", "a=2"), "no --name matches \"a\""},
		{append(several, "--weight", "a*=1", "--weight", "ab=2"), "\"ab\" has no effect: \"a*\" is before it"},
		{append(several, "--source", "prefix"), "--source cannot be used without an output"},
		{append(several, "--source", "both", "--output", "-"), "want prefix or none"},
		{append(several, "--source", "prefix", "--output", "-", "--framing", "raw"), "raw framing has no place"},
		{append(several, "--mode", "transfer"), "several segments must be rings"},
		{append(several, "--socket", "/tmp/s"), "--socket cannot be used with several rings"},
	} {
		testenv.Start(t, "consumer", m.args...).WantError(2, m.want)
	}
}

// The variable has the names with commas between, and does not count beside the flag.
func TestFanIn_NamesInEnvironment(t *testing.T) {
	t.Parallel()
	_, names := testenv.SegmentNames(t, 3)
	fill := func() {
		for _, name := range names {
			testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
		}
	}
	env := []string{"SLUICE_NAME=" + names[0] + "," + names[1], "SLUICE_WEIGHT=" + names[0] + "=2", "SLUICE_SOURCE=prefix"}
	fill()
	c := testenv.StartWith(t, "consumer", testenv.Options{Env: env})
	c.WantExit(0)
	if !strings.Contains(c.Stderr.String(), "consumer of 2 rings") {
		t.Errorf("%s", c.Stderr.String())
	}
	c = testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"-n", names[2]}, Env: env})
	c.WantExit(0)
	if !strings.Contains(c.Stderr.String(), fmt.Sprintf("consumer %q ran for", names[2])) {
		t.Errorf("%s", c.Stderr.String())
	}
}

// What one of many rings is, is told as for one. A ring that is only matched by a pattern holds up
// nobody.
func TestFanIn_OtherVersionAmongMany(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	for _, name := range names {
		testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	}
	testenv.Overwrite(t, names[1], 8, 99)
	testenv.Start(t, "consumer", named(names)...).WantError(6, names[1], "version 99")
	failed := testenv.Start(t, "consumer", named(names, "--format", "json")...)
	failed.WantError(6, names[1], "version 99")
	if _, sum := finals(t, failed); sum.Num("rings") != 0 {
		t.Errorf("%v", sum)
	}
	c := testenv.Start(t, "consumer", "--name", pattern)
	c.WantExit(0)
	if said := c.Stderr.String(); !strings.Contains(said, "skipped for now: ") || !strings.Contains(said, "version 99") || !strings.Contains(said, ": "+names[1]+"\n") || !strings.Contains(said, "consumer of 1 ring ") {
		t.Errorf("%s", said)
	}
}

func TestFanIn_TransferAmongMany(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 3)
	ring := testenv.Start(t, "producer", "--name", names[0], "--rate", "100")
	testenv.EventuallyHeader(t, names[0], "a ring", func(*layout.Header) bool { return true })
	transfer := testenv.Start(t, "producer", testenv.TransferArgs(names[1], "--rate", "100")...)
	testenv.EventuallyHeader(t, names[1], "a transfer", func(*layout.Header) bool { return true })
	for _, args := range [][]string{named(names), {"--name", pattern}} {
		testenv.Start(t, "consumer", args...).WantHint(2, names[1]+`"|transfer, not ring|only its --name`, "")
	}
	transfer.Kill()
	testenv.GaugeOutput(t, "rm", "--yes", names[1])

	c := testenv.Start(t, "consumer", "--name", pattern)
	testenv.EventuallyConsumed(t, names[0], 1)
	testenv.Start(t, "producer", testenv.TransferArgs(names[2], "--rate", "100")...)
	c.EventuallyPrints("skipped for now: ")
	testenv.EventuallyConsumed(t, names[0], 5)
	ring.Signal(unix.SIGTERM)
	c.WantExit(0)
	if said := c.Stderr.String(); !strings.Contains(said, "transfer, not ring: "+names[2]+"\n") || strings.Count(said, "skipped") != 1 {
		t.Errorf("%s", said)
	}
}

// A ring that was skipped is told also when another one keeps the consumer from starting.
func TestFanIn_SkippedBeforeError_Told(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	testenv.Start(t, "producer", "--name", names[0], "--count", "10").WantExit(0)
	testenv.Overwrite(t, names[0], 8, 99)
	testenv.Start(t, "producer", testenv.TransferArgs(names[1], "--rate", "100")...)
	testenv.EventuallyHeader(t, names[1], "a transfer", func(*layout.Header) bool { return true })
	c := testenv.Start(t, "consumer", "--name", pattern)
	if code := c.Wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if said := c.Stderr.String(); !strings.Contains(said, "consumer: skipped for now: ") || !strings.Contains(said, ": "+names[0]+"\n") || strings.Contains(said, "ran for") {
		t.Errorf("%s", said)
	}
}

// A ring whose consumer lives is an error when it is named. One that a pattern matches is said
// once, and joined when that consumer has gone.
func TestFanIn_ConsumerLives(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	producers := []*testenv.Process{}
	for _, name := range names {
		producers = append(producers, testenv.Start(t, "producer", "--name", name, "--rate", "200"))
	}
	other := testenv.Start(t, "consumer", "--name", names[1])
	testenv.EventuallyConsumed(t, names[1], 1)
	testenv.Start(t, "consumer", named(names)...).WantError(4, names[1], "role is taken")
	c := testenv.Start(t, "consumer", "--name", pattern)
	c.EventuallyPrints("skipped for now: role is taken: " + names[1] + "\n")
	other.Signal(unix.SIGTERM)
	other.WantExit(0)
	c.EventuallyPrints("joined: " + names[1] + "\n")
	testenv.EventuallyConsumed(t, names[1], 1)
	for _, p := range producers {
		p.Signal(unix.SIGTERM)
	}
	c.WantExit(0)
	if n := strings.Count(c.Stderr.String(), "skipped"); n != 1 {
		t.Errorf("skipped %d times:\n%s", n, c.Stderr.String())
	}
}

// A killed producer has not ended its stream. The consumer waits for its successor, and takes from
// the others meanwhile.
func TestFanIn_ProducerKilled_OthersGoOn(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	killed := testenv.Start(t, "producer", "--name", names[0], "--rate", "2000")
	other := testenv.Start(t, "producer", "--name", names[1], "--rate", "1000")
	c := testenv.Start(t, "consumer", "--name", pattern, "--verify")
	testenv.EventuallyConsumed(t, names[0], 20)
	killed.Kill()
	testenv.EventuallyConsumed(t, names[1], 20)
	other.Signal(unix.SIGTERM)
	other.WantExit(0)
	c.EventuallyPrints("the stream is complete: " + names[1])
	testenv.Start(t, "producer", "--name", names[0], "--count", "500").WantExit(0)
	c.WantExit(0)
	if !strings.Contains(c.Stderr.String(), "of 2 rings: none missing") {
		t.Errorf("%s", c.Stderr.String())
	}
}

// A stream that was cut off and goes on in another segment is not said to be complete.
func TestFanIn_Replaced_NotComplete(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 1)
	killed := testenv.Start(t, "producer", "--name", names[0], "--rate", "200")
	c := testenv.Start(t, "consumer", "--name", pattern, "--verify")
	testenv.EventuallyConsumed(t, names[0], 5)
	killed.Kill()
	testenv.EventuallyHeader(t, names[0], "an empty ring", func(h *layout.Header) bool { return h.Count(layout.Consumer) == h.Count(layout.Producer) })
	testenv.Start(t, "producer", "--name", names[0], "--size", "100", "--count", "5").WantExit(0)
	c.WantExit(0)
	said := c.Stderr.String()
	if !strings.Contains(said, "the segment was replaced; waiting for the next one: "+names[0]+"\n") || strings.Count(said, "the stream is complete") != 1 {
		t.Errorf("%s", said)
	}
}

// Nothing that was published is lost with a consumer, and each ring keeps its order: what the next
// consumer gets continues what was released.
func TestFanIn_ConsumerKilled_NothingLost(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 4)
	const count = 30_000
	for _, name := range names {
		testenv.Start(t, "producer", "--name", name, "--count", fmt.Sprint(count), "--capacity", "4KiB", "--rate", "60000")
	}
	for kill := range 3 {
		c := testenv.Start(t, "consumer", "--name", pattern, "--verify", "--follow")
		for _, name := range names {
			testenv.EventuallyHeader(t, name, "a start", func(h *layout.Header) bool {
				return h.ConsumerStats.Generation.Load() > uint64(kill) && h.Count(layout.Consumer) > uint64(kill*2000)
			})
		}
		c.Kill()
	}
	c := testenv.Start(t, "consumer", "--name", pattern, "--verify", "--format", "json")
	c.WantExit(0)
	rings, _ := finals(t, c)
	for _, name := range names {
		if n := rings[name].Num("consumedCount"); n != count {
			t.Errorf("%s: %v messages of %d", name, n, count)
		}
		testenv.WantNoSegment(t, name)
	}
}

// A stream that is not complete is told at the end, after the others; with --follow it is a line.
func TestFanIn_IncompleteAmongMany(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	fill := func() {
		p := testenv.Start(t, "producer", "--name", names[0], "--count", "1000000", "--capacity", "4KiB")
		testenv.EventuallyHeader(t, names[0], "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
		p.Signal(unix.SIGTERM)
		p.WantExit(0)
		testenv.Start(t, "producer", "--name", names[1], "--count", "1000").WantExit(0)
	}
	fill()
	c := testenv.Start(t, "consumer", "--name", pattern, "--verify", "--format", "json")
	c.WantHint(7, names[0]+`"|restart both sides`, names[1])
	rings, _ := finals(t, c)
	if rings[names[0]]["streamEnd"] != "stopped" || rings[names[1]]["streamEnd"] != "complete" || inRun(t, rings[names[1]], "consumedCount") != 1000 {
		t.Errorf("%v", rings)
	}

	fill()
	c = testenv.Start(t, "consumer", "--name", pattern, "--follow", "--report", "0")
	c.EventuallyPrints("; waiting for the next producer: " + names[0] + "\n")
	c.EventuallyPrints("the stream is complete; waiting for the next producer: " + names[1] + "\n")
	testenv.Start(t, "producer", "--name", names[1], "--count", "1000").WantExit(0)
	testenv.Eventually(t, "the end of the second stream", func() bool {
		return strings.Count(c.Stderr.String(), "the stream is complete; waiting for the next producer: "+names[1]+"\n") == 2
	})
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
}

// What a producer to several rings has dropped while no consumer was there is told, with the ring.
func TestFanIn_Missed(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	for _, name := range names {
		testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	}
	testenv.Overwrite(t, names[1], testenv.FieldOffset(t, "ProducerStats.Missed"), 5)
	c := testenv.Start(t, "consumer", "--name", pattern, "--format", "json")
	c.WantExit(0)
	if said := c.Stderr.String(); !strings.Contains(said, fmt.Sprintf(`"segment":%q,"missedCount":5`, names[1])) || strings.Count(said, `"missedCount":5,`) > 1 {
		t.Errorf("%s", said)
	}
}

func TestFanIn_Stop(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	for _, name := range names {
		testenv.Start(t, "producer", "--name", name, "--count", "100").WantExit(0)
	}
	started := uint64(0)
	start := func(args ...string) *testenv.Process {
		started++
		c := testenv.Start(t, "consumer", append([]string{"--name", pattern, "--report", "0"}, args...)...)
		testenv.Eventually(t, "messages of both", func() bool {
			a, b := testenv.Header(names[0]), testenv.Header(names[1])
			return a != nil && b != nil && a.ConsumerStats.Generation.Load() == started && b.ConsumerStats.Generation.Load() == started
		})
		return c
	}
	c := start("--work", "2ms")
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	if !strings.Contains(c.Stderr.String(), "messages are unread and kept for the next consumer: "+names[0]+", "+names[1]+"\n") {
		t.Errorf("%s", c.Stderr.String())
	}
	c = start("--drain", "2m", "--work", "1s")
	c.SignalTwice()
	c.WantHint(1, "exited at once on a second signal|unreleased messages are delivered to the next consumer", "")
	c = start("--drain", "1m", "--verify", "--work", "5ms")
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	for _, name := range names {
		testenv.WantNoSegment(t, name)
	}
}

// What is unread in a segment that was removed is lost, not kept.
func TestFanIn_Stop_RemovedRing_NotSaidToBeKept(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	for _, name := range names {
		testenv.Start(t, "producer", "--name", name, "--size", "1000", "--count", "500").WantExit(0)
	}
	c := testenv.Start(t, "consumer", "--name", pattern, "--work", "10ms")
	for _, name := range names {
		testenv.EventuallyConsumed(t, name, 2)
	}
	if err := os.Remove(shm.Path(names[0])); err != nil {
		t.Fatal(err)
	}
	c.Signal(unix.SIGTERM)
	c.WantError(1, names[0], "segment was removed; lost: ")
	if said := c.Stderr.String(); !strings.Contains(said, "kept for the next consumer: "+names[1]+"\n") {
		t.Errorf("%s", said)
	}
}

// More rings than one futex_waitv(2) takes.
func TestFanIn_MoreThan127Rings(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 140)
	var producers []sluice.Producer
	for _, name := range names {
		p, err := sluice.Create(context.Background(), name, sluice.ProducerOptions{Capacity: 4096})
		if err != nil {
			t.Fatal(err)
		}
		producers = append(producers, p)
	}
	c := testenv.Start(t, "consumer", "--name", pattern, "--format", "json", "--report", "0")
	for round := range 2 {
		for i, p := range producers {
			if err := p.Send(t.Context(), []byte("message")); err != nil {
				t.Fatal(err)
			}
			if i%20 == 0 { // each wakes it
				testenv.EventuallyHeader(t, names[i], "a wake", func(h *layout.Header) bool { return h.Count(layout.Consumer) > uint64(round) })
			}
		}
	}
	for _, p := range producers {
		if err := p.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.WantExit(0)
	if _, sum := finals(t, c); sum.Num("rings") != 140 || inRun(t, sum, "consumedCount") != 280 {
		t.Errorf("%v", sum)
	}
}

// A ring whose file another program truncates ends the consumer as a single one would, and the
// error names the ring. Its figures are those that are known.
func TestFanIn_Truncated_Named(t *testing.T) {
	t.Parallel()
	pattern, names := testenv.SegmentNames(t, 2)
	testenv.Start(t, "producer", "--name", names[0], "--rate", "500", "--count", "1000")
	testenv.Start(t, "producer", "--name", names[1], "--rate", "500")
	c := testenv.Start(t, "consumer", "--name", pattern, "--report", "0", "--verify")
	for _, name := range names {
		testenv.EventuallyConsumed(t, name, 10)
	}
	if err := os.Truncate(shm.Path(names[1]), 0); err != nil {
		t.Fatal(err)
	}
	c.WantError(6, fmt.Sprintf("segment %q: segment was truncated", names[1]))
	if said := c.Stderr.String(); !regexp.MustCompile(`(?m) [0-9]+ +- +- +- +- unknown$`).MatchString(said) || strings.Contains(said, names[0]+`"`) {
		t.Errorf("%s", said)
	}
}

// The hints leave out no error, and leave the error that they are added to as it is.
func TestFanIn_Explain_KeepsAll(t *testing.T) {
	var all []error
	for range 8 {
		all = append(all, layout.ErrIncomplete)
	}
	err := errors.Join(append(all, layout.ErrCorrupt)...)
	got := (&fanIn{}).explain(err)
	if !errors.Is(got, layout.ErrCorrupt) {
		t.Errorf("the last of 9 errors is not in: %v", got)
	}
	if kept := cli.JoinedErrors(err); kept[0] != layout.ErrIncomplete {
		t.Errorf("the first error has become %#v", kept[0])
	}
}
