package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/pressure"
)

// took returns the histogram of n messages that each took d.
func took(d time.Duration, n uint64) (h pressure.Histogram) {
	var in layout.Header
	endpoint.AddTimes(&in.Latency, endpoint.NoTime, uint64(d), n)
	s := pressure.Read(&in, layout.Geometry{}, pressure.LiveRoles{}, 0)
	return s.Latency
}

// openLoop is five seconds in which 5,000 messages were due, 4,988 of which were produced.
func openLoop(r *Report, b, s *pressure.Snapshot) {
	r.Role = "producer"
	b.Produced, b.Consumed = 0, 0
	s.Produced, s.Consumed, s.Unsent = 4988, 4980, 12
	s.Schedule = pressure.Schedule{InForce: true, Holder: 1, Base: 1, Rate: 1000, Due: 5000, Unsent: 12}
	s.Latency, s.Response = took(20*time.Microsecond, 4980), took(450*time.Millisecond, 4980)
}

// ended is openLoop after its end: what is unsent is not sent any more.
func ended(r *Report, b, s *pressure.Snapshot) {
	openLoop(r, b, s)
	s.Schedule.InForce, s.Schedule.Holder, s.Schedule.Unsent = false, 0, 0
}

func wantLines(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !slices.Contains(strings.Split(out, "\n"), l) {
			t.Errorf("no line %q in\n%s", l, out)
		}
	}
	for l := range strings.Lines(out) {
		if strings.HasPrefix(l, "producer         ") { // the reason of a verdict
			continue
		}
		if n := utf8.RuneCountInString(strings.TrimRight(l, "\n")); n > 80 {
			t.Errorf("%d columns: %q", n, l)
		}
	}
}

func TestSummary_TwoTimes(t *testing.T) {
	late := func(r *Report, b, s *pressure.Snapshot) {
		ended(r, b, s)
		s.Lateness = took(300*time.Millisecond, 100)
	}
	wantLines(t, printed(t, fiveSeconds(late)),
		"  offered    5,000 messages, 1,000 msg/s",
		"  unsent     12 messages were due and not sent",
		"  produced   4,988 messages, 0 B",
		"                p50    p90    p99  p99.9    max   mean",
		"  latency      20µs   20µs   20µs   20µs   20µs   20µs",
		"  response    445ms  445ms  445ms  445ms  450ms  450ms",
		"  lateness    294ms  294ms  294ms  294ms  300ms  300ms",
		"             the producer itself was late by half of the response or more;",
		"             this could explain it at p50, p90, p99, p99.9",
	)
	if out := printed(t, fiveSeconds(ended)); strings.Contains(out, "lateness") {
		t.Errorf("none was measured:\n%s", out)
	}
}

// Without a schedule there is one time, and nothing is said of what was due.
func TestSummary_NoSchedule_OneTime(t *testing.T) {
	out := printed(t, fiveSeconds(func(_ *Report, _, s *pressure.Snapshot) { s.Latency = took(time.Millisecond, 25) }))
	wantLines(t, out, "  latency     999µs  999µs  999µs  999µs    1ms    1ms")
	for _, word := range []string{"response", "unsent", "offered", "due"} {
		if strings.Contains(out, word) {
			t.Errorf("%s in\n%s", word, out)
		}
	}
}

// Messages that were due before the consumer came do not count for it.
func TestSummary_EarlierUnsent_NotCounted(t *testing.T) {
	out := printed(t, fiveSeconds(func(r *Report, b, s *pressure.Snapshot) {
		ended(r, b, s)
		b.Unsent, s.Unsent = 500, 512
	}))
	wantLines(t, out, "  unsent     12 messages were due and not sent")
}

// A consumer that comes later has a part of what is produced from before.
func TestSummary_BacklogOfBefore(t *testing.T) {
	out := printed(t, fiveSeconds(func(r *Report, b, s *pressure.Snapshot) {
		ended(r, b, s)
		b.Unsent, s.Unsent = 200, 0
	}))
	wantLines(t, out, "  offered    4,788 messages, 958 msg/s; 200 more had been due before")
}

