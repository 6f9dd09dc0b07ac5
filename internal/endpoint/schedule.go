package endpoint

import (
	"math"

	"sluice/layout"
)

// The account of an open-loop load: what was offered, and what of it was due and not sent. Only the
// holder of the producer role may call these functions, except Offered.
//
// While a schedule is in force, what is unsent follows from Schedule.Due and from what was sent; it
// shrinks when a backlog is sent. Once the schedule has ended, or its producer has a successor,
// what of it is unsent stays so for good: in RoleStats.Unsent. Which of the two holds is decided by
// a single store, of Schedule.Holder or of RoleStats.Generation, so that a kill between any two
// stores changes no result.

// BeginSchedule begins a schedule: messages at rate a second on average, the first of them due at
// base, ns of the monotonic clock.
//
// Preconditions: it is the first one of this holder of the role. Offered tells two schedules apart
// by their holders.
func BeginSchedule(h *layout.Header, base uint64, rate float64) {
	s := &h.Schedule
	s.Base.Store(base)
	s.Rate.Store(math.Float64bits(rate))
	s.Due.Store(0)
	s.SentBefore.Store(sentOrRefused(h))
	s.UnsentBefore.Store(h.ProducerStats.Unsent.Load())
	s.Holder.Store(h.ProducerStats.Generation.Load())
}

// NoteDue records how many messages of the schedule are due by now. Any goroutine of the holder's
// process may call it, one at a time.
func NoteDue(h *layout.Header, due uint64) { h.Schedule.Due.Store(due) }

// EndSchedule ends the schedule, if there is one. What is due and not sent stays unsent.
func EndSchedule(h *layout.Header) {
	SettleSchedule(h)
	h.Schedule.Holder.Store(0)
}

// SettleSchedule prepares that a successor takes over from a producer that has not ended its
// schedule: Begin follows, and puts it into force.
func SettleSchedule(h *layout.Header) {
	if holder := h.Schedule.Holder.Load(); holder != 0 && holder == h.ProducerStats.Generation.Load() {
		h.ProducerStats.Unsent.Store(unsentOf(&h.Schedule, sentOrRefused(h)))
	}
}

// Account is what became of the messages that were offered to a queue since its segment was made.
type Account struct {
	Produced        uint64
	Dropped         uint64 // by policy
	RefusedMessages uint64 // given up because they were refused
	Unsent          uint64 // due by a schedule, and none of these
	ScheduleUnsent  uint64 // of Unsent, those of the schedule in force: its producer may yet send them
}

// Offered returns the messages that were offered.
func (a *Account) Offered() uint64 { return a.Produced + a.Dropped + a.RefusedMessages + a.Unsent }

// Offered returns what became of all messages that were offered, as it was at one moment: none is
// counted twice or missing, and the sum never falls. Without a schedule nothing is unsent. Anybody
// may call it.
func Offered(h *layout.Header) (a Account) {
	s, own := &h.Schedule, &h.ProducerStats
	const maxTries = 1000 // a hostile peer may keep this loop going
	for range maxTries {
		holder, generation := s.Holder.Load(), own.Generation.Load()
		// What was due before what was sent, which grows: the sum is never too small.
		settled, schedule := own.Unsent.Load(), loadSchedule(s)
		if a = loadSent(h); holder != 0 && holder == generation {
			a.Unsent = unsentOf(&schedule, a.Offered())
			a.ScheduleUnsent = a.Unsent - schedule.UnsentBefore.Load()
		} else {
			a.Unsent = settled
		}
		if s.Holder.Load() == holder && own.Generation.Load() == generation {
			break
		}
	}
	return a
}

// loadSchedule returns a copy of what Offered needs.
func loadSchedule(s *layout.Schedule) (c layout.Schedule) {
	c.Due.StoreRelaxed(s.Due.Load())
	c.SentBefore.StoreRelaxed(s.SentBefore.Load())
	c.UnsentBefore.StoreRelaxed(s.UnsentBefore.Load())
	return c
}

// unsentOf returns what is unsent while the schedule is in force and that many messages were sent.
func unsentOf(s *layout.Schedule, sent uint64) uint64 {
	return s.UnsentBefore.Load() + uint64(max(0, int64(s.SentBefore.Load()+s.Due.Load()-sent)))
}

// sentOrRefused returns the messages that the producers came to: produced, dropped by policy, or
// given up because they were refused.
func sentOrRefused(h *layout.Header) uint64 {
	a := loadSent(h)
	return a.Offered()
}

// loadSent returns an account without what is unsent.
func loadSent(h *layout.Header) Account {
	own := &h.ProducerStats
	a := Account{Dropped: own.Dropped.Load(), RefusedMessages: own.RefusedMessages.Load()}
	if layout.Mode(h.Identity.Mode.Load()) == layout.ModeTransfer {
		a.Produced = h.Producer.Count.Load()
	} else {
		a.Produced = Published(h, layout.Producer)
	}
	return a
}
