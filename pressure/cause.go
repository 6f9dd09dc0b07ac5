package pressure

// Cause is what a verdict was concluded from: which of its [Figures] are the evidence, or what
// the other side does meanwhile.
type Cause string

// The causes of a verdict on how fast the sides are: [ConsumerBound], [ProducerBound],
// [Balanced] or [Growing].
const (
	CauseWaits    Cause = "waits"     // how much of the time each side slept: ProducerBlocked, ConsumerBlocked
	CauseBothWait Cause = "both-wait" // likewise of a whole run, in which the consumer slept more and the producer notably too
	CauseFull     Cause = "full"      // the queue is full, and the consumer does not wait: Fill
	CauseBacklog  Cause = "backlog"   // messages wait all the time, and the consumer does not: Depth, Shrinks
	CauseBursts   Cause = "bursts"    // a ring was full for a part of the time although its consumer is faster: ProducerBlocked, Missed
	CauseFills    Cause = "fills"     // the queue gets deeper all the time: ProducedPerSec, ConsumedPerSec, FullIn
	CauseOverflow Cause = "overflows" // messages were dropped because a ring was full: Dropped, Offered
	CauseLimit    Cause = "limit"     // a transfer has reached its limit: Limit; of kind NoConsumer too
	CauseBehind   Cause = "behind"    // the consumer was the slower side for most of a whole run: Slower
	CauseStopped  Cause = "stopped"   // the consumer was stopped for a part of a whole run: ConsumerStopped, Missed
	CauseTooShort Cause = "too-short" // Elapsed is too short to tell: of kind Balanced
)

// The causes of [NoConsumer]: what the producer does without one. [CauseLimit] is another, and
// "" where it does nothing special.
const (
	CauseBlocked     Cause = "blocked"     // the producer of a ring sleeps until a consumer comes
	CauseQueues      Cause = "queues"      // the producer of a transfer goes on sending into its queue
	CauseDelivering  Cause = "delivering"  // the producer of a transfer sends no more and waits for a consumer of what is queued
	CauseEndUntold   Cause = "end-untold"  // all is consumed, and the producer of a transfer waits for a consumer to tell that its stream has ended
	CauseUndelivered Cause = "undelivered" // the producer of a transfer ends with messages in its queue, which are lost with it
	CauseLate        Cause = "late"        // there was none for most of a whole run: ConsumerAbsent
)

// The causes of [NoProducer]. [CauseUndelivered] is another: of the Depth messages in the queue
// those that the consumer has not been sent are lost.
const (
	// There is no consumer of the transfer either: the Depth messages in the queue are lost,
	// except those that a socket of systemd may hold for the next consumer.
	CauseNobody Cause = "nobody"
)

// The causes of [Stopped].
const (
	CauseSignal     Cause = "signal"      // the kernel says so
	CauseNoProgress Cause = "no-progress" // the side only waits, and has not even noted that for NoProgress; of kind Stalled too
	CauseAsleep     Cause = "asleep"      // the side sleeps although what it waits for is there
)

// The causes of [Unconnected].
const (
	CauseSockets      Cause = "sockets"       // the sides use different sockets: ProducerSocket, ConsumerSocket
	CauseNoSocket     Cause = "no-socket"     // the producer finds no socket of the consumer: ProducerSocket
	CauseNoDescriptor Cause = "no-descriptor" // the producer has no file descriptor left to connect with
)
