package metrics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// Table is every metric, in the order of the keys in JSON. It is not to be changed. Keys of one
// object within another stand together.
//
// One word has one meaning in all names: blocked (waited without the processor because the queue
// was full or empty), refused (could not be sent now), dropped (given up by policy), lost (gone
// with a dead process), unsent (due and not yet sent).
var Table = slices.Concat(counters, latency.rows(""), response.rows(""), lateness.rows(""), explained, stream, runCounters,
	latency.rows("run."), response.rows("run."), lateness.rows("run."), runExplained, sides,
	bridgeOut.rows(), bridgeIn.rows(), placement, verdictRows)

var counters = []Metric{
	{Key: "role", get: func(s *Sample) Value { return Text(s.Role) },
		Help: "Who reports: producer, consumer or observer."},
	{Key: "name", get: func(s *Sample) Value { return Text(s.Name) },
		Help: "Name of the segment."},
	{Key: "mode", get: func(s *Sample) Value { return Text(s.Mode.String()) },
		Help: "How messages are passed: ring or transfer."},
	{Key: "backPressure", get: now(func(s *pressure.Snapshot) Value { return textOrUnknown(string(s.BackPressure())) }),
		Help: "What the producer does when there is no room: hard (waits for room in the ring), credit (waits at its limit of memory), soft (its queue grows; a limit ends it), drop (gives up the newest message), fail (ring: ends with an error) or disconnect (ring: ends the stream of its consumer, and gives messages up until one joins again); unknown before there was a producer."},
	{Key: "blockTimeoutSec", Unit: Seconds, get: now(func(s *pressure.Snapshot) Value { return Duration(s.BlockTimeout) }),
		Help: "How long the producer waits for room before it drops, fails or disconnects (--block-timeout); 0 when it does not wait, or waits as long as it takes."},
	{Key: "elapsedSec", Unit: Seconds, get: func(s *Sample) Value { return Duration(s.Elapsed) },
		Help: "Time since this side started; for an observer, since the segment was created."},
	{Key: "final", get: func(s *Sample) Value { return Bool(s.Final) },
		Help: "Whether the report is of the whole run and not of an interval; an observer's always is."},
	{Series: "sluice_created_timestamp_seconds", Unit: Seconds, get: now(func(s *pressure.Snapshot) Value {
		return Number(float64(s.Created.UnixNano()) / float64(time.Second))
	}), Help: "When the segment was created, in seconds since 1970: counters start anew with it."},

	{Key: "producedCount", CSV: true, Series: "sluice_produced_messages_total", Type: Counter, Unit: Messages,
		get:  counted(layout.Producer, func(s *pressure.Snapshot) uint64 { return s.Produced }),
		Help: "Messages published since the segment was created."},
	{Key: "consumedCount", CSV: true, Series: "sluice_consumed_messages_total", Type: Counter, Unit: Messages,
		get:  counted(layout.Consumer, func(s *pressure.Snapshot) uint64 { return s.Consumed }),
		Help: "Messages received and released since the segment was created."},
	{Key: "producedBytes", Series: "sluice_produced_bytes_total", Type: Counter, Unit: Bytes,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.ProducedBytes) }),
		Help: "Payload of the messages published."},
	{Key: "consumedBytes", Series: "sluice_consumed_bytes_total", Type: Counter, Unit: Bytes,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.ConsumedBytes) }),
		Help: "Payload of the messages received and released."},

	{Key: "producerWaits", CSV: true, Series: "sluice_producer_waits_total", Type: Counter, Unit: Times,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Producer.Waits) }),
		Help: "Times the producer was blocked: it waited because the queue was full."},
	{Key: "consumerWaits", CSV: true, Series: "sluice_consumer_waits_total", Type: Counter, Unit: Times,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Consumer.Waits) }),
		Help: "Times the consumer was blocked: it waited because the queue was empty."},
	{Key: "producerWaitSec", CSV: true, Series: "sluice_producer_blocked_seconds_total", Type: Counter, Unit: Seconds,
		get:  now(func(s *pressure.Snapshot) Value { return Duration(s.Producer.Blocked) }),
		Help: "Time the producer was blocked, a sleep that goes on included; a sleep in which it was stopped or killed counts up to a second after its last recorded progress."},
	{Key: "consumerWaitSec", CSV: true, Series: "sluice_consumer_blocked_seconds_total", Type: Counter, Unit: Seconds,
		get:  now(func(s *pressure.Snapshot) Value { return Duration(s.Consumer.Blocked) }),
		Help: "Time the consumer was blocked, a sleep that goes on included; a sleep in which it was stopped or killed counts up to a second after its last recorded progress."},
	{Key: "producerSpins", Series: "sluice_producer_spins_total", Type: Counter, Unit: Times,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Producer.Spins) }),
		Help: "Waits of the producer satisfied by spinning, without a sleep."},
	{Key: "consumerSpins", Series: "sluice_consumer_spins_total", Type: Counter, Unit: Times,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Consumer.Spins) }),
		Help: "Waits of the consumer satisfied by spinning, without a sleep."},

	{Key: "queueDepth", CSV: true, Series: "sluice_queue_messages", Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Depth()) }),
		Help: "Messages in the queue."},
	{Key: "queueBytes", CSV: true, Series: "sluice_queue_bytes", Unit: Bytes,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.QueueBytes) }),
		Help: "Bytes in the queue: of a ring, record headers included, or whole slots; of a transfer, memory in flight."},
	{Key: "capacityBytes", Series: "sluice_capacity_bytes", Unit: Bytes, Mode: layout.ModeRing,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Geometry.Capacity) }),
		Help: "Size of the ring (--capacity)."},
	{Key: "slots", Series: "sluice_slots", Unit: Messages, Mode: layout.ModeRing,
		get:  now(slots),
		Help: "Most messages in the ring: --slots, and of fixed slots no more than there are; 0 when its capacity is the only bound."},
	{Key: "slotBytes", Series: "sluice_slot_bytes", Unit: Bytes, Mode: layout.ModeRing,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Geometry.SlotSize) }),
		Help: "Size of a fixed slot, which is that of every message; 0 for records of variable size."},
	{Key: "slotType", Mode: layout.ModeRing, get: now(slotType),
		Help: "Fingerprint of the type in the fixed slots (docs/layout.md), hexadecimal; unknown when its producer has named none."},
	{Key: "fill", CSV: true, Series: "sluice_fill_ratio", Unit: Ratio, get: now(fill),
		Help: "Share of the tighter bound that is in use; unknown when there is no bound."},
	{Key: "throughputPerSec", CSV: true, Unit: PerSecond, get: perSecond(func(i *pressure.Interval) float64 { return i.Throughput }),
		Help: "Messages consumed per second in the interval; in a last report run.consumedCount / run.elapsedSec."},

	{Key: "refusedCount", CSV: true, Series: "sluice_refused_total", Type: Counter, Unit: Sends,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Refused) }),
		Help: "Sends refused: ring full, socket full, no descriptors, or memory limit reached."},
	{Key: "droppedCount", CSV: true, Series: "sluice_dropped_messages_total", Type: Counter, Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Dropped) }),
		Help: "Messages dropped because the queue was full (--on-full drop, --on-limit drop, --to), those of missedCount included."},
	{Key: "missedCount", Series: "sluice_missed_messages_total", Type: Counter, Unit: Messages, Mode: layout.ModeRing,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Missed) }),
		Help: "Messages dropped while no consumer was there, or while it was disconnected, which the next consumer is told (--to)."},
	{Key: "refusedMessages", Series: "sluice_refused_messages_total", Type: Counter, Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.RefusedMessages) }),
		Help: "Messages given up because they were refused; refusedCount counts attempts."},
	{Key: "unsentCount", CSV: true, Series: "sluice_unsent_messages", Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Unsent) }),
		Help: "Messages that were due by a schedule (--open-loop) and not sent; those of a schedule that goes on may yet be sent."},
	{Series: "sluice_not_sent_messages_total", Type: Counter, Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.NotSent()) }),
		Help: "Messages of unsentCount that are not sent any more: their schedule has ended, or its producer has died."},
	{Key: "offeredCount", CSV: true, Series: "sluice_offered_messages_total", Type: Counter, Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Offered()) }),
		Help: "Messages offered to the queue since the segment was created: producedCount + droppedCount + refusedMessages + unsentCount."},
	{Key: "offeredPerSec", Unit: PerSecond, get: perSecond(func(i *pressure.Interval) float64 { return float64(i.Offered) / i.Elapsed.Seconds() }),
		Help: "Messages offered per second in the interval."},
	{Key: "schedulePerSec", Unit: PerSecond, get: now(schedule),
		Help: "Messages a second, on average, that are due by the schedule of the producer; unknown when it has none."},
	{Key: "highWater", Series: "sluice_high_water_messages", Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Deepest()) }),
		Help: "Deepest queue seen since the segment was created; messages that are found to be lost later count, and the producer records it only now and then."},
	{Key: "memoryBytes", CSV: true, Series: "sluice_memory_bytes", Unit: Bytes,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Memory) }),
		Help: "Memory of the segment and of the messages in flight."},
	{Key: "lostCount", CSV: true, Series: "sluice_lost_messages_total", Type: Counter, Unit: Messages,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Lost) }),
		Help: "Messages lost with a producer that was killed or gave up, once a consumer has found that they do not arrive; until then they count as queued, and a ring loses none."},
	{Key: "limitBytes", Series: "sluice_limit_bytes", Unit: Bytes, Mode: layout.ModeTransfer,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Limit) }),
		Help: "Most memory in flight (--limit); 0 when there is no limit."},
	{Key: "resumeAtBytes", Unit: Bytes, Mode: layout.ModeTransfer,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.ResumeAt) }),
		Help: "A producer that waits at the limit goes on when this much is in flight (--resume-at); 0 when it does not wait there."},
	{Key: "limitReached", Series: "sluice_limit_reached", Mode: layout.ModeTransfer,
		get:  now(func(s *pressure.Snapshot) Value { return Bool(s.LimitReached()) }),
		Help: "Whether the producer was refused by the limit and has not found room since; not when it waits there, or drops messages."},
	{Key: "limitInSec", Series: "sluice_limit_in_seconds", Unit: Seconds, get: limitIn,
		Help: "Time until the queue is full or at its limit at this rate; unknown while it does not grow, and where nothing bounds it."},
	{Key: "fdsInFlight", CSV: true, Series: "sluice_descriptors", Unit: Descriptors, Mode: layout.ModeTransfer,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Descriptors) }),
		Help: "Descriptors that the producer holds for buffers in flight."},
	{Key: "fdsMax", Series: "sluice_descriptors_max", Unit: Descriptors, Mode: layout.ModeTransfer,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.MaxDescriptors) }),
		Help: "Most descriptors that the producer may hold for buffers in flight."},
	{Key: "refuseReason", Mode: layout.ModeTransfer,
		get:  now(func(s *pressure.Snapshot) Value { return Text(s.RefuseReason.String()) }),
		Help: "What kept the producer from sending last; none when nothing has."},

	{Series: "sluice_latency_seconds", Type: Histogram, Unit: Seconds, histogram: func(s *pressure.Snapshot) *pressure.Histogram { return &s.Latency },
		Help: "Times from published to received, sampled: a sample counts for the messages since the one before it."},
	{Series: "sluice_response_seconds", Type: Histogram, Unit: Seconds, histogram: scheduled(func(s *pressure.Snapshot) *pressure.Histogram { return &s.Response }),
		Help: "Times from due by a schedule to received, sampled likewise."},
	{Series: "sluice_lateness_seconds", Type: Histogram, Unit: Seconds, histogram: scheduled(func(s *pressure.Snapshot) *pressure.Histogram { return &s.Lateness }),
		Help: "Times from due to the beginning of the sending, of messages that the producer was not held back from."},
}

