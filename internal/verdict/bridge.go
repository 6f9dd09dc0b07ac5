package verdict

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/format"
	"sluice/layout"
	"sluice/pressure"
)

// bridge says what the bridge of a verdict does, if it is the reason of it: "bridge: stream
// full (the consumer over there is slower)". It is "" where none is.
func bridge(v *pressure.Verdict) string {
	if text := bridgeCause(v); text != "" {
		return "bridge: " + text
	}
	if v.Kind == pressure.ConsumerBound && v.ConsumerBridge.Present() {
		return healthy(&v.ConsumerBridge)
	}
	return ""
}

func bridgeCause(v *pressure.Verdict) string {
	b := &v.ConsumerBridge
	if v.Kind != pressure.ConsumerBound {
		b = &v.ProducerBridge
	}
	lasted := ""
	switch {
	case v.Whole:
		lasted = fmt.Sprintf(" for %s of %s", format.Duration(v.BridgeFor), format.Duration(v.Elapsed))
	case v.BridgeFor >= time.Second:
		lasted = " for " + seconds(v.BridgeFor)
	}
	switch v.Cause {
	case pressure.CauseBridgeConnection:
		return "no connection to a server" + lasted
	case pressure.CauseBridgeNoStream:
		return "no stream on the server" + lasted
	case pressure.CauseBridgeRefused:
		if v.Kind == pressure.ProducerBound {
			return "the server refuses to deliver" + lasted
		}
		return "the stream refuses messages" + lasted
	case pressure.CauseBridgeNoAck:
		return "no acknowledgement" + lasted
	case pressure.CauseBridgeFull:
		full := "stream full"
		if b.State != pressure.BridgeFull {
			full = fmt.Sprintf("stream %s full", format.Percent(b.StreamFill()))
		}
		if v.Whole {
			full += lasted
		}
		return fmt.Sprintf("%s (%s)", full, whyFull(b))
	case pressure.CauseBridgeInFlight:
		return "what the ring holds is on its way to the stream, and " + acknowledged(b)
	case pressure.CauseBridgeMissing:
		return "messages are missing from the stream" + lasted + ", later ones are there"
	case pressure.CauseBridgeNothing:
		if why := whyNothing(b); why != "" {
			return fmt.Sprintf("nothing comes (%s)", why)
		}
		return "nothing comes"
	}
	return ""
}

// whyFull says why nothing takes enough out of a stream that is full.
func whyFull(b *pressure.Bridge) string {
	switch {
	case !b.PeerThere():
		return peerSilent(b)
	case b.PeerWaits == layout.PeerFull:
		return "the consumer over there is slower"
	case b.PeerWaits == layout.PeerEmpty:
		return "the bridge over there waits for messages: others fill the stream"
	}
	return "the bridge over there is slower"
}

// whyNothing says why nothing comes out of a stream; "" where that is not known.
func whyNothing(b *pressure.Bridge) string {
	switch {
	case !b.PeerThere():
		return peerSilent(b)
	case b.PeerWaits == layout.PeerFull:
		return "the bridge over there cannot send"
	case b.Lag > 0:
		return fmt.Sprintf("%s on the way, the oldest for %s", format.Messages(b.Lag), format.Duration(b.LagTime))
	case b.PeerWaits == layout.PeerEmpty:
		return "the bridge over there waits for messages"
	}
	return ""
}

// peerSilent says that the bridge at the other side is not heard of.
func peerSilent(b *pressure.Bridge) string {
	if !b.PeerSeen {
		return "no bridge over there was heard of"
	}
	return "the bridge over there was last heard of " + seconds(b.PeerSilent) + " ago"
}

// healthy says of a consumer that it is a bridge: then it is slower because what it sends to is.
func healthy(b *pressure.Bridge) string {
	if b.InFlight == 0 || b.RoundTrip == 0 {
		return "the consumer is a bridge"
	}
	return fmt.Sprintf("the consumer is a bridge: %s in flight, and %s", format.Size(b.InFlight), acknowledged(b))
}

// BridgeState says in a few words what a bridge is doing, or how it has left.
func BridgeState(b *pressure.Bridge) string {
	switch b.State {
	case pressure.BridgeConnecting:
		return "no connection"
	case pressure.BridgeMissing:
		return "messages missing"
	}
	return strings.ReplaceAll(string(b.State), "-", " ")
}

