package compare

import (
	"time"
)

// TwoTimes explains latency and response with this comparison's own figures, in ten lines at most.
// Those that the figures do not support are left out.
func (rep *Report) TwoTimes() (s []Sentence) {
	lines := (*sentences)(&s)
	lines.say("", "*Latency* is the time from when a message was published to its take. *Response* is the time from when it was due to its take. Models are compared by response; latency beside it says where the messages waited.")
	hard, soft := rep.find("stall", "hard"), rep.find("stall", "soft-plain")
	if hard != nil && soft != nil {
		rep.timesOfStall(lines, hard, soft)
	}
	if hard != nil && hard.Lateness.Count > 0 {
		lines.say("times-lateness", "The generator has a lateness of its own: how late it began to send a message whose predecessor it had sent before the message was due. Here its p99 was %s. A response of which it is at least half is marked with *.", span(hard.Lateness.P99))
	}
	lines.say("", "The runs at full speed are closed-loop: a message is made when the one before was sent. None is due at a time, so they have no response.")
	return s
}

// timesOfStall follows the messages of a consumer that was stopped.
func (rep *Report) timesOfStall(lines *sentences, hard, soft *Run) {
	l := &hard.Load
	lines.say("times-due", "In *%s* a message is due every %s, %s in all, whatever the consumer does: the load is open-loop.",
		l.Title, span(time.Duration(float64(time.Second)/l.Rate)), count(hard.Offered))
	if shareOf(hard.ProducerBlocked, l.Stalled()) < 0.5 || !showsStall(hard) || !showsStall(soft) {
		return
	}
	lines.say("times-blocked", "The consumer was stopped for %s. With *hard* the queue took %s messages and was full; the producer was blocked %s of the time.",
		span(l.Stalled()), count(hard.Deepest), percent(hard.ProducerBlockedShare()))
	lines.say("times-unsent", "Meanwhile up to %s messages became due and could not be sent. They waited in front of the producer, where latency does not count.", count(hard.MostUnsent))
	if !longer(hard.Response.Mean, hard.Latency.Mean) {
		return
	}
	lines.say("times-hard", "That is why latency is %s in the mean (p99 %s), and response %s (p99 %s).",
		span(hard.Latency.Mean), span(hard.Latency.P99), span(hard.Response.Mean), span(hard.Response.P99))
	lines.say("times-front", "The difference of the means, %s, is how long a message waited in front of the producer.", span(hard.Response.Mean-hard.Latency.Mean))
	if alike(soft.Latency.Mean, soft.Response.Mean) && alike(soft.Response.P99, hard.Response.P99) {
		lines.say("times-soft", "With *soft plain* messages were sent on time and waited in the queue: latency is %s in the mean (p99 %s), response %s (p99 %s).",
			span(soft.Latency.Mean), span(soft.Latency.P99), span(soft.Response.Mean), span(soft.Response.P99))
		lines.say("times-same", "To the receiver the two are the same: p99 %s and %s from when a message was due.", span(hard.Response.P99), span(soft.Response.P99))
	}
}
