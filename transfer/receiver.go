package transfer

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/edsrzf/mmap-go"

	"sluice/layout"
	"sluice/shm"
)

// Receiver is the consumer's end of a transfer. One goroutine at a time may use it.
type Receiver struct {
	segment  *shm.Segment
	own      *layout.Side
	peer     *layout.Side
	cursor   *layout.Cursor
	id       uint64 // of the segment
	follow   bool
	access   shm.Access
	listener *net.UnixListener

	conn     *net.UnixConn // nil while no producer is connected
	raw      rawConn
	room     []byte      // for a packet
	rights   []byte      // for its descriptors
	entries  []entry     // of the last packet
	fds      []int       // theirs
	entry    int         // the first that was not loaded
	fd       int         // the first that was not used
	maps     mapped      // recycled buffers of this connection
	retired  []mmap.MMap // those that are gone, that messages may still point into
	ended    bool        // the producer has sent the end
	endedOld uint64      // the holder that had closed before this Receiver came, 0 = none

	// The buffer that messages are taken from.
	rest   []byte // not taken
	left   uint32 // messages in rest
	packed bool
	weight uint64 // memory that it counts for
	slab   []byte // the memory of rest, nil when that is a mapping

	seen  position // after the last loaded buffer
	taken uint64   // messages taken, those before this Receiver included
	bytes uint64   // payload bytes of those
	skip  uint64   // messages before this number were released to an earlier Receiver, or by this one

	released position // as published
	holding  bool     // a message was taken and not released
	held     [][]byte // memory of earlier buffers, that taken messages are in
	spare    [][]byte // memory of none

	blocked uint64 // ns
	closed  bool
}

// Open takes the consumer role in the segment called name, waits for that to appear
// if there is none, and listens for its producer.
//
// Errors: shm.ErrName, fs.ErrPermission, ErrRoleTaken when a consumer is alive,
// layout.ErrMode when the segment is a ring, layout.ErrNotSegment, ErrVersion,
// ErrCorrupt and shm.ErrForeign for a file that is no healthy segment, ErrPeer for a
// place where no socket of one's own can be, and the cause of ctx.
func Open(ctx context.Context, name string, opt Options) (*Receiver, error) {
	seg, err := shm.OpenWhenThere(ctx, name, layout.Consumer, opt.Access)
	if err != nil {
		closeListener(opt.Listener)
		return nil, err
	}
	return OpenSegment(seg, opt)
}

// OpenSegment is Open for a segment in which the consumer role is taken already. It
// owns seg from here on, also when it fails.
func OpenSegment(seg *shm.Segment, opt Options) (*Receiver, error) {
	r, err := newReceiver(seg, opt)
	if err != nil {
		closeListener(opt.Listener)
		_, leaveErr := seg.Leave(never)
		return nil, errors.Join(fmt.Errorf("segment %q: %w", seg.Name(), err), leaveErr)
	}
	return r, nil
}

func newReceiver(seg *shm.Segment, opt Options) (*Receiver, error) {
	if err := checkMode(seg); err != nil {
		return nil, err
	}
	path, err := resolve(opt.Socket, seg.Name())
	if err != nil && opt.Listener == nil {
		return nil, err
	}
	h := seg.Header()
	r := &Receiver{
		segment: seg, own: &h.ConsumerSide, peer: &h.ProducerSide, cursor: &h.Consumer, follow: opt.Follow,
		listener: opt.Listener, access: opt.Access,
		room: make([]byte, headSize+MaxBatch*entrySize+1), rights: make([]byte, rightsSize), maps: mapped{},
	}
	err = shm.Guard(func() error { return r.attach(opt) })
	if err == nil && r.listener == nil {
		r.listener, err = listen(path, opt.Access)
	}
	return r, err
}

// attach goes on where the last consumer has released.
func (r *Receiver) attach(opt Options) error {
	r.id = r.segment.Header().Identity.CreatedAt.Load()
	r.released = position{buffers: r.own.Buffers.Load(), messages: r.cursor.Count.Load(), bytes: r.cursor.Index.Load()}
	r.bytes = r.cursor.Bytes.Load()
	r.seen, r.taken, r.skip = r.released, r.released.messages, r.released.messages
	if layout.State(r.peer.State.Load()) == layout.StateClosed {
		r.endedOld = r.peer.Holders.Load()
	}
	r.blocked = r.own.TakeOver(uint64(os.Getpid()), shm.Clock(), opt.Keep)
	r.own.State.Store(uint64(layout.StateRunning))
	r.own.Holders.Store(r.own.Holders.Own() + 1)
	return nil
}

// Segment returns the mapped header page.
func (r *Receiver) Segment() *shm.Segment { return r.segment }

// Framing returns how the producer cut its input into messages, FramingNone if it
// did not say or the Receiver is closed.
func (r *Receiver) Framing() layout.Framing {
	if r.closed {
		return layout.FramingNone
	}
	if f := layout.Framing(r.peer.Framing.Load()); f <= layout.FramingRaw {
		return f
	}
	return layout.FramingNone
}

