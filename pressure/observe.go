package pressure

import (
	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/procinfo"
	"sluice/layout"
	"sluice/shm"
)

// Segment is what [Observe] needs of a *shm.Segment or a *shm.View.
type Segment interface {
	Name() string
	Header() *layout.Header
	Geometry() layout.Geometry
	Alive(layout.Role) (bool, error)
	WhileMapped(func() error) error
}

// Observe takes a snapshot of a mapped segment. Any goroutine may call it, at any time. Errors:
// [shm.ErrClosed] once the segment is left or the view closed, and [shm.ErrTruncated] when the file
// was truncated, so that its counters cannot be read; that one names the segment.
func Observe(seg Segment) (s Snapshot, err error) {
	err = seg.WhileMapped(func() error {
		return shm.Guard(func() error {
			h := seg.Header()
			producer, producerErr := alive(seg, layout.Producer)
			consumer, consumerErr := alive(seg, layout.Consumer)
			s = Read(h, seg.Geometry(), LiveRoles{Producer: producer, Consumer: consumer}, monotonic.Now())
			s.Producer.AliveUnknown, s.Consumer.AliveUnknown = producerErr != nil, consumerErr != nil
			s.Producer.observe(&h.ProducerStats)
			s.Consumer.observe(&h.ConsumerStats)
			return nil
		})
	})
	if err == shm.ErrClosed {
		return s, err
	}
	return s, shm.InSegment("read", seg.Name(), err)
}

// ObserveQueue is [Observe] of what is in the queue alone, for a look that is taken often: it asks
// the kernel for nothing. Of the Snapshot At, Geometry, Produced, Consumed, Lost, Dropped,
// RefusedMessages, Unsent, QueueBytes and Limit are set. The errors are those of Observe.
func ObserveQueue(seg Segment) (s Snapshot, err error) {
	err = seg.WhileMapped(func() error {
		return shm.Guard(func() error {
			s = Snapshot{At: monotonic.Now(), Geometry: seg.Geometry()}
			h := seg.Header()
			s.readQueue(h)
			if s.Geometry.Mode == layout.ModeTransfer {
				s.Limit = h.ProducerStats.Limit.Load()
			}
			return nil
		})
	})
	if err == shm.ErrClosed {
		return s, err
	}
	return s, shm.InSegment("read", seg.Name(), err)
}

// observe sets what this process can know about the side's process, and asks /proc whether that
// runs. A process that observes itself does.
func (s *RoleStats) observe(at *layout.RoleStats) {
	self := endpoint.Self()
	pids, clock := at.PIDNamespace.Load(), at.TimeNamespace.Load()
	s.OtherPIDNamespace = pids != 0 && self.PIDNamespace != 0 && pids != self.PIDNamespace
	s.OtherClock = clock != 0 && self.TimeNamespace != 0 && clock != self.TimeNamespace
	if !s.Alive || pids == 0 || pids != self.PIDNamespace {
		return
	}
	if s.Running = s.PID == int(self.PID); !s.Running {
		s.Running, s.Stopped = procinfo.Runs(s.PID)
	}
}

// alive returns Segment.Alive, or what the role's last holder reported where the kernel does not
// tell: an error does not mean that it has died.
func alive(seg Segment, r layout.Role) (bool, error) {
	held, err := seg.Alive(r)
	if err != nil {
		side := seg.Header().Stats(r)
		held = side.Generation.Load() > 0 && layout.State(side.State.Load()) != layout.StateClosed
	}
	return held, err
}
