package pressure

import (
	"math"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/procinfo"
	"sluice/layout"
)

// RoleStats are the counters and the state of a role, as its holders have reported them.
type RoleStats struct {
	Alive        bool   // a live process holds the role
	AliveUnknown bool   // the kernel does not tell whether one does (F_OFD_GETLK is refused): Alive is what the segment says
	PID          int    // of the last holder; for people
	PIDNamespace uint64 // the pid namespace that PID is a number of, as the holder has said; 0 = it could not know
	State        layout.State
	Generation   uint64        // times the role was taken
	Waits        uint64        // times it was blocked, full for a producer, empty for a consumer
	Blocked      time.Duration // time asleep, a sleep that still goes on included
	Spins        uint64        // waits satisfied by spinning
	WakesSent    uint64        // times it woke the other side
	Spurious     uint64        // wakes after which there was nothing to do
	ProgressAt   uint64        // CLOCK_MONOTONIC when it last showed progress, or that it runs, ns

	End     layout.End // producer: how its last stream ended
	EndSeen uint64     // consumer: the producer's Generation whose end it was told of; 0 = none
	Socket  string     // transfer: where it connects to, or listens, as it says; "" = it has not said
	Bridge  Bridge     // what it says if it is a bridge; of a ring only

	// What Observe learns about the process; false when that cannot be known.
	Running           bool // it is not stopped
	Stopped           bool // it is (SIGSTOP, Ctrl-Z)
	OtherPIDNamespace bool // PID is a number of another pid namespace
	OtherClock        bool // ProgressAt is of the clock of another time namespace
}

// Snapshot is the counters of a segment at one time. Counts are totals since the segment was
// created, of all holders of the roles. The zero value is that of an empty segment.
type Snapshot struct {
	At       uint64 // CLOCK_MONOTONIC, ns
	Geometry layout.Geometry
	Created  time.Time

	Produced, Consumed           uint64 // messages
	ProducedBytes, ConsumedBytes uint64 // payload
	QueueBytes                   uint64 // ring: bytes in use, record headers included, or whole slots; transfer: memory in flight
	Refused                      uint64 // times that a message could not be sent
	HighWater                    uint64 // deepest queue that the producer has noted, messages; see Deepest
	Memory                       uint64 // bytes that the segment and messages in flight take

	// What became of the messages that were offered: at every look
	// Offered() = Produced + Dropped + RefusedMessages + Unsent.
	Dropped         uint64 // by policy
	Missed          uint64 // of Dropped, while no consumer was there or it was disconnected
	RefusedMessages uint64 // given up because they were refused
	Unsent          uint64 // due by a schedule, and none of these; see Schedule.Unsent
	Schedule        Schedule

	OnFull layout.Policy // what the producer does when there is no room; see BackPressure
	// BlockTimeout is how long it waits for room before that, if OnFull is not to wait; 0 = not at
	// all.
	BlockTimeout time.Duration

	// Transfer only.
	Lost           uint64              // messages lost with a producer that died
	Limit          uint64              // most memory in flight, bytes; 0 = none
	ResumeAt       uint64              // a producer that waits at Limit goes on when this much is in flight, bytes
	RefuseReason   layout.RefuseReason // why the producer cannot send now
	Descriptors    uint64              // descriptors that the producer holds for buffers in flight
	MaxDescriptors uint64              // the most that it may hold

	Incomplete uint64 // streams that ended stopped, failed or disconnected
	UntoldEnds uint64 // of Incomplete, those whose end no consumer was told
	UntoldLost uint64 // of Lost, those that no consumer has reported

	Producer, Consumer RoleStats

	Latency  Histogram // from publish to take
	Response Histogram // from when a message was due to its take; of those that were due at a time
	Lateness Histogram // how late the producer itself was to send what was due
}

// Schedule is that of an open-loop load. The zero value is none: there never was one.
type Schedule struct {
	InForce bool    // its producer has not ended it; that one may have died
	Holder  uint64  // Producer.Generation of that producer, while it is in force
	Base    uint64  // CLOCK_MONOTONIC when the first message was due, ns
	Rate    float64 // messages a second on average
	Due     uint64  // messages that were due when the producer last noted it
	Unsent  uint64  // of Snapshot.Unsent, those of this schedule, which may yet be sent; 0 when it is not in force
}

// LiveRoles says which roles a live process holds. The kernel knows that, and the header does
// not.
type LiveRoles struct{ Producer, Consumer bool }

