package compare

import (
	"fmt"

	"sluice/pressure"
)

// Choice says what to use in a case, and why.
type Choice struct {
	Kind               string // for tests
	Case, Use, Because string
}

// Choices returns what to use in each case, as far as the runs tell it. Where messages wait for
// the consumer, models are told apart by response: a latency that starts at publish would favour
// the one that publishes late.
func (rep *Report) Choices() (all []Choice) {
	for _, choose := range []func() (Choice, bool){rep.keepsUp, rep.mayWait, rep.mayNotWait, rep.hopeless, rep.smallMessages, rep.largeMessages, rep.sealed} {
		if c, ok := choose(); ok {
			all = append(all, c)
		}
	}
	return all
}

// keepsUp: the consumer is fast enough.
func (rep *Report) keepsUp() (Choice, bool) {
	runs := rep.all("time-to-spare")
	if !measured(runs) {
		return Choice{}, false
	}
	cpu := func(r *Run) float64 { return r.cpuPerMessage().Seconds() }
	least, _ := extremes(runs, cpu)
	if most(runs, meanResponse) > quick {
		return Choice{}, false
	}
	because := "time to spare: the mean response is " + between(runs, span, meanResponse)
	cheap := which(runs, func(r *Run) bool { return !muchMore(cpu(r), least) })
	if len(cheap) < len(runs) {
		because += fmt.Sprintf(" in all, and these take %s of processor a message, the others more", between(cheap, span, (*Run).cpuPerMessage))
	}
	return Choice{"keeps-up", "the consumer keeps up", names(cheap), because}, true
}

// mayWait: the consumer falls behind for a time, and the producer can wait.
func (rep *Report) mayWait() (Choice, bool) {
	runs := rep.all("stall")
	if runs == nil || !every(runs, showsStall) {
		return Choice{}, false
	}
	bounded := which(runs, func(r *Run) bool { return r.Model.Kind != pressure.Soft })
	soft := kind(runs, pressure.Soft)
	bytes := func(r *Run) uint64 { return r.Memory }
	if low, _ := extremes(soft, bytes); low < 2*most(bounded, bytes) {
		return Choice{}, false
	}
	return Choice{"may-wait", "the consumer pauses, and the producer can wait", "hard or credit", fmt.Sprintf(
		"stall: response p99 is %s (soft: %s), in %s of memory (soft: %s)",
		between(bounded, span, responseP99), between(soft, span, responseP99), between(bounded, memory, bytes), between(soft, memory, bytes))}, true
}

// mayNotWait: the same, and the producer cannot.
func (rep *Report) mayNotWait() (Choice, bool) {
	soft := kind(rep.all("stall"), pressure.Soft)
	free := func(r *Run) bool {
		return r.ProducerBlockedShare() < rarely && r.MostUnsent < uint64(r.Load.Count()/50)
	}
	if !every(soft, free) || !every(soft, showsStall) {
		return Choice{}, false
	}
	bytes := func(r *Run) uint64 { return r.Memory }
	least, _ := extremes(soft, bytes)
	small := which(soft, func(r *Run) bool { return !muchMore(float64(r.Memory), float64(least)) })
	return Choice{"may-not-wait", "the consumer pauses, and the producer cannot wait", names(small), fmt.Sprintf(
		"stall: it was blocked %s of the time; the messages took %s of memory, and were not sooner there: response p99 is %s",
		between(small, percent, (*Run).producerBlocked), between(small, memory, bytes), between(small, span, responseP99))}, true
}

// hopeless: the consumer never catches up.
func (rep *Report) hopeless() (Choice, bool) {
	runs := rep.all("overload")
	if !measured(runs) || !every(runs, fallsBehind) {
		return Choice{}, false
	}
	return Choice{"hopeless", "more is due than the consumer takes, for good", "none helps: a faster consumer, or drop (--on-full, --on-limit)", fmt.Sprintf(
		"overload: each second of it adds %s to the response, in every model", between(runs, span, (*Run).growth))}, true
}

// fastest returns the runs of a size that cannot be told apart from the fastest.
func (rep *Report) fastest(size int) (best []*Run) {
	runs := rep.all(fmt.Sprintf("size-%d", size))
	if runs == nil {
		return nil
	}
	top := most(runs, func(r *Run) float64 { return r.TakenPerSec })
	return which(runs, func(r *Run) bool { return top > 0 && !muchMore(top, r.TakenPerSec) })
}

func (rep *Report) smallMessages() (Choice, bool) {
	best := rep.fastest(8)
	if best == nil {
		return Choice{}, false
	}
	return Choice{"small", "many small messages, as many as possible", names(best), fmt.Sprintf(
		"full speed: %s messages of 8 B a second", between(best, rate, func(r *Run) float64 { return r.TakenPerSec }))}, true
}

func (rep *Report) largeMessages() (Choice, bool) {
	best := rep.fastest(1 << 20)
	if best == nil {
		return Choice{}, false
	}
	return Choice{"large", "large messages, the two sides trust each other", names(best), fmt.Sprintf(
		"full speed: %s in messages of 1 MiB", between(best, perSecond, func(r *Run) float64 { return r.TakenPerSec * (1 << 20) }))}, true
}

// sealed: what only sealed buffers can do.
func (rep *Report) sealed() (Choice, bool) {
	runs := which(rep.all("size-65536"), func(r *Run) bool { return r.Model.ID != "hard" && r.Model.ID != "soft-recycled" })
	if len(runs) == 0 {
		return Choice{}, false
	}
	return Choice{"sealed", "the bytes must not change after they are sent, whatever the producer does", "credit, soft plain or soft packed", fmt.Sprintf(
		"buffers are sealed; full speed: %s in messages of 64 KiB", between(runs, perSecond, func(r *Run) float64 { return r.TakenPerSec * (64 << 10) }))}, true
}
