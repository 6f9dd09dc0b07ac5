package ring

import (
	"fmt"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// WriterOptions says how to create a Writer. The zero value gives the defaults.
type WriterOptions struct {
	// Capacity is the size of a new ring in bytes, a power of two from 4096
	// to 2^31; 0 takes the existing segment's, or layout.DefaultCapacity. Of fixed slots it is
	// the most bytes, and may be any number: layout.SlotGeometry.
	Capacity uint64
	// Slots bounds the messages in flight; 0 means bytes alone, or whatever
	// an existing segment has. It may be any number up to 2^31.
	Slots uint64
	// OnFull is what the Writer does when there is no room; 0 means Block.
	OnFull Policy
	// BlockTimeout is how long a call waits for room before it does what OnFull says, which is
	// Drop, Fail or Disconnect; 0 = not at all. It is kept within a millisecond, and the wait
	// counts as blocked. A context that is done meanwhile ends the call with its cause, and no
	// message is given up.
	BlockTimeout time.Duration
	// MaxAbsence is how long a Writer whose policy is Block waits in a full ring while there is
	// no Reader. After that it drops messages, which counts as Dropped and Missed in the header
	// and is ErrDropped, until there is room. 0 = it waits as long as it takes.
	MaxAbsence time.Duration
	// Spin is how long to spin before sleeping; 0 takes the default,
	// SpinAdaptive, and SpinNever sleeps at once.
	Spin time.Duration
	// Fresh removes what a dead pair left behind instead of resuming it.
	Fresh bool
	// Keep leaves the segment in /dev/shm when both ends are gone, even if
	// everything was read. Either end may ask for it.
	Keep bool
	// Access lets other users take part, if both ends ask for it; with the zero value
	// nobody else may.
	Access shm.Access
	// Populate maps the memory of a ring of any size before Create returns, that of a new one
	// in huge pages if there are some, instead of each page at the first access to it. Rings of
	// up to shm.PopulateAlways bytes always are.
	Populate bool
	// Framing is stored in the segment for the consumer. It is the same for all
	// messages in the ring.
	Framing layout.Framing
	// Fingerprint is what CreateSlots says of the type in the slots (layout.Fingerprint); 0 fits
	// every type. Elsewhere it is ignored.
	Fingerprint uint64
	// KeepOrigin leaves layout.Origin in the header as it is, for a bridge that goes on with the
	// messages of another segment. Any other Writer says that the origin is not known any more.
	KeepOrigin bool

	peerStatus peerStatus
}

// check returns an ErrOption for what a Writer has no use for. What depends on the memory,
// Create and NewWriter check.
func (opt *WriterOptions) check() error {
	if opt.OnFull > Disconnect {
		return fmt.Errorf("%w: OnFull %d is none of Block, Drop, Fail and Disconnect", ErrOption, uint64(opt.OnFull))
	}
	if err := endpoint.CheckBlockTimeout(opt.BlockTimeout, opt.OnFull == Block || opt.OnFull == 0, "OnFull Drop, Fail or Disconnect"); err != nil {
		return err
	}
	if opt.MaxAbsence < 0 {
		return fmt.Errorf("%w: MaxAbsence %v is negative", ErrOption, opt.MaxAbsence)
	}
	return sleep.CheckSpin(opt.Spin)
}

// ReaderOptions says how to open a Reader. The zero value gives the defaults.
type ReaderOptions struct {
	// Spin, Keep, Access and Populate are as in WriterOptions.
	Spin     time.Duration
	Keep     bool
	Access   shm.Access
	Populate bool
	// Follow makes the Reader wait for the next producer when one ends.
	Follow bool
	// Replaceable lets a producer replace the segment that needs another one under this name,
	// while this Reader waits in it, once everything was released and the end of the last stream
	// told. Then Next returns ErrRemoved, and the caller may open the name again. Without it
	// such a producer is refused (ErrGeometry, layout.ErrMode).
	Replaceable layout.Replaceable
	// OnEnd is called when a stream has ended and Follow goes on after it, with nil
	// when all of it was there to take, else with an ErrIncomplete: by Next, on the
	// goroutine that called it.
	OnEnd func(err error)
	// OnMissed is called when n more messages were dropped while there was no Reader, or while
	// this one or an earlier one was disconnected: by Next, on the goroutine that called it, once
	// the gap is over. Each message is reported to one Reader; without OnMissed it counts as
	// reported. A Reader that is killed in OnMissed leaves it to the next one.
	OnMissed func(n uint64)

	peerStatus peerStatus
}

// check returns an ErrOption for what a Reader has no use for.
func (opt *ReaderOptions) check() error { return sleep.CheckSpin(opt.Spin) }

// Values of WriterOptions.Spin and ReaderOptions.Spin.
const (
	SpinAdaptive = sleep.SpinAdaptive
	SpinNever    = sleep.SpinNever
)