// Read takes a snapshot of h at the time now (CLOCK_MONOTONIC, ns). The counters are not read
// at one instant: the consumer's come first, so a queue is never negative but may look deeper
// by what was consumed in the meantime.
//
// Another process writes h. No value makes Read fail; the figures of a corrupt header are
// meaningless.
func Read(h *layout.Header, g layout.Geometry, alive LiveRoles, now uint64) Snapshot {
	s := Snapshot{At: now, Geometry: g, Created: time.Unix(0, int64(h.Identity.CreatedAt.Load()))}
	s.readQueue(h)
	s.ProducedBytes, s.ConsumedBytes = endpoint.Bytes(h, layout.Producer), endpoint.Bytes(h, layout.Consumer)

	s.Consumer = readSide(&h.ConsumerStats, alive.Consumer, now)
	s.Producer = readSide(&h.ProducerStats, alive.Producer, now)
	p := &h.ProducerStats
	s.OnFull = layout.Policy(p.OnFull.Load())
	if s.OnFull != layout.PolicyBlock {
		s.BlockTimeout = time.Duration(min(p.BlockTimeout.Load(), math.MaxInt64))
	}
	s.Missed = min(p.Missed.Load(), s.Dropped)
	s.Refused, s.HighWater = p.Refused.Load(), p.HighWater.Load()
	s.Memory = uint64(g.FileSize()) + p.Memory.Load()
	if g.Mode == layout.ModeTransfer {
		if !alive.Producer { // what it held was freed; what the consumer has not released exists
			s.Memory = uint64(g.FileSize()) + s.QueueBytes
		}
		s.Limit, s.ResumeAt, s.RefuseReason = p.Limit.Load(), p.ResumeAt.Load(), layout.RefuseReason(p.RefuseReason.Load())
		s.Producer.Socket, s.Consumer.Socket = h.ProducerSocket.Load(), h.ConsumerSocket.Load()
		s.Descriptors, s.MaxDescriptors = p.Descriptors.Load(), p.MaxDescriptors.Load()
		if !alive.Producer { // the kernel has closed them, whatever a killed one had noted
			s.Descriptors = 0
		}
	}
	if g.Mode == layout.ModeRing {
		s.Producer.Bridge = readBridge(&h.ProducerLink, &h.ProducerStats, &s.Producer, now)
		if s.Producer.Bridge.Present() {
			s.Producer.Bridge.Source = sourceOf(&h.Origin)
		}
		s.Consumer.Bridge = readBridge(&h.ConsumerLink, &h.ConsumerStats, &s.Consumer, now)
	}
	s.Incomplete = p.Incomplete.Load()
	s.UntoldEnds, s.UntoldLost = endpoint.UnreportedIncomplete(h), min(endpoint.LostUnreported(h), s.Lost)
	s.readSchedule(&h.Schedule)
	s.Latency, s.Response, s.Lateness = readHistogram(&h.Latency), readHistogram(&h.Response), readHistogram(&h.Lateness)
	return s
}

// readSchedule reads the last schedule. What is unsent of it was read with the queue.
func (s *Snapshot) readSchedule(of *layout.Schedule) {
	c := &s.Schedule
	c.Holder, c.Base, c.Due = of.Holder.Load(), of.Base.Load(), of.Due.Load()
	if c.InForce = c.Holder != 0 && c.Holder == s.Producer.Generation; !c.InForce {
		c.Holder, c.Unsent = 0, 0
	}
	if rate := math.Float64frombits(of.Rate.Load()); rate > 0 && !math.IsInf(rate, 0) {
		c.Rate = rate
	}
}

// readQueue reads both positions a few times and keeps the reading in which the consumer moved
// least: an observer that loses the processor in between would see a queue that never existed.
func (s *Snapshot) readQueue(h *layout.Header) {
	least := uint64(math.MaxUint64)
	for range 4 {
		consumed, lost := s.readConsumed(h)
		read, write := h.Consumer.Index.Load(), h.Producer.Index.Load()
		offered := endpoint.Offered(h)
		since := s.consumerCount(h)
		if moved := since - (consumed + lost); moved < least {
			least = moved
			s.Produced, s.Consumed, s.Lost = offered.Produced, consumed, lost
			s.Dropped, s.RefusedMessages, s.Unsent = offered.Dropped, offered.RefusedMessages, offered.Unsent
			s.Schedule.Unsent = offered.ScheduleUnsent
			s.QueueBytes = s.inUse(read, write)
		}
	}
}

// consumerCount returns the messages up to the consumer's Index. In transfer mode a count is
// published by itself, without a position.
func (s *Snapshot) consumerCount(h *layout.Header) uint64 {
	if s.Geometry.Mode == layout.ModeRing {
		return endpoint.Published(h, layout.Consumer)
	}
	return h.Consumer.Count.Load()
}

