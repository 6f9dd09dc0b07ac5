package bridge

import (
	"time"

	"sluice/internal/liveness"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// linkNote writes what a bridge does into the header of its segment. It is for the goroutine that
// holds the role; before the bridge has joined a segment, and after it has left, only the state is
// kept.
type linkNote struct {
	link  *layout.Link // nil = no segment
	stats *layout.RoleStats
	state layout.LinkState
	since uint64 // monotonic ns
}

// attach begins in the header of a segment whose role r was just taken.
func (n *linkNote) attach(h *layout.Header, r layout.Role) {
	n.link, n.stats = h.Link(r), h.Stats(r)
	for _, w := range []*layout.Uint64{
		&n.link.Position, &n.link.InFlight, &n.link.RoundTrip, &n.link.StreamBytes, &n.link.StreamLimit,
		&n.link.PeerSeenAt, &n.link.PeerPosition, &n.link.PeerWaits, &n.link.Lag, &n.link.LagBytes, &n.link.LagTime,
	} {
		w.StoreRelaxed(0)
	}
	n.link.State.StoreRelaxed(uint64(n.state))
	n.link.StateAt.StoreRelaxed(n.since)
	n.link.NotedAt.StoreRelaxed(monotonic.Now())
	n.link.Holder.Store(n.stats.Generation.Load())
}

// detach comes before the segment is left. The last state stays, for who looks at it.
func (n *linkNote) detach() { n.link, n.stats = nil, nil }

// set notes a state that begins now, unless it is the present one. It reports whether it began.
func (n *linkNote) set(s layout.LinkState) bool { return n.setSince(s, monotonic.Now()) }

// setSince is set for a state that has begun at a time of the monotonic clock.
func (n *linkNote) setSince(s layout.LinkState, since uint64) bool {
	if n.state == s {
		return false
	}
	n.state, n.since = s, since
	if n.link != nil {
		n.link.StateAt.StoreRelaxed(since)
		n.link.State.Store(uint64(s))
	}
	return true
}

// figures are what a bridge knows beside its state. Zero values are unknown, as in layout.Link.
type figures struct {
	position, inFlight      uint64
	roundTrip               time.Duration
	streamBytes, streamMost uint64
	peerSeen                time.Time
	peerPosition            uint64
	peerWaits               layout.PeerWaits
	lag, lagBytes           uint64
	lagTime                 time.Duration
}

// note writes figures. runs says that no call of the ring waits, on this goroutine or on another:
// then nobody else records that this side makes progress.
func (n *linkNote) note(f *figures, runs bool) {
	liveness.Beat()
	if n.link == nil {
		return
	}
	now := monotonic.Now()
	l := n.link
	l.Position.StoreRelaxed(f.position)
	l.InFlight.StoreRelaxed(f.inFlight)
	l.RoundTrip.StoreRelaxed(uint64(f.roundTrip))
	l.StreamBytes.StoreRelaxed(f.streamBytes)
	l.StreamLimit.StoreRelaxed(f.streamMost)
	if !f.peerSeen.IsZero() {
		l.PeerPosition.StoreRelaxed(f.peerPosition)
		l.PeerWaits.StoreRelaxed(uint64(f.peerWaits))
		l.Lag.StoreRelaxed(f.lag)
		l.LagBytes.StoreRelaxed(f.lagBytes)
		l.LagTime.StoreRelaxed(uint64(f.lagTime))
		l.PeerSeenAt.StoreRelaxed(monotonic.At(f.peerSeen))
	}
	l.NotedAt.Store(now)
	if runs {
		n.stats.ProgressAt.StoreRelaxed(now)
	}
}
