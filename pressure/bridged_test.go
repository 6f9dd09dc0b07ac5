package pressure

import (
	"slices"
	"testing"
	"time"

	"sluice/layout"
)

// bridgeThat is a bridge in a state for three seconds; the one over there was heard of lately.
func bridgeThat(state BridgeState, change ...func(b *Bridge)) Bridge {
	b := Bridge{State: state, StateFor: 3 * time.Second, StreamBytes: 1 << 20, StreamLimit: 1 << 30, PeerSeen: true, PeerSilent: time.Second, PeerWaits: layout.PeerRuns}
	for _, f := range change {
		f(&b)
	}
	return b
}

func peerWaits(w layout.PeerWaits) func(b *Bridge) { return func(b *Bridge) { b.PeerWaits = w } }
func nobodyThere(b *Bridge)                        { b.PeerSeen, b.PeerSilent, b.PeerWaits = false, 0, layout.PeerUnknown }
func silent(b *Bridge)                             { b.PeerSilent = 12 * time.Second }
func nearlyFull(b *Bridge)                         { b.StreamBytes = b.StreamLimit / 100 * 97 }

// The near ring: its consumer is a bridge.
func TestJudge_ConsumerIsBridge(t *testing.T) {
	full := func(_, s *Snapshot) {
		s.Producer.Blocked, s.Producer.Waits, s.Produced = 950*time.Millisecond, 50, 1208
	}
	// The bridge has sent everything, and waits for acknowledgements and for messages alike.
	bothWait := func(b, s *Snapshot) { full(b, s); s.Consumer.Blocked = 900 * time.Millisecond }
	few := func(_, s *Snapshot) { s.Consumed, s.Produced = 1000, 1003 }
	long := func(_, s *Snapshot) {
		s.Consumed, s.Produced, s.Consumer.ProgressAt = 1000, 1008, s.At-uint64(10*time.Second)
	}
	flows := func(_, s *Snapshot) { s.Consumer.Blocked, s.Consumer.Waits = 950*time.Millisecond, 200 }
	drops := func(b, s *Snapshot) { s.Produced, s.Dropped = 1208, 200 }
	speedUp := []AdviceKind{AdviceFasterBridge, AdviceKeepCapacity}
	farConsumer := []AdviceKind{AdviceSpeedUpFarConsumer, AdviceKeepStream}
	farBridge := []AdviceKind{AdviceStartFarBridge, AdviceKeepStream}
	for _, c := range []struct {
		name   string
		bridge Bridge
		change func(before, after *Snapshot)
		kind   Kind
		cause  Cause
		advice []AdviceKind
	}{
		// Today's verdicts, with advice that is right for a bridge.
		{"runs, and messages flow", bridgeThat(BridgeRunning), flows, ProducerBound, CauseWaits, nil},
		{"runs, and neither waits", bridgeThat(BridgeRunning), func(_, s *Snapshot) { s.Produced = 1202 }, Balanced, CauseWaits, nil},
		{"runs, and the producer waits", bridgeThat(BridgeRunning), full, ConsumerBound, CauseWaits, speedUp},
		{"runs, and shows no progress", bridgeThat(BridgeRunning), long, Stalled, CauseNoProgress, []AdviceKind{AdviceInspectConsumer}},
		{"says nothing that has a meaning", bridgeThat(BridgeUnknown), full, ConsumerBound, CauseWaits, speedUp},

		// What keeps it from passing messages on.
		{"full, the consumer over there is slower", bridgeThat(BridgeFull, peerWaits(layout.PeerFull)), full, ConsumerBound, CauseBridgeFull, farConsumer},
		{"full, the bridge over there is slower", bridgeThat(BridgeFull), full, ConsumerBound, CauseBridgeFull, farConsumer},
		{"full, nobody over there", bridgeThat(BridgeFull, nobodyThere), full, ConsumerBound, CauseBridgeFull, farBridge},
		{"full, silence over there", bridgeThat(BridgeFull, silent), full, ConsumerBound, CauseBridgeFull, farBridge},
		{"full of other subjects", bridgeThat(BridgeFull, peerWaits(layout.PeerEmpty)), full, ConsumerBound, CauseBridgeFull, []AdviceKind{AdviceMoreStream}},
		{"kept full: it runs for a moment", bridgeThat(BridgeRunning, nearlyFull, peerWaits(layout.PeerFull)), full, ConsumerBound, CauseBridgeFull, farConsumer},
		{"nearly full, and messages flow", bridgeThat(BridgeRunning, nearlyFull), flows, ProducerBound, CauseWaits, nil},
		{"full, and it waits in the ring too", bridgeThat(BridgeFull, peerWaits(layout.PeerFull)), bothWait, ConsumerBound, CauseBridgeFull, farConsumer},
		{"no connection", bridgeThat(BridgeConnecting), full, ConsumerBound, CauseBridgeConnection, []AdviceKind{AdviceCheckServer}},
		{"no stream", bridgeThat(BridgeNoStream), full, ConsumerBound, CauseBridgeNoStream, []AdviceKind{AdviceCheckStream}},
		{"refused", bridgeThat(BridgeRefused), full, ConsumerBound, CauseBridgeRefused, []AdviceKind{AdviceCheckRefusal}},
		{"no acknowledgement", bridgeThat(BridgeNoAck), full, ConsumerBound, CauseBridgeNoAck, []AdviceKind{AdviceCheckServer}},
		{"no acknowledgement, and it waits in the ring too", bridgeThat(BridgeNoAck), bothWait, ConsumerBound, CauseBridgeNoAck, []AdviceKind{AdviceCheckServer}},
		{"no connection, for long: not stalled", bridgeThat(BridgeConnecting), long, ConsumerBound, CauseBridgeConnection, []AdviceKind{AdviceCheckServer}},
		{"no connection, and few messages", bridgeThat(BridgeConnecting), few, ConsumerBound, CauseBridgeConnection, []AdviceKind{AdviceCheckServer}},
		{"no connection, and no messages", bridgeThat(BridgeConnecting), func(_, s *Snapshot) { s.Produced, s.Consumed = 1000, 1000 }, Idle, "", nil},
		{"no connection, of a ring that drops", bridgeThat(BridgeConnecting), func(b, s *Snapshot) { long(b, s); drops(b, s) }, ConsumerBound, CauseBridgeConnection, []AdviceKind{AdviceCheckServer}},
		{"full, of a ring that drops", bridgeThat(BridgeFull, peerWaits(layout.PeerFull)), drops, ConsumerBound, CauseBridgeFull, farConsumer},

		// The round trip is the limit: all that the ring holds is on its way.
		{"in flight", bridgeThat(BridgeRunning, func(b *Bridge) { b.InFlight = 800 }), func(b, s *Snapshot) {
			bothWait(b, s)
			s.ProducedBytes, s.ConsumedBytes = 2000, 1200
		}, ConsumerBound, CauseBridgeInFlight, []AdviceKind{AdviceMoreCapacity}},
		{"in flight, and acknowledged just now", bridgeThat(BridgeRunning), func(b, s *Snapshot) {
			bothWait(b, s)
			s.Produced = 1200
		}, ConsumerBound, CauseBridgeInFlight, []AdviceKind{AdviceMoreCapacity}},
		{"in flight for a part of the time", bridgeThat(BridgeRunning, func(b *Bridge) { b.InFlight = 800 }), func(b, s *Snapshot) {
			bothWait(b, s)
			s.Produced, s.Producer.Blocked = 1200, 400*time.Millisecond
		}, ConsumerBound, CauseBridgeInFlight, []AdviceKind{AdviceMoreCapacity}},
		{"both wait in turn", bridgeThat(BridgeRunning, func(b *Bridge) { b.InFlight = 800 }), func(_, s *Snapshot) {
			s.Producer.Blocked, s.Consumer.Blocked = 400*time.Millisecond, 500*time.Millisecond
		}, Balanced, CauseWaits, nil},
		{"little in flight", bridgeThat(BridgeRunning, func(b *Bridge) { b.InFlight = 100 }), func(b, s *Snapshot) {
			full(b, s)
			s.ProducedBytes, s.ConsumedBytes = 2000, 1200
		}, ConsumerBound, CauseWaits, speedUp},

		// Processes come first.
		{"its process is stopped", bridgeThat(BridgeFull), func(b, s *Snapshot) { full(b, s); s.Consumer.Stopped = true }, Stopped, CauseSignal, []AdviceKind{AdviceContinue}},
		{"it was stopped in good order", bridgeThat(BridgeStopped), func(_, s *Snapshot) {
			s.Produced, s.Producer.State = 1208, layout.StateAlone
			s.Consumer.Alive, s.Consumer.State = false, layout.StateClosed
		}, NoConsumer, CauseBlocked, []AdviceKind{AdviceStartConsumer}},
		{"it sleeps in the ring, all of which is in flight", bridgeThat(BridgeRunning), func(b, s *Snapshot) {
			b.Produced, s.Produced, s.Consumed = 1008, 1008, 1000
			s.Consumer.State, s.Producer.Blocked = layout.StateBlocked, time.Second
		}, ConsumerBound, CauseWaits, speedUp},
	} {
		before, after := oneSecond(c.change)
		before.Consumer.Bridge, after.Consumer.Bridge = c.bridge, c.bridge
		i := Between(&before, &after)
		v := Judge(&i, &after)
		if v.Kind != c.kind || v.Cause != c.cause || !slices.Equal(kinds(&v), c.advice) {
			t.Errorf("%s: %s, %s, %q, want %s, %s, %q", c.name, v.Kind, v.Cause, kinds(&v), c.kind, c.cause, c.advice)
		}
		if v.ConsumerBridge != c.bridge || v.ProducerBridge.Present() {
			t.Errorf("%s: the verdict has %+v and %+v", c.name, v.ConsumerBridge, v.ProducerBridge)
		}
		if c.cause.ofBridge() != (v.BridgeFor != 0) {
			t.Errorf("%s: the cause has lasted for %v", c.name, v.BridgeFor)
		}
		if v.Cause.ofBridge() && after.Dropped > 0 && (v.Dropped != 200 || v.Offered != 408) {
			t.Errorf("%s: %d of %d dropped", c.name, v.Dropped, v.Offered)
		}
	}
}