// readConsumed returns the messages that were released, and those that were lost: at one moment,
// at which the consumer's position is their sum.
func (s *Snapshot) readConsumed(h *layout.Header) (consumed, lost uint64) {
	if s.Geometry.Mode == layout.ModeRing {
		return endpoint.Published(h, layout.Consumer), 0
	}
	const maxReads = 100 // the sum of a consumer that was killed in between never agrees
	for range maxReads {
		consumed, lost = h.ConsumerStats.Consumed.Load(), h.ConsumerStats.Lost.Load()
		if consumed+lost == h.Consumer.Count.Load() {
			break
		}
	}
	return consumed, lost
}

// inUse returns the bytes between two positions, as far as they make sense.
func (s *Snapshot) inUse(read, write uint64) uint64 {
	if g := s.Geometry; g.Fixed() {
		return min(write-read, g.Capacity/g.SlotSize) * g.SlotSize
	} else if g.Mode == layout.ModeRing {
		return min(write-read, g.Capacity)
	}
	return write - min(read, write)
}

func readSide(s *layout.RoleStats, alive bool, now uint64) RoleStats {
	out := RoleStats{
		Alive:        alive,
		PID:          int(s.PID.Load()),
		PIDNamespace: s.PIDNamespace.Load(),
		State:        layout.State(s.State.Load()),
		Generation:   s.Generation.Load(),
		Waits:        s.Waits.Load(),
		Spins:        s.Spins.Load(),
		WakesSent:    s.WakesSent.Load(),
		Spurious:     s.Spurious.Load(),
		ProgressAt:   s.ProgressAt.Load(),
		End:          layout.End(s.End.Load()),
		EndSeen:      s.EndSeen.Load(),
	}
	if other := s.TimeNamespace.Load(); other != 0 && other != procinfo.TimeNamespace() {
		now = 0 // not its clock: a sleep counts up to its last progress
	}
	out.Blocked = time.Duration(endpoint.BlockedAt(s, now))
	return out
}

// Offered returns the messages that were offered to the queue since the segment was created. It
// never falls.
func (s *Snapshot) Offered() uint64 { return s.Produced + s.Dropped + s.RefusedMessages + s.Unsent }

// Waiting returns the messages that wait in front of the producer: those of Unsent that are due by
// the schedule in force, and that its producer, which is alive, has yet to send. The others are not
// sent any more.
func (s *Snapshot) Waiting() uint64 {
	if !s.Producer.Alive {
		return 0
	}
	return min(s.Schedule.Unsent, s.Unsent)
}

// NotSent returns the messages of Unsent that are not sent any more: their schedule has ended, or
// its producer has died.
func (s *Snapshot) NotSent() uint64 { return s.Unsent - s.Waiting() }

// Depth returns the messages in the queue: from 0 to what the bounds allow.
func (s *Snapshot) Depth() uint64 {
	depth := s.Produced - min(s.Consumed+s.Lost, s.Produced)
	if s.Geometry.Mode == layout.ModeRing {
		return min(depth, s.Geometry.MaxMessages())
	}
	if n := s.Geometry.Slots; n > 0 {
		depth = min(depth, n)
	}
	return depth
}

// Deepest returns the most messages that the queue is known to have held. The producer updates
// HighWater only now and then, so the queue may be deeper now.
func (s *Snapshot) Deepest() uint64 { return max(s.HighWater, s.Depth()) }

// CarryHighWater keeps in s the deepest queue that was known at the snapshot before.
func (s *Snapshot) CarryHighWater(before *Snapshot) { s.HighWater = max(s.HighWater, before.Deepest()) }

// Bounded reports whether anything but the machine's memory bounds the queue: a capacity, slots or
// a limit.
func (s *Snapshot) Bounded() bool {
	return s.Geometry.Capacity > 0 || s.Geometry.Slots > 0 || s.Limit > 0
}

// Fill returns the share of the tighter bound that is in use, from 0 to 1: bytes of the capacity
// or the limit, or messages of the slots. It is 0 if the queue is not [Snapshot.Bounded].
func (s *Snapshot) Fill() float64 {
	var fill float64
	if c := max(s.Geometry.Capacity, s.Limit); c > 0 {
		fill = float64(s.QueueBytes) / float64(c)
	}
	if n := s.Geometry.Slots; n > 0 {
		fill = max(fill, float64(s.Depth())/float64(n))
	}
	return min(fill, 1)
}
