package transfer

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/shm"
)

// SenderOptions says how to open the producer's end of a transfer. The zero value is a good
// start.
type SenderOptions struct {
	// Socket is the path at which the consumer listens; "" takes SocketPath(name).
	Socket string
	// Keep leaves the header page in /dev/shm when both ends are gone. Either
	// end may ask for it.
	Keep bool
	// Access lets other users take part, if both ends ask for it; the zero value
	// lets nobody.
	Access shm.Access

	// Limit is the most memory in flight, bytes, MinLimit or more; 0 takes DefaultLimit, and
	// NoLimit goes on until the machine has no more.
	Limit uint64
	// OnLimit is what the Sender does with a message for which there is no room below Limit; 0
	// means Fail. Block and Drop need a Limit.
	OnLimit Policy
	// ResumeAt is the share of Limit to which the memory in flight has to fall before a Sender
	// that waits (Block) goes on, more than 0 and at most 1; 0 means DefaultResumeAt. The less it
	// is, the fewer are the wake-ups; at 1, the Sender goes on as soon as there is room.
	ResumeAt float64
	// BlockTimeout is how long a call waits for room below Limit before it does what OnLimit says,
	// which is Drop or Fail; 0 = not at all. It is kept within a millisecond, and the wait counts
	// as blocked. A context that is done meanwhile ends the call with its cause, and no message is
	// given up. It needs a Limit.
	BlockTimeout time.Duration
	// Buffer packs messages into buffers of that many bytes; 0 gives each
	// message a buffer of its own. A larger message gets its own all the same. It is at
	// most Limit.
	Buffer int
	// Recycle lets buffers come back and be used again, mapped on both sides
	// all the time: faster, and without the kernel's guarantee that the producer can no
	// longer modify what it has sent.
	Recycle bool
	// Batch is the most buffers in a packet, 1 to MaxBatch; 0 takes
	// DefaultBatch.
	Batch int
	// Fresh removes what a dead pair left behind instead of resuming it.
	Fresh bool
	// Framing is stored in the segment for the consumer.
	Framing layout.Framing
}

// check returns an ErrOption for a value that makes no sense.
func (opt *SenderOptions) check() error {
	limit := cmp.Or(opt.Limit, DefaultLimit)
	switch {
	case opt.OnLimit > Fail:
		return fmt.Errorf("%w: OnLimit %d is none of Block, Drop and Fail", ErrOption, uint64(opt.OnLimit))
	case (opt.OnLimit == Block || opt.OnLimit == Drop) && limit == NoLimit:
		return fmt.Errorf("%w: OnLimit %v needs a Limit", ErrOption, opt.OnLimit)
	case opt.BlockTimeout > 0 && limit == NoLimit:
		return fmt.Errorf("%w: BlockTimeout needs a Limit", ErrOption)
	case opt.ResumeAt != 0 && opt.OnLimit != Block:
		return fmt.Errorf("%w: ResumeAt is for OnLimit Block", ErrOption)
	case !(opt.ResumeAt >= 0 && opt.ResumeAt <= 1): // NaN too
		return fmt.Errorf("%w: ResumeAt %v is not from 0 to 1", ErrOption, opt.ResumeAt)
	case opt.Batch < 0 || opt.Batch > MaxBatch:
		return fmt.Errorf("%w: Batch %d is not from 1 to %d", ErrOption, opt.Batch, MaxBatch)
	case opt.Buffer < 0:
		return fmt.Errorf("%w: Buffer %d is negative", ErrOption, opt.Buffer)
	case limit < MinLimit:
		return fmt.Errorf("%w: Limit %d is less than %d", ErrOption, limit, MinLimit)
	case pages(uint64(opt.Buffer)) > limit:
		return fmt.Errorf("%w: Buffer %d is larger than Limit %d", ErrOption, opt.Buffer, limit)
	}
	return endpoint.CheckBlockTimeout(opt.BlockTimeout, opt.OnLimit == Block, "OnLimit Drop or Fail")
}

// ReceiverOptions says how to open the consumer's end of a transfer. The zero value is a good
// start.
type ReceiverOptions struct {
	// Socket is the path to listen at, in a directory that is there; "" takes
	// SocketPath(name), whose directory is made if it is missing.
	Socket string
	// Keep leaves the header page in /dev/shm when both ends are gone. Either
	// end may ask for it.
	Keep bool
	// Access lets other users take part, if both ends ask for it; the zero value
	// lets nobody.
	Access shm.Access

	// Follow makes the Receiver wait for the next producer when one ends.
	Follow bool
	// Replaceable lets a producer replace the segment that needs another one under this name,
	// while this Receiver waits in it, once everything was released and the end of the last stream
	// told. Then Next returns shm.ErrRemoved, and the caller may open the name again. Without it
	// such a producer is refused (layout.ErrMode).
	Replaceable layout.Replaceable
	// OnEnd is called when a stream has ended and Follow goes on after it, with nil
	// when all of it was there to take, else with an ErrIncomplete: by Next, on the
	// goroutine that called it. It may call Close.
	OnEnd func(err error)
	// Listener is a socket that somebody else has made for the Receiver: systemd,
	// by socket activation. It has to be a SOCK_SEQPACKET one, at the path at which
	// the producer connects; Socket is not used. The Receiver owns it from here on,
	// also when it cannot be opened: it closes it, and leaves the path alone.
	Listener *net.UnixListener
}

// Values of SenderOptions.
const (
	DefaultLimit    = 1 << 30
	MinLimit        = 64 << 10 // room for a few buffers of a page
	NoLimit         = math.MaxUint64
	DefaultResumeAt = 0.5
	DefaultBatch    = 64
)

// Policy says what a Sender does with a message for which there is no room below its limit.
type Policy = layout.Policy

// The policies.
const (
	Block = layout.PolicyBlock // wait until the memory in flight has fallen to SenderOptions.ResumeAt
	Drop  = layout.PolicyDrop  // give the message up: ErrDropped, and count it
	Fail  = layout.PolicyFail  // give the message up: a *LimitError
)

// MaxMessage is the largest message, bytes.
const MaxMessage = math.MaxInt32 - layout.RecordHeader - 7
