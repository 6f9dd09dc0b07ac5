package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/ofdlock"
	"sluice/internal/testenv"
	"sluice/shm"
)

// segmentsNamed makes a segment of three messages for each suffix, and returns the name without
// it.
func segmentsNamed(t *testing.T, suffixes ...string) (stem string) {
	t.Helper()
	stem = testenv.SegmentName(t)
	for _, s := range suffixes {
		name := stem + s
		t.Cleanup(func() { os.Remove(shm.Path(name)) })
		testenv.Start(t, "producer", "--name", name, "--count", "3", "--report", "0").WantExit(0)
	}
	return stem
}

// jsonNames returns the names in lines of JSON.
func jsonNames(t *testing.T, out string) (names string) {
	t.Helper()
	for line := range strings.Lines(out) {
		var seen testenv.Report
		if err := json.Unmarshal([]byte(line), &seen); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		names += " " + seen["name"].(string)
	}
	return strings.TrimSpace(names)
}

func TestNames_PatternsChooseSegments(t *testing.T) {
	t.Parallel()
	stem := segmentsNamed(t, "-a", "-b1", "-b2")
	short := func(out string) string { return strings.ReplaceAll(jsonNames(t, out), stem, "") }
	for _, c := range []struct{ args, want string }{
		{"STEM-b*", "-b1 -b2"},
		{"--name STEM-b* --name STEM-a", "-a -b1 -b2"},
		{"STEM-b2 STEM-a", "-b2 -a"},
		{"--name STEM-a,STEM-b1", "-a -b1"},
		{"STEM*1", "-b1"},
	} {
		args := strings.Fields(strings.ReplaceAll(c.args, "STEM", stem))
		for _, command := range []string{"ls", "stat"} {
			if got := short(testenv.GaugeOutput(t, append([]string{command, "--json"}, args...)...)); got != c.want {
				t.Errorf("gauge %s %s: %q, want %q", command, c.args, got, c.want)
			}
		}
	}
	for _, command := range []string{"ls", "watch", "stat"} {
		out := testenv.GaugeOutput(t, command, stem+"-b*")
		if !strings.Contains(out, "-b1") || !strings.Contains(out, "-b2") || strings.Contains(out, "-a") { // long names are cut in the middle
			t.Errorf("gauge %s:\n%s", command, out)
		}
	}
	for _, command := range []string{"ls", "stat", "watch"} { // what is there is shown
		g := testenv.Start(t, "gauge", command, stem+"-a", stem+"-x*", stem+"-y")
		code, said := g.Wait(), g.Stderr.String()
		for _, want := range []string{`no segment matches "` + stem + `-x*"`, `segment "` + stem + `-y": not found`, "gauge ls shows"} {
			if !strings.Contains(said, want) || code != 1 {
				t.Errorf("gauge %s: code %d, no %q in %s", command, code, want, said)
			}
		}
		if !strings.Contains(g.Stdout.String(), "-a") {
			t.Errorf("gauge %s:\n%s", command, g.Stdout.String())
		}
	}
}

// A command that is stopped says how much of a pattern it has not removed.
func TestRemove_Stopped_SaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	stem := segmentsNamed(t, "-a", "-b", "-c")
	f, err := os.OpenFile(shm.Path(stem+"-b"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const joinLockByte = 2 // of package shm: a process is joining
	if ok, err := ofdlock.TryLock(f, joinLockByte); !ok || err != nil {
		t.Fatal(ok, err)
	}
	g := testenv.Start(t, "gauge", "rm", "--yes", stem+"-*")
	testenv.Eventually(t, "the first removed", func() bool {
		_, err := os.Stat(shm.Path(stem + "-a"))
		return err != nil
	})
	g.Signal(unix.SIGINT)
	if code, said := g.Wait(), g.Stderr.String(); code != 1 || !strings.Contains(said, "; 1 segment not removed: the command was stopped\n") {
		t.Errorf("exit code %d, %s", code, said)
	}
	if _, err := os.Stat(shm.Path(stem + "-c")); err != nil {
		t.Error(err)
	}
}

func TestNames_BadPattern_UsageError(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"ls", "stat", "watch", "serve", "rm"} {
		testenv.Start(t, "gauge", command, "--name", "a[bc]*").WantError(2, `bad segment name "a[bc]*"`)
		testenv.Start(t, "gauge", command, "--name", strings.Repeat("a*,", 256)+"a*").WantError(2, "257 names and patterns are too many: want at most 256")
	}
	testenv.Start(t, "gauge", "stat", "a?").WantError(2, `bad segment name "a?"`)
}