// The schedule has ended before the last report: what was offered by it is said, though no response
// was measured.
func TestSummary_ScheduleOver_NoConsumer(t *testing.T) {
	out := printed(t, fiveSeconds(func(r *Report, b, s *pressure.Snapshot) {
		ended(r, b, s)
		s.Consumed, s.Unsent, s.Response, s.Consumer.ProgressAt = 0, 0, pressure.Histogram{}, s.At
	}))
	wantLines(t, out, "  offered    4,988 messages, 998 msg/s")
}

func TestObserved_TwoTimes(t *testing.T) {
	running := fiveSeconds(func(r *Report, b, s *pressure.Snapshot) {
		openLoop(r, b, s)
		b.Unsent, s.Unsent = 500, 512 // of an earlier schedule
		s.Created = time.Now().Add(-10 * time.Second)
	})
	r := Of("orders", running.Now, &running.Interval, running.Verdict, nil)
	var b strings.Builder
	if err := Observed(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  offered    5,500 messages, 5", " msg/s; 1,000 msg/s are due now\n",
		"  unsent     12 messages that are due wait in front of the producer\n             500 messages were due and not sent\n",
		"  latency      20µs   20µs   20µs   20µs   20µs   20µs\n  response    445ms  445ms",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	// A program gets the last second's and the whole time's.
	r.Interval.Response = pressure.Histogram{}
	b.Reset()
	var f struct {
		Response *map[string]float64
		Run      struct{ Response, Lateness *map[string]float64 }
	}
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &f); err != nil {
		t.Fatal(err)
	}
	if f.Response != nil || f.Run.Lateness != nil || f.Run.Response == nil || (*f.Run.Response)["mean"] != 450e6 || len(*f.Run.Response) != 6 {
		t.Errorf("%s", b.String())
	}
}

// While there is a schedule, a line has both times in place of the waits.
func TestInterval_Schedule_TwoTimes(t *testing.T) {
	p := &text{}
	var b strings.Builder
	one := func(change func(r *Report, b, s *pressure.Snapshot)) {
		r := fiveSeconds(func(r *Report, b, s *pressure.Snapshot) { change(r, b, s); r.Final = false })
		if err := p.print(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	one(openLoop)
	one(openLoop)
	one(func(r *Report, b, s *pressure.Snapshot) {
		openLoop(r, b, s)
		s.Latency, s.Response = took(0, 0), took(0, 0)
	})
	one(func(_ *Report, b, s *pressure.Snapshot) {
		b.Produced, b.Consumed, s.Produced, s.Consumed = 0, 0, 4988, 4980
	})
	wantLines(t, b.String(),
		"                                         latency       response",
		"            time  msg/s unsent  depth    p50    p99    p50    p99 verdict",
		"producer   5.0 s    996     12      8   20µs   20µs  445ms  445ms balanced",
		// Which a line with the two times does not show.
		"producer         blocked: producer 0 %, consumer 0 % of the time; queue 0 % full; 12 messages that are due wait in front of the producer",
		"producer   5.0 s    996     12      8      -      -      -      - balanced",
		"            time  msg/s queue     depth prod. waits cons. waits verdict",
	)
	if n := strings.Count(b.String(), "unsent"); n != 1 {
		t.Errorf("%d headings:\n%s", n, b.String())
	}
}

func TestSentence_Schedule_TwoTimes(t *testing.T) {
	r := fiveSeconds(openLoop)
	want := "; latency p50 20µs, p99 20µs; response p50 445ms, p99 445ms; 12 unsent"
	if got := Sentence(r.Now, &r.Interval, &r.Verdict); !strings.Contains(got, want) {
		t.Errorf("no %q in %q", want, got)
	}
	r = fiveSeconds(func(_ *Report, _, s *pressure.Snapshot) { s.Latency = took(time.Millisecond, 25) })
	if got := Sentence(r.Now, &r.Interval, &r.Verdict); strings.Contains(got, "latency") {
		t.Errorf("%q", got)
	}
}
