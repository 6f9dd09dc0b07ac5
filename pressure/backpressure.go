package pressure

import "sluice/layout"

// BackPressure is what a producer does when its consumer is the slower side and the queue has no
// room. The zero value is unknown: there was no producer yet.
type BackPressure string

// What a producer does.
const (
	Hard   BackPressure = "hard"   // ring: it waits while the ring is full
	Credit BackPressure = "credit" // transfer: it waits at its limit of memory
	Soft   BackPressure = "soft"   // transfer: its queue grows; a limit ends it
	Drop   BackPressure = "drop"   // it gives up the newest message: there is no back-pressure
	Fail   BackPressure = "fail"   // ring: it gets an error
	// Disconnect: ring: it ends the stream, and drops messages until a consumer waits for the next.
	Disconnect BackPressure = "disconnect"
)

// BackPressure returns what the present producer, or the last one, does. One that does not wait
// without end may wait first: Snapshot.BlockTimeout.
func (s *Snapshot) BackPressure() BackPressure {
	ring := s.Geometry.Mode == layout.ModeRing
	switch {
	case s.Producer.Generation == 0:
		return ""
	case s.OnFull == layout.PolicyDrop:
		return Drop
	case ring && s.OnFull == layout.PolicyFail:
		return Fail
	case ring && s.OnFull == layout.PolicyDisconnect:
		return Disconnect
	case ring:
		return Hard
	case s.OnFull == layout.PolicyBlock:
		return Credit
	}
	return Soft
}

// elastic reports whether the queue grows as long as the producer is not slowed down: that of a
// transfer whose producer neither waits at its limit nor drops messages there.
func (s *Snapshot) elastic() bool {
	return s.Geometry.Mode == layout.ModeTransfer && s.OnFull != layout.PolicyBlock && s.OnFull != layout.PolicyDrop && s.BlockTimeout == 0
}
