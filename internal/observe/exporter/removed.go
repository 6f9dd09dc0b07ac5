package exporter

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/layout"
	"sluice/pressure"
)

// Removed counts the segments that were removed while an observer watched them, by how their last
// stream had ended: a segment may be gone before a scrape sees its last counters. Any number of
// goroutines may use it.
type Removed struct{ total *prometheus.CounterVec }

// removalEnds are the values of its label. Each has a series from the start, so that the first
// removal is an increase.
var removalEnds = []string{
	layout.EndComplete.String(), layout.EndStopped.String(), layout.EndFailed.String(), layout.EndDisconnected.String(), endDied, endUnread,
}

const (
	endDied   = "died"   // the producer was killed, or crashed
	endUnread = "unread" // messages were in the queue
)

// NewRemoved returns one that has counted nothing.
func NewRemoved() *Removed {
	r := &Removed{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_removed_segments_total",
		Help: "Segments that were removed since this gauge was started, by how their last stream had ended: complete, stopped (before its end), failed, disconnected, died (with its producer), or unread (messages were in the queue).",
	}, []string{"end"})}
	for _, end := range removalEnds {
		r.total.WithLabelValues(end)
	}
	return r
}

// Add counts a segment of which last is the snapshot after its removal.
func (r *Removed) Add(last *pressure.Snapshot) { r.total.WithLabelValues(removalEnd(last)).Inc() }

func removalEnd(last *pressure.Snapshot) string {
	p := &last.Producer
	switch {
	case last.Depth() > 0:
		return endUnread
	case p.State != layout.StateClosed:
		return endDied
	case p.End == layout.EndStopped, p.End == layout.EndFailed, p.End == layout.EndDisconnected:
		return p.End.String()
	}
	return layout.EndComplete.String()
}
