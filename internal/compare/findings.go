package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/pressure"
	"sluice/transfer"
)

// Section is a part of the report with a title.
type Section struct {
	Title     string
	Sentences []Sentence
}

// Findings returns when each model breaks, and what else came out. A sentence that this comparison
// does not support is left out.
func (rep *Report) Findings() []Section {
	return []Section{
		{"In every model", rep.everyModel()},
		{"When does the hard model break", rep.bounded(Models[0], "--on-full drop")},
		{"When does the credit model break", rep.bounded(Models[1], "--on-limit drop")},
		{"When does the soft model break", rep.soft()},
		{"At full speed", rep.fullSpeed()},
		{"The machine and the generator", append(rep.otherWork(), rep.generator()...)},
	}
}

func responseP99(r *Run) time.Duration { return r.Response.P99 }

// showsStall reports whether the response shows that the consumer was stopped, for as long as it
// was. Only the messages that were due right at its start waited for all of it.
func showsStall(r *Run) bool {
	d := r.Response.P99.Seconds() / max(1e-9, r.Load.Stalled().Seconds())
	return d > 0.75 && d < 1.25
}

func (rep *Report) everyModel() (s sentences) {
	if spare, slow := rep.all("time-to-spare"), rep.all("slow-producer"); spare != nil && slow != nil {
		if calm := slices.Concat(spare, slow); measured(calm) && most(calm, meanResponse) < quick {
			s.say("calm", "None breaks while the consumer keeps up: with time to spare and with a slow producer a message is taken %s after it was due, on average.", between(calm, span, meanResponse))
		}
	}
	if runs := rep.all("stall"); runs != nil && every(runs, showsStall) {
		s.say("stall-every", "A consumer that is stopped for %s shows as that in every model: response p99 is %s. The difference is where the messages wait: %s.",
			span(runs[0].Load.Stalled()), between(runs, span, responseP99), places(runs))
	}
	if runs := rep.all("bursts"); runs != nil {
		if low, high := extremes(runs, responseP99); alike(low, high) && low > 10*noise {
			s.say("bursts-every", "A burst of %s messages is the same to its messages in every model: response p99 is %s, because the last ones wait until the consumer has taken the others.",
				count(uint64(runs[0].Load.Burst)), between(runs, span, responseP99))
		}
	}
	for _, load := range []string{"slow-consumer", "overload"} {
		runs := rep.all(load)
		if !measured(runs) || !every(runs, fallsBehind) {
			continue
		}
		s.say("growth-every", "%s breaks every model in time: each second of it adds %s to the response.", loadName[load], between(runs, span, (*Run).growth))
	}
	return s
}

// loadName is a load as the subject of a sentence.
var loadName = map[string]string{"slow-consumer": "A slow consumer", "overload": "An overload"}

// places says where messages waited when most did.
func places(runs []*Run) string {
	inFront := which(runs, func(r *Run) bool { return r.WorstUnsent > r.WorstQueued })
	queued := which(runs, func(r *Run) bool { return r.WorstUnsent <= r.WorstQueued })
	var parts []string
	if len(inFront) > 0 {
		parts = append(parts, "with "+names(inFront)+" in front of the producer")
	}
	if len(queued) > 0 {
		parts = append(parts, "with "+names(queued)+" in the queue")
	}
	return strings.Join(parts, ", ")
}

// bounded returns when a model with a bound breaks.
func (rep *Report) bounded(m Model, drop string) (s sentences) {
	for _, load := range []string{"slow-consumer", "overload"} {
		if r := rep.find(load, m.ID); r != nil && fallsBehind(r) && r.ProducerBlockedShare() > often {
			s.say("bounded-overload", "%s does not break it in memory, which stayed at %s, but in front of the producer: it was blocked %s of the time, and %s of %s messages were not sent at the end.",
				loadName[load], memory(r.Memory), percent(r.ProducerBlockedShare()), count(r.Unsent), count(r.Offered))
		}
	}
	if r := rep.find("stall", m.ID); r != nil && showsStall(r) && shareOf(r.ProducerBlocked, r.Load.Stalled()) > 0.5 {
		s.say("bounded-stall", "A consumer that is stopped for %s stops the producer with it: it was blocked %s of the time, and up to %s messages were due and not sent. Memory stayed at %s.",
			span(r.Load.Stalled()), percent(r.ProducerBlockedShare()), count(r.MostUnsent), memory(r.Memory))
		if 3*r.Latency.P99 < r.Response.P99 {
			s.say("bounded-hidden", "Latency alone hides that: its p99 is %s.", span(r.Latency.P99))
		}
	}
	if len(s) > 0 {
		s.say("bounded-advice", "A source that cannot wait (a camera, a market feed) needs %s, which loses messages, or the soft model.", drop)
	}
	if r, hard := rep.find("time-to-spare", m.ID), rep.find("time-to-spare", "hard"); m.Kind == pressure.Credit && r != nil && hard != nil {
		if a, b := r.CPUPerMessage(), hard.CPUPerMessage(); muchMore(a.Seconds(), b.Seconds()) {
			s.say("credit-price", "It costs more than hard: %s of processor a message instead of %s, with time to spare.", span(a), span(b))
		}
	}
	return s
}

