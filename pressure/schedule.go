package pressure

// dueShare is the part of what was offered by which the messages that wait in front of the producer
// have to become more. A producer notes what is due now and then, and publishes in batches: less is
// chance.
const dueShare = 0.02

// waitingGrows reports whether the producer sends notably less than becomes due.
func (i *Interval) waitingGrows() bool {
	return i.Elapsed >= minInterval && float64(i.UnsentGrowth) >= max(dueShare*float64(i.Offered), minBacklog)
}

// notable returns a number of messages that wait in front of the producer, 0 if they are no more
// than become due in 10 ms, or than a few.
func (c *Schedule) notable(waiting uint64) uint64 {
	if float64(waiting) < max(c.Rate/100, minBacklog) {
		return 0
	}
	return waiting
}

// behindSchedule changes the verdict v on two sides of which neither is held back by the other, if
// more becomes due than the producer sends. What becomes due while it is blocked does not count for
// that.
func (v *Verdict) behindSchedule(i *Interval) {
	own := float64(i.UnsentGrowth) - i.ProducerBlocked*float64(i.Offered)
	switch {
	case !v.WaitingGrows || v.Kind == ConsumerBound:
	case v.ProducerBlocked < Noticeable && own >= dueShare*float64(i.Offered):
		v.Kind, v.Cause, v.Advice = ProducerBound, CauseSchedule, advise(AdviceSlowProducer)
	case v.Advice == nil:
		v.Advice = advise(AdviceSlowProducer)
	}
}
