package cmd_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// Both commands as systemd starts them, with the test in its place. The units are
// tested by scripts/systemd/test.sh, with the real one.

// manager is what a service tells systemd.
type manager struct {
	t    *testing.T
	env  []string // of the service
	told testenv.Buffer
	feed chan time.Time // one for each WATCHDOG=1
}

func manage(t *testing.T, watchdog time.Duration) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	addr := &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"}
	l, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); os.RemoveAll(dir) })
	m := &manager{t: t, feed: make(chan time.Time, 1000), env: []string{"NOTIFY_SOCKET=" + addr.Name}}
	if watchdog > 0 {
		m.env = append(m.env, fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds()))
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := l.Read(buf)
			if err != nil {
				return
			}
			fmt.Fprintf(&m.told, "%s\n", buf[:n])
			if strings.Contains(string(buf[:n]), "WATCHDOG=1") {
				m.feed <- time.Now()
			}
		}
	}()
	return m
}

// hears waits until the service has said that.
func (m *manager) hears(what string) {
	m.t.Helper()
	testenv.Eventually(m.t, fmt.Sprintf("%q", what), func() bool { return strings.Contains(m.told.String(), what) })
}

func (m *manager) start(command string, args ...string) *testenv.Process {
	m.t.Helper()
	return testenv.StartWith(m.t, command, testenv.Options{Args: args, Env: m.env})
}

func TestService_ReadyWhenRoleTaken(t *testing.T) {
	t.Parallel()
	name, producer, consumer := testenv.SegmentName(t), manage(t, 0), manage(t, 0)
	c := consumer.start("consumer", "--name", name)
	consumer.hears("STATUS=waiting for a producer")
	if strings.Contains(consumer.told.String(), "READY") {
		t.Error("the consumer is ready without a segment")
	}
	p := producer.start("producer", "--name", name, "--rate", "1000")
	producer.hears("READY=1\nSTATUS=")
	if h := testenv.Header(name); h == nil || h.ProducerStats.Generation.Load() != 1 {
		t.Error("ready without its role")
	}
	consumer.hears("READY=1\nSTATUS=")
	if h := testenv.Header(name); h.ConsumerStats.Generation.Load() != 1 {
		t.Error("ready without its role")
	}
	producer.hears("STATUS=producer-bound: ")
	p.Signal(unix.SIGTERM)
	producer.hears("STOPPING=1")
	p.WantExit(0)
	c.WantExit(0)
	if s := producer.told.String() + consumer.told.String(); strings.Contains(s, "WATCHDOG") {
		t.Errorf("there is no watchdog:\n%s", s)
	}
	testenv.WantNoSegment(t, name)
}

