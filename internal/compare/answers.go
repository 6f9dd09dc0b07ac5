package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/pressure"
)

// Sentence is something that the report says. All of its figures are figures of runs.
type Sentence struct {
	Kind string // what kind of sentence it is, for tests
	Text string
}

// sentences collects what is said.
type sentences []Sentence

func (s *sentences) say(kind, format string, args ...any) {
	*s = append(*s, Sentence{kind, fmt.Sprintf(format, args...)})
}

// Answer is what the figures say to a question about a load.
type Answer struct {
	Question  string
	Sentences []Sentence
}

// Answers returns the answers for a load, nil unless it was run with every model.
func (rep *Report) Answers(load string) []Answer {
	runs := rep.all(load)
	if runs == nil {
		return nil
	}
	answers := []Answer{
		{"Who is slower?", slowerSide(runs)},
		{"Where is the contention?", contention(runs, rep.Machine.CPUs)},
		{"Is the capacity right?", capacity(runs)},
		{"Does zero-copy help?", zeroCopy(runs)},
	}
	return slices.DeleteFunc(answers, func(a Answer) bool { return len(a.Sentences) == 0 })
}

// fallsBehind: the consumer takes less than is due, for as long as the load lasts.
func fallsBehind(r *Run) bool { return r.Load.Forever && r.TakenPerSec < behind*r.Load.Rate }

// hasIdle: the consumer sleeps because there is nothing to take. When it is stopped, its sleeps do
// not tell; then it is that it has taken everything soon after it was due.
func hasIdle(r *Run) bool {
	switch {
	case r.Load.Forever:
		return false
	case r.Load.StallEnd > 0:
		return r.Taken == r.Offered && r.Elapsed < r.Load.Length+r.Load.Length/10
	}
	return r.ConsumerBlockedShare() >= idle
}

func slowerSide(runs []*Run) (s sentences) {
	consumer, producer := which(runs, fallsBehind), which(runs, hasIdle)
	unclear := which(runs, func(r *Run) bool { return !fallsBehind(r) && !hasIdle(r) })
	l := &runs[0].Load
	if len(consumer) > 0 {
		s.say("slower-consumer", "The consumer, in %s: of %s messages that are due a second it takes %s.",
			names(consumer), count(uint64(l.Rate)), between(consumer, rate, func(r *Run) float64 { return r.TakenPerSec }))
	}
	if len(producer) > 0 {
		if l.StallEnd > 0 {
			s.say("slower-stall", "On the whole the producer, in %s: the consumer has taken everything after %s, although it was stopped for %s.",
				names(producer), between(producer, span, (*Run).lasted), span(l.Stalled()))
		} else {
			s.say("slower-producer", "On the whole the producer, in %s: the consumer waited %s of the time because the queue was empty.",
				names(producer), between(producer, percent, (*Run).consumerBlocked))
		}
		// Behind for a time, though.
		if late := which(producer, func(r *Run) bool { return r.Load.Work > 0 && r.worst() > uint64(r.Load.Count()/20) }); len(late) > 0 {
			s.say("slower-for-a-time", "For a time it was the consumer: up to %s messages waited in %s.",
				count(most(late, (*Run).worst)), names(late))
		}
	}
	if len(unclear) > 0 {
		if l.StallEnd > 0 {
			s.say("slower-stall-unclear", "Neither by much, in %s: of %s the consumer was stopped for %s, and it has taken everything after %s.",
				names(unclear), span(l.Length), span(l.Stalled()), between(unclear, span, (*Run).lasted))
		} else {
			s.say("slower-neither", "Neither by much, in %s: the consumer waited %s of the time because the queue was empty.",
				names(unclear), between(unclear, percent, (*Run).consumerBlocked))
		}
	}
	return s
}

// worst returns the most messages that waited at one time.
func (r *Run) worst() uint64 { return r.WorstUnsent + r.WorstQueued }

// measured reports whether the response of every run was measured.
func measured(runs []*Run) bool {
	return every(runs, func(r *Run) bool { return r.Response.Count > 0 })
}

func contention(runs []*Run, processors int) (s sentences) {
	if measured(runs) {
		s = waits(runs)
	}
	if all := which(runs, func(r *Run) bool { return processors > 0 && r.Processors() > busy*float64(processors) }); len(all) > 0 {
		s.say("contention-processors", "And for the processors: with %s the two sides keep %s of %d busy.",
			names(all), between(all, number, func(r *Run) float64 { return min(r.Processors(), float64(processors)) }), processors)
	}
	return s
}

// waits says where messages wait.
func waits(runs []*Run) (s sentences) {
	if most(runs, meanResponse) < quick {
		s.say("contention-none", "Nowhere that matters: on average a message is taken %s after it was due.", between(runs, span, meanResponse))
		return s
	}
	long := which(runs, func(r *Run) bool { return r.Response.Mean >= quick })
	inFront := func(r *Run) bool { return r.FrontShare() > mostly }
	front := which(long, func(r *Run) bool { return inFront(r) && r.ProducerBlockedShare() > often })
	slow := which(long, func(r *Run) bool { return inFront(r) && r.ProducerBlockedShare() <= often })
	queue := which(long, func(r *Run) bool { return r.FrontShare() < 1-mostly })
	both := which(long, func(r *Run) bool { return r.FrontShare() >= 1-mostly && !inFront(r) })
	if len(front) > 0 {
		s.say("contention-front", "With %s at the full queue: %s of its mean response a message waits in front of the producer, which is blocked %s of the time.",
			names(front), between(front, percent, (*Run).front), between(front, percent, (*Run).producerBlocked))
	}
	if len(slow) > 0 {
		s.say("contention-producer", "With %s in front of the producer (%s of its mean response), although the queue was full for only %s of the time: the producer did not keep up with what was due.",
			names(slow), between(slow, percent, (*Run).front), between(slow, percent, (*Run).producerBlocked))
	}
	if len(queue) > 0 {
		s.say("contention-queue", "With %s in the queue: %s of its mean response a message waits in memory.",
			names(queue), between(queue, percent, func(r *Run) float64 { return 1 - r.FrontShare() }))
	}
	if len(both) > 0 {
		s.say("contention-both", "With %s both in front of the producer (%s of the mean response) and in the queue.",
			names(both), between(both, percent, (*Run).front))
	}
	return s
}

