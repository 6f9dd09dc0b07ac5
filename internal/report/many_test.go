package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// rings makes n segments with the names that they are given.
func rings(t *testing.T, n int) (segs []*shm.Segment) {
	t.Helper()
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		seg, err := shm.Create(fmt.Sprintf("reporttest.%d.%d.%03d", os.Getpid(), time.Now().UnixNano(), i), g, layout.Consumer)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { seg.Leave(func() bool { return true }) })
		segs = append(segs, seg)
	}
	return segs
}

// none is the own count of a side that has moved nothing.
func none() uint64 { return 0 }

// object is what the tests read of one that Many prints.
type object struct {
	Name, Segment    *string
	Note             string
	StreamEnd        string
	Final            bool
	Rings            *int
	LeftOutCount     int
	ThroughputPerSec float64
	Run              struct{ ConsumedCount, ProducedCount uint64 }
}

func objects(t *testing.T, text string) (all []object) {
	t.Helper()
	for line := range strings.Lines(text) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, o)
	}
	return all
}

// A segment that has left counts in the sum, and has had its last report.
func TestMany_JSON_LastReportOfEachAndSum(t *testing.T) {
	segs := rings(t, 2)
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, JSON: true, Out: &b})
	for i, seg := range segs {
		if err := m.Join(seg.Name(), seg, none); err != nil {
			t.Fatal(err)
		}
		seg.Header().Producer.Count.Store(uint64(10 * (i + 1)))
		seg.Header().Consumer.Count.Store(uint64(10 * (i + 1)))
	}
	m.LeaveEnded(segs[0].Name(), errors.New("it failed"), "it failed")
	m.Finish()
	finals := map[string]object{}
	var notes []string
	for _, o := range objects(t, b.String()) {
		switch {
		case o.Note != "":
			notes = append(notes, o.Note+" "+*o.Segment)
		case o.Final && o.Name != nil:
			finals[*o.Name] = o
		case o.Final:
			finals["sum"] = o
		}
	}
	a, z := segs[0].Name(), segs[1].Name()
	if got := strings.Join(notes, ", "); got != "joined "+a+", joined "+z+", it failed "+a {
		t.Errorf("notes: %s", got)
	}
	if o := finals[a]; o.Run.ConsumedCount != 10 || o.StreamEnd != "incomplete" {
		t.Errorf("the one that has left: %+v", o)
	}
	if o := finals[z]; o.Run.ConsumedCount != 20 || o.StreamEnd != "" {
		t.Errorf("the one that has not: %+v", o)
	}
	if o := finals["sum"]; o.Run.ConsumedCount != 30 || o.Rings == nil || *o.Rings != 2 {
		t.Errorf("the sum: %+v", o)
	}
	if !strings.HasSuffix(b.String(), "}}\n") || objects(t, b.String())[len(notes)+2].Rings == nil {
		t.Errorf("the sum is not the last:\n%s", b.String())
	}
}

// A segment that comes again is one in the last report.
func TestMany_SameNameAgain_CountsOnce(t *testing.T) {
	seg := rings(t, 1)[0]
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b})
	for n := range 3 {
		if err := m.Join(seg.Name(), seg, none); err != nil {
			t.Fatal(err)
		}
		seg.Header().Producer.Count.Store(uint64(100 * (n + 1)))
		seg.Header().Consumer.Count.Store(uint64(100 * (n + 1)))
		if n < 2 {
			m.LeaveEnded(seg.Name(), nil, CompleteText)
		}
		m.Verified(seg.Name(), 100, 0, 0)
	}
	m.Finish()
	rows := 0
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "  "+shortName(seg.Name())) {
			rows++
			if f := strings.Fields(line); f[1] != "300" {
				t.Errorf("%s", line)
			}
		}
	}
	if rows != 1 || !strings.Contains(b.String(), "consumer of 1 ring ran for") || !strings.Contains(b.String(), "verified 300 messages of 1 ring: ") {
		t.Errorf("%d rows:\n%s", rows, b.String())
	}
}

