package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"sluice/internal/flow"
	"sluice/internal/observe/monitor"
	"sluice/layout"
	"sluice/pressure"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// pair is one with a minute of history, a point each second.
func pair(name string, kind pressure.Kind) *monitor.Pair {
	p := &monitor.Pair{Name: name}
	p.Now = pressure.Snapshot{
		Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20, Slots: 8}, Produced: 1008, Consumed: 1000,
		Producer: pressure.RoleStats{Alive: true, PID: 11}, Consumer: pressure.RoleStats{Generation: 1, State: layout.StateClosed},
	}
	p.LastSecond = pressure.Interval{Throughput: 12_345_678, ProducerBlocked: 0.95}
	p.Verdict = pressure.Verdict{Kind: kind, Held: 12 * time.Second, Advice: []pressure.Advice{{Kind: pressure.AdviceStartConsumer}}}
	for i := range 60 {
		p.History = append(p.History, monitor.Point{At: noon.Add(time.Duration(i-59) * time.Second), Throughput: float64(i), Depth: 8, ProducerBlocked: 0.5})
	}
	return p
}

func screenOf(width, height int, pairs ...*monitor.Pair) *Screen {
	return &Screen{Width: width, Height: height, Pairs: pairs, Interval: time.Second, Span: 2 * time.Minute, Now: noon}
}

func TestScreen_FitsEveryTerminal(t *testing.T) {
	many := []*monitor.Pair{{Name: "broken", Err: errors.New("look at segment \"broken\": segment is corrupt: " + strings.Repeat("x", 100))}}
	for i := range 40 {
		many = append(many, pair(fmt.Sprintf("pair-with-a-long-name-%d", i), pressure.ConsumerBound))
	}
	for _, pairs := range [][]*monitor.Pair{nil, many[:1], many[1:2], many[:6], many} {
		for _, width := range []int{1, 20, 79, 80, 81, 200} {
			for _, height := range []int{1, 5, 15, 16, 24, 50} {
				for _, plain := range []bool{false, true} {
					s := screenOf(width, height, pairs...)
					s.Plain, s.Chosen = plain, max(0, len(pairs)-1)
					lines := strings.Split(s.Draw(), "\n")
					if len(lines) != height {
						t.Fatalf("%d pairs on %dx%d: %d lines", len(pairs), width, height, len(lines))
					}
					for _, l := range lines {
						if w := lipgloss.Width(l); w > width {
							t.Fatalf("%d pairs on %dx%d: %d columns: %q", len(pairs), width, height, w, l)
						}
					}
				}
			}
		}
	}
}

func TestScreen_EightyColumns_WholeLine(t *testing.T) {
	s := screenOf(80, 24, pair("a-name-of-14-c", pressure.ConsumerBound), pair("demo", pressure.NoConsumer))
	s.Plain, s.Chosen = true, 1
	drawn := s.Draw()
	for _, want := range []string{
		"2 segments", "every 1s, 12:00:00",
		"  a-name-of-14-c ring      12.3 M       8 █████ 100%   95%    0%  consumer-bound\n",
		"> demo           ring      12.3 M       8 █████ 100%   95%    0%  no-consumer\n",
		"demo  no-consumer for 12s\n", "there is no consumer; the queue is empty\n", "start a consumer\n",
		"producer pid 11, consumer ended", "8 slots and 1 MiB in use", "space: pause",
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %q in:\n%s", want, drawn)
		}
	}
	if s.Paused = true; !strings.Contains(s.Draw(), "PAUSED") || !strings.Contains(s.Draw(), "continue") {
		t.Error("a pause is not seen")
	}
}

