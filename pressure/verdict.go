package pressure

import (
	"time"

	"sluice/layout"
)

// Kind is a verdict in a word.
type Kind string

// The kinds of verdict.
const (
	ConsumerBound Kind = "consumer-bound" // the consumer is slower: the producer waits, or the queue fills, overflows or is at its limit
	ProducerBound Kind = "producer-bound" // the consumer waits for the producer
	Balanced      Kind = "balanced"       // neither waits much, or both do
	Idle          Kind = "idle"           // the queue is empty and nothing is produced
	NoConsumer    Kind = "no-consumer"    // no process holds the consumer's role, and one is needed
	NoProducer    Kind = "no-producer"    // no process holds the producer's role, and one is needed
	Unconnected   Kind = "unconnected"    // transfer: both sides are alive and have no connection
	Stopped       Kind = "stopped"        // a side's process is stopped (SIGSTOP, Ctrl-Z)
	Stalled       Kind = "stalled"        // a live consumer, messages to receive, and no progress
	Growing       Kind = "growing"        // transfer: the queue gets deeper, and nothing holds the producer back
)

// Kinds returns every kind of verdict, in the order of their declaration.
func Kinds() []Kind {
	return []Kind{ConsumerBound, ProducerBound, Balanced, Idle, NoConsumer, NoProducer, Unconnected, Stopped, Stalled, Growing}
}

// ofDegree reports whether the kind is about how fast each side is, and not about who is
// there.
func (k Kind) ofDegree() bool {
	return k == ConsumerBound || k == ProducerBound || k == Balanced || k == Growing
}

// Verdict says which side limits a queue's throughput, or what is wrong with the pair, with
// the figures that led to it and what would help. It is data: this package writes no
// sentences and knows no flags.
//
// The zero value is no verdict: nothing is known.
type Verdict struct {
	Kind  Kind
	Cause Cause // what Kind was concluded from; "" where Kind says it all

	// Advice is what would help, the most useful first; nil when there is nothing to do.
	Advice []Advice

	// Whole: the verdict is on the whole time since the first snapshot of a [Trend], not on an
	// interval.
	Whole bool

	// Held is how long the verdict has been of this Kind, as far as a [Trend] has seen
	// it; 0 from [Judge], which sees one interval, and in a Whole one.
	Held time.Duration

	Figures

	// AtEnd is set in a Whole verdict on the speed of two sides of which one is missing at
	// the end: it says which, with Kind [NoConsumer] or [NoProducer].
	AtEnd *Verdict
}

// Figures are what led to a verdict. Those up to ConsumerStayed are always set, except in the
// zero Verdict; of the others each says when it is, and is zero otherwise.
type Figures struct {
	Mode    layout.Mode
	Elapsed time.Duration // the time that was judged; 0 when there was only one snapshot

	// ProducerBlocked and ConsumerBlocked are the shares of BothRan, from 0 to 1, that each
	// side was blocked. BothRan is Elapsed, or in a Whole verdict the part of it in which both
	// sides were alive and ran.
	ProducerBlocked, ConsumerBlocked float64
	BothRan                          time.Duration

	ProducedPerSec, ConsumedPerSec float64 // messages a second of Elapsed

	Fill        float64 // share of the tighter bound in use at the end, from 0 to 1; 0 without a bound
	Depth       uint64  // messages in the queue at the end
	DepthBefore uint64  // messages that were in the queue at the start
	Shrinks     bool    // the consumer received notably more than was produced

	OnFull layout.Policy // what the producer does when there is no room for a message

	// ProducerBridge and ConsumerBridge are what the last holders of the roles say if they are
	// bridges. With a cause that a bridge gives, they are of when it was seen last, and
	// BridgeFor is how long: in a Whole verdict of its time, otherwise that of StateFor.
	ProducerBridge, ConsumerBridge Bridge
	BridgeFor                      time.Duration

	Limit        uint64 // transfer: most bytes in flight; 0 = no limit, or a ring
	LimitReached bool   // transfer: at the end a live producer can send no more because of Limit

	// ConsumerStayed: the same consumer was alive at both ends; with [CauseOverflow] in a Whole
	// verdict, while most messages were dropped.
	ConsumerStayed bool

	// Scheduled: messages are due by a schedule, which a producer that is held back does not
	// move; SchedulePerSec is how many a second, 0 when that is not known. Waiting is how many
	// of them wait in front of the producer at the end, if that is notable, and WaitingGrows
	// that it sends notably less than becomes due.
	Scheduled      bool
	SchedulePerSec float64
	Waiting        uint64
	WaitingGrows   bool

	// Grows: the queue has become deeper all the time, in a verdict of any Kind that is not
	// Whole. FullIn is how long until a ring is full or a transfer at its limit if that goes
	// on, at least a nanosecond; 0 without Grows, and where nothing but the machine's memory
	// bounds the queue.
	Grows  bool
	FullIn time.Duration

	// Deepest is the most messages that the queue has held, as far as is known. Of a Whole
	// verdict in which a queue is the evidence.
	Deepest uint64

	// SlowerFor is how long the consumer was seen to be the slower side: with [CauseBehind]. It
	// is a lower bound when BothRan is less than Elapsed.
	SlowerFor time.Duration

	// MostWaiting is the most messages that were seen to wait in front of the producer, if that
	// is notable: of a Whole verdict.
	MostWaiting uint64

	// NotSent is how many messages were due and are not sent any more: of kind [NoProducer]
	// since the segment was made, in a Whole verdict in its time.
	NotSent uint64

	// Missed is about how many more messages the producer would have sent if the queue had
	// had room for them while the consumer paused: with [CauseBursts] or [CauseStopped]; 0
	// when that cannot be known, and when Scheduled: then they were sent later.
	Missed uint64

	// Dropped of Offered messages were given up because a ring was full: with
	// [CauseOverflow], or of kind [Stalled].
	Dropped, Offered uint64

	// Lost is how many messages were found to be lost with a producer that died or ended
	// before it had delivered them: of kind [NoProducer] since the segment was made, in a
	// Whole verdict in its time.
	Lost uint64

	// LastProducer is how the last producer has ended, where that matters: of kind
	// [NoProducer] or [Stalled], or in a Whole verdict for a consumer.
	LastProducer ProducerEnd

	// Role, PID and OtherPIDNamespace name the process that is [Stopped] or [Stalled]. PID is
	// 0 when it is not known, and a number of another pid namespace with OtherPIDNamespace.
	// NoProgressFor is how long that process has shown no progress, where that is the evidence.
	Role              layout.Role
	PID               int
	OtherPIDNamespace bool
	NoProgressFor     time.Duration

	// ProducerSocket and ConsumerSocket are the paths that the sides of a transfer connect to
	// and listen at, as they have recorded: of kind [Unconnected]; "" when they have not.
	ProducerSocket, ConsumerSocket string

	// Of a Whole verdict: how long each side's process was seen to be stopped, and how long
	// no process held each role, at least. Absences are set when they are a notable part of
	// Elapsed.
	ProducerStoppedFor, ConsumerStoppedFor Bounds
	ProducerAbsentFor, ConsumerAbsentFor   time.Duration
}

