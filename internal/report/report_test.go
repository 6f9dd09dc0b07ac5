package report

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/internal/metrics"
	"sluice/layout"
	"sluice/pressure"
)

// fiveSeconds is a report on five seconds of a ring in which 20 messages waited at the
// start, 10 came, and 25 were taken.
func fiveSeconds(change func(r *Report, before, after *pressure.Snapshot)) *Report {
	before := pressure.Snapshot{
		At:       uint64(100 * time.Second),
		Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20},
		Produced: 120, Consumed: 100,
		Producer: pressure.RoleStats{Alive: true, PID: 7, Generation: 1, State: layout.StateRunning},
		Consumer: pressure.RoleStats{Alive: true, PID: 8, Generation: 1, State: layout.StateRunning},
	}
	after := before
	after.At += uint64(5 * time.Second)
	after.Produced, after.Consumed, after.HighWater = 130, 125, 3
	r := &Report{Sample: metrics.Sample{Role: "consumer", Name: "orders", Mode: layout.ModeRing, Elapsed: 5 * time.Second, Final: true}}
	change(r, &before, &after)
	r.Mode = after.Geometry.Mode
	r.Now, r.Interval = &after, pressure.Between(&before, &after)
	r.Run = &r.Interval
	r.setVerdict(pressure.Judge(&r.Interval, &after))
	return r
}