// A watchdog that is fed each second, and loops that do nothing for longer than its limit,
// for good reasons. The limit leaves three seconds for a machine that has much else to do.
func TestService_Watchdog_FedWhileLoopWaits(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	r, _ := testenv.Pipe(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	full := func() string { // a segment that waits for a consumer
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--count", "50").WantExit(0)
		return name
	}
	idle := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", idle, "--rate", "0.001")
	waits := map[string]*manager{}
	service := func(what, command string, args ...string) {
		m := manage(t, limit)
		waits[what] = m
		testenv.StartWith(t, command, testenv.Options{Args: append(args, "--report", "0"), Env: m.env, Stdin: r})
	}
	service("for room", "producer", "--name", testenv.SegmentName(t))
	service("for its turn", "producer", "--name", testenv.SegmentName(t), "--rate", "0.001")
	service("for its input", "producer", "--name", testenv.SegmentName(t), "--input", "-")
	service("for a consumer to deliver to", "producer", testenv.TransferArgs(testenv.SegmentName(t), "--count", "5")...)
	service("for a message", "consumer", "--name", idle)
	service("in its work", "consumer", "--name", full(), "--work", "1h")
	service("for its turn to take", "consumer", "--name", full(), "--rate", "0.001")
	service("for the reader of its output", "consumer", "--name", full(), "--output", fifo)
	r.Close()
	for _, m := range waits {
		m.hears("READY=1")
	}
	time.Sleep(2 * limit)
	for what, m := range waits {
		m.wantFed(what, limit)
	}
}

// wantFed expects that the watchdog was fed in time, so far, by a service that waits for something.
func (m *manager) wantFed(waits string, limit time.Duration) {
	m.t.Helper()
	if len(m.feed) == 0 {
		m.t.Errorf("waiting %s: never fed", waits)
		return
	}
	last, most := <-m.feed, time.Duration(0)
	for fed := 1; fed > 0; fed = len(m.feed) {
		select {
		case at := <-m.feed:
			most, last = max(most, at.Sub(last)), at
		default:
		}
	}
	if most = max(most, time.Since(last)); most > limit {
		m.t.Errorf("waiting %s: not fed for %v", waits, most)
	}
}

// Everything but its loop lives: timers, reports, the garbage collector.
func TestService_Watchdog_NotFedWhileLoopHangs(t *testing.T) {
	t.Parallel()
	name, m := testenv.SegmentName(t), manage(t, time.Second)
	testenv.Start(t, "producer", "--name", name, "--rate", "0.001")
	c, resume := holdConsumer(t, m, name)
	before := len(c.Reports())
	time.Sleep(1500 * time.Millisecond) // what it had left behind counts once more
	for len(m.feed) > 0 {
		<-m.feed
	}
	time.Sleep(2 * time.Second)
	if n := len(m.feed); n > 0 {
		t.Errorf("fed %d times", n)
	}
	if len(c.Reports()) < before+5 { // of 35, on a quiet machine
		t.Error("this was to show a process that goes on but for its loop")
	}
	resume()
	testenv.Eventually(t, "food again", func() bool { return len(m.feed) > 0 })
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
}

// holdConsumer starts a consumer and stops the thread that its loop is on.
func holdConsumer(t *testing.T, m *manager, name string) (c *testenv.Process, resume func()) {
	t.Helper()
	for range 10 { // a consumer in fifty has its loop on the first thread, on a busy machine
		c = m.start("consumer", "--name", name, "--report", "100ms", "--format", "json")
		m.hears("WATCHDOG=1")
		if resume = holdLoop(t, c); resume != nil {
			return c, resume
		}
		c.Signal(unix.SIGTERM)
		c.WantExit(0)
	}
	t.Fatal("the loop is on the first thread each time")
	return nil, nil
}

func TestService_UnknownVariable_UsageError(t *testing.T) {
	t.Parallel()
	name, m := testenv.SegmentName(t), manage(t, 0)
	mistake := []string{"SLUICE_CAPASITY=4KiB"}
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name}, Env: append(m.env, mistake...)}).
		WantError(2, "SLUICE_CAPASITY", "did you mean SLUICE_CAPACITY")
	testenv.WantNoSegment(t, name)
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--count", "1"}, Env: mistake}).WantExit(0)
	for command, env := range map[string]string{"producer": "SLUICE_DRAIN=1s", "consumer": "SLUICE_ON_FULL=drop"} { // the other's
		testenv.StartWith(t, command, testenv.Options{Args: []string{"--name", name, "--count", "1"}, Env: append(m.env, env)}).WantExit(0)
	}
}

