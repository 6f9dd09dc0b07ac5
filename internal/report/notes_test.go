package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// What a side says between its reports, word by word.
func TestNotes_Text(t *testing.T) {
	path := shm.Path("orders")
	for _, row := range []struct {
		what string
		say  func(r *Reporter)
		want string
	}{
		{"nothing was left unread", func(r *Reporter) { r.Resumed(0, true) }, ""},
		{"there is a consumer", func(r *Reporter) { r.Resumed(1, true) }, "continuing after 1 message left unread in " + path + "; the consumer receives them first"},
		{"there is none", func(r *Reporter) { r.Resumed(2, false) }, "continuing after 2 messages left unread in " + path + "; --fresh discards them"},
		{"all came", func(r *Reporter) { r.Verified(5, 0, 0) }, "verified 5 messages: none missing, repeated or damaged"},
		{"some were dropped", func(r *Reporter) { r.Verified(5, 2, 0) }, "verified 5 messages: none missing except 2 that the producer dropped, none repeated or damaged"},
		{"some were lost", func(r *Reporter) { r.Verified(5, 0, 3) }, "verified 5 messages: none missing except 3 that were lost with a producer, none repeated or damaged"},
		{"both", func(r *Reporter) { r.Verified(5, 2, 3) }, "verified 5 messages: none missing except 2 that the producer dropped and 3 that were lost, none repeated or damaged"},
		{"nothing is queued", func(r *Reporter) { r.Delivering(0, true, "") }, ""},
		{"a consumer takes what is queued", func(r *Reporter) { r.Delivering(3, true, "Ctrl-C") }, "sending has ended; delivering 3 queued messages (Ctrl-C)"},
		{"nobody takes it", func(r *Reporter) { r.Delivering(3, false, "Ctrl-C") }, "sending has ended; waiting for a consumer of 3 queued messages (Ctrl-C)"},
		{"nobody was there to tell", func(r *Reporter) { r.WaitingToTell(0) }, "sending has ended and everything was delivered; waiting for a consumer to report the end to (stop it to keep that for the next one)"},
		{"nobody was there to tell for a while", func(r *Reporter) { r.WaitingToTell(time.Second) }, "sending has ended and everything was delivered; waiting for a consumer to report the end to (until --duration 1s is over; then that is kept for the next one)"},
		{"a complete stream", func(r *Reporter) { r.Ended(nil) }, "the stream is complete; waiting for the next producer"},
		{"an incomplete one", func(r *Reporter) { r.Ended(fmt.Errorf("%w: x", layout.ErrIncomplete)) }, fmt.Sprintf("%v: x; waiting for the next producer", layout.ErrIncomplete)},
		{"messages are left", func(r *Reporter) { r.Left(4, layout.EndNone) }, "4 messages unread in " + path + ", kept for the next consumer"},
		{"in a segment that nobody finds", func(r *Reporter) { r.removed = true; r.Left(4, layout.EndNone) }, ""},
		{"nobody was told of the end", func(r *Reporter) { r.Left(0, layout.EndStopped) }, "no consumer has received the end of the stream, which was stopped before its end; " + path + " is kept for the next consumer"},
		{"nor of an earlier one", func(r *Reporter) { r.last.UntoldEnds = 1; r.Left(0, layout.EndComplete) }, "no consumer has received the end of the stream, which is complete, and an earlier one was not; " + path + " is kept for the next consumer"},
		{"a consumer leaves nothing", func(r *Reporter) { r.Left(0, layout.EndNone) }, ""},
	} {
		var b strings.Builder
		row.say(&Reporter{opt: Options{Role: layout.Producer, Name: "orders", Out: &b}})
		want := row.want
		if want != "" {
			want = "producer: " + want + "\n"
		}
		if b.String() != want {
			t.Errorf("%s: %q, want %q", row.what, b.String(), want)
		}
	}
}

// Programs are told of an end, and of what was checked; the rest is in the figures.
func TestNotes_JSON(t *testing.T) {
	var b strings.Builder
	r := &Reporter{opt: Options{Role: layout.Consumer, Name: "orders", JSON: true, Out: &b}}
	r.Resumed(1, true)
	r.Delivering(1, true, "")
	r.Left(1, layout.EndNone)
	if b.String() != "" {
		t.Errorf("%q", b.String())
	}
	r.Ended(nil)
	r.Ended(fmt.Errorf("%w: x", layout.ErrIncomplete))
	r.Verified(5, 0, 0)
	var ends []string
	for line := range strings.Lines(b.String()) {
		var n noteLine
		if err := json.Unmarshal([]byte(line), &n); err != nil || n.Segment != "orders" || n.Note == "" {
			t.Errorf("%v: %q", err, line)
		}
		switch {
		case n.StreamEnd != nil:
			ends = append(ends, *n.StreamEnd)
		case n.VerifiedCount == nil || *n.VerifiedCount != 5:
			t.Errorf("%q", line)
		}
	}
	if got := strings.Join(ends, " "); got != "complete incomplete" {
		t.Errorf("the ends are %q", got)
	}
}