// Of a segment that was truncated only this side's own count is known.
func TestMany_Text_Truncated_UnknownIsNoNumber(t *testing.T) {
	segs := rings(t, 2)
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b})
	for _, seg := range segs {
		if err := m.Join(seg.Name(), seg, func() uint64 { return 70 }); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(shm.Path(segs[0].Name()), 0); err != nil {
		t.Fatal(err)
	}
	m.Finish()
	for _, want := range []string{"%-16s            70         -      -     -     - unknown\n", "in sum                      70         - "} {
		if strings.Contains(want, "%") {
			want = fmt.Sprintf(want, shortName(segs[0].Name()))
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// One that is not named in the last report, because too many are, counts once too.
func TestMany_SameNameAgain_BeyondOutcomes(t *testing.T) {
	seg := rings(t, 1)[0]
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b})
	come := func(name string) {
		if err := m.Join(name, seg, none); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxOutcomes + 2 {
		for range 3 {
			name := fmt.Sprintf("ring%02d", i)
			come(name)
			m.LeaveEnded(name, nil, CompleteText)
		}
	}
	come(fmt.Sprintf("ring%02d", maxOutcomes+1)) // it is there at the end
	m.Finish()
	if text := b.String(); !strings.Contains(text, fmt.Sprintf("consumer of %d rings ran for", maxOutcomes+2)) || !strings.Contains(text, "\n  and 2 more\n") {
		t.Errorf("%s", text)
	}
}

// A screen of 80 by 24 holds two intervals, however many segments there are.
func TestMany_Text_FitsTerminal(t *testing.T) {
	segs := rings(t, 30)
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b, Interval: time.Hour})
	for i, seg := range segs {
		if err := m.Join(seg.Name(), seg, none); err != nil {
			t.Fatal(err)
		}
		n := uint64(i)
		if i >= 20 {
			n = 1e12
		}
		seg.Header().Producer.Count.Store(n)
		seg.Header().Consumer.Count.Store(n)
	}
	time.Sleep(time.Millisecond)
	m.report(false)
	text := b.String()
	if !strings.Contains(text, "and 20 more\n") || strings.Contains(text, shortName(segs[19].Name())+" ") || !strings.Contains(text, shortName(segs[20].Name())+" ") {
		t.Errorf("not the ten busiest:\n%s", text)
	}
	if n := strings.Count(text, "\n"); n > 13 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	m.Finish()
	for line := range strings.Lines(b.String()) {
		if n := len(strings.TrimSuffix(line, "\n")); n > 80 && !strings.HasPrefix(line, "consumer: joined") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// What to do about several segments is broken between its clauses, as about one.
func TestMany_Text_AdviceFitsTerminal(t *testing.T) {
	var b strings.Builder
	long := "the queue gets shorter by 1,000 messages a second; it is empty in about 2 minutes; nothing to do"
	(&manyText{}).final(&Options{Out: &b}, &sum{}, nil, []named{
		{"sensor-a", &tally{advice: long}},
		{"sensor-b", &tally{advice: long}},
		{"sensor-c", &tally{advice: "speed up the consumer"}},
	}, 0)
	want := `
  sensor-c: speed up the consumer
  sensor-a, sensor-b:
    the queue gets shorter by 1,000 messages a second;
    it is empty in about 2 minutes; nothing to do
`
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("%s", b.String())
	}
}

// However many segments come and go, people get a few lines a second.
func TestMany_Notes_FewLines(t *testing.T) {
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b})
	for i := range 50 {
		m.Note(fmt.Sprintf("ring%02d", i), "skipped: role is taken")
		m.LeaveEnded(fmt.Sprintf("gone%02d", i), nil, CompleteText)
		m.Note("odd", fmt.Sprintf("reason %d", i))
	}
	m.Finish()
	text := b.String()
	for _, want := range []string{
		"consumer: skipped: role is taken: ring00, ring01, ring02, ring03 and 46 more\n",
		"consumer: the stream is complete: gone00, gone01, gone02, gone03 and 46 more\n",
		"consumer: and 48 more lines\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "consumer: "); n > maxLines+1 {
		t.Errorf("%d lines:\n%s", n, text)
	}
}

// A segment that comes and goes several times between two lines is named once.
func TestMany_Notes_NameOnce(t *testing.T) {
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b})
	for range 3 {
		m.Note("a", "joined")
		m.Note("b", "joined")
	}
	m.Finish()
	if text := b.String(); !strings.Contains(text, "consumer: joined: a, b\n") {
		t.Errorf("%s", text)
	}
}

// heldWriter blocks until it is open.
type heldWriter struct {
	testenv.Buffer
	open chan struct{}
}

func (w *heldWriter) Write(p []byte) (int, error) {
	<-w.open
	return w.Buffer.Write(p)
}

