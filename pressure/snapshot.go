package pressure

import (
	"math"
	"time"

	"sluice/layout"
)

// Side is what one role reports of itself.
type Side struct {
	Alive    bool // a live process holds the role
	PID      int  // of the last holder; for people
	State    layout.State
	Holders  uint64        // times the role was taken
	Waits    uint64        // times it slept, full for a producer, empty for a consumer
	Blocked  time.Duration // time asleep, a sleep that still goes on included
	Spins    uint64        // waits that ended before it came to a sleep
	Wakes    uint64        // times it woke the other side
	Spurious uint64        // times it was woken for nothing
	Progress uint64        // monotonic ns of the last noted progress
}

// Snapshot is a segment's counters at one time. Counts are totals since the
// segment was created, whoever held the roles.
type Snapshot struct {
	At       uint64 // shm.Clock, ns
	Geometry layout.Geometry
	Created  time.Time

	Produced, Consumed           uint64 // messages
	ProducedBytes, ConsumedBytes uint64 // payload
	QueueBytes                   uint64 // ring: bytes in use, record headers included; transfer: memory in flight
	Dropped                      uint64
	Refused                      uint64
	HighWater                    uint64 // deepest queue, messages
	Memory                       uint64 // bytes that the segment and messages in flight take

	// Transfer only.
	Lost           uint64          // messages that went with a producer that died
	Limit          uint64          // most memory in flight, bytes; 0 = none
	Obstacle       layout.Obstacle // what keeps the producer from handing over
	Descriptors    uint64          // that the producer holds for buffers in flight
	MaxDescriptors uint64          // that it may hold

	Producer, Consumer Side
	Latency            Histogram
}

// Alive says which roles a live process holds. Only the kernel knows; the
// header does not.
type Alive struct{ Producer, Consumer bool }

// Read takes a snapshot of h at the given time. The counters are not read at
// one instant: the consumer's come first, so a queue is never negative but may
// look deeper by what was taken in the meantime (see readQueue).
//
// h is another process's to write. No value makes Read fail; a corrupt header
// gives nonsense figures.
func Read(h *layout.Header, g layout.Geometry, alive Alive, now uint64) Snapshot {
	s := Snapshot{At: now, Geometry: g, Created: time.Unix(0, int64(h.Identity.CreatedAt.Load()))}
	surely := s.readQueue(h)
	s.ProducedBytes, s.ConsumedBytes = h.Producer.Bytes.Load(), h.Consumer.Bytes.Load()

	s.Consumer = readSide(&h.ConsumerSide, alive.Consumer, now)
	s.Producer = readSide(&h.ProducerSide, alive.Producer, now)
	p := &h.ProducerSide
	s.Dropped, s.Refused, s.HighWater = p.Dropped.Load(), p.Refused.Load(), p.HighWater.Load()
	s.HighWater = max(s.HighWater, surely) // the producer notes it only now and then
	s.Memory = uint64(g.FileSize()) + p.Memory.Load()
	if g.Mode == layout.ModeTransfer {
		s.Memory = uint64(g.FileSize()) + max(s.QueueBytes, p.Memory.Load())
		s.Limit, s.Obstacle = p.Limit.Load(), layout.Obstacle(p.Obstacle.Load())
		s.Descriptors, s.MaxDescriptors = p.Descriptors.Load(), p.MaxDescriptors.Load()
	}
	s.Latency = readHistogram(h)
	return s
}

// readQueue reads both positions a few times and keeps the reading in which the
// consumer moved least: an observer that loses the processor in between would
// see a queue that never was. It returns a depth that the queue did have.
func (s *Snapshot) readQueue(h *layout.Header) (surely uint64) {
	least := uint64(math.MaxUint64)
	for range 4 {
		consumed, read := h.Consumer.Count.Load(), h.Consumer.Index.Load()
		write, produced := h.Producer.Index.Load(), h.Producer.Count.Load()
		since := h.Consumer.Count.Load()
		if moved := since - consumed; moved < least {
			least = moved
			s.Produced, s.Lost = produced, min(h.ConsumerSide.Lost.Load(), consumed)
			s.Consumed = consumed - s.Lost
			s.QueueBytes = s.inUse(read, write)
			surely = produced - min(since, produced)
		}
	}
	return surely
}

// inUse returns the bytes between two positions, as far as they make sense.
func (s *Snapshot) inUse(read, write uint64) uint64 {
	if s.Geometry.Mode == layout.ModeRing {
		return min(write-read, s.Geometry.Capacity)
	}
	return write - min(read, write)
}

func readSide(s *layout.Side, alive bool, now uint64) Side {
	out := Side{
		Alive:    alive,
		PID:      int(s.PID.Load()),
		State:    layout.State(s.State.Load()),
		Holders:  s.Holders.Load(),
		Waits:    s.Waits.Load(),
		Spins:    s.Spins.Load(),
		Wakes:    s.WakesSent.Load(),
		Spurious: s.Spurious.Load(),
		Progress: s.ProgressAt.Load(),
	}
	blocked := s.Blocked.Load()
	if int64(blocked) < 0 { // asleep since -blocked
		if !alive {
			now = out.Progress // it slept until it died, which nobody noted
		}
		blocked = uint64(max(0, int64(blocked+now)))
	}
	out.Blocked = time.Duration(blocked)
	return out
}

// Depth returns the messages in the queue: never negative, never more than the
// bounds allow.
func (s *Snapshot) Depth() uint64 {
	depth := s.Produced - min(s.Consumed+s.Lost, s.Produced)
	if n := s.Geometry.Slots; n > 0 {
		depth = min(depth, n)
	}
	if s.Geometry.Mode == layout.ModeRing {
		depth = min(depth, s.Geometry.Capacity/layout.RecordHeader)
	}
	return depth
}

// Fill returns the share of the tighter bound that is in use, from 0 to 1:
// bytes of the capacity or the limit, or messages of the slots. It is 0 without a
// bound.
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
