package monitor

import (
	"errors"
	"strings"
	"testing"

	"sluice/pressure"
)

func TestSeverity_ProblemsFirstForAWhile(t *testing.T) {
	a, b, c := &Pair{Name: "a"}, &Pair{Name: "b"}, &Pair{Name: "c"}
	bad := &Pair{Name: "0-unreadable", Err: errors.New("no segment")}
	order := func() string {
		var names []string
		for _, p := range TroubledFirst([]*Pair{bad, a, b, c}) {
			names = append(names, p.Name)
		}
		return strings.Join(names, " ")
	}
	const second = 1_000_000_000
	for _, step := range []struct {
		at   uint64
		a, b pressure.Kind
		c    pressure.Kind
		want string
	}{
		{1 * second, pressure.Balanced, pressure.ConsumerBound, pressure.Idle, "a b c 0-unreadable"},
		{2 * second, pressure.Balanced, pressure.ConsumerBound, pressure.Growing, "c a b 0-unreadable"},
		{3 * second, pressure.Balanced, pressure.NoConsumer, pressure.Growing, "b c a 0-unreadable"},
		{4 * second, pressure.Balanced, pressure.NoConsumer, pressure.Balanced, "b c a 0-unreadable"}, // c for 5 s more
		{7*second + 999_999_999, pressure.Balanced, pressure.NoConsumer, pressure.Balanced, "b c a 0-unreadable"},
		{8 * second, pressure.Balanced, pressure.NoConsumer, pressure.Balanced, "b a c 0-unreadable"},
		{9 * second, "a word of a later version", pressure.NoConsumer, pressure.Balanced, "a b c 0-unreadable"},
	} {
		for p, kind := range map[*Pair]pressure.Kind{a: step.a, b: step.b, c: step.c} {
			p.Now.At, p.Now.Produced, p.Verdict.Kind = step.at, 1, kind
			p.updateTroubled()
		}
		if got := order(); got != step.want {
			t.Errorf("at %d s: %s, want %s", step.at/second, got, step.want)
		}
	}
}

func TestSeverity_EveryVerdict(t *testing.T) {
	words := map[string]string{"idle": "calm", "no-producer": "calm", "balanced": "good", "producer-bound": "good", "consumer-bound": "warn"}
	for _, k := range pressure.Kinds() {
		want := words[string(k)]
		if want == "" {
			want = "bad"
		}
		p := &Pair{Verdict: pressure.Verdict{Kind: k}}
		p.Now.Produced = 1
		if got := p.Severity().String(); got != want {
			t.Errorf("%s is %s, want %s", k, got, want)
		}
	}
	// What a bridge cannot pass on waits until somebody intervenes, or only for the other side.
	for cause, want := range map[pressure.Cause]Severity{
		pressure.CauseBridgeConnection: Bad, pressure.CauseBridgeNoStream: Bad, pressure.CauseBridgeRefused: Bad, pressure.CauseBridgeNoAck: Bad,
		pressure.CauseBridgeFull: Warn, pressure.CauseBridgeInFlight: Warn, pressure.CauseWaits: Warn,
	} {
		if got := (&Pair{Verdict: pressure.Verdict{Kind: pressure.ConsumerBound, Cause: cause}}).Severity(); got != want {
			t.Errorf("%s is %v, want %v", cause, got, want)
		}
	}
	for cause, want := range map[pressure.Cause]Severity{
		pressure.CauseBridgeConnection: Bad, pressure.CauseBridgeMissing: Bad, pressure.CauseBridgeNothing: Good, pressure.CauseWaits: Good,
	} {
		if got := (&Pair{Verdict: pressure.Verdict{Kind: pressure.ProducerBound, Cause: cause}}).Severity(); got != want {
			t.Errorf("%s is %v, want %v", cause, got, want)
		}
	}
	p := &Pair{Verdict: pressure.Verdict{Kind: pressure.NoConsumer}}
	if p.Severity() != Calm {
		t.Error("an empty queue of nobody's is in trouble")
	}
	if p.Now.Producer.Alive = true; p.Severity() != Bad {
		t.Error("a producer without a consumer is in no trouble")
	}
}