// Bridge says everything about a bridge in a role, a line each: what it is doing, how far the far
// side is behind, and how full the stream is.
func Bridge(role layout.Role, b *pressure.Bridge) (lines []string) {
	state := BridgeState(b)
	switch {
	case b.State == pressure.BridgeStopped, b.State == pressure.BridgeFailed:
		if b.State == pressure.BridgeStopped {
			state = "was stopped"
		}
		if b.StateFor >= time.Second {
			state += " " + seconds(b.StateFor) + " ago"
		}
		state += "; its stream goes on with the next one"
	case b.StateFor >= time.Second:
		state += " for " + seconds(b.StateFor)
	}
	if b.State == pressure.BridgeFull {
		state += fmt.Sprintf(" (%s)", whyFull(b))
	}
	lines = append(lines, state)

	lag := "lag unknown"
	if b.PeerSeen {
		lag = "lag " + Lag(b)
	}
	if b.InFlight > 0 {
		lag += fmt.Sprintf("; %s in flight", format.Size(b.InFlight))
	}
	if b.RoundTrip > 0 {
		lag += "; an acknowledgement takes " + format.Duration(b.RoundTrip)
	}
	stream := "stream " + format.Size(b.StreamBytes)
	if b.StreamLimit > 0 {
		stream += fmt.Sprintf(" of %s, %s full", format.Size(b.StreamLimit), format.Percent(b.StreamFill()))
	}
	if b.Left() {
		return append(lines, "before that: "+lag, stream)
	}
	peer := peerSilent(b)
	if b.PeerThere() {
		peer = "the bridge over there " + peerDoes(role, b.PeerWaits)
	}
	lines = append(lines, lag, stream+"; "+peer)
	if b.Age > maxAge {
		lines = append(lines, "these figures are "+seconds(b.Age)+" old")
	}
	return lines
}

// peerDoes says what the bridge at the other side does, of one that has the role here.
func peerDoes(role layout.Role, waits layout.PeerWaits) string {
	switch {
	case waits == layout.PeerFull && role == layout.Producer:
		return "cannot send"
	case waits == layout.PeerFull:
		return "waits for room in its ring"
	case waits == layout.PeerEmpty:
		return "waits for messages"
	}
	return "runs"
}

// maxAge is how old the figures of a bridge are, at most, that notes them.
const maxAge = 5 * time.Second

// Lag says what the near segment was given and the far one does not have.
func Lag(b *pressure.Bridge) string {
	text := fmt.Sprintf("%s, %s", format.Messages(b.Lag), format.Size(b.LagBytes))
	if b.Lag > 0 && b.LagTime > 0 {
		text += ", the oldest " + format.Duration(b.LagTime)
	}
	return text
}

func acknowledged(b *pressure.Bridge) string {
	if b.RoundTrip == 0 {
		return "not acknowledged yet"
	}
	return "an acknowledgement takes " + format.Duration(b.RoundTrip)
}

// seconds is a time in whole seconds, or in minutes and more.
func seconds(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// lastBridge says how a bridge has left that was the last consumer.
func lastBridge(b *pressure.Bridge) string {
	switch b.State {
	case pressure.BridgeStopped:
		return "the bridge that was the consumer was stopped"
	case pressure.BridgeFailed:
		return "the bridge that was the consumer failed"
	case pressure.BridgeDied:
		return "the bridge that was the consumer died"
	}
	return ""
}

// bridgeAction returns advice in words where the side that it is about is a bridge, or is beyond
// one; "" where it is not.
func bridgeAction(v *pressure.Verdict, a pressure.Advice) string {
	out, in := v.ConsumerBridge.Present(), v.ProducerBridge.Present()
	switch a.Kind {
	case pressure.AdviceSpeedUpFarConsumer:
		return "speed up the consumer over there"
	case pressure.AdviceStartFarBridge:
		if v.Kind == pressure.ConsumerBound {
			return "start bridge in over there"
		}
		return "start bridge out over there"
	case pressure.AdviceInspectFarBridge:
		return "see over there what holds it back (gauge stat)"
	case pressure.AdviceMoreStream:
		return "let the stream hold more (nats stream edit --max-bytes)"
	case pressure.AdviceFasterBridge:
		return "let the bridge have more in flight (--in-flight), or use a faster server or network"
	case pressure.AdviceCheckServer:
		if v.Cause == pressure.CauseBridgeNoAck {
			return "see to the server: its disk, its replicas, the network to it"
		}
		return "see that the server runs and can be reached (--nats)"
	case pressure.AdviceCheckStream:
		if v.Cause == pressure.CauseBridgeNoStream && v.Kind == pressure.ProducerBound {
			return "start bridge out over there, which makes the stream, or see that it has a leader (nats stream info)"
		}
		return "see that the stream is there and has a leader (nats stream info)"
	case pressure.AdviceCheckRefusal:
		return "see what the bridge prints: it says why the server refuses"
	case pressure.AdviceSkipMissing:
		return "if they do not come, bridge in --skip-missing goes on behind them"
	}
	switch {
	case a.Kind == pressure.AdviceStartProducer && v.ProducerBridge.State == pressure.BridgeEnded:
		return "keep bridge in running for the next stream (--follow)"
	case a.Kind == pressure.AdviceStartProducer && in:
		return "start the bridge again (bridge in)"
	case a.Kind == pressure.AdviceStartConsumer && out && a.Messages > 0:
		return "start the bridge again (bridge out): it sends what is queued"
	case a.Kind == pressure.AdviceStartConsumer && out:
		return "start the bridge again (bridge out)"
	case a.Kind == pressure.AdviceStartSooner && out:
		return "start the bridge sooner"
	case a.Kind == pressure.AdviceKeepConsumer && out:
		return "start the bridge first and keep it running"
	case a.Kind == pressure.AdviceStopConsumer && out:
		return "stop the bridge"
	case a.Kind == pressure.AdviceInspectConsumer && out:
		return "find out what the bridge does: see what it prints, or use a debugger"
	}
	return ""
}