var explained = []Metric{
	{Key: "latenessExplains", get: func(s *Sample) Value { return explains(s, &s.Interval) },
		Help: "Of p50, p90, p99 and p999 of the response those that the lateness of the producer itself could explain: it is at least half of them in the interval; empty when there is none."},
}

var stream = []Metric{
	{Series: "sluice_incomplete_streams_total", Type: Counter, Unit: Streams,
		get:  now(func(s *pressure.Snapshot) Value { return Count(s.Incomplete) }),
		Help: "Streams with messages whose producer was stopped before their end, failed, or disconnected its consumer, since the segment was created; those of a replaced segment that no consumer was told of count, and a killed producer, whose stream goes on with the next one, does not."},
	{Key: "discardedBytes", Unit: Bytes, get: discarded,
		Help: "Bytes read from the input and discarded when the producer was stopped; unknown before, and without an input."},
	{Key: "streamEnd", get: func(s *Sample) Value { return textOrUnknown(s.End) },
		Help: "How the stream ended: complete, stopped, failed, or for a consumer incomplete (an earlier producer did not come to its end, or messages were lost); unknown while it goes on, and after a kill."},
}

var runCounters = []Metric{
	{Key: "run.elapsedSec", Unit: Seconds, get: runElapsed,
		Help: "Time since this side joined the segment, in which the values of run were measured: elapsedSec without the wait for a segment; for an observer, since the segment was created."},
	{Key: "run.waitingCount", Unit: Messages, get: run(func(i *pressure.Interval) uint64 { return i.DepthBefore }),
		Help: "Messages in the queue when this side joined the segment."},
	{Key: "run.producedCount", Unit: Messages, get: ownRun(layout.Producer, func(i *pressure.Interval) uint64 { return i.Produced }),
		Help: "Messages published since this side started."},
	{Key: "run.consumedCount", Unit: Messages, get: ownRun(layout.Consumer, func(i *pressure.Interval) uint64 { return i.Consumed }),
		Help: "Messages received and released since this side started."},
	{Key: "run.refusedCount", Unit: Sends, get: run(func(i *pressure.Interval) uint64 { return i.Refused }),
		Help: "Sends refused since this side started."},
	{Key: "run.droppedCount", Unit: Messages, get: run(func(i *pressure.Interval) uint64 { return i.Dropped }),
		Help: "Messages dropped since this side started."},
	{Key: "run.lostCount", Unit: Messages, get: run(func(i *pressure.Interval) uint64 { return i.Lost }),
		Help: "Messages lost since this side started."},
	{Key: "run.refusedMessages", Unit: Messages, get: run(func(i *pressure.Interval) uint64 { return i.RefusedMessages }),
		Help: "Messages given up because they were refused, since this side started."},
	{Key: "run.unsentCount", Unit: Messages, get: runUnsent,
		Help: "Growth of unsentCount since this side started; negative when a backlog was sent."},
	{Key: "run.offeredCount", Unit: Messages, get: run(func(i *pressure.Interval) uint64 { return i.Offered }),
		Help: "Messages offered since this side started."},
}