// What waits is told what it waits for, and shows it when it comes.
func TestNames_ServeWaitsForPattern(t *testing.T) {
	t.Parallel()
	stem := segmentsNamed(t, "-other")
	g, addr := serving(t, "127.0.0.1", "--name", stem+"-x*")
	live := func() string { _, text := request(t, "GET", "http://"+addr+"/live.json", addr); return text }
	metrics := func() string { _, text := request(t, "GET", "http://"+addr+"/metrics", addr); return text }
	if text := live(); !strings.Contains(text, `"names":["`+stem+`-x*"]`) || !strings.Contains(text, `"pairs":[]`) {
		t.Errorf("%s", text)
	}
	if text := metrics(); strings.Contains(text, stem) {
		t.Errorf("%s", text)
	}
	x := stem + "-x1"
	t.Cleanup(func() { os.Remove(shm.Path(x)) })
	testenv.Start(t, "producer", "--name", x, "--count", "3", "--report", "0").WantExit(0)
	testenv.Eventually(t, "the page shows the segment", func() bool { return strings.Contains(live(), `"name":"`+x+`"`) })
	if text := metrics(); !strings.Contains(text, `name="`+x+`"`) || strings.Contains(text, stem+"-other") {
		t.Errorf("%s", text)
	}
	g.Signal(unix.SIGINT)
	g.WantExit(0)
}

// A pattern may match more than the user thought of: with it, too, nothing goes that is in use, no
// unread message without --yes, and no file that is not a segment.
func TestRm_Pattern_OnlyUnusedSegments(t *testing.T) {
	t.Parallel()
	stem := segmentsNamed(t, "-a", "-b")
	live, file, empty := stem+"-live", stem+"-file", stem+"-empty"
	t.Cleanup(func() { os.Remove(shm.Path(file)); os.Remove(shm.Path(empty)) })
	testenv.Start(t, "producer", "--name", empty, "--count", "3", "--keep", "--report", "0")
	testenv.Start(t, "consumer", "--name", empty, "--keep", "--report", "0").WantExit(0)
	p := testenv.Start(t, "producer", "--name", live, "--slots", "8", "--report", "0")
	full(t, live)
	if err := os.WriteFile(shm.Path(file), []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	left := func() (names string) {
		files, _ := filepath.Glob(shm.Path(stem) + "*")
		for _, f := range files {
			names += strings.TrimPrefix(f, shm.Path(stem)) + " "
		}
		return names
	}
	refused := func(words []string, flags ...string) {
		g := testenv.Start(t, "gauge", append([]string{"rm", stem + "-*"}, flags...)...)
		code, said := g.Wait(), g.Stderr.String()
		for _, w := range words {
			if code != 2 || !strings.Contains(said, w) {
				t.Errorf("gauge rm %v: code %d, no %q in %s", flags, code, w, said)
			}
		}
	}
	refused([]string{"3 messages unread would be lost", stem + "-a", stem + "-b", live, file, "not a sluice segment"})
	if got := left(); got != "-a -b -file -live " {
		t.Errorf("without --yes: left %q", got)
	}
	refused([]string{live, "process", file, "not a sluice segment", "gauge rm --yes " + file}, "--yes")
	if got := left(); got != "-file -live " {
		t.Errorf("with --yes: left %q", got)
	}
	testenv.Start(t, "gauge", "rm", stem+"-x*").WantError(1, "no segment matches")
	p.Kill()
	testenv.GaugeOutput(t, "rm", "--yes", live, file)
	if got := left(); got != "" {
		t.Errorf("named in full: left %q", got)
	}
}

// Rows of several segments have names. What comes later joins, and what is no segment does not stop
// it.
func TestRecord_Pattern_UntilAllPairsEnd(t *testing.T) {
	t.Parallel()
	stem := segmentsNamed(t, "-other")
	a, b, bad := stem+"-x-a", stem+"-x-b", stem+"-x-bad"
	t.Cleanup(func() { os.Remove(shm.Path(a)); os.Remove(shm.Path(b)); os.Remove(shm.Path(bad)) })
	if err := os.WriteFile(shm.Path(bad), []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rows.csv")
	g := testenv.Start(t, "gauge", "record", "--name", stem+"-x-*", "--interval", "5ms", "--output", file)
	rows := func(name string) int {
		text, _ := os.ReadFile(file)
		return strings.Count(string(text), ","+name+",")
	}
	long := testenv.Start(t, "producer", "--name", a, "--rate", "1000", "--report", "0")
	testenv.Start(t, "consumer", "--name", a, "--report", "0")
	testenv.Eventually(t, "rows of the first", func() bool { return rows(a) > 2 })
	testenv.Start(t, "producer", "--name", b, "--rate", "1000", "--count", "100", "--report", "0")
	testenv.Start(t, "consumer", "--name", b, "--report", "0").WantExit(0)
	testenv.Eventually(t, "rows of the second", func() bool { return rows(b) > 2 })
	before := rows(a)
	testenv.Eventually(t, "more rows of the first", func() bool { return rows(a) > before })
	long.Signal(unix.SIGINT)
	long.WantExit(0)
	if code, said := g.Wait(), g.Stderr.String(); code != 0 || strings.Count(said, bad) != 1 {
		t.Errorf("code %d, %s", code, said)
	}
	r := readRecorded(t, file)
	if r.rows[0][1] != "name" || rows(stem+"-other") > 0 {
		t.Errorf("columns %v", r.rows[0])
	}
	for i := len(r.rows) - 1; i > 0; i-- {
		if r.rows[i][1] == b {
			if r.cell(i, "consumedCount") != 100 {
				t.Errorf("the last row of the second is %v", r.rows[i])
			}
			break
		}
	}
	testenv.Start(t, "gauge", "record", "--name", "a?*", "--output", file).WantError(2, `bad segment name "a?*"`)
}
