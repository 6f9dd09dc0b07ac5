package pressure

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/layout"
)

const (
	linkNow = uint64(1000 * time.Second)
	second  = uint64(time.Second)
)

// linked is a header whose consumer, of generation 3, is a bridge that runs; change edits it.
func linked(change func(h *layout.Header)) *layout.Header {
	h := &layout.Header{}
	h.ConsumerStats.Generation.StoreRelaxed(3)
	h.ConsumerStats.State.StoreRelaxed(uint64(layout.StateRunning))
	l := &h.ConsumerLink
	for field, value := range map[*layout.Uint64]uint64{
		&l.Holder: 3, &l.State: uint64(layout.LinkRunning), &l.StateAt: linkNow - 10*second, &l.NotedAt: linkNow - second/2,
		&l.Position: 900, &l.InFlight: 4096, &l.RoundTrip: uint64(2 * time.Millisecond), &l.StreamBytes: 1 << 19, &l.StreamLimit: 1 << 20,
		&l.PeerSeenAt: linkNow - second, &l.PeerPosition: 700, &l.PeerWaits: uint64(layout.PeerFull), &l.Lag: 300, &l.LagBytes: 2400, &l.LagTime: 3 * second,
	} {
		field.StoreRelaxed(value)
	}
	change(h)
	return h
}