func printed(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := (&text{}).print(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSummary_FiguresAddUp(t *testing.T) {
	out := printed(t, fiveSeconds(func(*Report, *pressure.Snapshot, *pressure.Snapshot) {}))
	for _, want := range []string{
		"produced   10 messages, 0 B; 20 messages queued before\n",
		"consumed   25 messages",
		"queue      5 messages (0 % of 1 MiB), at most 20 messages\n", // those that waited; the producer noted 3
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	i := fiveSeconds(func(*Report, *pressure.Snapshot, *pressure.Snapshot) {}).Interval
	if i.DepthBefore+i.Produced != i.Consumed+i.Lost+5 {
		t.Errorf("%+v", i)
	}
}

// Rates and shares are of the time since there was a segment.
func TestSummary_TimeWithoutSegment(t *testing.T) {
	for _, c := range []struct {
		waited, elapsed time.Duration
		want            string
	}{
		{0, 9 * time.Second, "ran for 9s\n"},
		{50 * time.Millisecond, 9 * time.Second, "ran for 9s\n"},
		{4 * time.Second, 9 * time.Second, "ran for 9s; the figures begin after 4s, when it joined the segment\n"},
		{50 * time.Millisecond, 58 * time.Millisecond, "ran for 58ms; the figures begin after 50ms, when it joined the segment\n"},
		{100 * time.Microsecond, 800 * time.Microsecond, "ran for 800µs\n"},
	} {
		out := printed(t, fiveSeconds(func(r *Report, _, _ *pressure.Snapshot) { r.Elapsed, r.Waited = c.elapsed, c.waited }))
		if !strings.Contains(out, c.want) {
			t.Errorf("waited for %v of %v: no %q in\n%s", c.waited, c.elapsed, c.want, out)
		}
	}
}

func TestSummary_LossesAndRefusals(t *testing.T) {
	asTransfer := func(s *pressure.Snapshot) {
		s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
		s.Limit = 1 << 30
	}
	for _, row := range []struct {
		name   string
		change func(r *Report, b, s *pressure.Snapshot)
		want   []string
	}{
		{"drops", func(_ *Report, _, s *pressure.Snapshot) { s.Dropped = 1 }, []string{"dropped    1 message, because the ring was full\n"}},
		{"refusals", func(_ *Report, _, s *pressure.Snapshot) { s.Refused = 1234 }, []string{"refused    1,234 sends: the ring was full\n"}},
		{"the limit", func(_ *Report, b, s *pressure.Snapshot) {
			asTransfer(b)
			asTransfer(s)
			s.Refused, s.RefuseReason = 1, layout.RefuseMemoryLimit
		}, []string{"refused    1 send; last reason: memory limit\n"}},
		{"nothing in flight, and descriptors that are not closed yet", func(_ *Report, b, s *pressure.Snapshot) {
			asTransfer(b)
			asTransfer(s)
			s.Consumed, s.QueueBytes, s.Descriptors, s.MaxDescriptors = s.Produced, 0, 5, 17500
		}, []string{"in flight  0 B\n"}},
		{"something in flight", func(_ *Report, b, s *pressure.Snapshot) {
			asTransfer(b)
			asTransfer(s)
			s.QueueBytes, s.Descriptors, s.MaxDescriptors = 20480, 5, 17500
		}, []string{"in flight  20 KiB, 5 of at most 17,500 descriptors\n"}},
		{"losses", func(_ *Report, b, s *pressure.Snapshot) {
			asTransfer(b)
			asTransfer(s)
			s.Lost = 5
		}, []string{"lost       5 messages: queued by a producer that died or gave up\n"}},
	} {
		out := printed(t, fiveSeconds(row.change))
		for _, want := range row.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", row.name, want, out)
			}
		}
	}
}

// What is not known is null; what is known to be nothing is 0.
func TestJSON_Keys(t *testing.T) {
	asTransfer := func(_ *Report, b, s *pressure.Snapshot) {
		b.Geometry, s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}, layout.Geometry{Mode: layout.ModeTransfer}
	}
	ring := fiveSeconds(func(*Report, *pressure.Snapshot, *pressure.Snapshot) {})
	for _, row := range []struct {
		name  string
		r     *Report
		null  string
		known map[string]any
	}{
		{"ring", ring, "limitBytes limitInSec fdsInFlight fdsMax refuseReason latency response lateness discardedBytes",
			map[string]any{"lostCount": 0.0, "droppedCount": 0.0, "refusedCount": 0.0, "capacityBytes": 1048576.0, "slots": 0.0, "queueDepth": 5.0, "final": true}},
		{"transfer", fiveSeconds(asTransfer), "capacityBytes slots limitInSec latency response lateness discardedBytes", map[string]any{"lostCount": 0.0, "limitBytes": 0.0, "fdsInFlight": 0.0}},
		{"no segment", &Report{Sample: metrics.Sample{Role: "consumer", Name: "orders", Mode: layout.ModeRing, Verdict: pressure.Verdict{Kind: pressure.NoProducer}}},
			"producedCount consumedCount producerWaits consumerWaits producerWaitSec consumerWaitSec queueDepth queueBytes capacityBytes fill throughputPerSec refusedCount droppedCount lostCount highWater memoryBytes latency",
			map[string]any{"final": false, "verdict": "no-producer"}},
		{"a run", func() *Report {
			r := fiveSeconds(func(*Report, *pressure.Snapshot, *pressure.Snapshot) {})
			r.End = "stopped"
			return r
		}(), "limitBytes", map[string]any{"streamEnd": "stopped", "run": map[string]any{
			"elapsedSec": 5.0, "waitingCount": 20.0, "producedCount": 10.0, "consumedCount": 25.0, "refusedCount": 0.0, "droppedCount": 0.0, "lostCount": 0.0,
			"refusedMessages": 0.0, "unsentCount": 0.0, "offeredCount": 10.0, "latency": nil, "response": nil, "lateness": nil, "latenessExplains": nil,
		}, "producer": map[string]any{"alive": true, "pid": 7.0, "state": "running", "where": "pid 7", "wakes": 0.0, "spuriousWakes": 0.0}}},
		{"a truncated segment", &Report{Sample: metrics.Sample{Role: "producer", Name: "orders", Own: &metrics.OwnCount{Run: 5, Total: 7}}}, "consumedCount queueDepth verdict streamEnd producer consumer",
			map[string]any{"producedCount": 7.0, "run": map[string]any{
				"elapsedSec": nil, "waitingCount": nil, "producedCount": 5.0, "consumedCount": nil, "refusedCount": nil, "droppedCount": nil, "lostCount": nil,
				"refusedMessages": nil, "unsentCount": nil, "offeredCount": nil, "latency": nil, "response": nil, "lateness": nil, "latenessExplains": nil,
			}}},
		{"a ring that fills", fiveSeconds(func(_ *Report, b, s *pressure.Snapshot) {
			s.Produced, s.Consumed, s.QueueBytes = 1120, 200, 1<<19
		}), "limitBytes", map[string]any{"limitInSec": 5.0, "verdict": "consumer-bound"}},
	} {
		var b strings.Builder
		if err := JSON(&b, row.r); err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		if err := json.Unmarshal([]byte(b.String()), &got); err != nil || strings.Count(b.String(), "\n") != 1 {
			t.Fatalf("%v: %q", err, b.String())
		}
		for key := range strings.FieldsSeq(row.null) {
			if v, there := got[key]; !there || v != nil {
				t.Errorf("%s: %s is %v (there: %v), want null", row.name, key, v, there)
			}
		}
		for key, want := range row.known {
			if !reflect.DeepEqual(got[key], want) {
				t.Errorf("%s: %s is %v, want %v", row.name, key, got[key], want)
			}
		}
	}
}

