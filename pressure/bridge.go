package pressure

import (
	"math"
	"time"

	"sluice/internal/procinfo"
	"sluice/layout"
)

// Bridge is what a bridge says about itself, if one holds a role or held it last, and what it knows
// of the bridge at the other side of its stream. The zero value is that of a role whose last holder
// is no bridge. Figures of one that has left or died are those that it noted last.
//
// Positions count the messages of the near segment, the one that messages come from, since it was
// created.
type Bridge struct {
	State    BridgeState
	StateFor time.Duration // how long it has been in State; 0 for one that ended or died
	Age      time.Duration // how old the figures below are; 0 when that cannot be known

	Source      uint64        // producer: Identity.CreatedAt of the near segment; 0 = it knows of none yet
	Position    uint64        // consumer: acknowledged by the stream; producer: published in this segment
	InFlight    uint64        // consumer: payload bytes that were sent and are not acknowledged
	RoundTrip   time.Duration // consumer: how long an acknowledgement takes; 0 = unknown
	StreamBytes uint64        // in the stream, of all its subjects
	StreamLimit uint64        // most bytes that the stream may hold; 0 = unknown, or it is not limited by bytes

	// What is known of the other side. Without PeerSeen nothing is, and the rest is 0.
	PeerSeen     bool             // the bridge there was ever heard of
	PeerSilent   time.Duration    // since it was heard of last
	PeerPosition uint64           // consumer: published in the far segment; producer: given to the near segment
	PeerWaits    layout.PeerWaits // what the bridge there waits for

	Lag      uint64        // messages that the near segment was given and the far one has not
	LagBytes uint64        // their payload, about
	LagTime  time.Duration // how long ago the oldest of them was given to the near segment, about
}

// BridgeState is what a bridge is doing, or how it has left.
type BridgeState string

// The states of a bridge. The zero value is no bridge.
const (
	BridgeUnknown    BridgeState = "unknown"    // it says something that has no meaning
	BridgeConnecting BridgeState = "connecting" // it has no connection to a server
	BridgeRunning    BridgeState = "running"
	BridgeNoStream   BridgeState = "no-stream"          // the server has no such stream, or none now
	BridgeFull       BridgeState = "stream-full"        // the stream is at its limit
	BridgeRefused    BridgeState = "refused"            // the server refuses for another reason
	BridgeNoAck      BridgeState = "no-acknowledgement" // the stream does not acknowledge what was sent
	BridgeMissing    BridgeState = "messages-missing"   // the next message is not in the stream, and later ones are
	BridgeStopped    BridgeState = "stopped"            // it has left in good order, and its stream has not ended
	BridgeFailed     BridgeState = "failed"             // an error has ended it, and its stream has not ended
	BridgeEnded      BridgeState = "ended"              // it has left at the end of its stream
	BridgeDied       BridgeState = "died"               // it was killed, or crashed
)

// BridgeStates returns every state that a bridge can be in, in the order of their declaration.
func BridgeStates() []BridgeState {
	return []BridgeState{BridgeUnknown, BridgeConnecting, BridgeRunning, BridgeNoStream, BridgeFull, BridgeRefused, BridgeNoAck, BridgeMissing, BridgeStopped, BridgeFailed, BridgeEnded, BridgeDied}
}

// saidStates are those that a live bridge says.
var saidStates = map[layout.LinkState]BridgeState{
	layout.LinkConnecting: BridgeConnecting, layout.LinkRunning: BridgeRunning, layout.LinkNoStream: BridgeNoStream, layout.LinkFull: BridgeFull,
	layout.LinkRefused: BridgeRefused, layout.LinkNoAck: BridgeNoAck, layout.LinkMissing: BridgeMissing, layout.LinkStopped: BridgeStopped, layout.LinkFailed: BridgeFailed,
}

// Present reports whether the role's holder, or its last one, is a bridge.
func (b *Bridge) Present() bool { return b.State != "" }

// Left reports whether the bridge has left, in whatever way.
func (b *Bridge) Left() bool {
	switch b.State {
	case BridgeStopped, BridgeFailed, BridgeEnded, BridgeDied:
		return true
	}
	return false
}