// Bounds are those of a time that is not known exactly, because snapshots show only what was before
// and after. A Max of 0 is no such time.
type Bounds struct{ Min, Max time.Duration }

func (b *Bounds) add(c Bounds) { b.Min, b.Max = b.Min+c.Min, b.Max+c.Max }

// figures returns those that are always set.
func figures(i *Interval, after *Snapshot) Figures {
	f := Figures{
		Mode: after.Geometry.Mode, Elapsed: max(i.Elapsed, i.wholeElapsed), BothRan: i.Elapsed,
		ProducerBlocked: i.ProducerBlocked, ConsumerBlocked: i.ConsumerBlocked,
		ConsumedPerSec: i.Throughput,
		Fill:           after.Fill(), Depth: after.Depth(), DepthBefore: i.DepthBefore, Shrinks: i.shrinks(),
		OnFull: after.OnFull, Limit: after.Limit, LimitReached: after.LimitReached(),
		ConsumerStayed: i.ConsumerStayed, ProducerBridge: after.Producer.Bridge, ConsumerBridge: after.Consumer.Bridge,
		Scheduled: i.Scheduled, Waiting: after.Schedule.notable(after.Waiting()), WaitingGrows: i.waitingGrows(),
	}
	if f.Scheduled {
		f.SchedulePerSec = after.Schedule.Rate
	}
	if f.Elapsed > 0 {
		f.ProducedPerSec = float64(i.Produced) / f.Elapsed.Seconds()
	}
	return f
}

// ProducerEnd is how the last holder of the producer's role has ended.
type ProducerEnd string

// The ends of a producer. The zero value is one that is alive, or none.
const (
	EndComplete ProducerEnd = "complete" // it ended its stream, or at least in good order
	EndStopped  ProducerEnd = "stopped"  // it was asked to stop before the end of its stream
	EndFailed   ProducerEnd = "failed"   // an error ended it before the end of its stream
	EndDied     ProducerEnd = "died"     // it was killed, or crashed
	// EndBridgeStopped: it was a bridge, which has left in good order. Its stream goes on with
	// the next one.
	EndBridgeStopped ProducerEnd = "bridge-stopped"
	EndBridgeFailed  ProducerEnd = "bridge-failed" // likewise one that an error has ended
)

// lastProducer returns how the last producer has ended.
func (s *Snapshot) lastProducer() ProducerEnd {
	p := &s.Producer
	switch {
	case p.Alive || p.Generation == 0:
		return ""
	case p.Bridge.State == BridgeStopped:
		return EndBridgeStopped
	case p.Bridge.State == BridgeFailed:
		return EndBridgeFailed
	case p.State != layout.StateClosed:
		return EndDied
	case p.End == layout.EndStopped:
		return EndStopped
	case p.End == layout.EndFailed:
		return EndFailed
	}
	return EndComplete
}
