package pressure

import (
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

	Produced, Consumed           uint64 // messages
	ProducedBytes, ConsumedBytes uint64 // payload
	QueueBytes                   uint64 // bytes of ring in use, record headers included
	Dropped                      uint64
	Refused                      uint64
	HighWater                    uint64 // deepest queue, messages
	Memory                       uint64 // bytes that the segment and messages in flight take

	Producer, Consumer Side
	Latency            Histogram
}

// Alive says which roles a live process holds. Only the kernel knows; the
// header does not.
type Alive struct{ Producer, Consumer bool }

// Read takes a snapshot of h at the given time. The counters are not read at
// one instant: the consumer's come first, so a queue is never negative but may
// look as much deeper as was produced in the meantime.
//
// h is another process's to write. No value makes Read fail; a corrupt header
// gives nonsense figures.
func Read(h *layout.Header, g layout.Geometry, alive Alive, now uint64) Snapshot {
	s := Snapshot{At: now, Geometry: g}
	s.Consumed, s.ConsumedBytes = h.Consumer.Count.Load(), h.Consumer.Bytes.Load()
	read := h.Consumer.Index.Load()
	write := h.Producer.Index.Load()
	s.Produced, s.ProducedBytes = h.Producer.Count.Load(), h.Producer.Bytes.Load()
	s.QueueBytes = min(write-read, g.Capacity)

	s.Consumer = readSide(&h.ConsumerSide, alive.Consumer, now)
	s.Producer = readSide(&h.ProducerSide, alive.Producer, now)
	p := &h.ProducerSide
	s.Dropped, s.Refused, s.HighWater = p.Dropped.Load(), p.Refused.Load(), p.HighWater.Load()
	// The producer notes the mark now and then; this look may be deeper.
	s.HighWater = max(s.HighWater, s.Depth())
	s.Memory = uint64(g.FileSize()) + p.Memory.Load()
	s.Latency = readHistogram(h)
	return s
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

// Depth returns the messages in the queue.
func (s *Snapshot) Depth() uint64 { return s.Produced - min(s.Consumed, s.Produced) }

// Fill returns the share of the tighter bound that is in use, from 0 to 1:
// bytes of the capacity or messages of the slots. It is 0 without a bound.
func (s *Snapshot) Fill() float64 {
	var fill float64
	if c := s.Geometry.Capacity; c > 0 {
		fill = float64(s.QueueBytes) / float64(c)
	}
	if n := s.Geometry.Slots; n > 0 {
		fill = max(fill, float64(s.Depth())/float64(n))
	}
	return min(fill, 1)
}
