package cmd_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// says runs gauge and returns its standard output.
func says(t *testing.T, args ...string) string {
	t.Helper()
	g := start(t, "gauge", args...)
	g.ends(0)
	return g.stdout.String()
}

// heldBack is a pair whose producer waits for its consumer.
func heldBack(t *testing.T, flags ...string) (name string, p, c *proc) {
	t.Helper()
	name = segmentName(t)
	c = start(t, "consumer", "--name", name, "--work", "5ms", "--format", "json")
	p = start(t, "producer", append([]string{"--name", name, "--slots", "8", "--format", "json"}, flags...)...)
	moved(t, name, 20)
	return name, p, c
}

func TestGaugeSaysWhoIsSlower(t *testing.T) {
	name, p, c := heldBack(t)
	var seen figures
	if err := json.Unmarshal([]byte(says(t, "stat", "--name", name, "--json")), &seen); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, ok := seen[k]; !ok {
			t.Errorf("no %s in %v", k, seen)
		}
	}
	if seen["role"] != "observer" || seen["name"] != name || seen["verdict"] != "consumer-bound" || seen.num("queueDepth") < 7 || seen.num("throughputPerSec") <= 0 {
		t.Errorf("%v", seen)
	}
	for _, args := range [][]string{{"stat", "--name", name}, {"ls"}, {}, {"watch"}, {"watch", "--name", name}} {
		if out := says(t, args...); !strings.Contains(out, name) || !strings.Contains(out, "consumer-bound") {
			t.Errorf("gauge %v:\n%s", args, out)
		}
	}
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
	gone(t, name)
}

// What a pipe gets is what the locale can show.
func TestGaugeWatchInAPipe(t *testing.T) {
	name, p, c := heldBack(t)
	for locale, utf8 := range map[string]bool{"C": false, "C.UTF-8": true} {
		g := startWith(t, "gauge", run{Args: []string{"watch", "--name", name}, Env: []string{"LC_ALL=" + locale}})
		g.ends(0)
		out := g.stdout.String()
		if !strings.Contains(out, "consumer-bound") || strings.Contains(out, "█") != utf8 || strings.Contains(out, "\x1b") {
			t.Errorf("%s:\n%s", locale, out)
		}
		if !utf8 && strings.IndexFunc(out, func(r rune) bool { return r >= 0x80 }) >= 0 {
			t.Errorf("%s:\n%q", locale, out)
		}
	}
	p.kill()
	c.kill()
}

func TestGaugeSeesThePairThatWasKilled(t *testing.T) {
	name, p, c := heldBack(t)
	c.kill()
	if out := says(t, "stat", "--name", name); !strings.Contains(out, "consumer   died") || !strings.Contains(out, "no-consumer") {
		t.Errorf("%s", out)
	}
	p.kill()
	if out := says(t, "ls"); !strings.Contains(out, "died") {
		t.Errorf("%s", out)
	}
}

func TestGaugeSeesTransfers(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", transferring(name, "--rate", "2000")...)
	eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > 500 })
	if out := says(t, "stat", "--name", name); !strings.Contains(out, "no consumer lives; the producer goes on and queues") || !strings.Contains(out, "of at most") {
		t.Errorf("%s", out)
	}
	p.kill()
}

func TestGaugeRemovesWhatNobodyUses(t *testing.T) {
	name, p, c := heldBack(t)
	taken := fmt.Sprintf("role is taken: a live process is its producer (process %d)", p.cmd.Process.Pid)
	start(t, "gauge", "rm", "--name", name).refuses(4, name, taken)
	start(t, "producer", "--name", name, "--fresh").refuses(4, name, taken)
	c.kill()
	start(t, "gauge", "rm", "--name", name, "--yes").refuses(4, name, taken)
	p.kill()
	start(t, "gauge", "rm", "--name", name).refuses(2, name, "8 messages unread would be lost", "--yes")
	if out := says(t, "rm", "--name", name, "--yes"); !strings.Contains(out, "with 8 messages unread") {
		t.Errorf("%q", out)
	}
	gone(t, name)
	start(t, "gauge", "rm", "--name", name).refuses(1, name, "there is none", "gauge ls")
	start(t, "gauge", "watch", "--name", name).refuses(1, name, "there is none", "gauge ls")

	if err := os.WriteFile(shm.Path(name), []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "gauge", "rm", "--name", name).refuses(2, name, "not a sluice segment", "--yes")
	says(t, "rm", "--name", name, "--yes")
	gone(t, name)
}