// The producer notes the deepest queue now and then. What a line shows was seen, and was
// not deeper before.
func TestHighWater_NeverBelowDepth(t *testing.T) {
	lag := func(_ *Report, b, s *pressure.Snapshot) { b.HighWater, s.HighWater = 3, 3 }
	r := fiveSeconds(lag) // 5 messages are queued, 20 were
	var b strings.Builder
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var f struct{ QueueDepth, HighWater uint64 }
	if err := json.Unmarshal([]byte(b.String()), &f); err != nil || f.QueueDepth != 5 || f.HighWater != 5 {
		t.Errorf("%v, %+v", err, f)
	}
	b.Reset()
	if err := Observed(&b, r); err != nil || !strings.Contains(b.String(), "queue      5 messages, 0 B, 0 % full; deepest 5 messages") {
		t.Errorf("%v\n%s", err, b.String())
	}
	before := *r.Now
	before.Produced += 15
	next := *r.Now
	if next.CarryHighWater(&before); next.Deepest() != 20 {
		t.Errorf("%d after 20", next.Deepest())
	}
}

// A sentence stands for itself, on one line, with the reason when figures are not all.
func TestSentence_Text(t *testing.T) {
	for _, row := range []struct {
		change func(r *Report, b, s *pressure.Snapshot)
		want   string
	}{
		{func(*Report, *pressure.Snapshot, *pressure.Snapshot) {},
			"balanced: 5 msg/s, 5 messages queued, 0 % full; blocked: producer 0 %, consumer 0 %"},
		{func(_ *Report, _, s *pressure.Snapshot) { s.Consumer.Stopped = true },
			"stopped: 5 msg/s, 5 messages queued, 0 % full; blocked: producer 0 %, consumer 0 %; the consumer (pid 8) is stopped (SIGSTOP or Ctrl-Z)"},
		{func(_ *Report, _, s *pressure.Snapshot) { s.Dropped = 30 },
			"consumer-bound: 5 msg/s, 5 messages queued, 0 % full; blocked: producer 0 %, consumer 0 %; 30 of 40 messages dropped because the ring was full"},
	} {
		r := fiveSeconds(row.change)
		if got := Sentence(r.Now, &r.Interval, &r.Verdict); got != row.want {
			t.Errorf("%q\nwant %q", got, row.want)
		}
	}
}

func TestObserved_NamesHolders(t *testing.T) {
	r := fiveSeconds(func(_ *Report, _, s *pressure.Snapshot) {
		s.Consumer.Stopped, s.Consumer.State = true, layout.StateBlocked
		s.Producer = pressure.RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndFailed}
	})
	var b strings.Builder
	if err := Observed(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf("%-10s failed; blocked", "producer"), fmt.Sprintf("%-10s pid 8, stopped; blocked", "consumer")} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestSentence_BrokenBetweenClauses(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"the consumer has time left; nothing to do unless more should arrive":                                "the consumer has time left; nothing to do unless more should arrive",
		"the ring was full for 1s of 5s; about 1,000 more messages would have been sent; the consumer slept": "the ring was full for 1s of 5s;|about 1,000 more messages would have been sent; the consumer slept",
	} {
		if got := strings.Join(clauses(text, maxColumns-13), "|"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Without a bound there is no share of it: 0 % would be made up.
func TestQueue_WithoutBound_HasNoFill(t *testing.T) {
	r := fiveSeconds(func(_ *Report, b, s *pressure.Snapshot) {
		b.Geometry, s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}, layout.Geometry{Mode: layout.ModeTransfer}
	})
	var observed, line strings.Builder
	if err := Observed(&observed, r); err != nil {
		t.Fatal(err)
	}
	summary := printed(t, r)
	r.Final = false
	(&text{}).line(&line, r)
	for _, c := range []struct{ text, want string }{
		{summary, "queue      5 messages (no limit), at most "}, {observed.String(), "queue      5 messages, 0 B, no limit; deepest "},
		{line.String(), " no limit      5 "}, {Sentence(r.Now, &r.Interval, &r.Verdict), "5 messages queued, no limit; blocked: "},
	} {
		if !strings.Contains(c.text, c.want) {
			t.Errorf("no %q in\n%s", c.want, c.text)
		}
	}
}
