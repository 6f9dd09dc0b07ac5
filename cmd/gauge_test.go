package cmd_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

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
	if seen["role"] != "observer" || seen["name"] != name || seen["verdict"] != "consumer-bound" || seen.num("queueDepth") != 8 || seen.num("throughputPerSec") <= 0 {
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
	if out := says(t, "stat", "--name", name); !strings.Contains(out, "no consumer; the producer goes on") || !strings.Contains(out, "of at most") {
		t.Errorf("%s", out)
	}
	p.kill()
}

func TestGaugeRemovesWhatNobodyUses(t *testing.T) {
	name, p, c := heldBack(t)
	start(t, "gauge", "rm", "--name", name).refuses(4, name, "role is taken")
	c.kill()
	start(t, "gauge", "rm", "--name", name, "--yes").refuses(4, name, "role is taken")
	p.kill()
	start(t, "gauge", "rm", "--name", name).refuses(2, name, "8 messages unread would be lost", "--yes")
	if out := says(t, "rm", "--name", name, "--yes"); !strings.Contains(out, "with 8 unread messages") {
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
		{"stat demo", "did you mean --name demo?"},
		{"stat --nmae x", "did you mean --name?"},
		{"stat --name a/b", "a/b"},
		{"stat --interval 0s", "--interval"},
		{"watch --interval 1ms", "at least 10ms"},
		{"record --interval 0s", "--interval"},
		{"ls stray", `"stray"`},
	} {
		start(t, "gauge", strings.Fields(c.args)...).refuses(2, c.says)
	}
}

func TestGaugeRecordsUntilThePairEnds(t *testing.T) {
	name, file := segmentName(t), filepath.Join(t.TempDir(), "rows.csv")
	g := start(t, "gauge", "record", "--name", name, "--interval", "5ms", "--output", file) // before there is anything
	c := start(t, "consumer", "--name", name, "--work", "1ms")
	p := start(t, "producer", "--name", name, "--slots", "8", "--count", "300", "--keep")
	p.ends(0)
	c.ends(0)
	g.ends(0)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	cell := func(row int, column string) float64 {
		i := slices.Index(rows[0], column)
		if i < 0 {
			t.Fatalf("no column %s in %v", column, rows[0])
		}
		x, err := strconv.ParseFloat(rows[row][i], 64)
		if err != nil {
			t.Fatalf("row %d: %v", row, err)
		}
		return x
	}
	for i := 2; i < len(rows); i++ {
		if cell(i, "timeSec") <= cell(i-1, "timeSec") || cell(i, "consumedCount") < cell(i-1, "consumedCount") || cell(i, "queueDepth") > 8 {
			t.Errorf("row %v after %v", rows[i], rows[i-1])
		}
	}
	if last := len(rows) - 1; cell(last, "consumedCount") != 300 || cell(last, "producedCount") != 300 || cell(last, "queueDepth") != 0 {
		t.Errorf("the last row is %v", rows[last])
	}
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