// The socket of a dead transfer goes with its segment, wherever it is; that of a live
// consumer, and what is no socket, stays.
func TestGaugeRemovesTheSocketOfADeadTransfer(t *testing.T) {
	dir := ownDir(t)
	for i, place := range []string{"", filepath.Join(dir, "a"), filepath.Join(dir, "listens"), filepath.Join(dir, "file")} {
		name, flags, path := segmentName(t), []string{}, place
		if place == "" {
			path = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "sluice", name+".sock")
		} else {
			flags = []string{"--socket", place}
		}
		c := start(t, "consumer", append(flags, "--name", name, "--mode", "transfer")...)
		p := start(t, "producer", transferring(name, append(flags, "--rate", "100")...)...)
		moved(t, name, 1)
		p.kill()
		c.kill()
		if _, err := os.Lstat(path); err != nil {
			t.Fatal("a killed consumer leaves its socket: ", err)
		}
		stays := i >= 2
		if i == 2 {
			os.Remove(path)
			l, err := net.Listen("unixpacket", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
		if i == 3 {
			if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		out := says(t, "rm", name)
		_, err := os.Lstat(path)
		if there := err == nil; there != stays || strings.Contains(out, "removed "+path) == stays {
			t.Errorf("%s: still there %v, %q", path, there, out)
		}
		gone(t, name)
	}
}

func TestGaugeOnWhatIsNotThereOrDamaged(t *testing.T) {
	name := segmentName(t)
	for _, args := range [][]string{{"stat"}, {"rm"}} {
		start(t, "gauge", append(args, "--name", name)...).refuses(1, name, "there is none", "gauge ls")
	}
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	scribble(t, name, 8, 99) // the version
	start(t, "gauge", "stat", "--name", name).refuses(6, name, "version 99")
	start(t, "gauge", "record", "--name", name, "--output", "-").ends(6)
	if out := says(t, "ls"); !strings.Contains(out, name) || !strings.Contains(out, "another version") {
		t.Errorf("%s", out)
	}
	if out := says(t, "watch", "--name", name); !strings.Contains(out, "another version") {
		t.Errorf("%s", out)
	}
	scribble(t, name, 8, layout.Version)
	for offset := int64(0x80); offset < 0x500; offset += 8 { // nonsense everywhere
		scribble(t, name, offset, ^uint64(0)>>1)
	}
	for _, args := range [][]string{{"stat", "--name", name}, {"stat", "--json", "--name", name}, {"ls"}, {"watch", "--name", name}} {
		says(t, args...)
	}
	if err := os.Truncate(shm.Path(name), 100); err != nil {
		t.Fatal(err)
	}
	start(t, "gauge", "stat", "--name", name).refuses(6, name, "100 bytes")
}

func TestGaugeMistakes(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"wotch", "did you mean watch?"},
		{"frobnicate", "there are ls, stat"},
		{"stat a/b", `"a/b"`},
		{"stat demo other", `"other"`},
		{"record demo rows.csv", "did you mean --output rows.csv?"},
		{"record - demo", "did you mean --output -, which writes to standard output?"},
		{"serve :9464", "did you mean --listen :9464?"},
		{"serve demo", "gauge stat"},
		{"stat demo --name other", `"demo" besides --name`},
		{"layout demo", `"demo"`},
		{"record --output=", "--output: want the name of a file"},
		{"stat --json=maybe", "want true or false"},
		{"help frobnicate", "there are ls, stat"},
		{"stat --nmae x", "did you mean --name?"},
		{"stat --name a/b", "a/b"},
		{"stat --interval 0s", "--interval"},
		{"watch --interval 1ms", "want one >= 10ms"},
		{"record --interval 0s", "--interval"},
		{"record --interval -1s", "--interval"},
		{"record --duration -5s", `--duration: invalid time "-5s"`},
		{"stat --interval -1s", "--interval"},
		{"watch --interval -1s", "--interval"},
		{"ls stray", `"stray"`},
	} {
		start(t, "gauge", strings.Fields(c.args)...).refuses(2, c.says)
	}
}

