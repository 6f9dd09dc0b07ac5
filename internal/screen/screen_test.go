package screen

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"sluice/internal/follow"
	"sluice/layout"
	"sluice/pressure"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// pair is one with a minute of history, a point each second.
func pair(name string, kind pressure.Kind) *follow.Pair {
	p := &follow.Pair{Name: name}
	p.Now = pressure.Snapshot{
		Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20, Slots: 8}, Produced: 1008, Consumed: 1000,
		Producer: pressure.Side{Alive: true, PID: 11}, Consumer: pressure.Side{Holders: 1, State: layout.StateClosed},
	}
	p.Lately = pressure.Interval{Throughput: 12_345_678, ProducerBlocked: 0.95}
	p.Verdict = pressure.Verdict{Kind: kind, Why: "the reason", Advice: "the advice", Held: 12 * time.Second}
	for i := range 60 {
		p.History = append(p.History, follow.Point{At: noon.Add(time.Duration(i-59) * time.Second), Throughput: float64(i), Depth: 8, ProducerBlocked: 0.5})
	}
	return p
}

func screenOf(width, height int, pairs ...*follow.Pair) *Screen {
	return &Screen{Width: width, Height: height, Pairs: pairs, Interval: time.Second, Span: 2 * time.Minute, Now: noon}
}

func TestTheScreenFitsEveryTerminal(t *testing.T) {
	many := []*follow.Pair{{Name: "broken", Err: errors.New("look at segment \"broken\": segment is corrupt: " + strings.Repeat("x", 100))}}
	for i := range 40 {
		many = append(many, pair(fmt.Sprintf("pair-with-a-long-name-%d", i), pressure.ConsumerBound))
	}
	for _, pairs := range [][]*follow.Pair{nil, many[:1], many[1:2], many[:6], many} {
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

func TestEightyColumnsShowAllOfALine(t *testing.T) {
	s := screenOf(80, 24, pair("a-name-of-14-c", pressure.ConsumerBound), pair("demo", pressure.NoConsumer))
	s.Plain, s.Chosen = true, 1
	drawn := s.Draw()
	for _, want := range []string{
		"2 segments", "every 1s, 12:00:00",
		"  a-name-of-14-c ring      12.3 M       8 █████ 100%   95%    0%  consumer-bound\n",
		"> demo           ring      12.3 M       8 █████ 100%   95%    0%  no-consumer\n",
		"demo  no-consumer for 12s\n", "the reason\n", "the advice\n",
		"producer pid 11, consumer ended", "8 slots and 1.0 MiB in use", "space: pause",
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %q in:\n%s", want, drawn)
		}
	}
	if s.Paused = true; !strings.Contains(s.Draw(), "PAUSED") || !strings.Contains(s.Draw(), "go on") {
		t.Error("a pause is not seen")
	}
}

func TestWithNothingToSeeTheScreenSaysHowToGetSomething(t *testing.T) {
	s := screenOf(80, 24)
	if drawn := s.Draw(); !strings.Contains(drawn, "No segments yet") || !strings.Contains(drawn, "    producer\n") {
		t.Error(drawn)
	}
	s.Name = "orders"
	if drawn := s.Draw(); !strings.Contains(drawn, "No segment orders yet") || !strings.Contains(drawn, "consumer --name orders --work") {
		t.Error(drawn)
	}
}

func TestTheChosenPairIsInView(t *testing.T) {
	var many []*follow.Pair
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

func TestASparklineIsItsSpan(t *testing.T) {
	figure := func(p follow.Point) float64 { return p.Throughput }
	var history []follow.Point
	for i := range 10 { // one each second, the last one now
		history = append(history, follow.Point{At: noon.Add(time.Duration(i-9) * time.Second), Throughput: float64(i)})
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
		if got := spark(history, figure, noon, c.span, c.columns, c.most); got != c.want {
			t.Errorf("%d columns of %v: %q, want %q", c.columns, c.span, got, c.want)
		}
	}
	if got := spark(nil, figure, noon, time.Second, 3, 0); got != "   " {
		t.Errorf("of nothing: %q", got)
	}
}
