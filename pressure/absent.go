package pressure

import "sluice/layout"

// absent is the verdict when a side that is needed is not there.
func absent(i *Interval, after *Snapshot) (Verdict, bool) {
	if v, ok := consumerless(i, after); ok {
		return v, ok
	}
	return producerless(i, after)
}

// consumerless is the verdict when there is no consumer where one is needed.
func consumerless(i *Interval, after *Snapshot) (Verdict, bool) {
	p, c := &after.Producer, &after.Consumer
	switch {
	case !c.Alive && !p.Alive && after.Geometry.Mode == layout.ModeTransfer && after.Depth() > 0:
		// A listening socket that outlives the consumers holds what was sent to it.
		return conclude(NoProducer, CauseNobody, i, after, AdviceStartProducer), true
	case !c.Alive && c.State != layout.StateClosed && i.Consumed == 0, !c.Alive && after.Depth() > 0:
		return noConsumer(i, after), true
	case !c.Alive && i.Consumed == 0 && after.delivering() && c.EndSeen != p.Generation: // the last one has left before the end
		return noConsumer(i, after), true
	}
	return Verdict{}, false
}

// producerless is the verdict when there is no producer where one is needed: not for what
// one that has ended has left.
func producerless(i *Interval, after *Snapshot) (Verdict, bool) {
	p := &after.Producer
	left := p.State == layout.StateClosed && (i.Consumed > 0 || after.Geometry.Mode == layout.ModeRing && after.Depth() > 0)
	if p.Alive || i.Produced > 0 || left {
		return Verdict{}, false
	}
	return noProducer(i, after), true
}

func noProducer(i *Interval, s *Snapshot) Verdict {
	v := conclude(NoProducer, "", i, s, AdviceStartProducer)
	v.LastProducer = s.lastProducer()
	if s.Consumer.Alive {
		v.Advice = advise(AdviceStartProducer, AdviceStopConsumer)
	}
	if s.Geometry.Mode == layout.ModeTransfer && s.Depth() > 0 {
		v.Cause = CauseUndelivered // but what is in the socket or in the consumer's hands still comes
	}
	return v
}

func noConsumer(i *Interval, s *Snapshot) Verdict {
	v := conclude(NoConsumer, "", i, s)
	v.Advice = []Advice{{Kind: AdviceStartConsumer, Messages: s.Depth()}}
	switch {
	case s.LimitReached():
		v.Cause = CauseLimit
	case s.delivering() && s.Depth() == 0 && s.Producer.End == layout.EndComplete:
		v.Cause = CauseEndUntold
	case s.delivering():
		v.Cause = CauseDelivering
	case s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive:
		v.Cause = CauseQueues
	case s.Producer.Alive && s.Producer.State == layout.StateAlone:
		v.Cause = CauseBlocked
	}
	return v
}