var runExplained = []Metric{
	{Key: "run.latenessExplains", get: func(s *Sample) Value { return explains(s, s.Run) },
		Help: "Likewise of the run."},
}

var sides = []Metric{
	{Key: "producer.alive", Series: "sluice_producer_alive", get: producer(alive),
		Help: "Whether a live process holds the producer's role; unknown where the kernel does not tell."},
	{Key: "producer.pid", get: producer(pid),
		Help: "Process that holds the producer's role, or held it last."},
	{Key: "producer.state", get: producer(state),
		Help: "What a live producer does, as it says: running, blocked, alone (blocked without a consumer), closed."},
	{Key: "producer.where", get: producer(holder),
		Help: "Who holds the producer's role, or how its last holder ended, in words."},
	{Key: "producer.wakes", Series: "sluice_producer_wakes_total", Type: Counter, Unit: Times,
		get:  producer(func(r *pressure.RoleStats) Value { return Count(r.WakesSent) }),
		Help: "Times the producer woke the consumer."},
	{Key: "producer.spuriousWakes", Series: "sluice_producer_spurious_wakes_total", Type: Counter, Unit: Times,
		get:  producer(func(r *pressure.RoleStats) Value { return Count(r.Spurious) }),
		Help: "Times the producer was woken without room for it."},
	{Series: "sluice_producer_joins_total", Type: Counter, Unit: Times,
		get:  producer(func(r *pressure.RoleStats) Value { return Count(r.Generation) }),
		Help: "Times a process took the producer's role."},
	{Series: "sluice_producer_died", get: producer(died),
		Help: "Whether the last producer was killed or crashed, and none has followed it; unknown before there was one, and where the kernel does not tell."},
	{Key: "consumer.alive", Series: "sluice_consumer_alive", get: consumer(alive),
		Help: "Whether a live process holds the consumer's role; unknown where the kernel does not tell."},
	{Key: "consumer.pid", get: consumer(pid),
		Help: "Process that holds the consumer's role, or held it last."},
	{Key: "consumer.state", get: consumer(state),
		Help: "What a live consumer does, as it says: running, blocked, alone (blocked without a producer), closed."},
	{Key: "consumer.where", get: consumer(holder),
		Help: "Who holds the consumer's role, or how its last holder ended, in words."},
	{Key: "consumer.wakes", Series: "sluice_consumer_wakes_total", Type: Counter, Unit: Times,
		get:  consumer(func(r *pressure.RoleStats) Value { return Count(r.WakesSent) }),
		Help: "Times the consumer woke the producer."},
	{Key: "consumer.spuriousWakes", Series: "sluice_consumer_spurious_wakes_total", Type: Counter, Unit: Times,
		get:  consumer(func(r *pressure.RoleStats) Value { return Count(r.Spurious) }),
		Help: "Times the consumer was woken without a message for it."},
	{Series: "sluice_consumer_joins_total", Type: Counter, Unit: Times,
		get:  consumer(func(r *pressure.RoleStats) Value { return Count(r.Generation) }),
		Help: "Times a process took the consumer's role."},
	{Series: "sluice_consumer_died", get: consumer(died),
		Help: "Whether the last consumer was killed or crashed, and none has followed it; unknown before there was one, and where the kernel does not tell."},
}

