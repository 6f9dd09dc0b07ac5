package ring

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"sluice/layout"
	"sluice/shm"
)

// Policy says what a Writer does when the ring is full.
type Policy int

// The policies.
const (
	Block Policy = iota // wait until there is room
	Drop                // give up the newest message: ErrFull, and count it as dropped
	Fail                // give up: ErrFull
)

// Writer is the producer's end of a ring. One goroutine at a time may use it.
type Writer struct {
	side
	data []byte
	mask uint64

	tail  uint64 // where the next record goes: end of what is staged
	count uint64 // messages staged and published
	bytes uint64 // payload bytes of those

	limit     uint64 // tail may not pass this: the Reader's index, as last seen, plus capacity
	slotLimit uint64 // nor count this: the Reader's count, as last seen, plus slots
	slowAt    uint64 // at this count Reserve looks closer: slotLimit, or a sample is due

	reserved int    // payload bytes reserved, -1 when nothing is
	head     uint64 // bytes between tail and the reserved payload
	need     uint64 // bytes that Reserve wants free

	sampler sampler
	stamped bool   // a sampled record is staged
	stamp   uint64 // where in data its stamp goes at Publish

	onFull  Policy
	resumed uint64
	segment *shm.Segment // nil on plain memory
	keep    bool
}

// NewWriter takes the producer role on any memory with a valid header. The
// caller sees to it that there is only one. Options.Capacity and Slots are
// ignored: the geometry is mem's.
func NewWriter(mem Memory, opt Options) (*Writer, error) {
	w := &Writer{
		side:     newSide(mem, layout.Producer, opt),
		data:     mem.Data,
		mask:     mem.Geometry.Capacity - 1,
		reserved: -1,
		onFull:   opt.OnFull,
	}
	if err := w.attach(os.Getpid()); err != nil {
		return nil, err
	}
	w.tail, w.count, w.bytes = w.pos.index, w.pos.count, w.pos.bytes
	w.sampler.begin(w.count)
	w.own.Framing.Store(uint64(opt.Framing))
	if _, err := w.refresh(); err != nil {
		return nil, err
	}
	w.resumed = w.count - w.peerCursor.Count.Load()
	return w, nil
}

// MaxMessage returns the largest message the ring takes, in bytes.
func (w *Writer) MaxMessage() int { return int(layout.MaxMessage(w.mem.Geometry.Capacity)) }

// Resumed returns how many unread messages were in the ring when this Writer
// took its role.
func (w *Writer) Resumed() uint64 { return w.resumed }

// Reserve returns room for a message of n bytes, to be filled by the caller.
// It is ring memory, valid until Commit; nobody else sees it before Publish.
// Its old content is unspecified. At most one reservation is open at a time;
// reserving again without Commit gives the room back and takes other.
//
// When the ring is full it publishes what is staged and does what the policy
// says: Block waits until there is room, ctx is done (its cause is returned) or
// the segment turns out ErrCorrupt; Drop and Fail return ErrFull. A message
// that can never fit is ErrTooLarge. After an error nothing is reserved.
func (w *Writer) Reserve(ctx context.Context, n int) ([]byte, error) {
	size := layout.RecordSize(uint64(n))
	if size > w.limit-w.tail || w.count >= w.slowAt {
		return w.reserveSlow(ctx, n)
	}
	w.reserved, w.head = n, layout.RecordHeader
	at := w.tail&w.mask + layout.RecordHeader
	return w.data[at : at+uint64(n) : at+uint64(n)], nil
}

// TryReserve is Reserve that never waits and never counts a drop: ErrFull when
// there is no room now.
func (w *Writer) TryReserve(n int) ([]byte, error) {
	fits, err := w.fits(n)
	if err != nil {
		return nil, err
	}
	if !fits {
		return nil, ErrFull
	}
	return w.take(n), nil
}

func (w *Writer) reserveSlow(ctx context.Context, n int) ([]byte, error) {
	fits, err := w.fits(n)
	if err != nil {
		return nil, err
	}
	if !fits {
		w.Publish()
		switch w.onFull {
		case Drop:
			w.own.Dropped.Add(1)
			return nil, ErrFull
		case Fail:
			return nil, ErrFull
		}
		if err := w.await(ctx, w); err != nil {
			return nil, err
		}
		w.eased()
	}
	return w.take(n), nil
}

// fits looks whether n bytes can be reserved now, with a fresh look at the
// Reader if the last one says no.
func (w *Writer) fits(n int) (bool, error) {
	if n < 0 {
		panic(fmt.Sprintf("ring: Reserve(%d)", n))
	}
	w.reserved = -1
	if w.closed {
		return false, ErrDone
	}
	if uint64(n) > layout.MaxMessage(w.mem.Geometry.Capacity) {
		return false, fmt.Errorf("%w: %d bytes, at most %d fit", ErrTooLarge, n, w.MaxMessage())
	}
	w.need = layout.RecordSize(uint64(n))
	if w.room() {
		return true, nil
	}
	return w.refresh()
}

// take hands out the reservation that fits has found room for, as a sampled
// record when one is due and the stamp fits as well.
func (w *Writer) take(n int) []byte {
	w.reserved, w.head = n, layout.RecordHeader
	if w.sampler.due(w.count) && !w.stamped && w.need+layout.StampSize <= w.limit-w.tail {
		w.head += layout.StampSize
	}
	at := w.tail&w.mask + w.head
	return w.data[at : at+uint64(n) : at+uint64(n)]
}

// Commit stages the first n bytes of the reservation as a message. It is not
// visible yet, and n may be less than what was reserved.
//
// Preconditions: a reservation is open and has at least n bytes.
func (w *Writer) Commit(n int) {
	if uint(n) > uint(w.reserved) || w.reserved < 0 {
		panic(fmt.Sprintf("ring: Commit(%d) with %d bytes reserved", n, w.reserved))
	}
	at := w.tail & w.mask
	word := uint64(n)
	if w.head != layout.RecordHeader {
		word = layout.StampedWord(word, w.sampler.take(w.count))
		w.stamp, w.stamped = at+layout.RecordHeader, true
		w.setSlowAt()
	}
	binary.LittleEndian.PutUint64(w.data[at:], word)
	w.tail += (w.head + uint64(n) + 7) &^ 7
	w.count++
	w.bytes += uint64(n)
	w.reserved = -1
}

// Publish makes all staged messages visible to the Reader and wakes it if it
// sleeps. With nothing staged it does nothing.
func (w *Writer) Publish() {
	if w.tail == w.pos.index {
		return
	}
	if w.stamped {
		w.putStamp()
	}
	w.pos = position{w.tail, w.count, w.bytes}
	publish(w.ownCursor, w.pos, w.full)
	if w.peerWait.Flag.Load() != 0 {
		w.wake()
		w.eased()
	}
}

// Send copies msg into the ring and publishes it. It waits and fails as Reserve
// does; on failure nothing was sent.
func (w *Writer) Send(ctx context.Context, msg []byte) error {
	buf, err := w.Reserve(ctx, len(msg))
	if err != nil {
		return err
	}
	copy(buf, msg)
	w.Commit(len(msg))
	w.Publish()
	return nil
}

// SendBatch copies all msgs into the ring and publishes them together, or
// earlier in parts when they do not fit at once. It returns how many were
// staged before an error.
func (w *Writer) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	defer w.Publish()
	for i, msg := range msgs {
		buf, err := w.Reserve(ctx, len(msg))
		if err != nil {
			return i, err
		}
		copy(buf, msg)
		w.Commit(len(msg))
	}
	return len(msgs), nil
}
