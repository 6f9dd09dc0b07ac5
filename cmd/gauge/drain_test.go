package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// leftLines returns a segment in which a producer has left n lines, and the lines.
func leftLines(t *testing.T, n int, args ...string) (name, lines string) {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	name = testenv.SegmentName(t)
	input := testenv.WriteFile(t, []byte(b.String()))
	testenv.Start(t, "producer", append([]string{"--name", name, "--input", input, "--framing", "lines", "--report", "0"}, args...)...).WantExit(0)
	return name, b.String()
}

func TestPeek_ShowsWhatWaits_AndTakesNothing(t *testing.T) {
	t.Parallel()
	name, _ := leftLines(t, 30)
	out := testenv.GaugeOutput(t, "peek", name)
	for _, want := range []string{"30 messages wait", "producer ended, consumer none", `"line 0\n"`, `"line 9\n"`, "and 20 more"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "line 10") {
		t.Errorf("more than asked for:\n%s", out)
	}
	out = testenv.GaugeOutput(t, "peek", "--json", "--messages", "2", "--bytes", "4", name)
	want := fmt.Sprintf(`{"name":%q,"number":0,"bytes":7,"text":"line","hex":null,"all":false}`, name)
	if lines := strings.Split(out, "\n"); len(lines) != 3 || lines[0] != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
	if out = testenv.GaugeOutput(t, "peek", "--messages", "0", name); strings.Count(out, "line ") != 30 {
		t.Errorf("not all:\n%s", out)
	}
	if h := testenv.Header(name); h.ConsumerStats.Generation.Load() != 0 || h.Count(layout.Consumer) != 0 {
		t.Error("peek has taken the role, or messages")
	}
}

