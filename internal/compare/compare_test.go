package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/pressure"
	"sluice/shm"
)

func TestMain(m *testing.M) { testenv.MainWithCommands(m, "./scripts/compare") }

// built returns the directory with the commands.
func built() string {
	testenv.ReadSources()
	return testenv.BinDir()
}

// leftBehind lists the segments of a process's runs.
func leftBehind(pid int) []string {
	left, _ := filepath.Glob(shm.Path(fmt.Sprintf("compare.%d", pid)))
	return left
}

// loadNamed returns an open-loop load of that length.
func loadNamed(id string, length time.Duration) Load {
	loads := Loads(length)
	return loads[slices.IndexFunc(loads, func(l Load) bool { return l.ID == id })]
}

// A consumer that is stopped for a third of the time shows as that in every model, and the models
// differ in where the messages wait.
func TestRun_Stall_ShowsInEveryModel(t *testing.T) {
	testenv.NotShort(t)
	runtime.LockOSThread() // the processes end with the thread that has started them
	defer runtime.UnlockOSThread()
	r := Runner{Bin: built(), Dir: testenv.PrivateDir(t)}
	ballast := bytes.Repeat([]byte("own memory, which is not theirs "), 4<<20) // 128 MiB
	defer runtime.KeepAlive(ballast)
	whole(t, runStalls(t, r))
	if left := leftBehind(os.Getpid()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// runStalls runs a load whose consumer is stopped, with every model. A machine that lets a side
// wait for a processor for as long as the consumer is stopped holds messages back as much: then
// all are run again, for twice as long.
func runStalls(t *testing.T, r Runner) *Report {
	t.Helper()
	for length := 900 * time.Millisecond; length < 10*time.Second; length *= 2 {
		rep := &Report{Machine: ThisMachine(), Began: time.Now()}
		for _, m := range Models {
			run := runStall(t, r, m, length)
			if run == nil {
				break
			}
			rep.Runs = append(rep.Runs, run)
		}
		if len(rep.Runs) == len(Models) {
			return rep
		}
	}
	t.Fatal("never as it should be")
	return nil
}

// runStall runs the load with a model until it comes out as it should, a few times; else it returns
// nil.
func runStall(t *testing.T, r Runner, m Model, length time.Duration) *Run {
	t.Helper()
	for try := range 3 {
		run, wrong := tryStall(t, r, m, length)
		if wrong == "" {
			return run
		}
		t.Logf("%s, %v, try %d: %s", m.Name, length, try, wrong)
	}
	return nil
}

// tryStall runs the load once, and returns what was not as expected of the model.
func tryStall(t *testing.T, r Runner, m Model, length time.Duration) (run *Run, wrong string) {
	t.Helper()
	stall := loadNamed("stall", length)
	stall.Work = 50 * time.Microsecond // so that it catches up beside other work, too
	run, err := r.Run(t.Context(), stall, m)
	if err != nil {
		t.Fatal(err)
	}
	f := &run.Figures
	if n := uint64(stall.Count()); f.Offered != n || f.Sent != n || f.Taken != n || f.Unsent != 0 || f.LimitAfter != 0 {
		t.Errorf("%s: of %d: %d offered, %d sent, %d taken, %d unsent; limit after %v", m.Name, n, f.Offered, f.Sent, f.Taken, f.Unsent, f.LimitAfter)
	}
	for _, use := range []Usage{f.Producer, f.Consumer} {
		if use.PeakRSS == 0 { // this process was not run while they were
			wrong += "memory was never looked at; "
		} else if use.CPU <= 0 || use.PeakRSS < 1<<20 || use.PeakRSS > 100<<20 {
			t.Errorf("%s: %+v", m.Name, use)
		}
	}
	if f.Elapsed > 2*length {
		wrong += fmt.Sprintf("took %v; ", f.Elapsed)
	}
	if !showsStall(run) {
		wrong += fmt.Sprintf("response %+v; ", f.Response)
	}
	if held := f.ProducerBlocked > stall.Stalled()/2; held != (m.Kind != pressure.Soft) {
		wrong += fmt.Sprintf("blocked for %v; ", f.ProducerBlocked)
	}
	if deep := f.Deepest > boundMessages; deep != (m.Kind == pressure.Soft) || f.Deepest < boundMessages/2 {
		wrong += fmt.Sprintf("%v messages queued; ", f.Deepest)
	}
	if inFront := f.WorstUnsent > f.WorstQueued; inFront != (m.Kind != pressure.Soft) {
		wrong += fmt.Sprintf("%d unsent and %d queued; ", f.WorstUnsent, f.WorstQueued)
	}
	if f.Others < 0 || f.Others > float64(runtime.NumCPU()) || f.TakenPerSec < 100 || f.Latency.Count == 0 || f.Lateness.Count == 0 {
		wrong += fmt.Sprintf("%v msg/s, latency of %d, lateness of %d; ", f.TakenPerSec, f.Latency.Count, f.Lateness.Count)
	}
	return run, wrong
}

// whole expects a report in which nothing is missing, and whose sentences are true of it.
func whole(t *testing.T, rep *Report) {
	t.Helper()
	files, err := rep.Files()
	if err != nil {
		t.Fatal(err)
	}
	page, md := string(files["report.html"]), string(files["report.md"])
	if n := strings.Count(page, "<svg"); n != strings.Count(md, "![") || n < 4 {
		t.Errorf("%d pictures in the page, %d in the text", n, strings.Count(md, "!["))
	}
	for _, want := range []string{"shows as that in every model", "with hard and credit in front of the producer, with soft in the queue", "What should I use", "Is the capacity right?", "The two times"} {
		if !strings.Contains(page, want) || !strings.Contains(strings.Join(strings.Fields(md), " "), want) {
			t.Errorf("no %q in the report", want)
		}
	}
	for _, bad := range []string{"{{", "NaN", "%!", "Inf", "http://", "https://"} {
		for file, text := range map[string]string{"page": strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, ""), "text": md, "terminal": rep.Text()} {
			if strings.Contains(text, bad) {
				t.Errorf("%q in the %s", bad, file)
			}
		}
	}
	if files["recordings/stall-hard.csv"] == nil || !bytes.HasPrefix(files["response-stall.svg"], []byte("<svg")) {
		t.Error("recordings or pictures are missing")
	}
	wantConsistent(t, rep, rep)
}

func TestRun_Overload_SoftEndsAtLimit(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := Runner{Bin: built(), Dir: testenv.PrivateDir(t)}
	l := loadNamed("overload", time.Second)
	l.Length = 30 * time.Second // never waited for
	run, err := r.Run(t.Context(), l, Models[2])
	if err != nil {
		t.Fatal(err)
	}
	if run.LimitAfter <= 0 || run.LimitAfter > 20*time.Second || run.Memory < 6<<20 || run.Limit != 8<<20 {
		t.Errorf("limit of %d after %v, %d bytes", run.Limit, run.LimitAfter, run.Memory)
	}
	rep := &Report{Runs: []*Run{run}}
	if s := rep.soft(); len(s) != 1 || s[0].Kind != "soft-limit" {
		t.Errorf("%q", s)
	}
	wantConsistent(t, rep, rep)
}

// A model with a bound goes on under an overload until it is ended, and what was not sent is
// accounted for.
func TestRun_Overload_BoundedUnsent(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := Runner{Bin: built(), Dir: testenv.PrivateDir(t)}
	for _, m := range Models[:2] {
		run, err := r.Run(t.Context(), loadNamed("overload", 500*time.Millisecond), m)
		if err != nil {
			t.Fatal(err)
		}
		if f := &run.Figures; f.LimitAfter != 0 || f.Unsent == 0 || f.Offered != f.Sent+f.Unsent || f.Deepest > boundMessages {
			t.Errorf("%s: %d offered, %d sent, %d unsent, %d queued; limit after %v", m.Name, f.Offered, f.Sent, f.Unsent, f.Deepest, f.LimitAfter)
		}
	}
}

// A sentence whose premise did not come true is not said, and a run that is missing is no reason
// to fail.
func TestFindings_OfFewRuns(t *testing.T) {
	testenv.NotShort(t)
	theory := simulated(true)
	for i := 0; i < len(theory.Runs); i += 2 {
		rep := *theory
		rep.Runs = theory.Runs[i : i+1]
		wantConsistent(t, &rep, &rep)
		rep.Runs = append(slices.Clone(theory.Runs[:i]), theory.Runs[i+1:]...)
		wantConsistent(t, &rep, &rep)
		rep.Runs = []*Run{{Load: theory.Runs[i].Load, Model: theory.Runs[i].Model}} // nothing was measured
		wantConsistent(t, &rep, &rep)
		rep.Text()
	}
	if rep := (&Report{}); len(everything(rep)) != 0 {
		t.Errorf("of nothing: %v", everything(rep))
	}
}

// Every load is stated, beside its picture and in it, and the words are those of the README.
func TestReport_SaysWhatWasMeasured(t *testing.T) {
	rep := simulated(true)
	pictures := rep.Pictures()
	var page bytes.Buffer
	if err := rep.HTML(&page, pictures); err != nil {
		t.Fatal(err)
	}
	md := strings.Join(strings.Fields(rep.Markdown(pictures)), " ")
	html := strings.ReplaceAll(page.String(), "\u00a0", " ") // between numbers and units
	for what, text := range map[string]string{"page": html, "text": md} {
		for _, want := range []string{"hard", "credit", "soft plain", "soft packed", "soft recycled", capital(sizesAbout), capital(boundsAbout), "64 KiB, messages/s", "GB/s", "A quick run"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q", what, want)
			}
		}
		for _, bad := range []string{"size-8", "bound-0", "time-to-spare,", "k MB/s", "—"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %q", what, bad)
			}
		}
	}
	for _, l := range rep.openLoads() {
		if !strings.Contains(md, "### "+l.Title+" "+l.About()+".") {
			t.Errorf("%s is not stated in the text", l.Title)
		}
		if !strings.Contains(html, "<h3>"+l.Title+"</h3>\n<p>"+capital(l.About())+".") {
			t.Errorf("%s is not stated in the page", l.Title)
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", "width=device-width"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if n := len(rep.TwoTimes()); n < 8 || n > 10 {
		t.Errorf("the two times in %d lines", n)
	}
	if len(pictures) != 9 {
		t.Errorf("%d pictures", len(pictures))
	}
	for _, p := range pictures {
		stated := 0
		for _, l := range rep.openLoads() {
			if strings.Contains(string(p.SVG), ">"+l.About()[:20]) {
				stated++
			}
		}
		if stated == 0 && !strings.Contains(string(p.SVG), ">Closed loop: ") {
			t.Errorf("%s does not state its load", p.File)
		}
	}
}

