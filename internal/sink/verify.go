package sink

import (
	"errors"
	"fmt"

	"sluice/internal/format"
	"sluice/internal/payload"
)

// ErrFault is for messages that were not what the generator sent.
var ErrFault = errors.New("verify found a fault")

// Counts is what the counters of a segment say of its messages, since it was made.
type Counts struct {
	Consumed uint64
	Dropped  uint64 // given up by the producer: their numbers are never seen
	Lost     uint64 // gone with a producer, likewise
}

// Verify checks generated messages: their order, their number, their content.
// It goes on after a fault and says at the end what it has seen.
//
// The generator numbers all messages of a segment, the dropped ones too, so that the
// numbers that are left out can be held against the counters: nobody knows before which
// message one was dropped, but what no counter accounts for is a fault.
type Verify struct {
	before  Counts // when it began
	next    uint64 // sequence number that is due
	started bool   // a message has come

	Checked  uint64 // messages
	Missing  uint64 // sequence numbers that were left out
	Repeated uint64 // messages from further back than expected
	Damaged  uint64 // messages with other content than was generated
	gap      string // the first one
	fault    string // the first that is no gap
}

// NewVerify returns a Verify for the messages that a segment has not yet delivered.
func NewVerify(before Counts) *Verify {
	// As if nothing had been dropped: where numbers are left out, Dropped accounts for it.
	return &Verify{before: before, next: before.Consumed + before.Lost}
}

// Put checks a message.
func (v *Verify) Put(msg []byte) error {
	v.Checked++
	seq, ok := payload.Seq(msg)
	if !ok || !payload.Check(msg) {
		v.Damaged++
		note(&v.fault, "message %d (%d bytes) is not what the generator writes", v.next, len(msg))
		v.next++
		return nil
	}
	if !v.started && seq >= v.before.Consumed {
		v.next = min(v.next, seq) // Lost may be counted too high, after kills of both sides
	}
	v.started = true
	switch {
	case seq > v.next:
		v.Missing += seq - v.next
		note(&v.gap, "message %d came where %d was due", seq, v.next)
	case seq < v.next:
		v.Repeated++
		note(&v.fault, "message %d came again where %d was due", seq, v.next)
	}
	v.next = seq + 1
	return nil
}

// Flush does nothing: a message is checked when it is put.
func (v *Verify) Flush() error { return nil }

// Close does nothing: Verdict needs the counters.
func (v *Verify) Close() error { return nil }

// note keeps the first text.
func note(first *string, format string, args ...any) {
	if *first == "" {
		*first = fmt.Sprintf(format, args...)
	}
}

// Verdict returns ErrFault with the figures, or nil when all messages were right, and all
// that are missing were dropped or lost by the counters as they are now.
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
	return fmt.Errorf("%w in %s: %s missing, %s repeated or out of order, %s damaged; the first: %s",
		ErrFault, format.Messages(v.Checked), format.Count(missing), format.Count(v.Repeated), format.Count(v.Damaged), first)
}

// GivenUp returns how many messages the producer has dropped, and how many were lost,
// since this Verify began; with those that were dropped before and were still due.
func (v *Verify) GivenUp(now Counts) (dropped, lost uint64) {
	lost = now.Lost - v.before.Lost
	return max(now.Dropped-v.before.Dropped, v.Missing-min(v.Missing, lost)), lost
}