// The far ring: its producer is a bridge.
func TestJudge_ProducerIsBridge(t *testing.T) {
	nothing := func(_, s *Snapshot) { s.Produced, s.Consumed, s.Consumer.Blocked = 1000, 1000, time.Second }
	little := func(_, s *Snapshot) { s.Consumer.Blocked, s.Consumer.Waits = 950*time.Millisecond, 200 }
	rest := func(b, s *Snapshot) { b.Produced, s.Produced, s.Consumed = 1003, 1003, 1003 }
	full := func(_, s *Snapshot) {
		s.Producer.Blocked, s.Producer.Waits, s.Produced = 950*time.Millisecond, 50, 1208
	}
	late := func(b *Bridge) { b.Lag, b.LagTime = 12, 3*time.Second }
	empty := peerWaits(layout.PeerEmpty)
	server, stream, far, skip := []AdviceKind{AdviceCheckServer}, []AdviceKind{AdviceCheckStream}, []AdviceKind{AdviceStartFarBridge}, []AdviceKind{AdviceSkipMissing}
	for _, c := range []struct {
		name   string
		bridge Bridge
		change func(before, after *Snapshot)
		kind   Kind
		cause  Cause
		advice []AdviceKind
	}{
		// As with any producer.
		{"runs, and few messages come", bridgeThat(BridgeRunning, empty), little, ProducerBound, CauseWaits, nil},
		{"runs, and the consumer is slower", bridgeThat(BridgeRunning), full, ConsumerBound, CauseWaits, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}},
		{"runs, and the ring fills", bridgeThat(BridgeRunning), func(b, s *Snapshot) {
			b.Geometry.Slots, s.Geometry.Slots, s.Produced = 0, 0, 1500
		}, ConsumerBound, CauseFills, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}},
		{"no connection, and the consumer is at work on what is there", bridgeThat(BridgeConnecting), full, ConsumerBound, CauseWaits, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}},
		{"no connection, and no consumer", bridgeThat(BridgeConnecting), func(b, s *Snapshot) {
			nothing(b, s)
			b.Consumer = RoleStats{State: layout.StateClosed}
			s.Consumer = b.Consumer
		}, Idle, "", nil},

		{"no connection", bridgeThat(BridgeConnecting), nothing, ProducerBound, CauseBridgeConnection, server},
		{"no connection any more", bridgeThat(BridgeConnecting), little, ProducerBound, CauseBridgeConnection, server},
		{"no connection, and the consumer has taken the rest", bridgeThat(BridgeConnecting), rest, ProducerBound, CauseBridgeConnection, server},
		{"no stream", bridgeThat(BridgeNoStream), nothing, ProducerBound, CauseBridgeNoStream, stream},
		{"refused", bridgeThat(BridgeRefused), nothing, ProducerBound, CauseBridgeRefused, []AdviceKind{AdviceCheckRefusal}},
		{"messages are missing", bridgeThat(BridgeMissing), nothing, ProducerBound, CauseBridgeMissing, skip},

		{"nothing comes: the near ring is empty", bridgeThat(BridgeRunning, empty), nothing, Idle, CauseBridgeNothing, nil},
		{"nothing comes: nobody there", bridgeThat(BridgeRunning, nobodyThere), nothing, ProducerBound, CauseBridgeNothing, far},
		{"nothing comes: silence", bridgeThat(BridgeRunning, silent), nothing, ProducerBound, CauseBridgeNothing, far},
		{"nothing comes, and should", bridgeThat(BridgeRunning, late), nothing, ProducerBound, CauseBridgeNothing, stream},
		{"nothing comes: the bridge over there cannot send", bridgeThat(BridgeRunning, peerWaits(layout.PeerFull)), nothing, ProducerBound, CauseBridgeNothing, []AdviceKind{AdviceInspectFarBridge}},
		{"nothing comes: a message that was just sent", bridgeThat(BridgeRunning, func(b *Bridge) { b.Lag, b.LagTime = 1, time.Second }), nothing, Idle, CauseBridgeNothing, nil},
		{"nothing comes: the stream has ended", bridgeThat(BridgeRunning, nobodyThere), func(b, s *Snapshot) {
			nothing(b, s)
			s.Producer.End = layout.EndComplete
		}, Idle, "", nil},

		{"it was stopped in good order", bridgeThat(BridgeStopped), func(b, s *Snapshot) {
			nothing(b, s)
			s.Producer.Generation, s.Producer.Alive, s.Producer.State = 1, false, layout.StateClosed
		}, NoProducer, "", []AdviceKind{AdviceStartProducer, AdviceStopConsumer}},
	} {
		before, after := oneSecond(c.change)
		before.Producer.Bridge, after.Producer.Bridge = c.bridge, c.bridge
		i := Between(&before, &after)
		v := Judge(&i, &after)
		if v.Kind != c.kind || v.Cause != c.cause || !slices.Equal(kinds(&v), c.advice) {
			t.Errorf("%s: %s, %s, %q, want %s, %s, %q", c.name, v.Kind, v.Cause, kinds(&v), c.kind, c.cause, c.advice)
		}
		if v.ProducerBridge != c.bridge || v.ConsumerBridge.Present() {
			t.Errorf("%s: the verdict has %+v and %+v", c.name, v.ProducerBridge, v.ConsumerBridge)
		}
		if v.Kind == NoProducer && v.LastProducer != EndBridgeStopped {
			t.Errorf("%s: the last producer: %q", c.name, v.LastProducer)
		}
	}
}

