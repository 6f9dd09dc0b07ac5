// Package verdict puts a [pressure.Verdict] into words, for the commands, their reports and the
// live pages alike: the reason with its figures, and advice with the commands' flags.
package verdict

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/format"
	"sluice/layout"
	"sluice/pressure"
)

// Reason returns why the verdict is what it is: clauses separated by "; ", without a capital
// letter or a full stop. It is "" for a verdict of no kind.
func Reason(v *pressure.Verdict) string { return strings.Join(reasons(v), "; ") }

// RepeatsFigures reports whether Reason has nothing but figures that a line with the blocked
// shares, the fill, and what waits in front of the producer shows anyway.
func RepeatsFigures(v *pressure.Verdict) bool {
	switch v.Cause {
	case pressure.CauseWaits, pressure.CauseBothWait, pressure.CauseFull, pressure.CauseBacklog, pressure.CauseTooShort:
		figures := 1
		if v.Waiting > 0 && !v.WaitingGrows {
			figures = 2
		}
		return len(reasons(v)) == figures && v.BothRan == v.Elapsed
	}
	return false
}

// reasons returns the clauses of Reason, in their order.
func reasons(v *pressure.Verdict) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if v.ConsumerAbsentFor > 0 {
		add("there was no consumer for at least %s of %s", format.Duration(v.ConsumerAbsentFor), format.Duration(v.Elapsed))
	}
	for _, stopped := range []struct {
		r layout.Role
		d pressure.Bounds
	}{{layout.Consumer, v.ConsumerStoppedFor}, {layout.Producer, v.ProducerStoppedFor}} {
		if stopped.d.Max > 0 {
			add("the %v was stopped (SIGSTOP or Ctrl-Z) for %s of %s", stopped.r, between(stopped.d), format.Duration(v.Elapsed))
		}
	}
	switch v.Kind {
	case "":
	case pressure.Idle:
		add("the queue is empty and nothing is produced")
	case pressure.NoConsumer:
		noConsumer(v, add)
	case pressure.NoProducer:
		noProducer(v, add)
	case pressure.Unconnected:
		unconnected(v, add)
	case pressure.Stopped:
		add("the %v%s %s", v.Role, process(v), notRunning(v))
	case pressure.Stalled:
		did := "received nothing"
		if v.ConsumerBridge.Present() {
			did = "passed nothing on"
		}
		add("the consumer%s is alive but has %s for %.0f s", process(v), did, v.NoProgressFor.Seconds())
		lastProducer(v, add)
	default:
		speed(v, add)
	}
	if text := bridge(v); text != "" {
		add("%s", text)
	}
	switch {
	case v.Waiting > 0 && v.WaitingGrows:
		add("%s, and their number grows", Waiting(v.Waiting))
	case v.Waiting > 0:
		add("%s", Waiting(v.Waiting))
	}
	if v.MostWaiting > max(v.Waiting, v.NotSent) {
		add("at least %s that were due waited in front of the producer at one time", format.Messages(v.MostWaiting))
	}
	if v.NotSent > 0 {
		add("%s", NotSent(v.NotSent))
	}
	if v.Deepest > 0 {
		add("deepest queue: %s", Deepest(v.Deepest, v.Lost > 0))
	}
	if v.Cause == pressure.CauseBehind && v.Shrinks {
		add("%s waited at the start", format.Messages(v.DepthBefore))
	}
	switch v.Kind {
	case pressure.Stopped, pressure.Stalled, pressure.Unconnected:
		if v.LimitReached {
			add("the limit of %s was reached", format.Size(v.Limit))
		}
	}
	if v.Kind == pressure.Stalled && v.Dropped > 0 {
		dropped(v, add)
	}
	if v.Grows && v.Kind != pressure.Unconnected { // whose two paths are long enough
		add("%s", forecast(v))
	}
	if v.ProducerAbsentFor > 0 {
		add("there was no producer for at least %s of %s", format.Duration(v.ProducerAbsentFor), format.Duration(v.Elapsed))
	}
	if v.AtEnd != nil {
		all = append(all, reasons(v.AtEnd)...)
	}
	if v.Whole && v.Kind != pressure.NoProducer {
		lastProducer(v, add)
	}
	if v.Lost > 0 {
		add("%s lost with a producer that died or ended before delivery", were(v.Lost))
	}
	return all
}