// The report of a terminal fits into 80 columns, but for tables with long names.
func TestText_FitsTerminal(t *testing.T) {
	testenv.NotShort(t)
	for line := range strings.Lines(simulated(false).Text()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 90 || n > 80 && !strings.HasPrefix(line, "  ") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

// What is written of a time, a number and a list.
func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0", 800: "800 ns", 999_960: "1 ms", 1500: "1.5 µs", 52_400_000: "52 ms", 2_640_000_000: "2.6 s", 9_960_000_000: "10 s", 40_000_000_000: "40 s"} {
		if got := span(d); got != want {
			t.Errorf("span(%d) = %q, want %q", d, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0", 0.123: "0.12", 0.96: "1", 1.04: "1", 2.36: "2.4", 12.4: "12", 1234: "1,234"} {
		if got := number(x); got != want {
			t.Errorf("number(%v) = %q, want %q", x, got, want)
		}
	}
	if got := minutes(474 * time.Second); got != "7.9 min" {
		t.Errorf("%q", got)
	}
	rep := simulated(true)
	runs := rep.all("stall")
	for _, c := range []struct {
		runs []*Run
		want string
	}{{runs, "every model"}, {runs[:2], "hard and credit"}, {runs[2:], "soft"}, {runs[1:], "credit and soft"}, {runs[2:4], "soft plain and soft packed"}, {runs[:1], "hard"}} {
		if got := names(c.runs); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// The figures are all that the report needs, but for curves over time.
func TestFigures_MakeTheReportAgain(t *testing.T) {
	rep := simulated(true)
	text, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), FiguresFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := ReadFigures(file)
	if err != nil {
		t.Fatal(err)
	}
	if again.Markdown(nil) != rep.Markdown(nil) {
		t.Error("another report")
	}
	if _, err := ReadFigures(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file, no error")
	}
}

func TestRecording_FirstToLastMessage(t *testing.T) {
	s := Recording{
		Time:     []float64{0, 1, 2, 3, 4, 5},
		Consumed: []float64{0, 0, 100, 200, 300, 300},
		Produced: []float64{0, 50, 300, 300, 300, 300},
		Depth:    []float64{0, 50, 200, 100, 0, 0},
		Unsent:   []float64{math.NaN(), 0, 10, 150, 0, 0},
	}
	if got := s.throughput(); got != 100 {
		t.Errorf("%v messages a second, want 100", got)
	}
	if got := s.lastProduced(); got != 2 {
		t.Errorf("last produced at %v, want 2", got)
	}
	if unsent, queued := s.worst(); unsent != 150 || queued != 100 {
		t.Errorf("%d unsent and %d queued at worst, want 150 and 100", unsent, queued)
	}
	if _, err := readRecording(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file, no error")
	}
}

// Minutes of measuring would be for nothing.
func TestCompare_UnwritableOut_RefusedFirst(t *testing.T) {
	bin, file := built(), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{file, filepath.Join(file, "report"), "/proc/none/report"} {
		cmd := exec.Command(testenv.Command("compare"), "-quick", "-bin", bin, "-out", out)
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(said), "error: cannot write the report to "+out) || strings.Contains(string(said), "left:") {
			t.Errorf("%s: exit code %d, %q", out, code, said)
		}
	}
}

func TestCompare_Interrupted_LeavesNothing(t *testing.T) {
	bin, tmp, out := built(), t.TempDir(), filepath.Join(t.TempDir(), "report")
	cmd := exec.Command(testenv.Command("compare"), "-quick", "-bin", bin, "-out", out)
	var said bytes.Buffer
	cmd.Env, cmd.Stderr = append(os.Environ(), "TMPDIR="+tmp), &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	for deadline := time.Now().Add(time.Minute); len(leftBehind(cmd.Process.Pid)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not begin")
		}
	}
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said.String(), "no report was written") || !strings.Contains(said.String(), "left: 1 of ") {
		t.Errorf("exit code %d, %q", code, said.String())
	}
	entries, err := os.ReadDir(tmp)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if _, err := os.Stat(out); err == nil || len(leftBehind(cmd.Process.Pid)) > 0 {
		t.Errorf("report %v, segments %v", err, leftBehind(cmd.Process.Pid))
	}
	if procs, _ := exec.Command("pgrep", "-f", fmt.Sprintf("compare.%d", cmd.Process.Pid)).Output(); len(procs) > 0 {
		t.Errorf("processes are left: %s", procs)
	}
}

// What the README says of a consumer that was stopped is what the recorded comparison has found.
func TestREADME_FiguresAreRecorded(t *testing.T) {
	cells := func(file, from, label string) []string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, section, found := strings.Cut(string(text), from)
		_, row, also := strings.Cut(section, "\n| "+label)
		row, _, _ = strings.Cut(row, "\n")
		if !found || !also {
			t.Fatalf("%s has no row %q behind %q", file, label, from)
		}
		_, row, _ = strings.Cut(row, " | ") // the rest of the label
		return strings.Split(strings.TrimSuffix(row, " |"), " | ")[:3]
	}
	for _, label := range []string{"latency p99", "response p99"} {
		recorded := cells("../../docs/results/report.md", "\n### Stall\n", label)
		if said := cells("../../README.md", "\n## Hard, credit and soft", label); !slices.Equal(said, recorded) {
			t.Errorf("the README has %q for %s, the recorded report %q", said, label, recorded)
		}
	}
}
