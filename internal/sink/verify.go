package sink

import (
	"errors"
	"fmt"

	"sluice/internal/format"
	"sluice/internal/payload"
)

// ErrFault is for messages that differ from what the generator sent.
var ErrFault = errors.New("verify found a fault")

// Counts are counters of a segment, since it was created.
type Counts struct {
	Consumed uint64
	Dropped  uint64 // by the producer's policy: a consumer never sees their sequence numbers
	Lost     uint64 // with a producer that died, likewise
}

// Verify checks generated messages: their order, number and content. It continues after a fault;
// Verdict returns all faults.
//
// The generator numbers all messages of a segment, dropped ones too. So missing sequence numbers
// are compared with the counters: it is unknown which message was dropped, but more missing
// numbers than the counters account for are a fault.
type Verify struct {
	before  Counts // at the start
	next    uint64 // expected sequence number
	started bool   // a message was checked

	Checked  uint64 // messages
	Missing  uint64 // sequence numbers
	Repeated uint64 // messages with a lower sequence number than expected
	Damaged  uint64 // messages whose content differs from the generated one
	gap      string // text of the first gap
	fault    string // text of the first other fault
}

// NewVerify returns a Verify for the messages that a segment has not yet delivered.
func NewVerify(before Counts) *Verify {
	// As if no message had been dropped: Dropped accounts for the missing numbers.
	return &Verify{before: before, next: before.Consumed + before.Lost}
}

// Write checks messages.
func (v *Verify) Write(msgs [][]byte) error {
	for _, msg := range msgs {
		v.check(msg)
	}
	return nil
}

func (v *Verify) check(msg []byte) {
	v.Checked++
	seq, ok := payload.Seq(msg)
	if !ok || !payload.Check(msg) {
		v.Damaged++
		note(&v.fault, "message %d (%d bytes) is not a generated message", v.next, len(msg))
		v.next++
		return
	}
	if !v.started && seq >= v.before.Consumed {
		v.next = min(v.next, seq) // Lost may be counted too high, after kills of both sides
	}
	v.started = true
	switch {
	case seq > v.next:
		v.Missing += seq - v.next
		note(&v.gap, "received message %d, expected %d", seq, v.next)
	case seq < v.next:
		v.Repeated++
		note(&v.fault, "received message %d again, expected %d", seq, v.next)
	}
	v.next = seq + 1
}

// Close does nothing: Verdict needs the counters.
func (v *Verify) Close() error { return nil }

// note sets first if it is empty.
func note(first *string, format string, args ...any) {
	if *first == "" {
		*first = fmt.Sprintf(format, args...)
	}
}

// Verdict returns ErrFault with the figures, or nil if all messages were correct and the present
// counters account for all missing ones as dropped or lost.
func (v *Verify) Verdict(now Counts) error {
	first, missing := v.fault, v.Missing
	if accounted := now.Dropped + now.Lost - v.before.Lost; missing > accounted {
		missing -= accounted
		note(&first, "%s", v.gap)
	} else {
		missing = 0
	}
	if first == "" {
		return nil
	}
	return fmt.Errorf("%w in %s: %s missing, %s repeated or out of order, %s damaged; the first fault: %s",
		ErrFault, format.Messages(v.Checked), format.Count(missing), format.Count(v.Repeated), format.Count(v.Damaged), first)
}

// DroppedAndLost returns how many messages were dropped and how many were lost since the start
// of this Verify, including messages that were dropped before but were still to be received.
func (v *Verify) DroppedAndLost(now Counts) (dropped, lost uint64) {
	lost = now.Lost - v.before.Lost
	return max(now.Dropped-v.before.Dropped, v.Missing-min(v.Missing, lost)), lost
}
