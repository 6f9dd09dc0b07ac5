package bridge

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/shm"
)

// OutOptions says where and how Out sends. Stream must be set; else the zero value gives the
// defaults.
type OutOptions struct {
	// Stream is the name of the JetStream stream. It is made if there is none, with MaxBytes,
	// Storage and Replicas; one that is there keeps its own.
	Stream string
	// Subject is the name of the ring over there, in the subject; "" = that of the ring here.
	Subject string
	// MaxBytes is the limit of a new stream, in bytes; 0 = DefaultMaxBytes.
	MaxBytes int64
	// Storage and Replicas are of a new stream: a file and 1 by default.
	Storage  jetstream.StorageType
	Replicas int
	// InFlight is how many bytes are sent and not acknowledged at most; 0 = DefaultInFlight. No
	// more than the capacity of the ring are.
	InFlight uint64

	// Follow waits for the next producer when one has ended, instead of returning.
	Follow bool
	// Keep, Access, Spin and Populate are as in ring.ReaderOptions.
	Keep     bool
	Access   shm.Access
	Spin     time.Duration
	Populate bool

	Events
}

// InOptions says where In takes messages from, and what ring it makes. Stream must be set; else
// the zero value gives the defaults.
type InOptions struct {
	// Stream is the name of the JetStream stream. In waits until there is one.
	Stream string
	// Subject is the name of the near ring, in the subject; "" = that of the ring here.
	Subject string
	// Capacity and Slots are of a new ring; 0 = those of the near ring. Its kind, the size of a
	// slot and its type are always those of the near ring.
	Capacity, Slots uint64
	// SkipMissing goes on behind messages that are not in the stream any more, instead of
	// returning ErrMissing. The stream of the far ring then ends as layout.EndFailed, and another
	// begins with the next message that there is.
	SkipMissing bool

	// Follow waits for the next stream of the near ring when one has ended, instead of returning.
	Follow bool
	// Keep, Access, Spin and Populate are as in ring.WriterOptions.
	Keep     bool
	Access   shm.Access
	Spin     time.Duration
	Populate bool

	Events
}

// Events are calls that tell a program what a bridge does. Each may be nil, and is called by the
// goroutine that runs the bridge.
type Events struct {
	// OnAttach is called when the bridge has joined the segment of its ring, whose header says what
	// it does from here on (layout.Link). moved returns how many messages it has passed on.
	OnAttach func(seg *shm.Segment, moved func() uint64)
	// OnDetach is called before it leaves the segment.
	OnDetach func()
	// OnEnd is called when a stream has ended and Follow goes on after it, with nil when it was
	// complete, else with a layout.ErrIncomplete.
	OnEnd func(err error)
	// OnNote is called with a line of text for people: what the bridge waits for, and when that
	// is over.
	OnNote func(text string)
}

// Defaults of OutOptions.
const (
	DefaultMaxBytes = 1 << 30
	DefaultInFlight = 32 << 20
)
