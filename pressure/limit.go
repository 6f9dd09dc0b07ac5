package pressure

import "sluice/layout"

// LimitReached reports whether the live producer of a transfer was refused at its limit, and has
// not been able to send since. A producer command then delivers what is queued and ends.
func (s *Snapshot) LimitReached() bool {
	return s.Geometry.Mode == layout.ModeTransfer && s.RefuseReason == layout.RefuseMemoryLimit && s.Producer.Alive && s.Depth() > 0
}

// delivering reports whether the live producer of a transfer has ended its stream, sends no more,
// and waits only until its queue is empty.
func (s *Snapshot) delivering() bool {
	p := &s.Producer
	return s.Geometry.Mode == layout.ModeTransfer && p.Alive && p.End != layout.EndNone && p.State != layout.StateClosed
}

// limited returns the verdict on a transfer that is at its limit.
func limited(i *Interval, after *Snapshot) Verdict {
	if i.Consumed == 0 && after.Disconnected() {
		return notConnected(i, after)
	}
	return atLimit(i, after)
}

// atLimit returns the verdict on a transfer whose producer was refused at its limit. Where the
// consumer slept meanwhile, a faster one would not help: it is a burst that had no room.
func atLimit(i *Interval, after *Snapshot) Verdict {
	advice := []AdviceKind{AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceRaiseLimit, AdviceRingMode}
	if i.ConsumerStayed && i.ConsumerBlocked >= Noticeable {
		advice = []AdviceKind{AdviceRaiseLimit, AdviceSlowProducer, AdviceRingMode}
	}
	return conclude(ConsumerBound, CauseLimit, i, after, advice...)
}