var verdictRows = []Metric{
	{Key: "verdict", CSV: true, Series: "sluice_verdict", Type: StateSet, States: verdicts(),
		get:  func(s *Sample) Value { return textOrUnknown(string(s.Verdict.Kind)) },
		Help: "Which side is slower, or what is wrong, judged on the last second, and in a last report on the whole run."},
	{Key: "verdictWhy", get: func(s *Sample) Value { return Text(s.Reason) },
		Help: "The reason of the verdict, with its figures."},
	{Key: "verdictAdvice", get: func(s *Sample) Value { return Text(s.Advice) },
		Help: "What to do about it; empty when there is nothing to do."},
}

func verdicts() (all []string) {
	for _, k := range pressure.Kinds() {
		all = append(all, string(k))
	}
	return all
}

// now is a getter of what a snapshot tells.
func now(get func(s *pressure.Snapshot) Value) func(s *Sample) Value {
	return func(s *Sample) Value {
		if s.Now == nil {
			return Value{}
		}
		return get(s.Now)
	}
}

// counted is a getter of the messages that a role has passed on since the segment was created.
func counted(role layout.Role, get func(s *pressure.Snapshot) uint64) func(s *Sample) Value {
	return func(s *Sample) Value {
		switch {
		case s.Now != nil:
			return Count(get(s.Now))
		case s.Own != nil && s.Role == role.String():
			return Count(s.Own.Total)
		}
		return Value{}
	}
}