// Next returns the next message: valid until Release, and not to be written to. It
// may be called again before Release to hold several.
//
// When there is none it waits until one comes, ctx is done (its cause is
// returned), or the producer has ended and everything was taken (ErrClosed, unless
// Follow is set). ErrCorrupt and ErrVersion are for what the producer may not
// send; what came with it is closed. After an error nothing was taken.
//
// What is held is the producer's to wait for: it has 1024 recycled buffers at most,
// and as many others as its descriptors allow. Who holds them all and asks for more
// waits for ever.
func (r *Receiver) Next(ctx context.Context) ([]byte, error) {
	for {
		for r.left > 0 {
			msg, err := r.unpack()
			if err != nil {
				r.left, r.rest = 0, nil
				r.hangUp() // what came with it is closed
				return nil, err
			}
			if r.taken++; r.taken > r.skip {
				r.holding = true
				r.bytes += uint64(len(msg))
				return msg, nil
			}
		}
		if err := r.load(ctx); err != nil {
			return nil, err
		}
	}
}

// unpack takes the next message out of the current buffer.
func (r *Receiver) unpack() ([]byte, error) {
	msg := r.rest
	if r.packed {
		if len(r.rest) < layout.RecordHeader {
			return nil, r.badRecord(0)
		}
		n := binary.LittleEndian.Uint64(r.rest) // read once; a recycled buffer may change
		if n > uint64(len(r.rest)-layout.RecordHeader) {
			return nil, r.badRecord(n)
		}
		msg = r.rest[layout.RecordHeader : layout.RecordHeader+n : layout.RecordHeader+n]
		r.rest = r.rest[min(layout.RecordSize(n), uint64(len(r.rest))):]
	}
	r.left--
	return msg, nil
}

func (r *Receiver) badRecord(n uint64) error {
	return fmt.Errorf("%w: message %d has %d bytes by its record, and its buffer %d left", ErrCorrupt, r.taken, n, len(r.rest))
}

// Buffered reports whether Next would return at once, without looking at the
// socket.
func (r *Receiver) Buffered() bool { return r.left > 0 || r.entry < len(r.entries) }

// Release lets go of every message taken so far: their slices are invalid from here
// on, their memory is free, and they are not delivered again. With nothing taken it
// does nothing.
func (r *Receiver) Release() {
	if r.closed {
		return
	}
	at := r.seen
	r.holding = false
	r.spare = append(r.spare, r.held...)
	r.held = r.held[:0]
	if r.left > 0 { // it is still being taken from
		at.buffers--
		at.bytes -= r.weight
	} else if r.slab != nil {
		r.spare = append(r.spare, r.slab)
		r.slab, r.rest = nil, nil
	}
	r.unmapRetired()
	at.messages = r.taken
	r.publish(at)
}

func (r *Receiver) unmapRetired() error {
	var errs []error
	for _, mem := range r.retired {
		errs = append(errs, mem.Unmap())
	}
	r.retired = r.retired[:0]
	return errors.Join(errs...)
}

// publish makes a position visible. Count goes first: a successor skips messages
// below it, so a buffer that is sent again does not come twice.
func (r *Receiver) publish(at position) {
	at.messages = max(at.messages, r.released.messages)
	at.buffers = max(at.buffers, r.released.buffers)
	at.bytes = max(at.bytes, r.released.bytes)
	if at.messages > r.released.messages {
		r.cursor.Count.Relaxed(at.messages)
		r.cursor.Bytes.Relaxed(r.bytes)
	}
	r.cursor.Index.Relaxed(at.bytes)
	if at.buffers > r.released.buffers {
		r.own.Buffers.Release(at.buffers)
	}
	r.released = at
}

// Receive appends the next message to buf[:0], releases it and returns the result,
// which is the caller's own. It waits and fails as Next does.
func (r *Receiver) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	msg, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	buf = append(buf[:0], msg...)
	r.Release()
	return buf, nil
}

// WriteOff counts as lost what a producer that was killed had published and this
// Receiver has not released, and returns how many messages that are: when this one
// takes no more, nobody can. It does nothing while a producer lives, who has them
// all. Close does it too; call it to know before.
func (r *Receiver) WriteOff() (lost uint64) {
	if r.closed {
		return 0
	}
	had := &r.segment.Header().Producer
	at := position{r.released.buffers, had.Count.Load(), had.Index.Load()}
	// Looked at last: what a living one publishes is not counted.
	if r.segment.Alive(layout.Producer) || at.messages <= r.released.messages {
		return 0
	}
	lost = at.messages - r.released.messages
	r.own.Lost.Add(lost)
	r.seen, r.taken, r.skip = at, at.messages, at.messages
	r.publish(at)
	return lost
}

// Close gives the role back. What was not released stays with the producer, for
// the next Receiver, or is lost when there is none. Messages from Next are invalid.
func (r *Receiver) Close() error {
	if r.closed {
		return nil
	}
	truncated := shm.Guard(func() error { r.WriteOff(); return nil })
	r.closed = true
	r.left, r.rest, r.slab = 0, nil, nil // the next Next finds that it is closed
	err := errors.Join(r.hangUp(), r.listener.Close())
	err = errors.Join(err, r.unmapRetired())
	fault := shm.Guard(func() error {
		r.own.ProgressAt.Store(shm.Clock())
		r.own.State.Store(uint64(layout.StateClosed))
		return nil
	})
	own, peer := r.own, r.peer
	_, leaveErr := r.segment.Leave(func() bool { return !keeps(own, peer) })
	return errors.Join(err, cmp.Or(truncated, fault), leaveErr)
}