// Generated messages lie in fixed slots, and are no text. A pattern shows all rings.
func TestPeek_FixedSlots_Pattern(t *testing.T) {
	t.Parallel()
	stem := segmentsNamed(t, "-a", "-b")
	out := testenv.GaugeOutput(t, "peek", "--messages", "2", stem+"-*")
	for _, want := range []string{stem + "-a: 3 messages wait", stem + "-b: 3 messages wait", "0000000000000000", "0100000000000000", "and 1 more"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	testenv.Start(t, "gauge", "peek", stem+"-x*").WantError(1, "no segment matches")
}

// A pair in use is not affected, and what is shown is said to be changing.
func TestPeek_LivePair(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--report", "0")
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0", "--rate", "100")
	testenv.EventuallyConsumed(t, name, 10)
	out := testenv.GaugeOutput(t, "peek", name)
	if !strings.Contains(out, "its consumer is alive") || !strings.Contains(out, "more: --messages N") {
		t.Error(out)
	}
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	c.Kill()
	testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0").WantExit(0)
}

func TestPeekAndDrain_WhatCannotBe(t *testing.T) {
	t.Parallel()
	transfer, old, corrupt := testenv.SegmentName(t), testenv.SegmentName(t), testenv.SegmentName(t)
	p := testenv.Start(t, "producer", testenv.TransferArgs(transfer, "--count", "3")...)
	testenv.EventuallyHeader(t, transfer, "messages", func(h *layout.Header) bool { return h.Count(layout.Producer) == 3 })
	for name, spoil := range map[string]func(h *layout.Header){
		old:     func(h *layout.Header) { h.Identity.Version.Store(7) },
		corrupt: func(h *layout.Header) { h.Producer.Index.Store(1 << 40) },
	} {
		testenv.Start(t, "producer", "--name", name, "--count", "3", "--report", "0").WantExit(0)
		spoilHeader(t, name, spoil)
	}
	for _, command := range []string{"peek", "drain"} {
		testenv.Start(t, "gauge", command, testenv.SegmentName(t)).WantError(1, "not found", "gauge ls")
		testenv.Start(t, "gauge", command, transfer).WantError(2, "of a transfer can be", "memory of its producer", "consumer --name "+transfer)
		testenv.Start(t, "gauge", command, old).WantError(6, "version 7", "use gauge from the build that created it")
		testenv.Start(t, "gauge", command, corrupt).WantError(6, "corrupt", "gauge rm --yes")
	}
	p.SignalTwice()
}

// spoilHeader lets spoil write to the header of a segment.
func spoilHeader(t *testing.T, name string, spoil func(h *layout.Header)) {
	t.Helper()
	seg, err := shm.Open(t.Context(), name, layout.Consumer)
	if err != nil {
		t.Fatal(err)
	}
	spoil(seg.Header())
	if _, err := seg.Leave(func() bool { return false }); err != nil {
		t.Fatal(err)
	}
}

// What was saved is what was sent. The segment stays, and so does the end of its stream.
func TestDrain_SavesAll_KeepsSegmentAndEnd(t *testing.T) {
	t.Parallel()
	name, lines := leftLines(t, 1000)
	testenv.Start(t, "gauge", "rm", name).WantError(2, "1,000 messages unread", "gauge peek "+name, "gauge drain "+name)
	path := filepath.Join(t.TempDir(), "left")
	d := testenv.Start(t, "gauge", "drain", name, "--output", path)
	d.WantExit(0)
	if said := d.Stderr.String(); !strings.Contains(said, "saved 1,000 messages") || !strings.Contains(said, "none is left") || !strings.Contains(said, "how the stream has ended") {
		t.Error(said)
	}
	if saved, err := os.ReadFile(path); err != nil || string(saved) != lines {
		t.Errorf("%v: saved %d bytes, want %d", err, len(saved), len(lines))
	}
	if said := testenv.GaugeOutput(t, "peek", name); !strings.Contains(said, "consumer ended") {
		t.Errorf("drain has left, and: %s", said)
	}
	again := testenv.Start(t, "gauge", "drain", name, "--output", path+"2")
	again.WantExit(0)
	if _, err := os.Stat(path + "2"); !os.IsNotExist(err) {
		t.Errorf("a file for no messages: %v", err)
	}
	if again.Stdout.String() != "" || !strings.Contains(again.Stderr.String(), "saved 0 messages") {
		t.Errorf("%s%s", again.Stdout.String(), again.Stderr.String())
	}
	testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(0) // it is told the end
	testenv.WantNoSegment(t, name)
}

// What was saved is never replaced: by a second drain with the same command line, or because the
// environment of a pair names the file of its consumer.
func TestDrain_KeepsExistingFiles(t *testing.T) {
	t.Parallel()
	name, lines := leftLines(t, 10)
	path, copied := filepath.Join(t.TempDir(), "saved"), filepath.Join(t.TempDir(), "link")
	if err := os.WriteFile(path, []byte("saved before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, copied); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{path, copied} {
		testenv.Start(t, "gauge", "drain", name, "--output", output).WantError(2, "exists, and is not replaced", "another file", "--output - >> FILE")
	}
	if n := testenv.Header(name).ConsumerStats.Generation.Load(); n != 0 {
		t.Errorf("the role was taken %d times", n)
	}
	d := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"drain", name}, Env: []string{"SLUICE_OUTPUT=" + path}})
	d.WantExit(0)
	if d.Stdout.String() != lines {
		t.Errorf("on standard output: %q", d.Stdout.String())
	}
	for _, output := range []string{path, filepath.Join(t.TempDir(), "new")} { // nothing is left to be saved
		testenv.Start(t, "gauge", "drain", name, "--output", output).WantExit(0)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "saved before\n" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

// A producer was killed: its stream has not ended, and goes on after the drain.
func TestDrain_KilledProducer_NextOneGoesOn(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--slots", "8", "--report", "0")
	testenv.EventuallyHeader(t, name, "a full ring", func(h *layout.Header) bool { return h.Count(layout.Producer) == 8 })
	testenv.Start(t, "gauge", "drain", name).WantError(4, "a live process is its producer", "stop that process first")
	p.Kill()
	d := testenv.Start(t, "gauge", "drain", name, "--framing", "length")
	d.WantExit(0)
	if n := len(d.Stdout.String()); n != 8*(4+8) {
		t.Errorf("%d bytes", n)
	}
	next := testenv.Start(t, "producer", "--name", name, "--slots", "8", "--count", "100", "--report", "0")
	testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0").WantExit(0)
	next.WantExit(0)
}

// A write that fails releases nothing that was not written.
func TestDrain_WriteFails_NothingLost(t *testing.T) {
	t.Parallel()
	name, lines := leftLines(t, 1000)
	testenv.Start(t, "gauge", "drain", name, "--output", "/dev/full").WantError(1, "no space left", "kept for the next consumer")
	d := testenv.Start(t, "gauge", "drain", name)
	d.WantExit(0)
	if d.Stdout.String() != lines {
		t.Errorf("%d bytes, want %d", len(d.Stdout.String()), len(lines))
	}
}

// One that is stopped says what it has not saved, and fails: a script is not to go on with rm.
func TestDrain_Stopped(t *testing.T) {
	t.Parallel()
	name, lines := leftLines(t, 20_000)
	r, w, err := os.Pipe() // that nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"drain", name}, Stdout: w})
	w.Close()
	testenv.EventuallyHeader(t, name, "a released message", func(h *layout.Header) bool { return h.Count(layout.Consumer) > 0 })
	testenv.Start(t, "consumer", "--name", name).WantError(4, "is its consumer")
	d.Signal(unix.SIGTERM)
	if code, said := d.Wait(), d.Stderr.String(); code != 1 || !strings.Contains(said, "unread in") {
		t.Errorf("code %d: %s", code, said)
	}
	rest := testenv.Start(t, "gauge", "drain", name)
	rest.WantExit(0)
	if got := rest.Stdout.String(); got == "" || !strings.HasSuffix(lines, got) {
		t.Errorf("%d bytes that are not the rest of %d", len(got), len(lines))
	}
}

// Where the kernel does not tell who is alive, a producer that its segment calls closed may be: one
// that has disconnected its consumer stays. So does one that is running.
func TestDrain_LivenessUnknown(t *testing.T) {
	t.Parallel()
	name, lines := leftLines(t, 10)
	for _, args := range [][]string{{"drain", name}, {"drain", "--yes", name}} {
		d := testenv.StartSandboxed(t, unix.EPERM, []seccomp.Rule{testenv.Calls["fcntl(F_OFD_GETLK)"]}, "gauge", args...)
		if len(args) == 2 {
			d.WantError(2, "whether its producer is alive is unknown", "gauge stat "+name, "--yes")
			continue
		}
		if d.WantExit(0); d.Stdout.String() != lines {
			t.Error(d.Stdout.String())
		}
	}
}

// A live consumer has the role.
func TestDrain_LiveConsumer(t *testing.T) {
	t.Parallel()
	name, _ := leftLines(t, 10)
	testenv.Start(t, "consumer", "--name", name, "--work", "1h", "--report", "0")
	testenv.EventuallyHeader(t, name, "a consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	testenv.Start(t, "gauge", "drain", name).WantError(4, "is its consumer", "let it receive the messages")
}

// What a bridge was to send is not saved by mistake: the other side would miss it.
func TestDrain_Bridge(t *testing.T) {
	t.Parallel()
	name, lines := leftLines(t, 10)
	spoilHeader(t, name, func(h *layout.Header) {
		h.ConsumerStats.Generation.Store(1)
		h.ConsumerLink.State.Store(uint64(layout.LinkStopped))
		h.ConsumerLink.Holder.Store(1)
	})
	testenv.Start(t, "gauge", "drain", name).WantError(2, "10 messages were to be sent by a bridge", "bridge out --name "+name, "--yes")
	installed := t.TempDir() // where a bridge has another name
	gauge, err := os.ReadFile(testenv.Command("gauge"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"gauge", "sluice-bridge"} {
		if err := os.WriteFile(filepath.Join(installed, command), gauge, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"drain", "rm"} {
		said, _ := exec.Command(filepath.Join(installed, "gauge"), command, name).CombinedOutput()
		if !strings.Contains(string(said), "sluice-bridge out --name "+name) {
			t.Errorf("%s", said)
		}
	}
	d := testenv.Start(t, "gauge", "drain", name, "--yes")
	d.WantExit(0)
	if d.Stdout.String() != lines {
		t.Error(d.Stdout.String())
	}
}
