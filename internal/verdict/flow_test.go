package verdict

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/flow"
	"sluice/layout"
	"sluice/pressure"
)

// ring is a segment between two live processes, of which the shares of the interval that each side
// was blocked and the verdict are as given.
func ring(name string, producer, consumer int, producerBlocked, consumerBlocked float64, kind pressure.Kind, messages uint64) flow.Segment {
	side := func(pid int) pressure.RoleStats {
		return pressure.RoleStats{Alive: true, PID: pid, PIDNamespace: 1, Generation: 1}
	}
	s := flow.Segment{
		Name:     name,
		Now:      &pressure.Snapshot{Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 4096}, Producer: side(producer), Consumer: side(consumer)},
		Interval: &pressure.Interval{Elapsed: time.Second, ProducerBlocked: producerBlocked, ConsumerBlocked: consumerBlocked, Produced: messages, Consumed: messages},
		Verdict:  &pressure.Verdict{Kind: kind},
	}
	if kind == pressure.ConsumerBound {
		s.Now.QueueBytes = 4096
		s = withMessages(s)
	}
	return s
}

func slow(name string, producer, consumer int, messages uint64) flow.Segment {
	return ring(name, producer, consumer, 0.9, 0, pressure.ConsumerBound, messages)
}

func idle(name string, producer, consumer int, messages uint64) flow.Segment {
	return ring(name, producer, consumer, 0, 0.8, pressure.ProducerBound, messages)
}

// withMessages is the segment with messages in it.
func withMessages(s flow.Segment) flow.Segment {
	s.Now.Produced = s.Now.Consumed + 10
	return s
}

func stopped(s flow.Segment) flow.Segment {
	s.Now.Consumer.Stopped, s.Verdict.Kind, s.Verdict.Role = true, pressure.Stopped, layout.Consumer
	return s
}