func (rep *Report) soft() (s sentences) {
	for _, r := range kind(rep.of("overload"), pressure.Soft) {
		if r.LimitAfter > 0 {
			s.say("soft-limit", "An overload breaks %s after %s: with %s messages queued memory was at its limit of %s, and the producer has to stop.",
				r.Model.Name, span(r.LimitAfter), count(r.Deepest), memory(r.Limit))
		}
	}
	if grow := which(kind(rep.of("slow-consumer"), pressure.Soft), func(r *Run) bool { return fallsBehind(r) && r.LimitAfter == 0 && r.Memory > 1<<20 }); len(grow) > 0 {
		s.say("soft-growth", "A slow consumer makes %s grow, by %s of memory a second, so that the default limit of %s is reached after %s.",
			names(grow), between(grow, memory, func(r *Run) uint64 { return uint64(r.MemoryGrowth()) }), memory(transfer.DefaultLimit), between(grow, minutes, (*Run).untilDefaultLimit))
	}
	runs := kind(rep.of("stall"), pressure.Soft)
	if len(runs) == 3 && every(runs, showsStall) && every(runs, func(r *Run) bool { return r.ProducerBlockedShare() < rarely }) {
		s.say("soft-stall", "A consumer that is stopped for %s does not block the producer: up to %s messages waited in the queue, which took up to %s.",
			span(runs[0].Load.Stalled()), count(most(runs, func(r *Run) uint64 { return r.Deepest })), memory(most(runs, func(r *Run) uint64 { return r.Memory })))
		if hard := rep.find("stall", "hard"); hard != nil && alike(append(times(runs, responseP99), hard.Response.P99)...) {
			s.say("soft-no-sooner", "They were not taken sooner for that: response p99 is %s, with hard %s.", between(runs, span, responseP99), span(hard.Response.P99))
		}
	}
	return s
}

// untilDefaultLimit returns when the memory of a soft model reaches its default limit if it goes
// on growing as it has.
func (r *Run) untilDefaultLimit() time.Duration {
	return time.Duration(transfer.DefaultLimit / r.MemoryGrowth() * float64(time.Second))
}

func times(runs []*Run, value func(*Run) time.Duration) (all []time.Duration) {
	for _, r := range runs {
		all = append(all, value(r))
	}
	return all
}

// speed returns the messages a second that a model moved at full speed, 0 if that was not measured.
func (rep *Report) speed(size int, model string) float64 {
	if r := rep.find(fmt.Sprintf("size-%d", size), model); r != nil {
		return r.TakenPerSec
	}
	return 0
}

func (rep *Report) fullSpeed() (s sentences) {
	if a, b := rep.speed(8, "hard"), rep.speed(8, "soft-plain"); b > 0 && muchMore(a, b) {
		s.say("small-hard", "Messages of 8 B: hard moves %s a second, soft plain, with a sealed buffer for each, %s: %s times as many.", rate(a), rate(b), number(a/b))
	}
	if a, b := rep.speed(8, "soft-packed"), rep.speed(8, "soft-plain"); b > 0 && muchMore(a, b) {
		s.say("small-packed", "Packing them into buffers of 64 KiB makes soft %s times as fast.", number(a/b))
	}
	for _, size := range []int{64 << 10, 1 << 20} {
		recycled, plain, hard := rep.speed(size, "soft-recycled"), rep.speed(size, "soft-plain"), rep.speed(size, "hard")
		if plain > 0 && muchMore(recycled, plain) {
			s.say("large", "Messages of %s: buffers that are mapped once and recycled move %s, a sealed one for each %s, hard, written and read in place, %s. So zero-copy pays only where a mapping is used again.",
				memory(uint64(size)), perSecond(recycled*float64(size)), perSecond(plain*float64(size)), perSecond(hard*float64(size)))
		}
	}
	tight, wide := rep.find("bound-0", "hard"), rep.find(fmt.Sprintf("bound-%d", len(Bounds)-1), "hard")
	if tight != nil && wide != nil && muchMore(wide.TakenPerSec, tight.TakenPerSec) {
		s.say("bounds", "A ring of %s moves %s messages of 64 B a second, one of %s %s: it needs room for what is sent while the other side wakes up.",
			Bounds[0], rate(tight.TakenPerSec), Bounds[len(Bounds)-1], rate(wide.TakenPerSec))
	}
	return s
}

// otherWork says whether anything else ran on the machine.
func (rep *Report) otherWork() (s sentences) {
	if len(rep.Runs) == 0 {
		return nil
	}
	high := most(rep.Runs, (*Run).others)
	if beside := which(rep.Runs, func(r *Run) bool { return r.Others > disturbed }); len(beside) > 0 {
		s.say("others", "The machine had other work: during %d of %d runs it kept more than %s of a processor busy, at most %s. Compare their figures with care, and run again on a quiet machine.",
			len(beside), len(rep.Runs), percent(disturbed), percent(high))
		return s
	}
	s.say("quiet", "The machine had little other work: it kept at most %s of a processor busy during any run.", percent(high))
	return s
}

// generator says which runs tell more of the machine than of the model.
func (rep *Report) generator() (s sentences) {
	var measured []*Run
	for _, l := range rep.openLoads() {
		runs := rep.of(l.ID)
		measured = append(measured, which(runs, func(r *Run) bool { return r.Lateness.Count > 0 })...)
		var at []string
		for _, q := range []struct {
			quantile float64
			name     string
		}{{0.5, "p50"}, {0.99, "p99"}} {
			if late := which(runs, func(r *Run) bool { return r.LateAt(q.quantile) }); len(late) > 0 {
				at = append(at, "at "+q.name+" with "+names(late))
			}
		}
		if len(at) > 0 {
			s.say("late", "%s, marked with *: the generator itself was late by at least half of the response, %s. These figures may say more of the machine than of the model.", l.Title, strings.Join(at, ", "))
		}
	}
	if len(s) == 0 && len(measured) > 0 {
		s.say("on-time", "The load was sent on time: in no run was the generator itself late by half of the response, at p50 or at p99.")
	}
	return s
}
