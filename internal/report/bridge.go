package report

import (
	"fmt"
	"strings"

	"sluice/internal/format"
	"sluice/internal/verdict"
	"sluice/layout"
	"sluice/pressure"
)

// bridge returns what the side says that reports, if it is a bridge, else nil.
func (r *Report) bridge() *pressure.Bridge {
	if r.Now == nil {
		return nil
	}
	var b *pressure.Bridge
	switch r.Role {
	case layout.Producer.String():
		b = &r.Now.Producer.Bridge
	case layout.Consumer.String():
		b = &r.Now.Consumer.Bridge
	}
	if b == nil || !b.Present() {
		return nil
	}
	return b
}

func isBridge(r *Report) bool { return r.bridge() != nil }

// who is the side that reports, in a word: of a bridge its direction.
func (r *Report) who() string {
	switch {
	case r.bridge() == nil:
		return r.Role
	case r.Role == layout.Producer.String():
		return direction(layout.Producer)
	}
	return direction(layout.Consumer)
}

// direction is that of a bridge in a role: out of the segment, as its consumer, or into it.
func direction(role layout.Role) string {
	if role == layout.Producer {
		return "in"
	}
	return "out"
}

// BridgeRows returns what there is to say of the bridges of a segment: nothing where there is none.
func BridgeRows(s *pressure.Snapshot) (rows []PlaceRow) {
	for _, d := range []struct {
		role layout.Role
		b    *pressure.Bridge
	}{{layout.Consumer, &s.Consumer.Bridge}, {layout.Producer, &s.Producer.Bridge}} {
		if !d.b.Present() {
			continue
		}
		name := "bridge " + direction(d.role)
		for _, text := range verdict.Bridge(d.role, d.b) {
			rows = append(rows, PlaceRow{name, text})
			name = ""
		}
	}
	return rows
}

func bridgeRows(row func(name, text string, args ...any), s *pressure.Snapshot) {
	for _, r := range BridgeRows(s) {
		for _, line := range clauses(r.Text, maxColumns-13) {
			row(r.Name, "%s", line)
			r.Name = ""
		}
	}
}

// ShortBridge says in few words what the bridges of a segment do, and ShortLag how many
// messages the other side is behind, and for how long; both are "-" where there is none, or it
// is not known.
func ShortBridge(s *pressure.Snapshot) string {
	return ofBridges(s, verdict.BridgeState)
}

// ShortLag is described at ShortBridge.
func ShortLag(s *pressure.Snapshot) string {
	return ofBridges(s, func(b *pressure.Bridge) string {
		text := lagCount(b)
		if b.Lag > 0 && b.LagTime > 0 {
			text += " (" + format.Duration(b.LagTime) + ")"
		}
		return text
	})
}

func ofBridges(s *pressure.Snapshot, of func(b *pressure.Bridge) string) string {
	var all []string
	for _, b := range []*pressure.Bridge{&s.Producer.Bridge, &s.Consumer.Bridge} { // as messages go
		if b.Present() {
			all = append(all, of(b))
		}
	}
	if all == nil {
		return "-"
	}
	return strings.Join(all, ", ")
}

// lagCount is the lag in messages, - where it is not known.
func lagCount(b *pressure.Bridge) string {
	if !b.PeerSeen {
		return "-"
	}
	return format.ShortCount(b.Lag)
}

// lagTime is how old the oldest message of the lag is, - where there is none.
func lagTime(b *pressure.Bridge) string {
	if b.Lag == 0 || b.LagTime == 0 {
		return "-"
	}
	return format.Duration(b.LagTime)
}

// A line of a bridge has what it does, and how far behind the other side is, in place of the waits.
const bridgeColumns = "%6s %-8s %6s %6s %-18s %s\n"

// bridgeHeadings are for these columns.
var bridgeHeadings = fmt.Sprintf(bridgeColumns, "msg/s", "queue", "lag", "oldest", "bridge", "verdict")

// bridgeCells are the columns of a report; those about the bridge are "-" until it has said
// something.
func bridgeCells(r *Report) string {
	lag, oldest, state := "-", "-", "-"
	if b := r.bridge(); b != nil {
		lag, oldest, state = lagCount(b), lagTime(b), verdict.BridgeState(b)
	}
	return fmt.Sprintf(bridgeColumns, format.Rate(r.Interval.Throughput), gauge(r.Now), lag, oldest, state, string(r.Verdict.Kind))
}

// bridgeLine is a line of a bridge.
func (t *text) bridgeLine(b *strings.Builder, r *Report, heading bool) {
	if heading {
		fmt.Fprintf(b, "%-8s %7s %s", "", "time", bridgeHeadings)
	}
	fmt.Fprintf(b, "%-8s %7s %s", r.who(), format.Seconds(r.Elapsed), bridgeCells(r))
}

// sumOfLags is how many messages the other sides of several bridges are behind, - if that is
// known of none.
func sumOfLags(rings []Report) string {
	lag, known := uint64(0), false
	for i := range rings {
		if b := rings[i].bridge(); b != nil && b.PeerSeen {
			lag, known = lag+b.Lag, true
		}
	}
	if !known {
		return "-"
	}
	return format.ShortCount(lag)
}