// speed says how fast each side is.
func speed(v *pressure.Verdict, add func(string, ...any)) {
	switch v.Cause {
	case pressure.CauseTooShort:
		add("too short a time to tell")
	case pressure.CauseBursts:
		add("the %s for %s of %s", wasFull(v), format.Duration(partOf(v.ProducerBlocked, v.BothRan)), format.Duration(v.BothRan))
		missed(v, add)
		add("the consumer waited %s of the time", format.Percent(v.ConsumerBlocked))
	case pressure.CauseFills:
		add("the producer sends %s msg/s, the consumer receives %s", format.Rate(v.ProducedPerSec), format.Rate(v.ConsumedPerSec))
	case pressure.CauseSchedule:
		add("the producer sends %s of the %s msg/s that are due, and is not blocked", format.Rate(v.ProducedPerSec), format.Rate(v.SchedulePerSec))
	case pressure.CauseOverflow:
		dropped(v, add)
	case pressure.CauseLimit:
		if v.Whole {
			add("the limit of %s was reached", format.Size(v.Limit))
			consumerSlept(v, add)
			return
		}
		add("the limit of %s was reached and the producer could send no more (the command delivers what is queued and ends with exit code 5)", format.Size(v.Limit))
		add("%s, the consumer receives %s msg/s", queued(v), format.Rate(v.ConsumedPerSec))
		consumerSlept(v, add)
	case pressure.CauseBehind:
		slowerFor(v, add)
	case pressure.CauseStopped:
		if v.Kind == pressure.Balanced {
			add("the queue had room for all that was sent meanwhile")
			return
		}
		add("the producer was blocked for %s", format.Duration(partOf(v.ProducerBlocked, v.BothRan)))
		missed(v, add)
	default:
		switch { // where a bridge gives the cause
		case v.Dropped > 0:
			dropped(v, add)
			return
		case v.SlowerFor > 0:
			slowerFor(v, add)
			return
		}
		add("%s", Figures(v))
	}
}

// Figures is the clause of Reason that has the shares of the time that the sides waited.
func Figures(v *pressure.Verdict) string {
	of := "of the time"
	if v.BothRan < v.Elapsed {
		of = "while both sides ran"
	}
	if v.Cause == pressure.CauseLate {
		of += ", but the consumer was not always there"
	}
	return fmt.Sprintf("blocked: producer %s, consumer %s %s; queue %s full", format.Percent(v.ProducerBlocked), format.Percent(v.ConsumerBlocked), of, format.Percent(v.Fill))
}

func slowerFor(v *pressure.Verdict, add func(string, ...any)) {
	least := ""
	if v.BothRan < v.Elapsed { // nothing was counted where a side came or went
		least = "at least "
	}
	add("the consumer was the slower side for %s%s of %s", least, format.Duration(v.SlowerFor), format.Duration(v.Elapsed))
}

// wasFull says that there was no room.
func wasFull(v *pressure.Verdict) string {
	if v.Mode == layout.ModeTransfer {
		return fmt.Sprintf("limit of %s was reached", format.Size(v.Limit))
	}
	return "ring was full"
}

// missed says how many messages a larger queue would have had room for, where that is known.
func missed(v *pressure.Verdict, add func(string, ...any)) {
	if v.Missed > 0 {
		add("about %s would have been sent", format.Number(v.Missed, "more message"))
	}
}

func dropped(v *pressure.Verdict, add func(string, ...any)) {
	add("%s of %s dropped because the %s", format.Count(v.Dropped), format.Messages(v.Offered), wasFull(v))
	consumerSlept(v, add)
}

// consumerSlept says that the consumer waited for messages, if it did, although some had no room.
func consumerSlept(v *pressure.Verdict, add func(string, ...any)) {
	if v.ConsumerBlocked < pressure.Noticeable || bridgeCause(v) != "" { // such a bridge waits for the stream
		return
	}
	absent := ""
	if !v.ConsumerStayed {
		absent = ", but it was not always there"
	}
	add("the consumer waited %s of the time%s", format.Percent(v.ConsumerBlocked), absent)
}

func noConsumer(v *pressure.Verdict, add func(string, ...any)) {
	switch v.Cause {
	case pressure.CauseLate: // the sentence about ConsumerAbsentFor says it
		return
	case pressure.CauseUndelivered:
		add("there is no consumer for %s; they are lost when the producer ends", format.Messages(v.Depth))
		return
	case pressure.CauseLimit:
		add("there is no consumer, and the limit of %s is reached: the producer can send no more", format.Size(v.Limit))
	default:
		add("there is no consumer")
	}
	if text := lastBridge(&v.ConsumerBridge); text != "" {
		add("%s", text)
	}
	switch v.Cause {
	case pressure.CauseEndUntold:
		add("the producer has sent everything and waits to tell one that its stream has ended")
		return
	case pressure.CauseDelivering:
		add("the producer sends no more and waits for one")
	case pressure.CauseQueues:
		add("the producer keeps adding to its queue")
	case pressure.CauseBlocked:
		add("the producer is blocked")
	}
	add("%s", queued(v))
}

func noProducer(v *pressure.Verdict, add func(string, ...any)) {
	if v.Cause == pressure.CauseNobody {
		add("there is no producer and no consumer")
		add("%s lost with the producer, except those that a systemd socket unit may hold for the next consumer", were(v.Depth))
		return
	}
	add("there is no producer")
	lastProducer(v, add)
	if v.Cause == pressure.CauseUndelivered {
		add("of %s in its queue, those that it had not sent to the consumer are lost", format.Messages(v.Depth))
		return
	}
	add("%s", queued(v))
}

