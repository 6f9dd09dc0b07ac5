package pressure

import (
	"slices"
	"time"

	"sluice/layout"
)

// Verdicts on a ring of which a side is a bridge. What it cannot do is not the fault of the
// process, so the verdict names the cause beyond it. A bridge that has nothing to say changes
// no verdict but for its advice.

// minBridgeLag is how long a message may be on its way to a ring to which nothing comes, before the
// verdict is that it should have come.
const minBridgeLag = 2 * time.Second

// ofBridge reports whether a bridge gives the cause.
func (c Cause) ofBridge() bool {
	switch c {
	case CauseBridgeConnection, CauseBridgeNoStream, CauseBridgeRefused, CauseBridgeFull, CauseBridgeNoAck, CauseBridgeInFlight, CauseBridgeMissing, CauseBridgeNothing:
		return true
	}
	return false
}

// Broken reports whether the cause is one that a bridge gives and that lasts until somebody
// intervenes, most likely: not that the other side is slower, or has nothing to send.
func (c Cause) Broken() bool {
	return c.ofBridge() && c != CauseBridgeFull && c != CauseBridgeInFlight && c != CauseBridgeNothing
}

// holdsBack returns what keeps a live bridge from passing on what it consumes; "" when nothing
// does.
func (b *Bridge) holdsBack() Cause {
	switch b.State {
	case BridgeConnecting:
		return CauseBridgeConnection
	case BridgeNoStream:
		return CauseBridgeNoStream
	case BridgeRefused:
		return CauseBridgeRefused
	case BridgeNoAck:
		return CauseBridgeNoAck
	}
	if b.StreamFull() {
		return CauseBridgeFull
	}
	return ""
}

// keepsOut returns what keeps a live bridge from getting what it produces; "" when nothing does.
func (b *Bridge) keepsOut() Cause {
	switch b.State {
	case BridgeConnecting:
		return CauseBridgeConnection
	case BridgeNoStream:
		return CauseBridgeNoStream
	case BridgeRefused:
		return CauseBridgeRefused
	case BridgeMissing:
		return CauseBridgeMissing
	}
	return ""
}

// heldByBridge returns the verdict on a ring whose consumer is a bridge that passes nothing on, and
// says why. How much that one waited tells nothing: it waits for the stream, not for messages.
func heldByBridge(i *Interval, after *Snapshot) (Verdict, bool) {
	b := &after.Consumer.Bridge
	cause := b.holdsBack()
	if cause == "" || !after.Consumer.Alive || !i.ConsumerStayed || i.Elapsed <= attachTime {
		return Verdict{}, false
	}
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	nothing := i.Consumed == 0 && after.Depth() > 0
	full := i.Dropped > 0 || after.Fill() >= nearFull
	if (nothing || full) && b.State != BridgeRunning || p >= Noticeable && !waitsForOther(c, p, false) {
		return conclude(ConsumerBound, cause, i, after), true
	}
	return Verdict{}, false
}

// withBridges changes the verdict v where a live bridge is the reason: its cause, and advice that
// helps where a side is a bridge.
func (v *Verdict) withBridges(i *Interval, after *Snapshot) {
	if after.Producer.Alive && after.Producer.Bridge.Present() {
		v.withProducerBridge(i, after)
	}
	if after.Consumer.Alive && after.Consumer.Bridge.Present() {
		v.withConsumerBridge(i, after)
	}
}

func (v *Verdict) withConsumerBridge(i *Interval, after *Snapshot) {
	b := &after.Consumer.Bridge
	if v.Kind != ConsumerBound && !(v.Kind.ofDegree() && b.ringInFlight(i, after)) {
		return
	}
	switch cause := b.holdsBack(); {
	case cause != "":
		v.becauseOf(cause, b)
	case b.ringInFlight(i, after):
		v.Kind = ConsumerBound
		v.becauseOf(CauseBridgeInFlight, b)
	}
	v.adviseBridges()
	if i.Dropped > 0 {
		v.Dropped, v.Offered = i.Dropped, i.Dropped+i.Produced
	}
}

// waitOverlap is by how much the shares of the time that two sides waited exceed all of it when
// they waited at the same time, and not only for a processor.
const waitOverlap = 0.25

// ringInFlight reports whether the producer is blocked by a ring most of whose messages were sent
// to the stream and are not acknowledged: at the end, or at times at which the bridge waited for
// messages although the ring was full.
func (b *Bridge) ringInFlight(i *Interval, after *Snapshot) bool {
	if b.State != BridgeRunning || i.ProducerBlocked < Noticeable {
		return false
	}
	queued := after.ProducedBytes - min(after.ConsumedBytes, after.ProducedBytes)
	return i.ProducerBlocked+i.ConsumerBlocked > 1+waitOverlap ||
		after.Fill() >= nearFull && b.InFlight > 0 && b.InFlight >= queued/2
}