// run is a getter of what has happened since the side started.
func run(get func(i *pressure.Interval) uint64) func(s *Sample) Value {
	return func(s *Sample) Value {
		if s.Run == nil {
			return Value{}
		}
		return Count(get(s.Run))
	}
}

func runElapsed(s *Sample) Value {
	if s.Run == nil {
		return Value{}
	}
	return Duration(s.Run.Elapsed)
}

// ownRun is run of what the side of that role also counts itself.
func ownRun(role layout.Role, get func(i *pressure.Interval) uint64) func(s *Sample) Value {
	return func(s *Sample) Value {
		if s.Own != nil && s.Role == role.String() {
			return Count(s.Own.Run)
		}
		return run(get)(s)
	}
}

func producer(get func(r *pressure.RoleStats) Value) func(s *Sample) Value {
	return now(func(s *pressure.Snapshot) Value { return get(&s.Producer) })
}

func consumer(get func(r *pressure.RoleStats) Value) func(s *Sample) Value {
	return now(func(s *pressure.Snapshot) Value { return get(&s.Consumer) })
}

func slots(s *pressure.Snapshot) Value {
	if s.Geometry.Fixed() {
		return Count(s.Geometry.MaxMessages())
	}
	return Count(s.Geometry.Slots)
}

func slotType(s *pressure.Snapshot) Value {
	if !s.Geometry.Fixed() || s.Geometry.Fingerprint == 0 {
		return Value{}
	}
	return Text(fmt.Sprintf("%#x", s.Geometry.Fingerprint))
}

