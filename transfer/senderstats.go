package transfer

import (
	"sync/atomic"

	"sluice/internal/monotonic"
	"sluice/layout"
)

// senderStats is what a Sender reports of itself in the header page while it works: why
// sends are refused, and what it holds. Any goroutine may use it.
type senderStats struct {
	own     *layout.RoleStats
	atLimit atomic.Bool // the Sender found no room below its limit when it last tried
}

// refused counts a send that was refused, and notes why.
func (s *senderStats) refused(why layout.RefuseReason) {
	s.own.Refused.Add(1)
	s.setReason(why)
}

// setReason notes why nothing can be sent now. The limit, which makes the producer stop,
// stays the reason until the Sender finds room again: else the next packet would hide it.
func (s *senderStats) setReason(why layout.RefuseReason) {
	if !s.atLimit.Load() {
		s.own.RefuseReason.StoreRelaxed(uint64(why))
	}
	if s.atLimit.Load() {
		s.own.RefuseReason.StoreRelaxed(uint64(layout.RefuseMemoryLimit))
	}
}

// refusedAtLimit counts a message for which there was no room below the limit: it is given up.
func (s *senderStats) refusedAtLimit() {
	s.atLimit.Store(true)
	s.refused(layout.RefuseMemoryLimit)
	s.own.RefusedMessages.AddRelaxed(1)
}

// setBelowLimit notes that there was room.
func (s *senderStats) setBelowLimit() {
	if s.atLimit.Load() {
		s.atLimit.Store(false)
	}
}

// setHeld notes how many descriptors and how many bytes of memory the Sender holds.
func (s *senderStats) setHeld(fds int64, bytes uint64) {
	s.own.Descriptors.StoreRelaxed(uint64(fds))
	s.own.Memory.StoreRelaxed(bytes)
}

// progress notes that this side is not hung.
func (s *senderStats) progress() { s.own.ProgressAt.StoreRelaxed(monotonic.Now()) }
