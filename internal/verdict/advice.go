package verdict

import (
	"fmt"
	"strings"

	"sluice/layout"
	"sluice/pressure"
)

// Advice returns what to do about the verdict, with the commands' flags, or why there is nothing
// to do; "" when there is nothing to say.
func Advice(v *pressure.Verdict) string {
	if len(v.Advice) == 0 {
		return nothingToDo(v)
	}
	var do []string
	for _, a := range v.Advice {
		if text := action(v, a); text != "" {
			do = append(do, text)
		}
	}
	return alternatives(do) + onCapacity(v)
}

// onCapacity ends a sentence of advice with why more capacity helps, or that it does not.
func onCapacity(v *pressure.Verdict) string {
	switch {
	case v.Advises(pressure.AdviceKeepCapacity) && v.Mode == layout.ModeTransfer:
		return "; a higher limit (--limit) only delays this"
	case v.Advises(pressure.AdviceKeepCapacity):
		return "; more capacity only delays this"
	case v.Advises(pressure.AdviceKeepStream):
		return "; a larger stream (--max-bytes) only delays this"
	case v.Cause == pressure.CauseBridgeInFlight:
		return ": no more can be on its way to the stream than the ring holds"
	case !v.Advises(pressure.AdviceMoreCapacity):
		return ""
	case v.Cause == pressure.CauseBursts && v.Scheduled:
		return ": messages then wait in the queue instead of in front of the producer, just as long"
	case v.Cause == pressure.CauseBursts:
		return ": the producer waits only in bursts"
	case v.Cause == pressure.CauseOverflow && v.Advises(pressure.AdviceKeepConsumer):
		return " for what is sent meanwhile"
	case v.Cause == pressure.CauseOverflow:
		return " for bursts of messages, or pauses of the consumer"
	}
	return ": the consumer sleeps at times"
}

// nothingToDo says why nothing has to be done.
func nothingToDo(v *pressure.Verdict) string {
	switch {
	case v.Cause == pressure.CauseBothWait:
		return "each side waited for the other at times"
	case v.Cause == pressure.CauseBridgeNothing:
		return ""
	case v.Kind == pressure.ProducerBound:
		return "the consumer has time to spare; nothing to do unless it should receive more"
	case v.Cause == pressure.CauseBehind:
		return "nothing to do unless its messages were too old"
	case v.Cause == pressure.CauseBacklog && v.Shrinks:
		return "the queue gets shorter; nothing to do unless its messages are too old"
	case v.Cause == pressure.CauseBacklog:
		return "the queue did not grow in that time, but the consumer had none to spare"
	case v.Cause == pressure.CauseStopped && v.Kind == pressure.ConsumerBound:
		return "nothing to do if the consumer was stopped on purpose"
	}
	return ""
}

// action returns a piece of advice in words; "" where another one, or onCapacity, says it.
func action(v *pressure.Verdict, a pressure.Advice) string {
	if text := bridgeAction(v, a); text != "" {
		return text
	}
	switch a.Kind {
	case pressure.AdviceSpeedUpConsumer:
		return "speed up the consumer"
	case pressure.AdviceSlowProducer:
		if v.Scheduled {
			return "offer less (--rate)"
		}
		return "slow down the producer (--rate)"
	case pressure.AdviceKeepCapacity, pressure.AdviceKeepStream: // onCapacity says it
		return ""
	case pressure.AdviceMoreCapacity:
		if v.Mode == layout.ModeTransfer {
			return "raise the limit (--limit)"
		}
		return "use more capacity (--capacity, --slots)"
	case pressure.AdviceRaiseLimit:
		return "raise the limit (--limit)"
	case pressure.AdviceRingMode:
		if v.Limit == 0 {
			return "let the producer wait (--limit with --on-limit block, or --mode ring)"
		}
		return "let the producer wait (--on-limit block, or --mode ring)"
	case pressure.AdviceStartProducer:
		return "start a producer"
	case pressure.AdviceStartConsumer:
		if a.Messages > 0 {
			return "start a consumer: it receives what is queued"
		}
		return "start a consumer"
	case pressure.AdviceStartSooner:
		return "start the consumer sooner"
	case pressure.AdviceKeepConsumer:
		return "start the consumer first and keep it running"
	case pressure.AdviceStopConsumer:
		return "stop the consumer"
	case pressure.AdviceContinue:
		if a.PID > 0 {
			return fmt.Sprintf("continue it: kill -CONT %d", a.PID)
		}
		return "continue it: kill -CONT"
	case pressure.AdviceInspectConsumer:
		return "find out what the consumer does: check its --work and its output, or use a debugger"
	case pressure.AdviceMoreDescriptors:
		return "allow the producer more file descriptors (ulimit -n)"
	case pressure.AdviceRestartConsumer:
		return "start the consumer again, with the same --socket and XDG_RUNTIME_DIR as the producer"
	case pressure.AdviceSameSocket:
		if v.Advises(pressure.AdviceRestartConsumer) { // which says so
			return ""
		}
		return "start both with the same --socket, or with the same XDG_RUNTIME_DIR"
	}
	return string(a.Kind)
}

// alternatives joins them: "a", "a, or b", "a, b, or c".
func alternatives(all []string) string {
	if n := len(all); n > 1 {
		return strings.Join(all[:n-1], ", ") + ", or " + all[n-1]
	}
	return strings.Join(all, "")
}