func fill(s *pressure.Snapshot) Value {
	if !s.Bounded() {
		return Value{}
	}
	return Number(s.Fill())
}

// perSecond is a getter of a rate in the interval. It is unknown where there is none, as at the
// first look at a segment.
func perSecond(get func(i *pressure.Interval) float64) func(s *Sample) Value {
	return func(s *Sample) Value {
		if s.Now == nil || s.Interval.Elapsed <= 0 {
			return Value{}
		}
		return Number(get(&s.Interval))
	}
}

func discarded(s *Sample) Value {
	if s.Discarded == nil {
		return Value{}
	}
	return Count(uint64(*s.Discarded))
}

func schedule(s *pressure.Snapshot) Value {
	if !s.Schedule.InForce {
		return Value{}
	}
	return Number(s.Schedule.Rate)
}

// scheduled is the histogram of a time that exists only in segments that have had a schedule.
func scheduled(of func(s *pressure.Snapshot) *pressure.Histogram) func(s *pressure.Snapshot) *pressure.Histogram {
	return func(s *pressure.Snapshot) *pressure.Histogram {
		if h := of(s); s.Schedule.Base != 0 || h.Count > 0 {
			return h
		}
		return nil
	}
}

func runUnsent(s *Sample) Value {
	if s.Run == nil {
		return Value{}
	}
	return Number(float64(s.Run.UnsentGrowth))
}

// explains is unknown where not both were measured.
func explains(s *Sample, i *pressure.Interval) Value {
	if s.Now == nil || i == nil || i.Response.Count == 0 || i.Lateness.Count == 0 {
		return Value{}
	}
	var names []string
	for _, q := range i.LatenessExplains() {
		names = append(names, quantileNames[q])
	}
	return Text(strings.Join(names, " "))
}

func alive(r *pressure.RoleStats) Value {
	if r.AliveUnknown {
		return Value{}
	}
	return Bool(r.Alive)
}

func died(r *pressure.RoleStats) Value {
	if r.AliveUnknown || r.Generation == 0 {
		return Value{}
	}
	return Bool(!r.Alive && r.State != layout.StateClosed)
}

func pid(r *pressure.RoleStats) Value {
	if r.Generation == 0 {
		return Value{}
	}
	return Count(uint64(r.PID))
}

func state(r *pressure.RoleStats) Value {
	if !r.Alive {
		return Value{}
	}
	return Text(r.State.String())
}

func holder(r *pressure.RoleStats) Value { return Text(Holder(r)) }

// limitIn is unknown while the queue does not grow, and where it has no bound to reach.
func limitIn(s *Sample) Value {
	if s.Now == nil || s.Verdict.FullIn <= 0 {
		return Value{}
	}
	return Duration(s.Verdict.FullIn)
}