func (v *Verdict) withProducerBridge(i *Interval, after *Snapshot) {
	b := &after.Producer.Bridge
	nothing := i.Produced == 0 && after.Depth() == 0 && i.Elapsed > attachTime
	cause := b.keepsOut()
	switch {
	case cause != "" && (v.Kind == ProducerBound || nothing && after.Consumer.Alive && (v.Kind == Idle || v.Kind.ofDegree())):
		v.Kind = ProducerBound
		v.becauseOf(cause, b)
	case v.Kind == Idle && b.State == BridgeRunning && nothing && after.Producer.End == layout.EndNone:
		late := b.Lag > 0 && b.LagTime >= minBridgeLag
		if after.Consumer.Alive && (late || !b.PeerThere() || b.PeerWaits == layout.PeerFull) {
			v.Kind = ProducerBound
		}
		v.becauseOf(CauseBridgeNothing, b)
	}
	v.adviseBridges()
}

// becauseOf sets a cause that a bridge gives.
func (v *Verdict) becauseOf(c Cause, b *Bridge) { v.Cause, v.BridgeFor, v.Missed = c, b.StateFor, 0 }

// adviseBridges sets the advice on a side that is a bridge, which is no program of the user's to
// speed up or to slow down.
func (v *Verdict) adviseBridges() {
	if v.ProducerBridge.Present() { // the stream holds the far producer back, which is the one that has a rate
		v.Advice = slices.DeleteFunc(v.Advice, func(a Advice) bool { return a.Kind == AdviceSlowProducer })
	}
	switch {
	case v.Kind == ConsumerBound && v.ConsumerBridge.Present():
		v.adviseConsumerBridge()
	case v.Kind == ProducerBound || v.Kind == Idle:
		v.adviseProducerBridge()
	}
}

func (v *Verdict) adviseConsumerBridge() {
	b := &v.ConsumerBridge
	switch v.Cause {
	case CauseBridgeConnection, CauseBridgeNoAck:
		v.Advice = advise(AdviceCheckServer)
	case CauseBridgeNoStream:
		v.Advice = advise(AdviceCheckStream)
	case CauseBridgeRefused:
		v.Advice = advise(AdviceCheckRefusal)
	case CauseBridgeFull:
		switch {
		case !b.PeerThere():
			v.Advice = advise(AdviceStartFarBridge, AdviceKeepStream)
		case b.PeerWaits == layout.PeerEmpty:
			v.Advice = advise(AdviceMoreStream)
		default:
			v.Advice = advise(AdviceSpeedUpFarConsumer, AdviceKeepStream)
		}
	case CauseBridgeInFlight:
		v.Advice = advise(AdviceMoreCapacity)
	default:
		for n := range v.Advice {
			if v.Advice[n].Kind == AdviceSpeedUpConsumer {
				v.Advice[n].Kind = AdviceFasterBridge
			}
		}
	}
}

func (v *Verdict) adviseProducerBridge() {
	switch v.Cause {
	case CauseBridgeConnection:
		v.Advice = advise(AdviceCheckServer)
	case CauseBridgeNoStream:
		v.Advice = advise(AdviceCheckStream)
	case CauseBridgeRefused:
		v.Advice = advise(AdviceCheckRefusal)
	case CauseBridgeMissing:
		v.Advice = advise(AdviceSkipMissing)
	case CauseBridgeNothing:
		switch b := &v.ProducerBridge; {
		case !b.PeerThere():
			v.Advice = advise(AdviceStartFarBridge)
		case b.PeerWaits == layout.PeerFull: // nothing takes what it sends
			v.Advice = advise(AdviceInspectFarBridge)
		case v.Kind == ProducerBound: // what is on its way does not come
			v.Advice = advise(AdviceCheckStream)
		}
	}
}

// bridgeTime is how long a bridge gave a cause for a verdict.
type bridgeTime struct {
	kind  Kind
	cause Cause
	total time.Duration
	last  Bridge // what it said when it gave it last
}

// addBridge accounts for a step at whose end the verdict is v.
func (w *whole) addBridge(step time.Duration, v *Verdict) {
	if !v.Cause.ofBridge() {
		return
	}
	at := slices.IndexFunc(w.bridges, func(t bridgeTime) bool { return t.kind == v.Kind && t.cause == v.Cause })
	if at < 0 {
		at = len(w.bridges)
		w.bridges = append(w.bridges, bridgeTime{kind: v.Kind, cause: v.Cause})
	}
	w.bridges[at].total += step
	if w.bridges[at].last = v.ProducerBridge; v.Kind == ConsumerBound {
		w.bridges[at].last = v.ConsumerBridge
	}
}

// withBridges changes the verdict on the whole time where a bridge was the reason for most of the
// time that a side was slower.
func (w *whole) withBridges(v *Verdict, i *Interval) {
	kind, of := v.Kind, w.kinds[v.Kind]
	if kind == Idle { // nothing came at all
		kind, of = ProducerBound, i.Elapsed
	}
	var most bridgeTime
	for _, t := range w.bridges {
		if t.kind == kind && t.total > most.total {
			most = t
		}
	}
	if (kind == ConsumerBound || kind == ProducerBound) && v.Cause != CauseStopped && most.total > 0 && 2*most.total >= of {
		v.Kind, v.Cause, v.BridgeFor, v.Missed = kind, most.cause, most.total, 0
		if kind == ConsumerBound {
			v.ConsumerBridge = most.last
		} else {
			v.ProducerBridge = most.last
		}
	}
	v.adviseBridges()
}