func TestFlow_GroupInWords(t *testing.T) {
	eight := func(blocked int, next ...flow.Segment) (all []flow.Segment) {
		for i := range 8 {
			s := slow(fmt.Sprintf("s%d", i+1), 10+i, 9, 100)
			if i >= blocked {
				s = idle(s.Name, 10+i, 9, 100)
			}
			all = append(all, s)
		}
		return append(all, next...)
	}
	noConsumer := func(s flow.Segment) flow.Segment {
		s.Now.Consumer.Alive, s.Verdict.Kind = false, pressure.NoConsumer
		return s
	}
	stalled := func(s flow.Segment) flow.Segment {
		s.Verdict.Kind, s.Verdict.NoProgressFor = pressure.Stalled, 7*time.Second
		return s
	}
	for _, c := range []struct {
		name     string
		segments []flow.Segment
		want     string
	}{
		{"7 of 8 wait", eight(7), "the consumer is slower than its producers: 7 of 8 producers are blocked"},
		{"1 of 8 waits", eight(1), "the consumer is slower than its producers: 1 of 8 producers is blocked"},
		{"all wait", eight(8), "the consumer is slower than its producers: all 8 producers are blocked"},
		{"none waits", eight(0), "the consumer waits for its producers 80 % of the time"},
		{"it is itself blocked", eight(8, slow("out", 9, 30, 800)), "all 8 producers are blocked by the consumer of out (pid 30), which is slower"},
		{"it is blocked by a stopped one", eight(3, stopped(slow("out", 9, 30, 800))), "3 of 8 producers are blocked by the consumer of out (pid 30), which is stopped"},
		{"one has all", []flow.Segment{idle("a", 1, 9, 1000), idle("b", 2, 9, 0)}, "the consumer waits for its producers 80 % of the time; a has 100 % of the messages"},
		{"one has nearly all", []flow.Segment{slow("a", 1, 9, 9999), idle("b", 2, 9, 1)}, "the consumer is slower than its producers: 1 of 2 producers is blocked; a has more than 99 % of the messages"},
		{"one has its turn", []flow.Segment{slow("a", 1, 9, 1000), slow("b", 2, 9, 0)}, "the consumer is slower than its producers: all 2 producers are blocked"},
		{"one has its turn, and the other is not full", []flow.Segment{slow("a", 1, 9, 1000), withMessages(idle("b", 2, 9, 0))}, "the consumer is slower than its producers: 1 of 2 producers is blocked"},
		{"one has most", []flow.Segment{ring("a", 1, 9, 0, 0, pressure.Balanced, 900), ring("b", 2, 9, 0, 0, pressure.Balanced, 100)}, "no producer is blocked much; a has 90 % of the messages"},
		{"one has a little more", []flow.Segment{ring("a", 1, 9, 0.05, 0, pressure.Balanced, 600), ring("b", 2, 9, 0, 0, pressure.Balanced, 400)}, "no producer is blocked much"},
		{"blocked in bursts", []flow.Segment{ring("a", 1, 9, 0.3, 0.4, pressure.Balanced, 1), ring("b", 2, 9, 0, 0.4, pressure.ProducerBound, 1)}, "a is blocked 30 % of the time, but its consumer waits too, 40 %"},
		{"the consumer is stopped", []flow.Segment{stopped(slow("a", 1, 9, 0)), stopped(slow("b", 2, 9, 0))}, "the consumer is stopped: all 2 producers are blocked"},
		{"the consumer is stopped, and nobody has noticed", []flow.Segment{stopped(idle("a", 1, 9, 0)), stopped(idle("b", 2, 9, 0))}, "the consumer is stopped"},
		{"the consumer is stalled", []flow.Segment{stalled(slow("a", 1, 9, 0)), idle("b", 2, 9, 0)}, "the consumer has received nothing for 7 s: 1 of 2 producers is blocked"},

		{"one reader is slow", []flow.Segment{idle("a", 9, 1, 10), idle("b", 9, 2, 10), slow("c", 9, 3, 10)}, "the producer is held up by c: its queue is full; the consumers of a and b wait"},
		{"one reader is slow, one drops", []flow.Segment{ring("a", 9, 1, 0, 0, pressure.ConsumerBound, 10), idle("b", 9, 2, 10), slow("c", 9, 3, 10)}, "the producer is held up by c: its queue is full; the consumer of b waits"},
		{"two readers are slow", []flow.Segment{slow("a", 9, 1, 10), slow("b", 9, 2, 10)}, "the producer is held up by a and b: their queues are full"},
		{"one reader is stopped", []flow.Segment{idle("a", 9, 1, 10), stopped(slow("c", 9, 3, 10))}, "the producer is held up by c: its queue is full; its consumer is stopped; the consumer of a waits"},
		{"one reader is blocked itself", []flow.Segment{idle("a", 9, 1, 10), slow("c", 9, 3, 10), slow("d", 3, 4, 10)},
			"the producer is held up by c: its queue is full; c is blocked by the consumer of d (pid 4), which is slower; the consumer of a waits"},
		{"one reader is gone", []flow.Segment{idle("a", 9, 1, 10), noConsumer(slow("c", 9, 3, 10))}, "the producer is held up by c: its queue is full; c has no consumer; the consumer of a waits"},
		{"no reader is slow", []flow.Segment{idle("a", 9, 1, 10), idle("b", 9, 2, 10)}, "the producer is not blocked much"},
	} {
		g := flow.New(c.segments)
		if len(g.Groups) != 1 {
			t.Fatalf("%s: %d groups", c.name, len(g.Groups))
		}
		if got := Group(g.Groups[0]); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

func TestFlow_ChainInWords(t *testing.T) {
	other := func(s flow.Segment) flow.Segment {
		s.Now.Consumer.PIDNamespace, s.Now.Consumer.OtherPIDNamespace = 2, true
		return s
	}
	long := []flow.Segment{}
	for i := range 9 {
		long = append(long, slow(fmt.Sprintf("r%d", i+1), i+1, i+2, 1))
	}
	for _, c := range []struct {
		segments    []flow.Segment
		chain, says string
		advice      string // of the first
	}{
		{[]flow.Segment{slow("a", 1, 2, 1), slow("b", 2, 3, 1), slow("c", 3, 123, 1)}, "a -> pid 2 -> b -> pid 3 -> c",
			"a is blocked 90 % of the time through b by the consumer of c (pid 123), which is slower", "speed up the consumer of c; more capacity only delays this"},
		{[]flow.Segment{slow("a", 1, 2, 1), idle("b", 2, 3, 1)}, "a -> pid 2 -> b", "a is blocked 90 % of the time by the consumer (pid 2), which is slower", ""},
		{[]flow.Segment{slow("a", 1, 2, 1), stopped(slow("b", 2, 3, 1))}, "a -> pid 2 -> b", "a is blocked 90 % of the time by the consumer of b (pid 3), which is stopped", "see to the consumer of b: gauge stat b"},
		{[]flow.Segment{slow("a", 1, 2, 1), other(slow("b", 2, 3, 1))}, "a -> pid 2 -> b", "a is blocked 90 % of the time by the consumer of b (process 3 of another pid namespace), which is slower",
			"speed up the consumer of b; more capacity only delays this"},
		{[]flow.Segment{idle("a", 1, 2, 1), idle("b", 2, 3, 1)}, "a -> pid 2 -> b", "no producer in it is blocked much", ""},
		{[]flow.Segment{ring("a", 1, 2, 0.3, 0.3, pressure.Balanced, 1), idle("b", 2, 3, 1)}, "a -> pid 2 -> b", "a is blocked 30 % of the time, but its consumer waits too, 30 %", ""},
		{[]flow.Segment{slow("a", 2, 1, 1), slow("b", 1, 2, 1)}, "a -> pid 1 -> b -> pid 2 -> a", "a is blocked 90 % of the time: a and b form a circle in which each waits for the next",
			"let one of these processes produce without waiting, or break the circle"},
		{[]flow.Segment{slow("a", 1, 2, 1), slow("b", 2, 3, 1), idle("c", 2, 4, 1), slow("d", 3, 5, 1), idle("e", 4, 5, 1)}, "a -> pid 2 -> b, c; b -> pid 3 -> d; c -> pid 4 -> e",
			"a is blocked 90 % of the time through b by the consumer of d (pid 5), which is slower", "speed up the consumer of d; more capacity only delays this"},
		{long, "r1 -> pid 2 -> r2 -> pid 3 -> r3 -> pid 4 -> r4 -> pid 5 -> r5 -> pid 6 -> r6 -> pid 7 -> r7 -> pid 8 -> r8 -> pid 9 -> r9",
			"r1 is blocked 90 % of the time through r2, r3, r4 and 4 more by the consumer of r9 (pid 10), which is slower", "speed up the consumer of r9; more capacity only delays this"},
	} {
		g := flow.New(c.segments)
		chain := g.Chains[0]
		if got := Chain(chain); got != c.chain {
			t.Errorf("%s, want %s", got, c.chain)
		}
		if got := strings.Join(ChainSays(g, chain), "; "); got != c.says {
			t.Errorf("%s:\n%s, want\n%s", c.chain, got, c.says)
		}
		if got := AdviceElsewhere(g.Of(c.segments[0].Name).HeldUp); got != c.advice {
			t.Errorf("%s: %s, want %s", c.chain, got, c.advice)
		}
	}
	g := flow.New([]flow.Segment{slow("a", 1, 2, 1), slow("b", 2, 3, 1), slow("c", 3, 4, 1)})
	for name, want := range map[string]string{"a": "", "b": "", "c": "a and b are blocked through it"} {
		if got := HoldsUp(name, g.Of(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestFlow_SharesInWords(t *testing.T) {
	for want, messages := range map[string][]uint64{
		"":                                     {0, 0},
		"b 75 %, a 25 % of the messages of 1s": {1, 3},
		"a 50 %, b 50 % of the messages of 1s": {1, 1},
		"b 100 %, a 0 % of the messages of 1s": {0, 3},
		"d 40 %, c 30 %, b 20 %, a 10 % of the messages of 1s":      {1, 2, 3, 4},
		"f 29 %, e 24 %, d 19 %, 3 more 29 % of the messages of 1s": {1, 2, 3, 4, 5, 6},
	} {
		var all []flow.Segment
		for i, n := range messages {
			all = append(all, idle(string(rune('a'+i)), i+1, 99, n))
		}
		if got := Shares(flow.New(all).Groups[0]); got != want {
			t.Errorf("%v: %q, want %q", messages, got, want)
		}
	}
}

// bridged is the segment with a bridge as its consumer, whose stream is full.
func bridged(s flow.Segment) flow.Segment {
	b := pressure.Bridge{State: pressure.BridgeFull, PeerSeen: true, PeerWaits: layout.PeerFull}
	s.Now.Consumer.Bridge, s.Verdict.ConsumerBridge = b, b
	s.Verdict.Cause = pressure.CauseBridgeFull
	s.Verdict.Advice = []pressure.Advice{{Kind: pressure.AdviceSpeedUpFarConsumer}, {Kind: pressure.AdviceKeepStream}}
	return s
}

// Whoever is held up by a bridge is told what is wrong beyond it.
func TestFlow_HeldUpByBridge_InWords(t *testing.T) {
	const beyond, advice = "stream full (the consumer over there is slower)", "speed up the consumer over there; a larger stream (--max-bytes) only delays this"
	segments := []flow.Segment{slow("a", 1, 2, 10), bridged(slow("b", 2, 9, 10)), ring("c", 9, 5, 0.9, 0, pressure.ConsumerBound, 10)}
	segments[2].Now.Producer.Bridge.State = pressure.BridgeRunning // of the same process
	g := flow.New(segments)
	for name, want := range map[string][2]string{
		"a": {"a is blocked 90 % of the time by the consumer of b (bridge, pid 9): " + beyond, "b: " + advice},
		"b": {"b is blocked 90 % of the time by the consumer (bridge, pid 9): " + beyond, ""},
		"c": {"c is blocked 90 % of the time by the consumer (pid 5), which is slower", ""},
	} {
		h := g.Of(name).HeldUp
		if got := [2]string{HeldUp(h), AdviceElsewhere(h)}; got != want {
			t.Errorf("%s:\n%q, want\n%q", name, got, want)
		}
	}
	if c := g.Of("a").Chain; c == nil || Chain(c) != "a -> pid 2 -> b" || g.Of("c").Chain != nil {
		t.Errorf("chains: %v", g.Chains)
	}
	segments = []flow.Segment{bridged(slow("a", 1, 8, 10)), slow("b", 9, 2, 10)}
	segments[0].Now.Created = time.Unix(0, 5)
	segments[1].Now.Producer.Bridge = pressure.Bridge{State: pressure.BridgeRunning, Source: 5}
	g = flow.New(segments)
	if c := g.Of("a").Chain; c == nil || Chain(c) != "a -> bridge, pid 8 and 9 -> b" {
		t.Errorf("chains: %v", g.Chains)
	}
	if h := g.Of("a").HeldUp; HeldUp(h) != "a is blocked 90 % of the time by the consumer of b (pid 2), which is slower" || AdviceElsewhere(h) != "speed up the consumer of b; more capacity only delays this" {
		t.Errorf("%q, %q", HeldUp(h), AdviceElsewhere(h))
	}
	runs := bridged(slow("b", 2, 9, 10))
	runs.Now.Consumer.Bridge.State, runs.Verdict.Cause = pressure.BridgeRunning, pressure.CauseWaits
	if got := HeldUp(flow.New([]flow.Segment{runs}).Of("b").HeldUp); got != "b is blocked 90 % of the time by the consumer (bridge, pid 9), which is slower" {
		t.Errorf("of a bridge that has nothing to say: %q", got)
	}
	out := flow.New([]flow.Segment{idle("a", 9, 1, 10), bridged(slow("c", 9, 3, 10))})
	if got := Group(out.Groups[0]); got != "the producer is held up by c: its queue is full; bridge: "+beyond+"; the consumer of a waits" {
		t.Errorf("%q", got)
	}
}
