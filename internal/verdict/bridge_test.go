package verdict

import (
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// out is a verdict on a ring that a bridge empties, in is one on a ring that a bridge fills.
// The bridge over there was heard of a second ago.
func out(state pressure.BridgeState, change func(v *pressure.Verdict, b *pressure.Bridge)) func(v *pressure.Verdict) {
	return func(v *pressure.Verdict) {
		v.ProducerBlocked, v.Fill, v.BridgeFor = 0.95, 1, 3*time.Second
		v.ConsumerBridge = pressure.Bridge{State: state, StreamBytes: 97, StreamLimit: 100, PeerSeen: true, PeerSilent: time.Second}
		change(v, &v.ConsumerBridge)
	}
}

func in(state pressure.BridgeState, change func(v *pressure.Verdict, b *pressure.Bridge)) func(v *pressure.Verdict) {
	return func(v *pressure.Verdict) {
		v.ConsumerBlocked, v.BridgeFor = 1, 3*time.Second
		v.ProducerBridge = pressure.Bridge{State: state, PeerSeen: true, PeerSilent: time.Second}
		change(v, &v.ProducerBridge)
	}
}

func said(*pressure.Verdict, *pressure.Bridge) {}

func TestWords_OfBridges(t *testing.T) {
	peer := func(w layout.PeerWaits) func(*pressure.Verdict, *pressure.Bridge) {
		return func(_ *pressure.Verdict, b *pressure.Bridge) { b.PeerWaits = w }
	}
	const (
		cb, pb                                 = pressure.ConsumerBound, pressure.ProducerBound
		farConsumer, farBridge, keep           = pressure.AdviceSpeedUpFarConsumer, pressure.AdviceStartFarBridge, pressure.AdviceKeepStream
		server, stream, refusal                = pressure.AdviceCheckServer, pressure.AdviceCheckStream, pressure.AdviceCheckRefusal
		blocked, waits, empty                  = "blocked: producer 95 %, consumer 0 % of the time; queue 100 % full; ", "blocked: producer 0 %, consumer 100 % of the time; queue 0 % full; ", "the queue is empty and nothing is produced"
		noLargerStream, noMoreCapacity, spares = "; a larger stream (--max-bytes) only delays this", "; more capacity only delays this", "the consumer has time to spare; nothing to do unless it should receive more"
	)
	ofBridge := map[pressure.Cause]bool{} // the causes that a bridge gives
	for _, c := range []struct {
		v              pressure.Verdict
		reason, advice string
	}{
		// The near ring.
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, peer(layout.PeerFull)), farConsumer, keep), blocked + "bridge: stream full (the consumer over there is slower)", "speed up the consumer over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeRunning, peer(layout.PeerFull)), farConsumer, keep), blocked + "bridge: stream 97 % full (the consumer over there is slower)", "speed up the consumer over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, peer(layout.PeerRuns)), farConsumer, keep), blocked + "bridge: stream full (the bridge over there is slower)", "speed up the consumer over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, peer(layout.PeerEmpty)), pressure.AdviceMoreStream), blocked + "bridge: stream full (the bridge over there waits for messages: others fill the stream)", "let the stream hold more (nats stream edit --max-bytes)"},
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, func(_ *pressure.Verdict, b *pressure.Bridge) { b.PeerSeen = false }), farBridge, keep), blocked + "bridge: stream full (no bridge over there was heard of)", "start bridge in over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, func(_ *pressure.Verdict, b *pressure.Bridge) { b.PeerSilent = 12 * time.Second }), farBridge, keep), blocked + "bridge: stream full (the bridge over there was last heard of 12 s ago)", "start bridge in over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, func(v *pressure.Verdict, b *pressure.Bridge) {
			b.PeerWaits, v.Dropped, v.Offered, v.ConsumerBlocked = layout.PeerFull, 50, 250, 0.9
		}), farConsumer, keep), "50 of 250 messages dropped because the ring was full; bridge: stream full (the consumer over there is slower)", "speed up the consumer over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeNoAck, out(pressure.BridgeNoAck, said), server), blocked + "bridge: no acknowledgement for 3 s", "see to the server: its disk, its replicas, the network to it"},
		{of(cb, pressure.CauseBridgeNoAck, out(pressure.BridgeNoAck, func(v *pressure.Verdict, _ *pressure.Bridge) { v.BridgeFor = 999 * time.Millisecond }), server), blocked + "bridge: no acknowledgement", "see to the server: its disk, its replicas, the network to it"},
		{of(cb, pressure.CauseBridgeNoAck, out(pressure.BridgeNoAck, func(v *pressure.Verdict, _ *pressure.Bridge) { v.BridgeFor = 754 * time.Second }), server), blocked + "bridge: no acknowledgement for 12m34s", "see to the server: its disk, its replicas, the network to it"},
		{of(cb, pressure.CauseBridgeConnection, out(pressure.BridgeConnecting, said), server), blocked + "bridge: no connection to a server for 3 s", "see that the server runs and can be reached (--nats)"},
		{of(cb, pressure.CauseBridgeNoStream, out(pressure.BridgeNoStream, said), stream), blocked + "bridge: no stream on the server for 3 s", "see that the stream is there and has a leader (nats stream info)"},
		{of(cb, pressure.CauseBridgeRefused, out(pressure.BridgeRefused, said), refusal), blocked + "bridge: the stream refuses messages for 3 s", "see what the bridge prints: it says why the server refuses"},
		{of(cb, pressure.CauseBridgeInFlight, out(pressure.BridgeRunning, func(_ *pressure.Verdict, b *pressure.Bridge) { b.InFlight, b.RoundTrip = 1<<20, 12*time.Millisecond }), pressure.AdviceMoreCapacity),
			blocked + "bridge: what the ring holds is on its way to the stream, and an acknowledgement takes 12ms", "use more capacity (--capacity, --slots): no more can be on its way to the stream than the ring holds"},
		{of(cb, pressure.CauseBridgeInFlight, out(pressure.BridgeRunning, func(_ *pressure.Verdict, b *pressure.Bridge) { b.InFlight = 1 << 20 }), pressure.AdviceMoreCapacity),
			blocked + "bridge: what the ring holds is on its way to the stream, and not acknowledged yet", "use more capacity (--capacity, --slots): no more can be on its way to the stream than the ring holds"},

		// One that has nothing to say.
		{of(cb, pressure.CauseWaits, out(pressure.BridgeRunning, func(_ *pressure.Verdict, b *pressure.Bridge) { b.InFlight, b.RoundTrip = 1<<20, 12*time.Millisecond }), pressure.AdviceFasterBridge, pressure.AdviceKeepCapacity),
			blocked + "the consumer is a bridge: 1 MiB in flight, and an acknowledgement takes 12ms", "let the bridge have more in flight (--in-flight), or use a faster server or network" + noMoreCapacity},
		{of(cb, pressure.CauseWaits, out(pressure.BridgeRunning, said), pressure.AdviceFasterBridge, pressure.AdviceKeepCapacity), blocked + "the consumer is a bridge", "let the bridge have more in flight (--in-flight), or use a faster server or network" + noMoreCapacity},
		{of(pb, pressure.CauseWaits, func(v *pressure.Verdict) { in(pressure.BridgeRunning, said)(v) }), strings.TrimSuffix(waits, "; "), spares},
		{of(pb, pressure.CauseWaits, func(v *pressure.Verdict) { out(pressure.BridgeRunning, said)(v); v.ProducerBlocked = 0 }), "blocked: producer 0 %, consumer 0 % of the time; queue 100 % full", spares},
		{of(pressure.Idle, "", out(pressure.BridgeConnecting, said)), empty, ""},

		// The far ring.
		{of(pb, pressure.CauseBridgeConnection, in(pressure.BridgeConnecting, said), server), waits + "bridge: no connection to a server for 3 s", "see that the server runs and can be reached (--nats)"},
		{of(pb, pressure.CauseBridgeNoStream, in(pressure.BridgeNoStream, said), stream), waits + "bridge: no stream on the server for 3 s", "start bridge out over there, which makes the stream, or see that it has a leader (nats stream info)"},
		{of(pb, pressure.CauseBridgeRefused, in(pressure.BridgeRefused, said), refusal), waits + "bridge: the server refuses to deliver for 3 s", "see what the bridge prints: it says why the server refuses"},
		{of(pb, pressure.CauseBridgeMissing, in(pressure.BridgeMissing, said), pressure.AdviceSkipMissing), waits + "bridge: messages are missing from the stream for 3 s, later ones are there", "if they do not come, bridge in --skip-missing goes on behind them"},
		{of(pb, pressure.CauseBridgeNothing, in(pressure.BridgeRunning, func(_ *pressure.Verdict, b *pressure.Bridge) { b.PeerSeen = false }), farBridge), waits + "bridge: nothing comes (no bridge over there was heard of)", "start bridge out over there"},
		{of(pb, pressure.CauseBridgeNothing, in(pressure.BridgeRunning, func(_ *pressure.Verdict, b *pressure.Bridge) { b.PeerSilent = 12 * time.Second }), farBridge), waits + "bridge: nothing comes (the bridge over there was last heard of 12 s ago)", "start bridge out over there"},
		{of(pb, pressure.CauseBridgeNothing, in(pressure.BridgeRunning, func(_ *pressure.Verdict, b *pressure.Bridge) { b.Lag, b.LagTime = 12, 3*time.Second }), stream), waits + "bridge: nothing comes (12 messages on the way, the oldest for 3s)", "see that the stream is there and has a leader (nats stream info)"},
		{of(pb, pressure.CauseBridgeNothing, in(pressure.BridgeRunning, peer(layout.PeerFull)), pressure.AdviceInspectFarBridge), waits + "bridge: nothing comes (the bridge over there cannot send)", "see over there what holds it back (gauge stat)"},
		{of(pressure.Idle, pressure.CauseBridgeNothing, in(pressure.BridgeRunning, peer(layout.PeerEmpty))), empty + "; bridge: nothing comes (the bridge over there waits for messages)", ""},
		{of(pressure.Idle, pressure.CauseBridgeNothing, in(pressure.BridgeRunning, said)), empty + "; bridge: nothing comes", ""},
		{of(cb, pressure.CauseWaits, func(v *pressure.Verdict) {
			in(pressure.BridgeRunning, said)(v)
			v.ProducerBlocked, v.ConsumerBlocked = 1, 0
		}, pressure.AdviceSpeedUpConsumer, pressure.AdviceKeepCapacity),
			"blocked: producer 100 %, consumer 0 % of the time; queue 0 % full", "speed up the consumer" + noMoreCapacity},

		// A bridge that has left, or does not run.
		{of(pressure.NoConsumer, pressure.CauseBlocked, out(pressure.BridgeStopped, func(v *pressure.Verdict, _ *pressure.Bridge) {
			v.Depth, v.Advice = 8, []pressure.Advice{{Kind: pressure.AdviceStartConsumer, Messages: 8}}
		})), "there is no consumer; the bridge that was the consumer was stopped; the producer is blocked; 8 messages are queued", "start the bridge again (bridge out): it sends what is queued"},
		{of(pressure.NoConsumer, "", out(pressure.BridgeDied, said), pressure.AdviceStartConsumer), "there is no consumer; the bridge that was the consumer died; the queue is empty", "start the bridge again (bridge out)"},
		{of(pressure.NoConsumer, "", out(pressure.BridgeFailed, said), pressure.AdviceStartConsumer), "there is no consumer; the bridge that was the consumer failed; the queue is empty", "start the bridge again (bridge out)"},
		{of(pressure.NoConsumer, "", out(pressure.BridgeEnded, said), pressure.AdviceStartConsumer), "there is no consumer; the queue is empty", "start the bridge again (bridge out)"},
		{of(pressure.NoProducer, "", in(pressure.BridgeStopped, func(v *pressure.Verdict, _ *pressure.Bridge) { v.LastProducer = pressure.EndBridgeStopped }), pressure.AdviceStartProducer, pressure.AdviceStopConsumer),
			"there is no producer; the last producer, a bridge, was stopped, and its stream goes on with the next one; the queue is empty", "start the bridge again (bridge in), or stop the consumer"},
		{of(pressure.NoProducer, "", in(pressure.BridgeFailed, func(v *pressure.Verdict, _ *pressure.Bridge) { v.LastProducer = pressure.EndBridgeFailed }), pressure.AdviceStartProducer),
			"there is no producer; the last producer, a bridge, failed, and its stream goes on with the next one; the queue is empty", "start the bridge again (bridge in)"},
		{of(pressure.NoProducer, "", in(pressure.BridgeEnded, func(v *pressure.Verdict, _ *pressure.Bridge) { v.LastProducer = pressure.EndComplete }), pressure.AdviceStartProducer, pressure.AdviceStopConsumer),
			"there is no producer; the last producer, a bridge, has ended; the queue is empty", "keep bridge in running for the next stream (--follow), or stop the consumer"},
		{of(pressure.NoProducer, "", in(pressure.BridgeDied, func(v *pressure.Verdict, _ *pressure.Bridge) { v.LastProducer = pressure.EndDied }), pressure.AdviceStartProducer),
			"there is no producer; the last producer, a bridge, died; the queue is empty", "start the bridge again (bridge in)"},
		{of(pressure.NoProducer, "", out(pressure.BridgeRunning, said), pressure.AdviceStartProducer, pressure.AdviceStopConsumer), "there is no producer; the queue is empty", "start a producer, or stop the bridge"},
		{of(pressure.Stopped, pressure.CauseSignal, out(pressure.BridgeFull, func(v *pressure.Verdict, _ *pressure.Bridge) { v.Role, v.PID = layout.Consumer, 5 }), pressure.AdviceContinue), "the consumer (bridge, pid 5) is stopped (SIGSTOP or Ctrl-Z)", "continue it: kill -CONT"},
		{of(pressure.Stopped, pressure.CauseSignal, in(pressure.BridgeRunning, func(v *pressure.Verdict, _ *pressure.Bridge) {
			v.Role, v.PID, v.OtherPIDNamespace = layout.Producer, 5, true
		}), pressure.AdviceContinue), "the producer (bridge, process 5 of another pid namespace) is stopped (SIGSTOP or Ctrl-Z)", "continue it: kill -CONT"},
		{of(pressure.Stalled, pressure.CauseNoProgress, out(pressure.BridgeRunning, func(v *pressure.Verdict, _ *pressure.Bridge) {
			v.Role, v.PID, v.NoProgressFor = layout.Consumer, 5, 10*time.Second
		}), pressure.AdviceInspectConsumer), "the consumer (bridge, pid 5) is alive but has passed nothing on for 10 s", "find out what the bridge does: see what it prints, or use a debugger"},

		// Of a whole run.
		{of(cb, pressure.CauseBridgeFull, out(pressure.BridgeFull, func(v *pressure.Verdict, b *pressure.Bridge) {
			v.Whole, v.Elapsed, v.BothRan, v.BridgeFor, b.PeerWaits = true, 10*time.Second, 10*time.Second, 7*time.Second, layout.PeerFull
		}), farConsumer, keep), blocked + "bridge: stream full for 7s of 10s (the consumer over there is slower)", "speed up the consumer over there" + noLargerStream},
		{of(cb, pressure.CauseBridgeNoAck, out(pressure.BridgeNoAck, func(v *pressure.Verdict, _ *pressure.Bridge) {
			v.Whole, v.Elapsed, v.BothRan, v.BridgeFor, v.SlowerFor = true, 10*time.Second, 9*time.Second, 7*time.Second, 8*time.Second
		}), server), "the consumer was the slower side for at least 8s of 10s; bridge: no acknowledgement for 7s of 10s", "see to the server: its disk, its replicas, the network to it"},
	} {
		if got := Reason(&c.v); got != c.reason {
			t.Errorf("%s, %s: reason\n%q, want\n%q", c.v.Kind, c.v.Cause, got, c.reason)
		}
		if got := Advice(&c.v); got != c.advice {
			t.Errorf("%s, %s: advice\n%q, want\n%q", c.v.Kind, c.v.Cause, got, c.advice)
		}
		if RepeatsFigures(&c.v) != (!strings.Contains(c.reason, "bridge") && c.v.Cause == pressure.CauseWaits) {
			t.Errorf("%s, %s: %q repeats figures: %v", c.v.Kind, c.v.Cause, c.reason, RepeatsFigures(&c.v))
		}
		if bridgeCause(&c.v) != "" {
			ofBridge[c.v.Cause] = true
		}
	}
	for _, cause := range constants(t, "../../pressure/cause.go", "Cause") {
		if strings.HasPrefix(cause, "bridge-") != ofBridge[pressure.Cause(cause)] {
			t.Errorf("%s: no row of it, or it is not one that a bridge gives", cause)
		}
	}
}
