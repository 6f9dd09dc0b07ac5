package sink

import (
	"errors"
	"fmt"

	"sluice/internal/pattern"
)

// ErrFault is for messages that were not what the generator sent.
var ErrFault = errors.New("verify found a fault")

// Verify checks generated messages: their order, their number, their content.
// It goes on after a fault and says at the end what it has seen.
type Verify struct {
	next    uint64 // sequence number that is due
	started bool   // next is known

	Checked  uint64 // messages
	Missing  uint64 // sequence numbers that were left out
	Repeated uint64 // messages from further back than expected
	Damaged  uint64 // messages with other content than was generated
	first    string // the first fault
}

// NewVerify expects sequence number next first, or any when it is not known.
func NewVerify(next uint64, known bool) *Verify { return &Verify{next: next, started: known} }

// Put checks a message.
func (v *Verify) Put(msg []byte) error {
	v.Checked++
	seq, ok := pattern.Seq(msg)
	if !ok || !pattern.Check(msg) {
		v.Damaged++
		v.note("message %d (%d bytes) is not what the generator writes", v.next, len(msg))
		v.next++
		return nil
	}
	if !v.started {
		v.next, v.started = seq, true
	}
	switch {
	case seq > v.next:
		v.Missing += seq - v.next
		v.note("message %d came where %d was due", seq, v.next)
	case seq < v.next:
		v.Repeated++
		v.note("message %d came again where %d was due", seq, v.next)
	}
	v.next = seq + 1
	return nil
}

// Flush does nothing: a message is checked when it is put.
func (v *Verify) Flush() error { return nil }

func (v *Verify) note(format string, args ...any) {
	if v.first == "" {
		v.first = fmt.Sprintf(format, args...)
	}
}

// Close returns ErrFault with the figures, or nil when all messages were right.
func (v *Verify) Close() error {
	if v.first == "" {
		return nil
	}
	return fmt.Errorf("%w in %d messages: %d missing, %d repeated or out of order, %d damaged; the first: %s",
		ErrFault, v.Checked, v.Missing, v.Repeated, v.Damaged, v.first)
}