func TestNotes_StreamEnd(t *testing.T) {
	closed := pressure.RoleStats{State: layout.StateClosed, End: layout.EndStopped}
	again := closed
	again.Alive = true // and has not begun so far
	died := pressure.RoleStats{State: layout.StateRunning, End: layout.EndStopped}
	for want, side := range map[string]pressure.RoleStats{"stopped": closed, "": again} {
		if got := streamEnd(&pressure.Snapshot{Producer: side}); got != want {
			t.Errorf("%q, want %q: %+v", got, want, side)
		}
	}
	if got := streamEnd(&pressure.Snapshot{Producer: died}); got != "" {
		t.Errorf("%q of one that died", got)
	}
}

var names atomic.Int64

// both is a segment in which this process holds both roles.
func both(t *testing.T) (producer, consumer *shm.Segment) {
	t.Helper()
	name := fmt.Sprintf("reporttest.%d.%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() { os.Remove(shm.Path(name)) })
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	if producer, err = shm.Create(name, g, layout.Producer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { producer.Leave(func() bool { return true }) })
	if consumer, err = shm.OpenWait(t.Context(), name, layout.Consumer, shm.Access{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { consumer.Leave(func() bool { return true }) })
	return producer, consumer
}

// attached is a Reporter that does not report by itself.
func attached(t *testing.T, seg *shm.Segment, opt Options, own uint64) *Reporter {
	t.Helper()
	opt.Name, opt.Mode, opt.Total = seg.Name(), layout.ModeRing, -1
	r := &Reporter{opt: opt, began: time.Now(), print: jsonLines{}, stop: make(chan struct{}), stopped: make(chan struct{})}
	close(r.stopped)
	if err := r.Attach(seg, func() uint64 { return own }); err != nil {
		t.Fatal(err)
	}
	return r
}

type finalLine struct {
	ProducedCount, ConsumedCount *uint64
	StreamEnd, Verdict           *string
	VerdictWhy, VerdictAdvice    string
	Run                          struct{ ProducedCount, ConsumedCount *uint64 }
}

// finishes returns the last report.
func finishes(t *testing.T, r *Reporter) (f finalLine) {
	t.Helper()
	var b strings.Builder
	r.opt.Out = &b
	r.Finish()
	if err := json.Unmarshal([]byte(b.String()), &f); err != nil {
		t.Fatalf("%v: %q", err, b.String())
	}
	return f
}

func TestFinal_SegmentRemoved(t *testing.T) {
	p, c := both(t)
	r := attached(t, c, Options{Role: layout.Consumer}, 0)
	if err := os.Remove(shm.Path(p.Name())); err != nil {
		t.Fatal(err)
	}
	if f := finishes(t, r); !strings.Contains(f.VerdictWhy, "; the segment was removed: no other process can find it any more") || f.VerdictAdvice != "start both sides again" {
		t.Errorf("%+v", f)
	}
}

func TestFinal_SegmentTruncated(t *testing.T) {
	for role, of := range map[layout.Role]func(f finalLine) (ever, now *uint64){
		layout.Producer: func(f finalLine) (ever, now *uint64) { return f.ProducedCount, f.Run.ProducedCount },
		layout.Consumer: func(f finalLine) (ever, now *uint64) { return f.ConsumedCount, f.Run.ConsumedCount },
	} {
		t.Run(role.String(), func(t *testing.T) {
			p, c := both(t)
			p.Header().Producer.Count.Store(20)
			p.Header().Consumer.Count.Store(10)
			r := attached(t, c, Options{Role: role}, 7)
			if err := os.Truncate(shm.Path(p.Name()), 0); err != nil {
				t.Fatal(err)
			}
			f := finishes(t, r)
			want := map[layout.Role]uint64{layout.Producer: 27, layout.Consumer: 17}[role]
			if ever, now := of(f); f.Verdict != nil || !strings.Contains(f.VerdictWhy, "truncated") || ever == nil || now == nil || *ever != want || *now != 7 {
				t.Errorf("%+v, want %d ever", f, want)
			}
		})
	}
}

// The error's hint says what to do, and a consumer that has ended need not be stopped.
func TestFinal_NoOutdatedAdvice(t *testing.T) {
	p, c := both(t)
	r := attached(t, p, Options{Role: layout.Producer}, 0)
	p.Header().Producer.Count.Store(10)
	p.Header().Producer.CountBefore.Store(10)
	p.Header().ProducerStats.Dropped.Store(5)
	r.EndingAs(layout.EndFailed)
	if f := finishes(t, r); f.Verdict == nil || *f.Verdict != string(pressure.ConsumerBound) || f.VerdictAdvice != "" || *f.StreamEnd != "failed" {
		t.Errorf("%+v", f)
	}
	if _, err := p.Leave(func() bool { return false }); err != nil {
		t.Fatal(err)
	}
	r = attached(t, c, Options{Role: layout.Consumer}, 0)
	c.Header().Consumer.Count.Store(10)
	if f := finishes(t, r); f.Verdict == nil || *f.Verdict != string(pressure.NoProducer) || f.VerdictAdvice != "" {
		t.Errorf("%+v", f)
	}
}

// What this side knows of the end goes before what the segment says.
func TestFinal_StreamEndOfThisSide(t *testing.T) {
	p, c := both(t)
	endpoint.SetEnd(&p.Header().ProducerStats, layout.EndComplete, true)
	endpoint.Close(&p.Header().ProducerStats, monotonic.Now())
	if _, err := p.Leave(func() bool { return false }); err != nil {
		t.Fatal(err)
	}
	r := attached(t, c, Options{Role: layout.Consumer}, 0)
	r.EndedAs(fmt.Errorf("%w: some were lost", layout.ErrIncomplete))
	if f := finishes(t, r); f.StreamEnd == nil || *f.StreamEnd != "incomplete" {
		t.Errorf("%+v", f)
	}
}

// How long this process was stopped shows in the gap between its looks. One that is stopped
// for good by systemd is sent SIGCONT as well.
func TestFinal_ThisProcessWasStopped(t *testing.T) {
	for _, stopping := range []bool{false, true} {
		p, _ := both(t)
		asked := make(chan struct{})
		r := attached(t, p, Options{Role: layout.Producer, Stopping: asked}, 0)
		if stopping {
			close(asked)
		}
		p.Header().Producer.Count.Store(10)
		p.Header().Consumer.Count.Store(10)
		r.last.At -= uint64(5 * time.Second)
		r.noteStop(r.stopUntil(monotonic.Now()))
		f := finishes(t, r)
		if said := strings.Contains(f.VerdictWhy, "the producer was stopped (SIGSTOP or Ctrl-Z) for 3.9s to 5s"); said == stopping {
			t.Errorf("stopping %v: %+v", stopping, f)
		}
	}
}

// The snapshot after a stop may be taken before the signal is seen that ended it.
func TestFinal_SnapshotBeforeSIGCONT_StopNotShortened(t *testing.T) {
	p, _ := both(t)
	r := attached(t, p, Options{Role: layout.Producer}, 0)
	r.last.At -= uint64(5 * time.Second)
	r.observe()
	if !onContinue(r) {
		t.Error("not taken for a stop")
	}
	if f := finishes(t, r); !strings.Contains(f.VerdictWhy, "the producer was stopped (SIGSTOP or Ctrl-Z) for 3.9s to 5s") {
		t.Errorf("%+v", f)
	}
}

func TestFinal_Discarded(t *testing.T) {
	for discarded, want := range map[int64]string{0: "", 1: "discarded 1 byte read from the input and not sent", 1234: "discarded 1,234 bytes read from the input and not sent"} {
		var b strings.Builder
		r := Start(Options{Role: layout.Producer, Name: "orders", Mode: layout.ModeRing, Out: &b, Total: -1})
		r.Discarded(discarded)
		r.Finish()
		if _, note, _ := strings.Cut(b.String(), "producer: "); strings.TrimSpace(note) != want {
			t.Errorf("%d bytes: %q", discarded, b.String())
		}
	}
}

// A report is on the time since the one before.
func TestInterval_FiguresOfTheInterval(t *testing.T) {
	p, _ := both(t)
	out, in := io.Pipe()
	r := Start(Options{Role: layout.Producer, Name: p.Name(), Mode: layout.ModeRing, JSON: true, Interval: 5 * time.Millisecond, Out: in, Total: -1})
	if err := r.Attach(p, func() uint64 { return 0 }); err != nil {
		t.Fatal(err)
	}
	p.Header().Producer.Count.Store(10)
	p.Header().Consumer.Count.Store(10)
	lines := json.NewDecoder(out)
	for deadline := time.Now().Add(time.Minute); ; {
		var line struct {
			ConsumedCount    *uint64
			ThroughputPerSec *float64
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.ConsumedCount != nil && *line.ConsumedCount == 10 && *line.ThroughputPerSec == 0 {
			break // all were taken before the last report
		}
		if time.Now().After(deadline) {
			t.Fatal("the reports go on with what was before")
		}
	}
	go io.Copy(io.Discard, out)
	r.Finish()
}

// A producer has made its segment before its Reporter starts, however late it is attached: it
// never says that there is none, and that one should start a producer.
func TestInterval_ProducerNotAttached_NoReport(t *testing.T) {
	p, _ := both(t)
	out, in := io.Pipe()
	r := Start(Options{Role: layout.Producer, Name: p.Name(), Mode: layout.ModeRing, JSON: true, Interval: time.Millisecond, Out: in, Total: -1})
	time.Sleep(20 * time.Millisecond) // sooner would only see less
	if err := r.Attach(p, func() uint64 { return 0 }); err != nil {
		t.Fatal(err)
	}
	var first finalLine
	if err := json.NewDecoder(out).Decode(&first); err != nil {
		t.Fatal(err)
	}
	if first.ProducedCount == nil {
		t.Errorf("the first report is %+v", first)
	}
	go io.Copy(io.Discard, out)
	r.Finish()
}

// nobody is a pipe that nobody reads.
type nobody struct{ gone chan struct{} }

func (n nobody) Write(p []byte) (int, error) { <-n.gone; return len(p), nil }

// A reader of standard error that has stopped holds a side up once, not with every line.
func TestNotes_BlockedOutput_WaitsOnce(t *testing.T) {
	out := nobody{make(chan struct{})}
	defer close(out.gone)
	r := &Reporter{opt: Options{Role: layout.Producer, Name: "orders", Out: out}}
	r.Resumed(1, true)
	if !r.silent {
		t.Error("the next line is waited for as well")
	}
	r = Start(Options{Role: layout.Consumer, Name: "orders", Mode: layout.ModeRing, Interval: time.Millisecond, Out: out, Total: -1})
	time.Sleep(10 * time.Millisecond) // else the last report is the first
	r.Finish()
	if !r.silent {
		t.Error("the next line is waited for as well")
	}
}

// The reason of a verdict and what to do about it are said when it comes, not with each line.
func TestInterval_VerdictExplainedOnce(t *testing.T) {
	drops := func(r *Report, _, s *pressure.Snapshot) { r.Final, s.Dropped = false, 30 }
	for _, journal := range []bool{false, true} {
		p := &text{journal: journal}
		var b strings.Builder
		for range 3 {
			if err := p.print(&b, fiveSeconds(drops)); err != nil {
				t.Fatal(err)
			}
		}
		advice := fiveSeconds(drops).Advice
		if n := strings.Count(b.String(), advice); n != 1 {
			t.Errorf("journal %v: %q comes %d times:\n%s", journal, advice, n, b.String())
		}
	}
	// Figures that stand in the line are not repeated.
	if out := printed(t, fiveSeconds(func(r *Report, _, _ *pressure.Snapshot) { r.Final = false })); strings.Contains(out, "blocked:") {
		t.Error(out)
	}
}

func TestSummary_ThisRunAndEarlierOnes(t *testing.T) {
	asTransfer := func(b, s *pressure.Snapshot) {
		b.Geometry, s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}, layout.Geometry{Mode: layout.ModeTransfer}
	}
	for _, row := range []struct {
		what, role string
		transfer   bool
		want       string
	}{
		{"a consumer", "consumer", false, "in total   130 produced and 125 consumed in this segment\n"},
		{"a producer", "producer", false, "in total   130 produced and 125 consumed in this segment\n"},
		{"a ring goes on", "producer", false, "; 20 messages queued before\n"},
		{"a consumer of a transfer takes them", "consumer", true, "; 20 messages queued before\n"},
		{"a producer of a transfer has none of them", "producer", true, "; 20 messages left by an earlier producer\n"},
	} {
		out := printed(t, fiveSeconds(func(r *Report, b, s *pressure.Snapshot) {
			if r.Role = row.role; row.transfer {
				asTransfer(b, s)
			}
		}))
		if !strings.Contains(out, row.want) {
			t.Errorf("%s: no %q in\n%s", row.what, row.want, out)
		}
	}
}

// A queue that grows without a limit never reaches it.
func TestInterval_NoLimit_NoForecast(t *testing.T) {
	var b strings.Builder
	r := fiveSeconds(func(_ *Report, b, s *pressure.Snapshot) {
		b.Geometry, s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}, layout.Geometry{Mode: layout.ModeTransfer}
		s.Produced = 2000
	})
	if err := JSON(&b, r); err != nil || !r.Verdict.Grows || !strings.Contains(b.String(), `"limitInSec":null`) {
		t.Errorf("%v, %+v: %s", err, r.Verdict, b.String())
	}
}