// A program that does not read for a while learns how much it has missed: notes, and last reports
// on segments.
func TestMany_JSON_LeftOut_Counted(t *testing.T) {
	seg := rings(t, 1)[0]
	w := &heldWriter{open: make(chan struct{})}
	m := StartMany(Options{Role: layout.Consumer, JSON: true, Out: w})
	const notes, times = 3 * maxNotes, maxNotes + 500
	for range times {
		if err := m.Join(seg.Name(), seg, none); err != nil {
			t.Fatal(err)
		}
		m.LeaveEnded(seg.Name(), nil, CompleteText)
	}
	for range notes {
		m.Note("odd", "reason")
	}
	close(w.open)
	count := func() (printed, leftOut int) {
		for _, o := range objects(t, w.String()) {
			leftOut += o.LeftOutCount
			if o.LeftOutCount > 0 && (o.Segment != nil || o.Note == "") {
				t.Errorf("%+v", o)
			}
			if o.LeftOutCount == 0 && o.Rings == nil {
				printed++
			}
		}
		return printed, leftOut
	}
	const all = notes + 3*times
	// Finish would not wait for as long as a loaded machine may take to print all of it.
	testenv.Eventually(t, "all lines", func() bool { printed, leftOut := count(); return printed+leftOut >= all })
	m.Finish()
	if printed, leftOut := count(); printed+leftOut != all || leftOut == 0 {
		t.Errorf("%d printed and %d left out of %d", printed, leftOut, all)
	}
}

// A reader of the reports that does not read holds up nobody.
func TestMany_OutputBlocks_NothingWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	segs := rings(t, 2)
	m := StartMany(Options{Role: layout.Consumer, Out: w, JSON: true, Interval: time.Millisecond})
	if err := m.Join(segs[0].Name(), segs[0], none); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // 64 KiB are written in much less
	began := time.Now()
	for range 10 {
		if err := m.Join(segs[1].Name(), segs[1], none); err != nil {
			t.Fatal(err)
		}
		m.LeaveEnded(segs[1].Name(), nil, CompleteText)
	}
	if took := time.Since(began); took > writeTimeout/2 {
		t.Errorf("joining and leaving took %v", took)
	}
	m.Finish()
}

// What was read and not sent was sent to no segment: the sum says it.
func TestMany_Final_Discarded(t *testing.T) {
	for discarded, want := range map[int64]string{0: "", 1234: "producer: discarded 1,234 bytes read from the input and not sent\n"} {
		for _, asJSON := range []bool{false, true} {
			var b testenv.Buffer
			m := StartMany(Options{Role: layout.Producer, JSON: asJSON, Out: &b})
			m.Discarded(discarded)
			m.Finish()
			if asJSON {
				want = fmt.Sprintf(`"discardedBytes":%d,`, discarded)
			}
			if !strings.Contains(b.String(), want) || want == "" && strings.Contains(b.String(), "discarded") {
				t.Errorf("%d bytes: %q, want %q", discarded, b.String(), want)
			}
		}
	}
}

// The last report has the times of the whole run: of each segment, and of the messages of all, of
// those that have left too.
func TestMany_Final_TimesOfTheRun(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		all := rings(t, 2)
		var b testenv.Buffer
		m := StartMany(Options{Role: layout.Consumer, JSON: asJSON, Out: &b})
		for i, seg := range all {
			if err := m.Join(seg.Name(), seg, none); err != nil {
				t.Fatal(err)
			}
			h := &seg.Header().Latency
			h.Buckets[200+i].Store(100)
			h.Sum.Store(100_000)
			h.Max.Store(1 << 40)
			h.Count.Store(100)
		}
		m.LeaveEnded(all[0].Name(), nil, CompleteText)
		m.Finish()
		text := b.String()
		if asJSON {
			lines := strings.Split(strings.TrimSpace(text), "\n")
			var last struct {
				Rings int
				Run   struct{ Latency, Response *timesObject }
			}
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
				t.Fatal(err)
			}
			times := last.Run.Latency
			if last.Rings != 2 || times == nil || last.Run.Response != nil || times.P50 <= 0 || times.P99 <= times.P50 || times.Max < times.P999 || times.Mean <= 0 {
				t.Errorf("%s", lines[len(lines)-1])
			}
			continue
		}
		if n := strings.Count(text, " latency "); n != 3 || strings.Count(text, TimesHeading) != 1 || !strings.Contains(text, "  all ") {
			t.Errorf("%d rows of latency:\n%s", n, text)
		}
	}
}
