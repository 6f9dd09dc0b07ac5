package webui

import (
	"encoding/json"
	"testing"
	"time"

	"sluice/internal/flow"
	"sluice/internal/observe/monitor"
	"sluice/layout"
	"sluice/pressure"
)

// ring is a segment between two live processes in which the producer was blocked for that share.
func ring(name string, producer, consumer int, blocked float64, messages uint64) flow.Segment {
	side := func(pid int) pressure.RoleStats { return pressure.RoleStats{Alive: true, PID: pid, PIDNamespace: 1} }
	s := flow.Segment{
		Name:     name,
		Now:      &pressure.Snapshot{Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 4096}, Producer: side(producer), Consumer: side(consumer)},
		Interval: &pressure.Interval{Elapsed: time.Second, ProducerBlocked: blocked, Consumed: messages},
		Verdict:  &pressure.Verdict{Kind: pressure.Balanced},
	}
	if blocked > 0 {
		s.Verdict.Kind = pressure.ConsumerBound
	}
	return s
}

func TestLive_GroupsAndChains(t *testing.T) {
	g := flow.New([]flow.Segment{
		ring("a", 1, 2, 0.9, 0), ring("b", 2, 3, 0.9, 0), ring("c", 3, 4, 0, 0), ring("s1", 7, 9, 0, 1), ring("s2", 8, 9, 0, 3), ring("x", 10, 11, 0, 1),
	})
	shown := func(names ...string) (pairs []*monitor.Pair) {
		for _, n := range names {
			pairs = append(pairs, &monitor.Pair{Name: n})
		}
		return pairs
	}
	for _, c := range []struct {
		pairs          []*monitor.Pair
		groups, chains string
	}{
		{shown("x"), "null", "null"},
		{shown("s2", "x"), `[{"kind":"fan-in","process":"pid 9","members":[{"name":"s1","messages":0.25,"bytes":null,"heldUp":false},{"name":"s2","messages":0.75,"bytes":null,"heldUp":false}],` +
			`"says":"no producer is blocked much","trouble":false}]`, "null"},
		{shown("c"), "null", `[{"stages":[` +
			`{"from":[{"name":"a","heldUp":true,"bottleneck":false}],"process":"pid 2","to":[{"name":"b","heldUp":true,"bottleneck":true}]},` +
			`{"from":[{"name":"b","heldUp":true,"bottleneck":true}],"process":"pid 3","to":[{"name":"c","heldUp":false,"bottleneck":false}]}],` +
			`"says":["a is blocked 90 % of the time by the consumer of b (pid 3), which is slower"],"trouble":true}]`},
	} {
		groups, err := json.Marshal(newGroups(g, c.pairs))
		chains, err2 := json.Marshal(newChains(g, c.pairs))
		if err != nil || err2 != nil || string(groups) != c.groups || string(chains) != c.chains {
			t.Errorf("of %s:\n%s, want\n%s\n%s, want\n%s", c.pairs[0].Name, groups, c.groups, chains, c.chains)
		}
	}
}