// A name that was mistyped is answered with those that it may have been meant for.
func TestGaugeNamesTheSegmentsThereAre(t *testing.T) {
	name, p, c := heldBack(t)
	for i := range 6 { // more than can be listed
		other := segmentName(t) + "-something-else-altogether"
		t.Cleanup(func() { os.Remove(shm.Path(other)) })
		if err := os.WriteFile(shm.Path(other), nil, 0o600); err != nil {
			t.Fatal(i, err)
		}
	}
	for _, args := range [][]string{{"stat"}, {"rm"}, {"watch"}} {
		start(t, "gauge", append(args, "--name", name+"x")...).refuses(1, "there is none", "gauge ls shows "+name)
	}
	g := start(t, "gauge", "record", "--name", name+"x", "--output", filepath.Join(t.TempDir(), "rows.csv"))
	within(t, "gauge record says what it waits for", func() bool { return strings.Contains(g.stderr.String(), "\n") })
	if said := g.stderr.String(); !strings.Contains(said, "waiting for segment") || !strings.Contains(said, "gauge ls shows "+name) {
		t.Errorf("%s", said)
	}
	g.signal(unix.SIGINT)
	g.ends(0)
	if said := g.stderr.String(); !strings.Contains(said, "nothing was recorded: there was no segment") {
		t.Errorf("%s", said)
	}
	p.kill()
	c.kill()
}

// recorded is what gauge record has written: a table of numbers, and the names of its
// columns.
type recorded struct {
	t    *testing.T
	rows [][]string
}

func readRecorded(t *testing.T, file string) recorded {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	return recorded{t, rows}
}

func (r recorded) cell(row int, column string) float64 {
	r.t.Helper()
	i := slices.Index(r.rows[0], column)
	if i < 0 {
		r.t.Fatalf("no column %s in %v", column, r.rows[0])
	}
	x, err := strconv.ParseFloat(r.rows[row][i], 64)
	if err != nil {
		r.t.Fatalf("row %d: %v", row, err)
	}
	return x
}

func TestGaugeRecordsUntilThePairEnds(t *testing.T) {
	name, file := segmentName(t), filepath.Join(t.TempDir(), "rows.csv")
	g := start(t, "gauge", "record", "--name", name, "--interval", "5ms", "--output", file) // before there is anything
	c := start(t, "consumer", "--name", name, "--work", "1ms")
	p := start(t, "producer", "--name", name, "--slots", "8", "--count", "300", "--keep")
	p.ends(0)
	c.ends(0)
	g.ends(0)
	r := readRecorded(t, file)
	if len(r.rows) < 10 {
		t.Fatalf("%d rows", len(r.rows))
	}
	for i := 2; i < len(r.rows); i++ {
		if r.cell(i, "timeSec") <= r.cell(i-1, "timeSec") || r.cell(i, "consumedCount") < r.cell(i-1, "consumedCount") || r.cell(i, "queueDepth") > 8 {
			t.Errorf("row %v after %v", r.rows[i], r.rows[i-1])
		}
	}
	if last := len(r.rows) - 1; r.cell(last, "consumedCount") != 300 || r.cell(last, "producedCount") != 300 || r.cell(last, "queueDepth") != 0 {
		t.Errorf("the last row is %v", r.rows[last])
	}
}