// maxPeerSilence is how long a bridge may not be heard of that is there: it sends its status once a
// second.
const maxPeerSilence = 5 * time.Second

// PeerThere reports whether the bridge at the other side was heard of lately, as of when the
// figures were noted.
func (b *Bridge) PeerThere() bool { return b.PeerSeen && b.PeerSilent-b.Age <= maxPeerSilence }

// streamNearFull is the fill from which on a stream may have no room for the next block, which
// is an eighth of its limit at most.
const streamNearFull = 0.85

// StreamFull reports whether the stream is at its limit, or so near to it that the next block may
// find no room: a bridge whose stream is kept full runs again with each block that is taken out.
func (b *Bridge) StreamFull() bool {
	return b.State == BridgeFull || b.State == BridgeRunning && b.StreamFill() >= streamNearFull
}

// StreamFill returns the share of the stream's limit that is in use, from 0 to 1; 0 if the limit is
// not known.
func (b *Bridge) StreamFill() float64 {
	if b.StreamLimit == 0 {
		return 0
	}
	return min(1, float64(b.StreamBytes)/float64(b.StreamLimit))
}

// readBridge reads what the holder of a role says as a bridge: nothing unless it is one. side is
// what was read of the role's RoleStats, and now the CLOCK_MONOTONIC time.
func readBridge(l *layout.Link, stats *layout.RoleStats, side *RoleStats, now uint64) Bridge {
	b := Bridge{
		State:        BridgeUnknown,
		Position:     l.Position.Load(),
		InFlight:     l.InFlight.Load(),
		RoundTrip:    span(l.RoundTrip.Load()),
		StreamBytes:  l.StreamBytes.Load(),
		StreamLimit:  l.StreamLimit.Load(),
		PeerPosition: l.PeerPosition.Load(),
		PeerWaits:    layout.PeerWaits(l.PeerWaits.Load()),
		Lag:          l.Lag.Load(),
		LagBytes:     l.LagBytes.Load(),
		LagTime:      span(l.LagTime.Load()),
	}
	said := layout.LinkState(l.State.Load())
	stateAt, notedAt, peerSeenAt := l.StateAt.Load(), l.NotedAt.Load(), l.PeerSeenAt.Load()
	if holder := l.Holder.Load(); holder == 0 || holder != side.Generation || stats.Generation.Load() != holder {
		return Bridge{} // the role has another holder, which may just be writing these fields
	}
	if state, ok := saidStates[said]; ok {
		b.State = state
	}
	if other := stats.TimeNamespace.Load(); other != 0 && other != procinfo.TimeNamespace() {
		now = notedAt // not its clock
	}
	b.Age = between(notedAt, now)
	stateTo := now
	switch {
	case said == layout.LinkStopped, said == layout.LinkFailed:
	case !side.Alive && side.State == layout.StateClosed:
		b.State, stateTo = BridgeEnded, 0
	case !side.Alive:
		b.State, stateTo = BridgeDied, 0
	}
	b.StateFor = between(stateAt, stateTo)
	if !side.Alive {
		now = notedAt
	}
	if b.PeerSeen = peerSeenAt != 0; b.PeerSeen {
		b.PeerSilent = between(peerSeenAt, now)
	} else {
		b.PeerPosition, b.PeerWaits, b.Lag, b.LagBytes, b.LagTime = 0, layout.PeerUnknown, 0, 0, 0
	}
	if b.PeerWaits > layout.PeerEmpty {
		b.PeerWaits = layout.PeerUnknown
	}
	return b
}

// between returns the time from one moment to another, ns, 0 where the first is unknown or later.
func between(from, to uint64) time.Duration {
	if from == 0 || to < from {
		return 0
	}
	return span(to - from)
}

// sourceOf returns where the messages of a segment come from that a bridge fills.
func sourceOf(o *layout.Origin) uint64 {
	switch o.Current.Load() {
	case 1:
		return o.Place1.Source.Load()
	case 2:
		return o.Place2.Source.Load()
	}
	return 0
}

// span returns a number of nanoseconds as a time, the longest there is for one that is longer.
func span(ns uint64) time.Duration { return time.Duration(min(ns, math.MaxInt64)) }
