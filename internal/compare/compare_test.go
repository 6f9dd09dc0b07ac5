package compare

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

func TestRun_Stall_RingWaitsTransferGrows(t *testing.T) {
	runtime.LockOSThread() // the processes end with the thread that has started them
	defer runtime.UnlockOSThread()
	r := Runner{Bin: built(), Dir: testenv.PrivateDir(t)}
	var stall Scenario
	for _, s := range Loads(900 * time.Millisecond) {
		if s.ID == "stall" {
			stall = s
		}
	}
	ballast := bytes.Repeat([]byte("own memory, which is not theirs "), 4<<20) // 128 MiB
	defer runtime.KeepAlive(ballast)
	// A machine that lets the producer wait for a processor holds it back more than the
	// consumer does: the scenario is run until it is not disturbed.
	const tries = 5
	for try := range tries {
		rep, wrong := runStall(t, r, stall)
		if wrong == "" {
			whole(t, rep)
			return
		}
		t.Logf("try %d: %s", try, wrong)
	}
	t.Error("never as it should be")
}

// runStall runs the scenario with each model, and returns what was not as expected of them.
func runStall(t *testing.T, r Runner, stall Scenario) (rep *Report, wrong string) {
	t.Helper()
	rep = &Report{Machine: ThisMachine(), Began: time.Now()}
	for _, m := range Models {
		res, err := r.Run(t.Context(), stall, m)
		if err != nil {
			t.Fatal(err)
		}
		rep.Results = append(rep.Results, res)
		if res.Final.Consumed == 0 || res.Final.Consumed != res.Final.Produced || res.Code != 0 {
			t.Errorf("%s: exit code %d, %d produced, %d consumed", m.ID, res.Code, res.Final.Produced, res.Final.Consumed)
		}
		if blocked := res.Final.Producer.Waits > 0; blocked == m.Soft {
			wrong += fmt.Sprintf("%s: blocked is %v; ", m.ID, blocked)
		}
		if deep := res.PeakDepth() > 256; deep != m.Soft { // which is what the ring holds
			wrong += fmt.Sprintf("%s: %v messages queued; ", m.ID, res.PeakDepth())
		}
		for _, use := range []Usage{res.Producer, res.Consumer} {
			if use.CPU <= 0 || use.PeakRSS < 1<<20 || use.PeakRSS > 100<<20 {
				t.Errorf("%s: %+v", m.ID, use)
			}
		}
		if res.Throughput() < 100 || res.Final.Latency.Count == 0 {
			wrong += fmt.Sprintf("%s: %v msg/s, latency of %d; ", m.ID, res.Throughput(), res.Final.Latency.Count)
		}
	}
	if left := leftBehind(os.Getpid()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return rep, wrong
}

// whole expects a report in which nothing is missing.
func whole(t *testing.T, rep *Report) {
	t.Helper()
	files, err := rep.Files()
	if err != nil {
		t.Fatal(err)
	}
	html, md := string(files["report.html"]), string(files["report.md"])
	if n := strings.Count(html, "<svg"); n != strings.Count(md, "![") || n < 4 {
		t.Errorf("%d pictures in the page, %d in the text", n, strings.Count(md, "!["))
	}
	for _, want := range []string{"stops the producer with it", "does not block the producer", "What should I use", "A consumer that stalls"} {
		if !strings.Contains(html, want) || !strings.Contains(md, want) {
			t.Errorf("no %q in the report", want)
		}
	}
	for _, bad := range []string{"{{", "NaN", "%!", "+Inf", "http://", "https://"} {
		if text := strings.ReplaceAll(html, `"http://www.w3.org`, ""); strings.Contains(strings.ReplaceAll(text, `"https://www.w3.org`, ""), bad) || strings.Contains(md, bad) {
			t.Errorf("%q in the report", bad)
		}
	}
	if files["stall-ring.csv"] == nil || !bytes.HasPrefix(files["stall-depth.svg"], []byte("<?xml")) {
		t.Error("recordings or pictures are missing")
	}
}

func TestRun_Overload_EndsAtLimit(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := Runner{Bin: built(), Dir: testenv.PrivateDir(t)}
	s := Loads(time.Second)[5]
	s.Length = 30 * time.Second // never waited for
	res, err := r.Run(t.Context(), s, Models[1])
	if err != nil {
		t.Fatal(err)
	}
	if res.LimitAfter <= 0 || res.LimitAfter > 20*time.Second || res.PeakMemory() < 48<<20 {
		t.Errorf("limit after %v, %v bytes", res.LimitAfter, res.PeakMemory())
	}
	rep := &Report{Results: []*Result{res}}
	if _, soft, _ := rep.Findings(); len(soft) != 1 || !strings.Contains(soft[0], "Overload breaks the transfer after") {
		t.Errorf("%q", soft)
	}
}

// A sentence whose premise did not come true is not said.
func TestFindings_FollowFromFigures(t *testing.T) {
	rep := &Report{Results: []*Result{{Scenario: Loads(time.Second)[5], Model: Models[1], Series: Series{Time: []float64{0}, Depth: []float64{1}, Consumed: []float64{0}}, Final: pressure.Snapshot{}}}}
	if hard, soft, both := rep.Findings(); len(hard)+len(soft)+len(both) != 0 {
		t.Errorf("%q %q %q", hard, soft, both)
	}
}

// sweep is results as a comparison has them, of which one run reached its limit.
func sweep() *Report {
	rep := &Report{Machine: ThisMachine(), Began: time.Now()}
	for i, size := range Sizes {
		for _, m := range Models {
			r := &Result{Scenario: sizeLoad(size, time.Second), Model: m, Elapsed: time.Second}
			r.Series = Series{Time: []float64{0, 1}, Consumed: []float64{1, 1e7/float64(i+1) + 1}, Depth: []float64{1, 1}, Memory: []float64{1, 1}, Verdict: []string{"balanced", "balanced"}}
			if m.ID == "recycled" && size == 8 {
				r.LimitAfter = 100 * time.Millisecond
			}
			rep.Results = append(rep.Results, r)
		}
	}
	for _, s := range Loads(time.Second)[:1] {
		for _, m := range Models {
			rep.Results = append(rep.Results, &Result{Scenario: s, Model: m, Elapsed: time.Second,
				Series: Series{Time: []float64{0, 1}, Consumed: []float64{1, 2}, Depth: []float64{1, 1}, Memory: []float64{1, 1}, ProducerBlocked: []float64{0, 0}, Verdict: []string{"producer-bound", "producer-bound"}}})
		}
	}
	return rep
}

// Every load is stated, labels are words and sizes with units, and a rate that could not
// last is marked.
func TestReport_SaysWhatWasMeasured(t *testing.T) {
	rep := sweep()
	pictures, err := rep.Pictures()
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := rep.HTML(&page, pictures); err != nil {
		t.Fatal(err)
	}
	md := rep.Markdown(pictures)
	for what, text := range map[string]string{"page": page.String(), "text": md} {
		for _, want := range []string{"20,000 messages of 1 KiB a second", sizesAbout, "As fast as it goes, 64 KiB", "limit after 0.1 s", "GB/s"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q", what, want)
			}
		}
		for _, bad := range []string{"size-8", "room-0", "k MB/s"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %q", what, bad)
			}
		}
	}
	if strings.Contains(md, "**Balanced**") {
		t.Error("a load is called balanced, and the verdict on it is another")
	}
	for _, p := range pictures {
		if marked := strings.Contains(string(p.SVG), "until its limit was reached"); marked != strings.HasPrefix(p.File, "sizes-") {
			t.Errorf("%s: marked %v", p.File, marked)
		}
		if p.Load == "" {
			t.Errorf("%s does not state its load", p.File)
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", "minmax(min(100%"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

// In whatever font a plot is shown, its text takes the room that it was laid out for.
func TestPlots_TextNotCut(t *testing.T) {
	pictures, err := sweep().Pictures()
	if err != nil || len(pictures) == 0 {
		t.Fatal(err)
	}
	for _, p := range pictures {
		svg := string(p.SVG)
		if n := strings.Count(svg, "<text "); n < 8 || strings.Count(svg, " textLength=") != n || strings.Count(svg, "lengthAdjust=") != n {
			t.Errorf("%s: %d texts, %d with a width", p.File, n, strings.Count(svg, " textLength="))
		}
	}
	committed, err := filepath.Glob("../../docs/results/*.svg")
	if err != nil || len(committed) == 0 {
		t.Fatal("no plots in docs/results", err)
	}
	for _, file := range committed {
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(svg, []byte("<text ")); bytes.Count(svg, []byte(" textLength=")) != n {
			t.Errorf("%s: texts without a width", file)
		}
	}
	if w := textWidth("Throughput", 12); w < 45 || w > 65 {
		t.Errorf("%v points", w)
	}
}

func TestSeries_FirstToLastMessage(t *testing.T) {
	s := Series{
		Time:     []float64{0, 1, 2, 3, 4, 5},
		Consumed: []float64{0, 0, 100, 200, 300, 300},
		Produced: []float64{0, 50, 300, 300, 300, 300},
		Verdict:  []string{"no-consumer", "growing", "growing", "balanced", "idle", "idle"},
	}
	if got := s.throughput(); got != 100 {
		t.Errorf("%v messages a second, want 100", got)
	}
	if got := s.lastProduced(); got != 2 {
		t.Errorf("last given at %v, want 2", got)
	}
	if got := s.commonVerdict(3); got != "growing" {
		t.Errorf("%q", got)
	}
	if _, err := readSeries(filepath.Join(t.TempDir(), "none")); err == nil {
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
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(said), "error: cannot write the report to "+out) || strings.Contains(strings.ReplaceAll(string(said), out, ""), "1/") {
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
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said.String(), "no report was written") {
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