// Names and the columns between give way; the verdict, which is what one looks for, does
// not.
func TestScreen_VerdictsNotCut(t *testing.T) {
	for _, kind := range pressure.Kinds() {
		var pairs []*monitor.Pair
		for i := range 12 {
			pairs = append(pairs, pair(fmt.Sprintf("orders-of-eu-west-%d-incoming", i), kind))
		}
		for width := 30; width <= 200; width++ {
			s := screenOf(width, 20, pairs...)
			s.Plain = true
			whole, seen := 0, map[string]bool{}
			for _, l := range strings.Split(s.Draw(), "\n")[3:] {
				if l == "" {
					break
				}
				if name, rest, _ := strings.Cut(l[2:], " "); strings.HasSuffix(l, "  "+string(kind)) {
					whole++
					seen[name] = true
					if strings.Contains(rest, "%") && !strings.Contains(rest, "100%") {
						t.Fatalf("%d columns: the queue is full, and the line is %q", width, l)
					}
				}
			}
			if whole < 4 || len(seen) != whole {
				t.Fatalf("%d columns, %s: %d names, %d whole verdicts in:\n%s", width, kind, len(seen), whole, s.Draw())
			}
			if !strings.Contains(s.Draw(), "for 12s\n") {
				t.Fatalf("%d columns: the verdict of the one that is shown in full is cut:\n%s", width, s.Draw())
			}
		}
	}
}

func TestScreen_HiddenPairsCounted(t *testing.T) {
	var pairs []*monitor.Pair
	for i := range 12 {
		pairs = append(pairs, pair(fmt.Sprintf("pair-%d", i), pressure.Balanced))
	}
	for _, c := range []struct {
		width, height, chosen int
		want                  string
	}{
		{80, 24, 0, "  5 more: 0 above, 5 below\n"},
		{80, 24, 6, "  5 more: 3 above, 2 below\n"},
		{80, 24, 11, "  5 more: 5 above, 0 below\n"},
		{60, 20, 0, "  8 more: 0 above, 8 below\n"},
		{200, 50, 0, ""},
		{80, 10, 3, "  7 more: 1 above, 6 below\n"}, // no room for one in full
	} {
		s := screenOf(c.width, c.height, pairs...)
		s.Plain, s.Chosen = true, c.chosen
		drawn := s.Draw()
		if !strings.Contains(drawn, c.want) || c.want == "" && strings.Contains(drawn, "more:") {
			t.Errorf("%dx%d: no %q in\n%s", c.width, c.height, c.want, drawn)
		}
		if rows := strings.Count(drawn, "  balanced\n"); c.want != "" && rows < 12-7-1 {
			t.Errorf("%d rows in\n%s", rows, drawn)
		}
	}
	s := screenOf(80, 24, pairs...)
	if s.Omitted = 100; !strings.Contains(s.Draw(), "12 of 112 segments") {
		t.Error(s.Draw())
	}
}

func TestScreen_CurvesHaveTimeScale(t *testing.T) {
	for width, want := range map[int]string{
		60: "2 min ago  1 min ago        now", 80: "2 min ago            1 min ago                  now", 44: "2 min ago   now", 40: "",
	} {
		s := screenOf(width, 24, pair("demo", pressure.Balanced))
		s.Plain = true
		lines := strings.Split(s.Draw(), "\n")
		at := -1
		for i, l := range lines {
			if strings.HasPrefix(l, "  cons. blocked") {
				at = i + 1
			}
		}
		if got := strings.TrimSpace(lines[at]); want != "" && (got != want || len(lines[at]) != width-1) || want == "" && strings.Contains(got, "ago") {
			t.Errorf("%d columns: %q", width, lines[at])
		}
	}
}

// A pair with a schedule shows both times, one above the other, and what is unsent, on 60 columns
// too.
func TestScreen_Schedule_TwoTimes(t *testing.T) {
	took := func(d time.Duration) pressure.Histogram {
		h := pressure.Histogram{Count: 1, Sum: uint64(d), Max: d, Buckets: make([]uint64, layout.LatencyBuckets)}
		h.Buckets[layout.LatencyBucket(uint64(d))] = 1
		return h
	}
	p := pair("demo", pressure.ConsumerBound)
	p.Now.Schedule = pressure.Schedule{InForce: true, Rate: 1000, Unsent: 992}
	p.Now.Unsent, p.LastSecond.Scheduled = 1000, true
	p.LastSecond.Latency, p.LastSecond.Response, p.LastSecond.Lateness = took(20*time.Microsecond), took(450*time.Millisecond), took(time.Microsecond)
	for _, width := range []int{60, 80, 120} {
		s := screenOf(width, 24, p, pair("other", pressure.Balanced))
		s.Plain = true
		drawn := s.Draw()
		for _, want := range []string{
			"  UNSENT", "RESP.P99", "     992", "   445ms",
			"                    p50    p90    p99  p99.9    max   mean\n",
			"  latency          20µs   20µs   20µs   20µs   20µs   20µs\n",
			"  response        445ms  445ms  445ms  445ms  450ms  450ms\n",
			"  unsent               992",
		} {
			if !strings.Contains(drawn, want) {
				t.Errorf("%d columns: no %q in\n%s", width, want, drawn)
			}
		}
		if strings.Contains(drawn, "lateness") {
			t.Errorf("lateness that explains nothing in\n%s", drawn)
		}
		p.LastSecond.Lateness = took(300 * time.Millisecond)
		if drawn := s.Draw(); !strings.Contains(drawn, "  lateness        294ms") || !strings.Contains(strings.Join(strings.Fields(drawn), " "), "the producer itself was late by half of the response or more; this could explain it at p50, p90, p99, p99.9") {
			t.Errorf("%d columns: lateness is not shown in\n%s", width, drawn)
		}
		p.LastSecond.Lateness = took(time.Microsecond)
	}
}