// However far apart the rows are, the last one is of the end: when the last side removes
// the segment, when both are killed, and when gauge is stopped.
func TestTheLastRowIsOfTheEnd(t *testing.T) {
	dir := t.TempDir()
	record := func(name, file string, more ...string) (g *proc) {
		g = start(t, "gauge", append([]string{"record", "--name", name, "--output", file}, more...)...)
		within(t, "the first row", func() bool { text, _ := os.ReadFile(file); return strings.Count(string(text), "\n") >= 2 })
		return g
	}
	t.Run("removed", func(t *testing.T) {
		name, file := segmentName(t), filepath.Join(dir, "removed")
		input, lines, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer input.Close()
		c := start(t, "consumer", "--name", name)
		p := startWith(t, "producer", run{Args: []string{"--name", name, "--input", "-"}, Stdin: input})
		fmt.Fprintln(lines, "the first")
		g := record(name, file, "--interval", "400ms")
		for range 299 {
			fmt.Fprintln(lines, "another")
		}
		lines.Close()
		p.ends(0)
		c.ends(0)
		g.ends(0)
		if r := readRecorded(t, file); r.cell(len(r.rows)-1, "consumedCount") != 300 {
			t.Errorf("the last row is %v", r.rows[len(r.rows)-1])
		}
	})
	t.Run("stopped", func(t *testing.T) {
		name, file := segmentName(t), filepath.Join(dir, "stopped")
		start(t, "producer", "--name", name, "--count", "100", "--keep").ends(0)
		g := record(name, file, "--interval", "1h")
		start(t, "producer", "--name", name, "--count", "200", "--keep").ends(0)
		g.signal(unix.SIGINT)
		g.ends(0)
		if r := readRecorded(t, file); r.cell(1, "producedCount") != 100 || r.cell(len(r.rows)-1, "producedCount") != 300 {
			t.Errorf("%v", r.rows)
		}
	})
	t.Run("of that time", func(t *testing.T) {
		name, file := segmentName(t), filepath.Join(dir, "duration")
		start(t, "producer", "--name", name, "--count", "100", "--keep").ends(0)
		record(name, file, "--interval", "1h", "--duration", "200ms").ends(0)
		if r := readRecorded(t, file); len(r.rows) != 3 || r.cell(2, "timeSec") < 0.1 {
			t.Errorf("%v", r.rows)
		}
	})
}

// A pair that has ended has a first row and a last one, and no more.
func TestGaugeRecordsAPairThatHasEnded(t *testing.T) {
	name, dir := segmentName(t), t.TempDir()
	pair := func() {
		c := start(t, "consumer", "--name", name, "--keep")
		start(t, "producer", "--name", name, "--keep", "--count", "100").ends(0)
		c.ends(0)
	}
	pair()
	file := filepath.Join(dir, "ended")
	g := start(t, "gauge", "record", "--name", name, "--output", file)
	g.ends(0)
	if said := g.stderr.String(); !strings.Contains(said, "has ended already") || strings.Count(said, "\n") != 2 {
		t.Errorf("%s", said)
	}
	if r := readRecorded(t, file); len(r.rows) != 3 || r.cell(1, "timeSec") != 0 || r.cell(2, "timeSec") <= 0 || r.cell(2, "consumedCount") != 100 {
		t.Errorf("%v", r.rows)
	}
	says(t, "rm", name)

	// So has one that came and went between two looks.
	g = start(t, "gauge", "record", "--name", name, "--interval", "2s", "--output", filepath.Join(dir, "missed"))
	within(t, "the header line", func() bool { text, _ := os.ReadFile(filepath.Join(dir, "missed")); return len(text) > 0 })
	pair()
	g.ends(0)
}