// inJournal starts a command whose standard error is what JOURNAL_STREAM says.
func inJournal(t *testing.T, command string, args ...string) (*testenv.Process, *os.File) {
	t.Helper()
	r, w := testenv.Pipe(t)
	t.Cleanup(func() { r.Close() })
	var st unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	p := testenv.StartWith(t, command, testenv.Options{Args: args, Stderr: w, Env: []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", st.Dev, st.Ino)}})
	w.Close()
	return p, r
}

func TestService_Journal_SelfContainedLines(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p, r := inJournal(t, "producer", "--name", name, "--rate", "100", "--report", "100ms")
	first := make([]byte, 1)
	if _, err := r.Read(first); err != nil { // it is stopped after its first report
		t.Fatal(err)
	}
	p.Signal(unix.SIGTERM)
	said := string(first) + readAll(t, r)
	p.WantExit(0)
	if !strings.HasPrefix(said, "no-consumer: 0 msg/s, ") || strings.Contains(said, "msg/s queue") || strings.Contains(said, "<3>") {
		t.Errorf("%s", said)
	}
	p, r = inJournal(t, "consumer", "--name", name, "--mode", "transfer")
	said = readAll(t, r)
	p.WantExit(2)
	if !strings.HasPrefix(said, "<3>consumer: error: ") || strings.Count(said, "\n") != 2 || !strings.Contains(said, "\n<3>consumer: hint: ") {
		t.Errorf("an error and its hint have the priority of an error, each line: %q", said)
	}
	// Somebody else's journal: standard error was redirected.
	p = testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--mode", "transfer"}, Env: []string{"JOURNAL_STREAM=1:2"}})
	p.WantError(2, name)
}

func readAll(t *testing.T, r *os.File) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// activated starts a consumer with a listening socket as its third descriptor, as
// systemd does.
func activated(t *testing.T, path string, args ...string) *testenv.Process {
	t.Helper()
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sh := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, testenv.Command("consumer")}, args...)...)
	sh.ExtraFiles = []*os.File{f}
	c, err := testenv.StartCommand(t, sh, testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestService_ActivatedSocket_UsedAndLeft(t *testing.T) {
	t.Parallel()
	name, socket := testenv.SegmentName(t), filepath.Join(testenv.PrivateDir(t), "s")
	c := activated(t, socket, "--name", name, "--verify", "--socket", "/nowhere/else")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "1000", "--socket", socket)...)
	p.WantExit(0)
	c.WantExit(0)
	if f := p.Final(); f.Num("consumedCount") != 1000 {
		t.Errorf("%v consumed", f["consumedCount"])
	}
	if _, err := os.Lstat(socket); err != nil {
		t.Errorf("systemd's socket is gone: %v", err)
	}
	testenv.WantNoSegment(t, name)
}

func TestService_ActivatedSocket_RingLeavesIt(t *testing.T) {
	t.Parallel()
	name, socket := testenv.SegmentName(t), filepath.Join(testenv.PrivateDir(t), "s")
	testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	activated(t, socket, "--name", name, "--verify").WantExit(0)
	if _, err := os.Lstat(socket); err != nil {
		t.Error(err)
	}
}

// What a dead producer has sent to a socket that systemd holds is not lost: nobody can know
// how much that is before there is a consumer.
func TestService_SocketUnitHoldsMessages_NotCalledLost(t *testing.T) {
	t.Parallel()
	name, socket := testenv.SegmentName(t), filepath.Join(testenv.PrivateDir(t), "s")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "2000", "--socket", socket)...)
	testenv.EventuallyHeader(t, name, "a full socket", func(h *layout.Header) bool {
		return layout.RefuseReason(h.ProducerStats.RefuseReason.Load()) == layout.RefuseSocketFull
	})
	p.Kill()
	out := testenv.GaugeOutput(t, "stat", "--name", name)
	for _, want := range []string{" messages were lost with the producer, except those that a systemd socket unit may hold", "queue      at most ", "memory     at most "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sh := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, testenv.Command("consumer"), "--name", name, "--count", "10", "--format", "json")
	sh.ExtraFiles = []*os.File{f}
	c, err := testenv.StartCommand(t, sh, testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.WantExit(7) // the others are lost
	if n := c.Final().Num("consumedCount"); n != 10 {
		t.Errorf("%v of the messages that the socket held were taken, want 10", n)
	}
}

func TestService_ActivatedSocket_WrongKindRefused(t *testing.T) {
	t.Parallel()
	_, w := testenv.Pipe(t)
	sh := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, testenv.Command("consumer"), "--name", testenv.SegmentName(t))
	sh.ExtraFiles = []*os.File{w}
	c, err := testenv.StartCommand(t, sh, testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.WantExit(1)
	if said := c.Stderr.String(); !strings.Contains(said, "ListenSequentialPacket") {
		t.Errorf("%s", said)
	}
}
