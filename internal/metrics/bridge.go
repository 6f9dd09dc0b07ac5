package metrics

import (
	"strings"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// direction is that of a bridge: out of the segment, as its consumer, or into it.
type direction struct {
	name string // of the object, and in series
	of   func(s *pressure.Snapshot) *pressure.Bridge
	role layout.Role
}

var (
	bridgeOut = direction{"out", func(s *pressure.Snapshot) *pressure.Bridge { return &s.Consumer.Bridge }, layout.Consumer}
	bridgeIn  = direction{"in", func(s *pressure.Snapshot) *pressure.Bridge { return &s.Producer.Bridge }, layout.Producer}
)

// rows are the metrics of a bridge in that direction. They are unknown where there is none.
func (d direction) rows() []Metric {
	row := func(key, series string, unit Unit, help string, get func(b *pressure.Bridge) Value) Metric {
		m := Metric{Key: "bridge." + d.name + "." + key, Unit: unit, Mode: layout.ModeRing, Help: help,
			get: now(func(s *pressure.Snapshot) Value {
				if b := d.of(s); b.Present() {
					return get(b)
				}
				return Value{}
			})}
		if series != "" {
			m.Series = "sluice_bridge_" + d.name + "_" + series
		}
		return m
	}
	csv := func(m Metric) Metric {
		m.CSV = true
		return m
	}
	// peer is a getter of what only the bridge at the other side can tell.
	peer := func(get func(b *pressure.Bridge) Value) func(b *pressure.Bridge) Value {
		return func(b *pressure.Bridge) Value {
			if !b.PeerSeen {
				return Value{}
			}
			return get(b)
		}
	}
	state := csv(row("state", "state", "", "", func(b *pressure.Bridge) Value { return Text(string(b.State)) }))
	state.Type, state.States = StateSet, bridgeStates()
	state.Help = "What the bridge that is the segment's " + d.role.String() + " is doing, or how it has left: " + strings.Join(bridgeStates(), ", ") + "; unknown when that is no bridge; of one that has left, the other figures are those that it noted last."
	rows := []Metric{
		state,
		row("stateSec", "state_seconds", Seconds, "How long it has been in that state; unknown when it has ended or died.", func(b *pressure.Bridge) Value {
			if b.State == pressure.BridgeEnded || b.State == pressure.BridgeDied {
				return Value{}
			}
			return Duration(b.StateFor)
		}),
		csv(row("lagMessages", "lag_messages", Messages, "Messages that the near segment was given and the far one has not; unknown while the bridge at the other side was never heard of.",
			peer(func(b *pressure.Bridge) Value { return Count(b.Lag) }))),
		row("lagBytes", "lag_bytes", Bytes, "Their payload, about.", peer(func(b *pressure.Bridge) Value { return Count(b.LagBytes) })),
		csv(row("lagSec", "lag_seconds", Seconds, "How long ago the oldest of them was given to the near segment, about.", peer(func(b *pressure.Bridge) Value { return Duration(b.LagTime) }))),
	}
	waits := "What that one waits for: nothing, room (in its ring: its consumer is slower) or messages."
	position, peerPosition := "Messages of the near segment, since that was created, that the stream has acknowledged.", "Likewise those that are in the far segment."
	if d.role == layout.Producer {
		waits = "What that one waits for: nothing, room (in the stream: it cannot send) or messages."
		position, peerPosition = "Messages of the near segment, since that was created, that this one has.", "Likewise those that the near segment was given."
	} else {
		rows = append(rows,
			row("inFlightBytes", "in_flight_bytes", Bytes, "Payload that was sent to the stream and is not acknowledged.", func(b *pressure.Bridge) Value { return Count(b.InFlight) }),
			row("roundTripSec", "round_trip_seconds", Seconds, "How long the stream takes to acknowledge; unknown before the first time.", func(b *pressure.Bridge) Value {
				return knownTime(b.RoundTrip)
			}))
	}
	return append(rows,
		row("position", "", Messages, position, func(b *pressure.Bridge) Value { return Count(b.Position) }),
		row("peerPosition", "", Messages, peerPosition, peer(func(b *pressure.Bridge) Value { return Count(b.PeerPosition) })),
		row("streamBytes", "stream_bytes", Bytes, "Bytes in the stream, of all its subjects.", func(b *pressure.Bridge) Value { return Count(b.StreamBytes) }),
		row("streamLimitBytes", "stream_limit_bytes", Bytes, "Most bytes that the stream may hold; unknown when it is not limited by bytes.", func(b *pressure.Bridge) Value {
			if b.StreamLimit == 0 {
				return Value{}
			}
			return Count(b.StreamLimit)
		}),
		row("peerSeenSec", "peer_seen_seconds", Seconds, "Time since the bridge at the other side was heard of last; unknown when it never was.",
			peer(func(b *pressure.Bridge) Value { return Duration(b.PeerSilent) })),
		row("peerWaitsFor", "", "", waits, func(b *pressure.Bridge) Value {
			if b.PeerWaits == layout.PeerUnknown {
				return Value{}
			}
			return Text(b.PeerWaits.String())
		}),
		row("ageSec", "", Seconds, "How long ago the bridge noted these figures, other than its state.", func(b *pressure.Bridge) Value { return Duration(b.Age) }),
	)
}

// knownTime is a time that is unknown when it is 0.
func knownTime(d time.Duration) Value {
	if d == 0 {
		return Value{}
	}
	return Duration(d)
}

func bridgeStates() (all []string) {
	for _, s := range pressure.BridgeStates() {
		all = append(all, string(s))
	}
	return all
}