// Why something is so stands there whole, on as many lines as it takes.
func TestScreen_ReasonsNotCut(t *testing.T) {
	p := pair("demo", pressure.Unconnected)
	p.Verdict.Cause, p.Verdict.ProducerSocket, p.Verdict.ConsumerSocket = pressure.CauseSockets, "/run/"+strings.Repeat("user/", 10)+"s", "/tmp/END"
	p.Verdict.Advice = []pressure.Advice{{Kind: pressure.AdviceSameSocket}} // longer than a line
	s := screenOf(60, 24, p)
	s.Plain = true
	if drawn := s.Draw(); !strings.Contains(drawn, "END\n") || !strings.Contains(drawn, "XDG_RUNTIME_DIR\n") {
		t.Errorf("%s", drawn)
	}
}

func TestScreen_ASCII_SameLayout(t *testing.T) {
	many := []*monitor.Pair{pair("orders-of-eu-west-1-incoming-and-outgoing", pressure.Growing), {Name: "broken", Err: errors.New("ünlesbar: " + strings.Repeat("x", 100))}}
	many[0].LastSecond.Latency = pressure.Histogram{Count: 1, Max: 1500}
	for _, width := range []int{40, 60, 80, 200} {
		s := screenOf(width, 24, many...)
		s.Plain = true
		utf8 := strings.Split(s.Draw(), "\n")
		s.ASCII = true
		for i, l := range strings.Split(s.Draw(), "\n") {
			if len(l) != lipgloss.Width(utf8[i]) {
				t.Errorf("%q is %d columns wide as ASCII:\n%q", utf8[i], len(l), l)
			}
			for _, b := range []byte(l) {
				if b >= 0x80 {
					t.Fatalf("%q", l)
				}
			}
		}
	}
}

func TestScreen_Locale(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "LANG=C": false, "LANG=C.UTF-8": true, "LANG=de_DE.utf8": true, "LANG=de_DE.ISO-8859-1": false, "LANG=en_US.UTF-8 LC_ALL=C": false,
		"LC_CTYPE=C.UTF-8 LANG=C": true, "LC_CTYPE=POSIX LANG=C.UTF-8": false, "LC_ALL= LC_CTYPE= LANG=C.UTF-8": true, "LC_ALL=C.UTF8 LANG=C": true,
	} {
		vars := map[string]string{}
		for _, v := range strings.Fields(env) {
			name, value, _ := strings.Cut(v, "=")
			vars[name] = value
		}
		if got := UTF8(func(name string) string { return vars[name] }); got != want {
			t.Errorf("%q: %v", env, got)
		}
	}
}

func TestScreen_NoSegments_Hint(t *testing.T) {
	s := screenOf(80, 24)
	if drawn := s.Draw(); !strings.Contains(drawn, "No segments yet") || !strings.Contains(drawn, "    producer\n") {
		t.Error(drawn)
	}
	s.Names = []string{"orders"}
	if drawn := s.Draw(); !strings.Contains(drawn, "No segment orders yet") || !strings.Contains(drawn, "consumer --name orders --work") {
		t.Error(drawn)
	}
	s.Names = []string{"sensor-*", "b"}
	if drawn := s.Draw(); !strings.Contains(drawn, "No segment sensor-* or b yet") || !strings.Contains(drawn, "producer --name sensor-1\n") {
		t.Error(drawn)
	}
}