// The verdict on a whole run names what a bridge said for most of the time in which a side was
// slower, also if that is over at the end.
func TestTrend_WholeRunOfBridge(t *testing.T) {
	full, runs := bridgeThat(BridgeFull, peerWaits(layout.PeerFull)), bridgeThat(BridgeRunning, peerWaits(layout.PeerFull))
	for _, c := range []struct {
		name    string
		bridges []Bridge // of each second
		blocked time.Duration
		kind    Kind
		cause   Cause
		lasted  time.Duration
	}{
		{"full for most of it", []Bridge{full, full, full, full, runs}, 900 * time.Millisecond, ConsumerBound, CauseBridgeFull, 4 * time.Second},
		{"full at the end only", []Bridge{runs, runs, runs, runs, full}, 900 * time.Millisecond, ConsumerBound, CauseWaits, 0},
		{"full, and the producer hardly waits", []Bridge{full, full, full, full, full}, 0, Balanced, CauseWaits, 0},
	} {
		var trend Trend
		s, _ := oneSecond(func(_, _ *Snapshot) {})
		s.Consumer.Bridge = c.bridges[0]
		trend.Add(s)
		for _, b := range c.bridges {
			s.At += uint64(time.Second)
			s.Producer.Blocked += c.blocked
			s.Produced, s.Consumed, s.Consumer.ProgressAt, s.Consumer.Bridge = s.Produced+100, s.Consumed+100, s.At, b
			trend.Add(s)
		}
		_, v := trend.Whole(layout.Producer)
		if v.Kind != c.kind || v.Cause != c.cause || v.BridgeFor != c.lasted {
			t.Errorf("%s: %s, %s for %v, want %s, %s for %v", c.name, v.Kind, v.Cause, v.BridgeFor, c.kind, c.cause, c.lasted)
		}
		if v.Kind == ConsumerBound && v.Advises(AdviceSpeedUpConsumer) {
			t.Errorf("%s: the advice is to speed up a bridge: %q", c.name, kinds(&v))
		}
		if v.Cause == CauseBridgeFull && v.ConsumerBridge.State != BridgeFull {
			t.Errorf("%s: the figures are of %+v", c.name, v.ConsumerBridge)
		}
	}
}