// The pair that starts again may want another segment.
func TestGaugeRecordsThePairThatReplacesOneThatHasEnded(t *testing.T) {
	name, file := segmentName(t), filepath.Join(t.TempDir(), "rows")
	c := start(t, "consumer", "--name", name, "--keep")
	start(t, "producer", "--name", name, "--keep", "--count", "100").ends(0)
	c.ends(0)
	g := start(t, "gauge", "record", "--name", name, "--output", file)
	within(t, "a row", func() bool { text, _ := os.ReadFile(file); return strings.Count(string(text), "\n") > 1 })
	p := start(t, "producer", "--name", name, "--fresh", "--rate", "100")
	eventually(t, name, "the next segment", func(h *layout.Header) bool { return h.ProducerStats.PID.Load() == uint64(p.cmd.Process.Pid) })
	start(t, "consumer", "--name", name, "--count", "7").ends(0)
	p.signal(unix.SIGTERM)
	p.ends(0)
	g.ends(0)
	if strings.Contains(g.stderr.String(), "has ended already") {
		t.Skip("NOT TESTED: no producer came within a second")
	}
	if r := readRecorded(t, file); r.cell(len(r.rows)-1, "consumedCount") != 7 {
		t.Errorf("the last row is %v", r.rows[len(r.rows)-1])
	}
}

// Where only one side has been, the pair is still to come.
func TestGaugeRecordSaysThatItWaitsForASide(t *testing.T) {
	name, file := segmentName(t), filepath.Join(t.TempDir(), "rows")
	start(t, "producer", "--name", name, "--count", "100").ends(0)
	g := start(t, "gauge", "record", "--name", name, "--output", file)
	g.says("waiting for a side to come: nobody is in segment \"" + name + "\"")
	start(t, "consumer", "--name", name).ends(0)
	g.ends(0)
	if r := readRecorded(t, file); r.cell(len(r.rows)-1, "consumedCount") != 100 {
		t.Errorf("the last row is %v", r.rows[len(r.rows)-1])
	}
}

// Neither a pipe that is full nor one that nobody has opened keeps it from being stopped;
// nobody has its rows.
func TestGaugeRecordsForNoReaderAndEnds(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "10").ends(0)
	path := filepath.Join(ownDir(t), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	record := []string{"record", "--name", name, "--duration", "100ms"}
	start(t, "gauge", append(record, "--output", path)...).refuses(1, "nobody has "+path+" open for reading", "nothing was recorded", "--output FILE")
	both, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	both.Close()
	startWith(t, "gauge", run{Args: record, Stdout: left}).refuses(1, "nobody has standard output open for reading", "--output FILE")
	g := start(t, "gauge", "record", "--name", name, "--output", path)
	g.says("waiting for somebody to read " + path)
	g.signal(unix.SIGINT)
	g.ends(1)
	if said := g.stderr.String(); !strings.Contains(said, "error: output: nobody has "+path+" open for reading, and nothing was recorded") {
		t.Errorf("%s", said)
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	g = startWith(t, "gauge", run{Args: record, Stdout: w})
	g.refuses(1, "its reader does not read", "the last rows are not written", "--output FILE")
}

func TestGaugeLayoutIsThatOfThePage(t *testing.T) {
	page, err := os.ReadFile("../docs/layout.md")
	if err != nil {
		t.Fatal(err)
	}
	if out := says(t, "layout"); !strings.Contains(string(page), out) {
		t.Errorf("the table is not that of docs/layout.md:\n%s", out)
	}
	var fields []layout.Field
	if err := json.Unmarshal([]byte(says(t, "layout", "--json")), &fields); err != nil || !slices.Equal(fields, layout.Fields()) {
		t.Errorf("%v: %v", err, fields)
	}
}

func TestGaugeAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start commands as somebody else")
	}
	name, p, c := heldBack(t)
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	startWith(t, "gauge", run{Args: []string{"stat", "--name", name}, Attr: nobody}).refuses(6, name, "belongs to user 0")
	other := segmentName(t)
	q := startWith(t, "producer", run{Args: []string{"--name", other, "--rate", "100"}, Attr: nobody})
	eventually(t, other, "a message", func(h *layout.Header) bool { return h.Producer.Count.Load() > 0 })
	says(t, "stat", "--name", other) // root may read, and takes no part
	for _, side := range []*proc{p, c, q} {
		side.kill()
	}
}