func TestRead_Bridge(t *testing.T) {
	runs := Bridge{
		State: BridgeRunning, StateFor: 10 * time.Second, Age: 500 * time.Millisecond,
		Position: 900, InFlight: 4096, RoundTrip: 2 * time.Millisecond, StreamBytes: 1 << 19, StreamLimit: 1 << 20,
		PeerSeen: true, PeerSilent: time.Second, PeerPosition: 700, PeerWaits: layout.PeerFull, Lag: 300, LagBytes: 2400, LagTime: 3 * time.Second,
	}
	but := func(change func(b *Bridge)) Bridge {
		b := runs
		change(&b)
		return b
	}
	state := func(s layout.LinkState) func(h *layout.Header) {
		return func(h *layout.Header) { h.ConsumerLink.State.StoreRelaxed(uint64(s)) }
	}
	closed := func(h *layout.Header) { h.ConsumerStats.State.StoreRelaxed(uint64(layout.StateClosed)) }
	for _, c := range []struct {
		name   string
		dead   bool
		change func(h *layout.Header)
		want   Bridge
	}{
		{"a bridge that runs", false, func(*layout.Header) {}, runs},
		{"of an earlier holder of the role", false, func(h *layout.Header) { h.ConsumerLink.Holder.StoreRelaxed(2) }, Bridge{}},
		{"without a holder", false, func(h *layout.Header) {
			h.ConsumerLink.Holder.StoreRelaxed(0)
			h.ConsumerStats.Generation.StoreRelaxed(0)
		}, Bridge{}},
		{"a full stream", false, state(layout.LinkFull), but(func(b *Bridge) { b.State = BridgeFull })},
		{"a state that there is not", false, state(1 << 40), but(func(b *Bridge) { b.State = BridgeUnknown })},
		{"no state", false, state(layout.LinkNone), but(func(b *Bridge) { b.State = BridgeUnknown })},
		{"a bridge that was killed: as of when it noted that", true, func(*layout.Header) {},
			but(func(b *Bridge) { b.State, b.StateFor, b.PeerSilent = BridgeDied, 0, 500*time.Millisecond })},
		{"one that has ended", true, closed, but(func(b *Bridge) { b.State, b.StateFor, b.PeerSilent = BridgeEnded, 0, 500*time.Millisecond })},
		{"one that was stopped", true, func(h *layout.Header) { closed(h); state(layout.LinkStopped)(h) },
			but(func(b *Bridge) { b.State, b.PeerSilent = BridgeStopped, 500*time.Millisecond })},
		{"one that was stopped and killed as it left", true, state(layout.LinkStopped),
			but(func(b *Bridge) { b.State, b.PeerSilent = BridgeStopped, 500*time.Millisecond })},
		{"one that an error has ended", true, func(h *layout.Header) { closed(h); state(layout.LinkFailed)(h) },
			but(func(b *Bridge) { b.State, b.PeerSilent = BridgeFailed, 500*time.Millisecond })},
		{"nobody over there", false, func(h *layout.Header) { h.ConsumerLink.PeerSeenAt.StoreRelaxed(0) }, but(func(b *Bridge) {
			b.PeerSeen, b.PeerSilent, b.PeerPosition, b.PeerWaits, b.Lag, b.LagBytes, b.LagTime = false, 0, 0, 0, 0, 0, 0
		})},
		{"times to come", false, func(h *layout.Header) {
			l := &h.ConsumerLink
			l.StateAt.StoreRelaxed(math.MaxUint64)
			l.NotedAt.StoreRelaxed(linkNow + 1)
			l.PeerSeenAt.StoreRelaxed(linkNow + 1)
		}, but(func(b *Bridge) { b.StateFor, b.Age, b.PeerSilent = 0, 0, 0 })},
		{"times that are too long", false, func(h *layout.Header) {
			h.ConsumerLink.RoundTrip.StoreRelaxed(math.MaxUint64)
			h.ConsumerLink.LagTime.StoreRelaxed(1 << 63)
		}, but(func(b *Bridge) { b.RoundTrip, b.LagTime = math.MaxInt64, math.MaxInt64 })},
		{"no time of the state", false, func(h *layout.Header) { h.ConsumerLink.StateAt.StoreRelaxed(0) }, but(func(b *Bridge) { b.StateFor = 0 })},
		{"a wait that there is not", false, func(h *layout.Header) { h.ConsumerLink.PeerWaits.StoreRelaxed(77) }, but(func(b *Bridge) { b.PeerWaits = layout.PeerUnknown })},
		{"on the clock of another time namespace", false, func(h *layout.Header) { h.ConsumerStats.TimeNamespace.StoreRelaxed(1) },
			but(func(b *Bridge) { b.StateFor, b.Age, b.PeerSilent = 9500*time.Millisecond, 0, 500*time.Millisecond })},
	} {
		s := Read(linked(c.change), layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20}, LiveRoles{Consumer: !c.dead}, linkNow)
		if s.Consumer.Bridge != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", c.name, s.Consumer.Bridge, c.want)
		}
		if s.Producer.Bridge.Present() {
			t.Errorf("%s: the producer is a bridge too: %+v", c.name, s.Producer.Bridge)
		}
	}
	for current, want := range map[uint64]uint64{0: 0, 1: 11, 2: 22, 3: 0} {
		h := linked(func(h *layout.Header) {
			h.ProducerStats.Generation.StoreRelaxed(1)
			h.ProducerLink.Holder.StoreRelaxed(1)
			h.Origin.Place1.Source.StoreRelaxed(11)
			h.Origin.Place2.Source.StoreRelaxed(22)
			h.Origin.Current.StoreRelaxed(current)
		})
		s := Read(h, layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20}, LiveRoles{Producer: true}, linkNow)
		if s.Producer.Bridge.Source != want || s.Consumer.Bridge.Source != 0 {
			t.Errorf("place %d: from %d and %d, want %d", current, s.Producer.Bridge.Source, s.Consumer.Bridge.Source, want)
		}
	}
	if s := Read(linked(func(*layout.Header) {}), layout.Geometry{Mode: layout.ModeTransfer}, LiveRoles{Consumer: true}, linkNow); s.Consumer.Bridge.Present() {
		t.Errorf("a transfer has a bridge: %+v", s.Consumer.Bridge)
	}
}

func TestBridgeStates_AllDeclared(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "bridge.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "BridgeState" {
				declared++
				if text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value); err != nil || !slices.Contains(BridgeStates(), BridgeState(text)) {
					t.Errorf("%s is not in BridgeStates", spec.Names[0])
				}
			}
		}
		return true
	})
	if declared < 8 || declared != len(BridgeStates()) {
		t.Errorf("%d states are declared, %d are in BridgeStates", declared, len(BridgeStates()))
	}
}