// What a segment has to do with others stands above the figures, and stays when there is room for
// few lines.
func TestScreen_GroupAndChain(t *testing.T) {
	var all []flow.Segment
	var pairs []*monitor.Pair
	for i, name := range []string{"a", "b", "c"} {
		p := pair(name, pressure.ConsumerBound)
		p.Now.Producer = pressure.RoleStats{Alive: true, PID: 11 + i, PIDNamespace: 1}
		p.Now.Consumer = pressure.RoleStats{Alive: true, PID: 12 + i, PIDNamespace: 1}
		p.Verdict.Advice = []pressure.Advice{{Kind: pressure.AdviceSpeedUpConsumer}}
		all, pairs = append(all, flow.Segment{Name: name, Now: &p.Now, Interval: &p.LastSecond, Verdict: &p.Verdict}), append(pairs, p)
	}
	g := flow.New(all)
	for _, p := range pairs {
		p.Place = g.Of(p.Name)
	}
	for _, height := range []int{22, 40} {
		s := screenOf(80, height, pairs...)
		s.Plain = true
		drawn := strings.Join(strings.Fields(s.Draw()), " ")
		for _, want := range []string{
			"speed up the consumer of c chain a -> pid 12 -> b -> pid 13 -> c held up a is blocked 95 % of the time through b by the consumer of c (pid 14), which is slower",
		} {
			if !strings.Contains(strings.ReplaceAll(drawn, "; more capacity only delays this", ""), want) {
				t.Errorf("%d lines: no %q in\n%s", height, want, s.Draw())
			}
		}
	}
}

func TestScreen_SelectedPairVisible(t *testing.T) {
	var many []*monitor.Pair
	for i := range 40 {
		many = append(many, pair(fmt.Sprintf("pair-%02d", i), pressure.Balanced))
	}
	for chosen := range many {
		s := screenOf(80, 24, many...)
		s.Plain, s.Chosen = true, chosen
		if name := fmt.Sprintf("> pair-%02d", chosen); !strings.Contains(s.Draw(), name) {
			t.Errorf("no %q in:\n%s", name, s.Draw())
		}
	}
}

func TestSparkline_Span(t *testing.T) {
	figure := func(p monitor.Point) float64 { return p.Throughput }
	var history []monitor.Point
	for i := range 10 { // one each second, the last one now
		history = append(history, monitor.Point{At: noon.Add(time.Duration(i-9) * time.Second), Throughput: float64(i)})
	}
	for _, c := range []struct {
		columns int
		span    time.Duration
		most    float64
		want    string
	}{
		{10, 10 * time.Second, 0, " ▁▂▃▄▄▅▆▇█"},
		{10, 10 * time.Second, 18, " ▁▁▁▂▂▃▃▄▄"},
		{12, 12 * time.Second, 0, "   ▁▂▃▄▄▅▆▇█"},
		{4, 4 * time.Second, 0, "▅▆▇█"}, // older ones are out of view
		{5, 10 * time.Second, 0, "▂▄▅▇█"},
		{0, time.Second, 0, ""},
	} {
		if got := sparkline(history, figure, noon, c.span, c.columns, c.most); got != c.want {
			t.Errorf("%d columns of %v: %q, want %q", c.columns, c.span, got, c.want)
		}
	}
	if got := sparkline(nil, figure, noon, time.Second, 3, 0); got != "   " {
		t.Errorf("of nothing: %q", got)
	}
}

func TestScreen_QueueWithoutBound_HasNoFill(t *testing.T) {
	p := pair("demo", pressure.Balanced)
	p.Now.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
	for width, want := range map[int]string{80: "      8          -   95%", 48: "      8     -  balanced"} {
		s := screenOf(width, 24, p)
		s.Plain = true
		if drawn := s.Draw(); !strings.Contains(drawn, want) || !strings.Contains(drawn, "0 B in use, no limit") {
			t.Errorf("%d columns: no %q in\n%s", width, want, drawn)
		}
	}
}
