package ring

import "sluice/layout"

// missed is how a Reader learns of messages that were dropped while no Reader was there
// (layout.RoleStats.Missed).
type missed struct {
	report func(n uint64) // nil = not wanted
	told   uint64         // of Missed, what some Reader was told of

	noticed bool   // there is more
	index   uint64 // the Writer's index when that was noticed
}

// tellMissed reports messages that were missed, once the gap is over: something was published
// behind it, or the ring is empty and its stream has not ended. So they are reported together, and
// the one who is told of a disconnection leaves them to the Reader of the next stream, unless there
// is nobody who could begin one. It is called after a load of the Writer's index, which found
// nothing if empty.
func (r *readerSide) tellMissed(empty bool) {
	m := &r.missed
	now := r.peerStats.Missed.Load()
	if int64(now-m.told) <= 0 {
		return
	}
	index := r.peerCursor.Index.Load()
	if !m.noticed {
		m.noticed, m.index = true, index
	}
	if index == m.index && !(empty && r.gapOver()) {
		return
	}
	now = r.peerStats.Missed.Load() // at least what was dropped before that index
	n := now - m.told
	m.told, m.noticed = now, false
	if m.report != nil {
		m.report(n)
	}
	r.ownStats.Missed.Store(now) // a Reader that is killed before this leaves it to the next one
}

// gapOver reports whether the stream of a Reader that finds the ring empty was not ended by a
// disconnection, or there is no Writer to begin another.
func (r *readerSide) gapOver() bool {
	disconnected := layout.State(r.peerStats.State.Load()) == layout.StateClosed &&
		layout.End(r.peerStats.End.Load()) == layout.EndDisconnected
	return !disconnected || r.writer == nil || r.writer.Absent(layout.Producer)
}