// What between and extremes take.
func (r *Run) front() float64               { return r.FrontShare() }
func (r *Run) consumerBlocked() float64     { return r.ConsumerBlockedShare() }
func (r *Run) producerBlocked() float64     { return r.ProducerBlockedShare() }
func (r *Run) cpuPerMessage() time.Duration { return r.CPUPerMessage() }
func meanResponse(r *Run) time.Duration     { return r.Response.Mean }
func (r *Run) lasted() time.Duration        { return r.Elapsed }
func (r *Run) others() float64              { return r.Others }
func (r *Run) growth() time.Duration        { return r.Growth() }

func capacity(runs []*Run) (s sentences) {
	if every(runs, fallsBehind) {
		s.say("capacity-none", "No capacity is: each second %s more messages are due than are taken. A larger one is only reached later.",
			between(runs, rate, func(r *Run) float64 { return r.Load.Rate - r.TakenPerSec }))
		return s
	}
	bounded := which(runs, func(r *Run) bool { return r.Model.Kind != pressure.Soft })
	roomy := which(bounded, func(r *Run) bool { return r.ProducerBlockedShare() < rarely })
	tight := which(bounded, func(r *Run) bool { return r.ProducerBlockedShare() > often })
	barely := which(bounded, func(r *Run) bool {
		return r.ProducerBlockedShare() >= rarely && r.ProducerBlockedShare() <= often
	})
	if len(roomy) > 0 {
		s.say("capacity-right", "Yes, in %s: with room for %d messages the producer was blocked %s of the time.",
			names(roomy), boundMessages, between(roomy, percent, (*Run).producerBlocked))
	}
	if len(barely) > 0 {
		s.say("capacity-barely", "Just, in %s: with room for %d messages the producer was blocked %s of the time.",
			names(barely), boundMessages, between(barely, percent, (*Run).producerBlocked))
	}
	if len(tight) == 0 {
		return s
	}
	s.say("capacity-tight", "For a producer that must not be held back it is too small, in %s: with room for %d messages it was blocked %s of the time, and up to %s messages waited at once.",
		names(tight), boundMessages, between(tight, percent, (*Run).producerBlocked), count(most(tight, (*Run).worst)))
	p99 := func(r *Run) time.Duration { return r.Response.P99 }
	unbounded := kind(runs, pressure.Soft)
	if low, high := extremes(append(unbounded, tight...), p99); measured(runs) && alike(low, high) && high > 10*noise {
		s.say("capacity-no-matter", "For the response it does not matter: p99 is %s with that room (%s), and %s without a bound (soft).",
			between(tight, span, p99), names(tight), between(unbounded, span, p99))
	}
	return s
}

func zeroCopy(runs []*Run) (s sentences) {
	plain, recycled := runs[2], runs[4]
	a, b := plain.CPUPerMessage(), recycled.CPUPerMessage()
	figures := fmt.Sprintf("%s of processor a message with buffers that are mapped once and recycled, %s with a sealed one for each (hard, in place: %s)",
		span(b), span(a), span(runs[0].CPUPerMessage()))
	x, y := a.Seconds(), b.Seconds()
	switch {
	case plain.Others > disturbed || recycled.Others > disturbed:
		s.say("zero-copy-disturbed", "It cannot be told: other work on the machine kept %s of a processor busy meanwhile. It took %s.", between([]*Run{plain, recycled}, percent, (*Run).others), figures)
		return s
	case muchMore(x, y):
		s.say("zero-copy-helps", "Yes, it saves processor time: %s.", figures)
	case muchMore(y, x):
		s.say("zero-copy-costs", "No, it costs processor time: %s.", figures)
	case aboutSame(x, y):
		s.say("zero-copy-same", "Not here: %s.", figures)
	default:
		s.say("zero-copy-unclear", "Too little to tell from one run: %s.", figures)
	}
	if plain.LimitAfter > 0 || recycled.LimitAfter > 0 || !measured([]*Run{plain, recycled}) {
		return s // runs of different lengths have different responses
	}
	switch p, r := &plain.Response, &recycled.Response; {
	case max(p.Mean, r.Mean) > quick:
		if alike(p.P99, r.P99) {
			s.say("zero-copy-response-same", "The response is about the same: p99 %s recycled, %s sealed.", span(r.P99), span(p.P99))
		}
	case muchMore(p.P50.Seconds(), r.P50.Seconds()):
		s.say("zero-copy-response-shorter", "The response is shorter, too: half of the messages are taken within %s recycled, %s sealed.", span(r.P50), span(p.P50))
	default:
		s.say("zero-copy-response-short", "The response is short in both: half of the messages are taken within %s recycled, %s sealed.", span(r.P50), span(p.P50))
	}
	return s
}

// text returns the sentences as one paragraph.
func text(all []Sentence) string {
	var words []string
	for _, s := range all {
		words = append(words, s.Text)
	}
	return strings.Join(words, " ")
}