// lastProducer says how it has ended, if there was one.
func lastProducer(v *pressure.Verdict, add func(string, ...any)) {
	who := "the last producer"
	if v.ProducerBridge.Present() {
		who += ", a bridge,"
	}
	switch v.LastProducer {
	case pressure.EndBridgeStopped:
		add("%s was stopped, and its stream goes on with the next one", who)
	case pressure.EndBridgeFailed:
		add("%s failed, and its stream goes on with the next one", who)
	case pressure.EndDied:
		add("%s died", who)
	case pressure.EndStopped:
		add("%s was stopped before the end of its stream", who)
	case pressure.EndFailed:
		add("%s failed before the end of its stream", who)
	case pressure.EndComplete:
		add("%s has ended", who)
	}
}

func unconnected(v *pressure.Verdict, add func(string, ...any)) {
	switch v.Cause {
	case pressure.CauseNoDescriptor:
		add("both sides are alive, but the producer has no file descriptor left to connect with")
	case pressure.CauseSockets:
		add("both sides are alive, but use different sockets: the producer connects to %s, the consumer listens at %s", v.ProducerSocket, v.ConsumerSocket)
	default:
		at := ""
		if v.ProducerSocket != "" {
			at = " at " + v.ProducerSocket
		}
		add("both sides are alive, but the producer finds no socket of the consumer%s", at)
	}
}

// notRunning says how it shows that a process is stopped.
func notRunning(v *pressure.Verdict) string {
	switch v.Cause {
	case pressure.CauseNoProgress:
		return fmt.Sprintf("has shown no progress for %.0f s, not even while it waits; it was probably stopped (SIGSTOP)", v.NoProgressFor.Seconds())
	case pressure.CauseAsleep:
		full := "full"
		if v.Role == layout.Producer {
			full = "empty"
		}
		return fmt.Sprintf("is not running although the queue is %s; it was probably stopped (SIGSTOP)", full)
	}
	return "is stopped (SIGSTOP or Ctrl-Z)"
}

// process names a side's process, with a space before it.
func process(v *pressure.Verdict) string {
	bridge := ""
	if b := map[layout.Role]*pressure.Bridge{layout.Producer: &v.ProducerBridge, layout.Consumer: &v.ConsumerBridge}[v.Role]; b.Present() {
		bridge = "bridge, "
	}
	if v.OtherPIDNamespace {
		return fmt.Sprintf(" (%sprocess %d of another pid namespace)", bridge, v.PID)
	}
	return fmt.Sprintf(" (%spid %d)", bridge, v.PID)
}

// queued says what is in the queue.
func queued(v *pressure.Verdict) string {
	switch v.Depth {
	case 0:
		return "the queue is empty"
	case 1:
		return "1 message is queued"
	}
	return format.Messages(v.Depth) + " are queued"
}

// forecast says how long a queue can grow as it does.
func forecast(v *pressure.Verdict) string {
	in := format.Seconds(v.FullIn)
	if v.FullIn >= time.Minute {
		in = v.FullIn.Round(time.Second).String()
	}
	switch {
	case v.FullIn == 0:
		return "there is no limit but the machine's memory"
	case v.Mode == layout.ModeRing:
		return fmt.Sprintf("at this rate the ring is full in about %s", in)
	case v.OnFull == layout.PolicyBlock:
		return fmt.Sprintf("at this rate the producer has to wait in about %s", in)
	case v.OnFull == layout.PolicyDrop:
		return fmt.Sprintf("at this rate messages are dropped in about %s", in)
	}
	return fmt.Sprintf("at this rate the limit of %s is reached in %s", format.Size(v.Limit), in)
}

// Waiting says that n messages are due and were not sent so far.
func Waiting(n uint64) string {
	if n == 1 {
		return "1 message that is due waits in front of the producer"
	}
	return format.Messages(n) + " that are due wait in front of the producer"
}

// Deepest says how many messages a queue held at most. Those that a killed producer left are in it
// until a consumer finds that they are lost.
func Deepest(n uint64, lost bool) string {
	if lost {
		return format.Messages(n) + ", counting lost ones"
	}
	return format.Messages(n)
}

// NotSent says that n messages were due and will not be sent.
func NotSent(n uint64) string { return were(n) + " due and not sent" }

// were is "1 message was" or "2 messages were".
func were(n uint64) string {
	if n == 1 {
		return "1 message was"
	}
	return format.Messages(n) + " were"
}

// between returns a time that is known within bounds: 1s, up to 1s, or 870ms to 2s.
func between(b pressure.Bounds) string {
	least, most := format.Duration(b.Min), format.Duration(b.Max)
	switch {
	case b.Min <= 0:
		return "up to " + most
	case least == most:
		return most
	}
	return least + " to " + most
}

// partOf is a share of a time.
func partOf(share float64, of time.Duration) time.Duration {
	return time.Duration(share * float64(of))
}
