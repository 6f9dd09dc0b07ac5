package pressure

// Cause is what a verdict was concluded from: which of its [Figures] are the evidence, or what
// the other side does meanwhile. Each Kind has causes of its own; where a group below names
// another Kind, its verdicts have that cause too.
type Cause string

// The causes of a verdict on how fast the sides are: [ConsumerBound], [ProducerBound],
// [Balanced] or [Growing].
const (
	// How much of the time each side waited: ProducerBlocked, ConsumerBlocked.
	CauseWaits Cause = "waits"
	// Likewise of a whole run, in which the consumer waited more and the producer notably too.
	CauseBothWait Cause = "both-wait"
	// The queue is full, and the consumer does not wait: Fill.
	CauseFull Cause = "full"
	// Messages wait all the time, and the consumer does not: Depth, Shrinks.
	CauseBacklog Cause = "backlog"
	// A bounded queue was full for a part of the time although its consumer is faster:
	// ProducerBlocked, Missed.
	CauseBursts Cause = "bursts"
	// The queue gets deeper all the time: ProducedPerSec, ConsumedPerSec, FullIn.
	CauseFills Cause = "fills"
	// More messages become due than the producer sends, and not because it is blocked:
	// ProducedPerSec, SchedulePerSec, Waiting. Of kind ProducerBound.
	CauseSchedule Cause = "schedule"
	// Messages were dropped because the queue was full: Dropped, Offered.
	CauseOverflow Cause = "overflows"
	// A transfer has reached its limit, and its producer can send no more: Limit. Of kind
	// NoConsumer too.
	CauseLimit Cause = "limit"
	// The consumer was the slower side for most of a whole run: SlowerFor.
	CauseBehind Cause = "behind"
	// The consumer was stopped for a part of a whole run: ConsumerStoppedFor, Missed.
	CauseStopped Cause = "stopped"
	// Elapsed is too short to tell. Of kind Balanced.
	CauseTooShort Cause = "too-short"
)

// fromDepth reports whether how deep the queue was at two moments is the evidence.
func (c Cause) fromDepth() bool {
	return c == CauseFull || c == CauseBacklog || c == CauseFills
}

// The causes of [NoConsumer]: what the producer does without one. [CauseLimit] is another, and
// "" where it does nothing special.
const (
	// The producer sleeps until a consumer comes: its ring is full, or its transfer at a limit at
	// which it waits.
	CauseBlocked Cause = "blocked"
	// The producer of a transfer keeps adding to its queue.
	CauseQueues Cause = "queues"
	// The producer of a transfer sends no more, and waits for a consumer of what is queued.
	CauseDelivering Cause = "delivering"
	// All is consumed; the producer of a transfer waits for a consumer to report the end of its
	// stream to.
	CauseEndUntold Cause = "end-untold"
	// The producer of a transfer ends with Depth messages in its queue, which are lost with it.
	// Of kind NoProducer too: then those of them are lost that it had not sent.
	CauseUndelivered Cause = "undelivered"
	// There was no consumer for most of a whole run: ConsumerAbsentFor. Of kind Balanced or
	// ProducerBound: the consumer waited, and so did the producer, but the consumer was not there
	// all the time.
	CauseLate Cause = "late"
)

// The causes of [NoProducer]. [CauseUndelivered] is another, and "" where nothing is lost.
const (
	// There is no consumer of the transfer either: the Depth messages in the queue are lost,
	// except those that a socket of systemd may hold for the next consumer.
	CauseNobody Cause = "nobody"
)

// The causes of [Stopped].
const (
	// The kernel says so.
	CauseSignal Cause = "signal"
	// The side only waits, and has not even recorded that for NoProgressFor. Of kind Stalled
	// too: the consumer has received nothing for that time.
	CauseNoProgress Cause = "no-progress"
	// The side sleeps although what it waits for is there.
	CauseAsleep Cause = "asleep"
)

// The causes of [Unconnected].
const (
	// The sides use different sockets: ProducerSocket, ConsumerSocket.
	CauseSockets Cause = "sockets"
	// The producer finds no socket of the consumer: ProducerSocket.
	CauseNoSocket Cause = "no-socket"
	// The producer has no file descriptor left to connect with.
	CauseNoDescriptor Cause = "no-descriptor"
)

// The causes that a bridge gives: of kind [ConsumerBound] where it consumes, and [ProducerBound]
// where it produces. ConsumerBridge or ProducerBridge has the figures, BridgeFor the time.
const (
	// The bridge has no connection to a server.
	CauseBridgeConnection Cause = "bridge-no-connection"
	// The server does not have the stream, or does not have it now.
	CauseBridgeNoStream Cause = "bridge-no-stream"
	// The server refuses what the bridge asks for, and not because the stream is at its limit.
	CauseBridgeRefused Cause = "bridge-refused"
	// The stream is at its limit, or nearly: StreamBytes, StreamLimit, and PeerWaits, which tells
	// whether the bridge over there waits for its consumer. Of ConsumerBound only, as the next two.
	CauseBridgeFull Cause = "bridge-stream-full"
	// The stream has not acknowledged for BridgeFor what was sent to it.
	CauseBridgeNoAck Cause = "bridge-no-acknowledgement"
	// The ring is full of messages that were sent and are not acknowledged yet: InFlight,
	// RoundTrip.
	CauseBridgeInFlight Cause = "bridge-in-flight"
	// The next message is not in the stream, although later ones are. Of ProducerBound only.
	CauseBridgeMissing Cause = "bridge-messages-missing"
	// The bridge runs, and no message comes to it: PeerThere, PeerWaits, Lag. Of kind Idle too:
	// then the bridge over there is there, and all that it was given has come.
	CauseBridgeNothing Cause = "bridge-nothing-comes"
)
