package transfer

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// Sender is the producer's end of a transfer. It never waits for the consumer:
// what the socket does not take is queued, until the limit. One goroutine at a
// time may use it; a goroutine of its own, the courier, talks to the socket.
type Sender struct {
	segment *shm.Segment
	own     *layout.Side
	peer    *layout.Side
	cursor  *layout.Cursor
	peerAt  *layout.Cursor
	limit   uint64
	packing int // bytes of a packed buffer, 0 = one message a buffer

	recycle bool
	courier *courier
	closed  bool // nothing can be sent any more
	left    bool // the segment is not mapped any more

	next     position // after everything that was sealed
	count    uint64   // messages committed since the segment was made
	bytes    uint64   // payload of those
	consumed uint64   // bytes of memory that the consumer has let go, as last seen

	stage    []byte  // where messages are made: of pooled, or ordinary memory
	pooled   *pooled // nil = none
	spare    []byte  // ordinary memory for the next stage
	used     int     // bytes of stage that committed messages take
	messages uint32  // in stage
	stamp    uint64  // when the first of them was committed
	reserved int     // payload bytes reserved, -1 when nothing is

	began             time.Time
	firstCount, first uint64 // messages given and taken before this Sender
}

// MaxMessage returns the largest message, in bytes.
func (s *Sender) MaxMessage() int { return int(min(MaxMessage, s.limit-min(s.limit, 2*pageSize))) }

// Segment returns the mapped header page.
func (s *Sender) Segment() *shm.Segment { return s.segment }

// Reserve returns room for a message of n bytes, to be filled by the caller. It is
// valid until Commit. At most one reservation is open at a time; reserving
// again without Commit gives other room.
//
// It does not wait. Errors: a *LimitError when the memory in flight is at the
// limit, ErrTooLarge, ErrDone, the cause of ctx if that is done, and whatever keeps
// the courier from going on for good. After an error nothing is reserved. While a
// packed buffer has room for the message none of this is looked at.
func (s *Sender) Reserve(ctx context.Context, n int) ([]byte, error) {
	if n < 0 {
		panic(fmt.Sprintf("transfer: Reserve(%d)", n))
	}
	s.reserved = -1
	need := n
	if s.packing > 0 {
		need = int(layout.RecordSize(uint64(n)))
	}
	if s.stage == nil || s.used+need > len(s.stage) || s.messages > 0 && s.packing == 0 {
		if err := s.begin(ctx, n, need); err != nil {
			return nil, err
		}
	}
	s.reserved = n
	at := s.used + need - n
	if s.packing > 0 {
		at = s.used + layout.RecordHeader
	}
	return s.stage[at : at+n : at+n], nil
}

// begin sends what is staged and gets a new stage of at least need bytes.
func (s *Sender) begin(ctx context.Context, n, need int) error {
	switch {
	case s.closed:
		return ErrDone
	case n > s.MaxMessage():
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, s.MaxMessage())
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	s.seal()
	if err := s.courier.failed(); err != nil {
		return err
	}
	size := max(need, s.packing)
	if err := s.checkLimit(uint64(size)); err != nil {
		return err
	}
	s.used, s.messages = 0, 0
	if s.pooled != nil && len(s.stage) >= size {
		return nil // reserved before, and not used
	}
	if s.recycle {
		s.giveBack()
		if s.pooled = s.courier.acquire(uint64(size)); s.pooled != nil {
			s.stage = s.pooled.mem
			return nil
		}
	}
	if cap(s.spare) < size {
		s.spare = s.courier.scrap.take(size)
	}
	s.stage = s.spare[:size]
	return nil
}

// giveBack returns the stage's recycled buffer unused.
func (s *Sender) giveBack() {
	if s.pooled != nil {
		s.courier.release(s.pooled)
		s.pooled, s.stage = nil, nil
	}
}

// checkLimit fails when size more bytes would pass the limit.
func (s *Sender) checkLimit(size uint64) error {
	after := s.next.bytes + pages(size)
	if s.limit == NoLimit || after-s.consumed <= s.limit {
		return nil
	}
	s.consumed = min(s.peerAt.Index.Load(), s.next.bytes)
	if after-s.consumed <= s.limit {
		return nil
	}
	s.own.Obstacle.Relaxed(uint64(layout.ObstacleMemory))
	taken := s.peerAt.Count.Load()
	return &LimitError{
		Limit: s.limit, Waiting: s.Queued(), After: time.Since(s.began),
		Produced: s.count - s.firstCount, Consumed: taken - min(s.first, taken),
	}
}

// Commit stages the first n bytes of the reservation as a message.
//
// Preconditions: a reservation is open and has at least n bytes.
func (s *Sender) Commit(n int) {
	if n < 0 || n > s.reserved {
		panic(fmt.Sprintf("transfer: Commit(%d) with %d bytes reserved", n, s.reserved))
	}
	s.reserved = -1
	if s.messages == 0 {
		s.stamp = shm.Clock()
	}
	if s.packing > 0 {
		binary.LittleEndian.PutUint64(s.stage[s.used:], uint64(n))
		s.used += int(layout.RecordSize(uint64(n)))
	} else {
		s.used = n
	}
	s.messages++
	s.count++
	s.bytes += uint64(n)
}

// Publish gives what is committed to the courier, and counts it. With packing, a
// buffer goes when it is full: whoever has no more to send for now calls Flush.
func (s *Sender) Publish() {
	if s.packing == 0 {
		s.seal()
	}
	s.tally()
}

// tally counts what is committed.
func (s *Sender) tally() {
	if s.left {
		return
	}
	s.cursor.Bytes.Relaxed(s.bytes)
	s.cursor.Count.Release(s.count)
}

// Flush is Publish, of a buffer that is not full as well. While a reservation is
// open it does nothing: the buffer is still being written to.
func (s *Sender) Flush() {
	if s.reserved >= 0 {
		return
	}
	s.seal()
	s.tally()
}

// seal makes a parcel of the stage. From here on its bytes are the receiver's.
func (s *Sender) seal() {
	if s.messages == 0 {
		return
	}
	p := parcel{
		fd: -1, pooled: s.pooled, length: s.used, packed: s.packing > 0,
		messages: s.messages, stamp: s.stamp, start: s.next,
	}
	if s.pooled == nil {
		if p.fd = s.embody(); p.fd < 0 {
			p.data = s.stage[:s.used]
			s.spare = nil
		}
	}
	// Before the courier has it: a successor numbers its messages after these, and
	// what the consumer has seen may not have a number of those.
	s.tally()
	s.next = p.end()
	s.cursor.Index.Relaxed(s.next.bytes)
	s.stage, s.pooled, s.used, s.messages = nil, nil, 0, 0
	s.own.ProgressAt.Relaxed(s.stamp)
	s.own.Descriptors.Relaxed(uint64(s.courier.files.held.Load()))
	if depth := s.count - s.peerAt.Count.Load(); int64(depth) > int64(s.own.HighWater.Own()) {
		s.own.HighWater.Relaxed(depth)
	}
	s.courier.add(p)
}

// embody moves the stage into a sealed memfd. It is -1 when there can be none now:
// the courier tries again, and says so if that is for good.
func (s *Sender) embody() (fd int) {
	if s.courier.bare.Load() > 0 {
		s.courier.assist()
		return -1
	}
	if s.recycle {
		return -1
	}
	fd, err := s.courier.seal(s.stage[:s.used])
	if err != nil {
		s.courier.refused(layout.ObstacleFiles)
	}
	return fd
}

// Queued returns how many messages were sent and not let go by the consumer.
// After Close there is none.
func (s *Sender) Queued() uint64 {
	if s.left {
		return 0
	}
	return s.count - min(s.peerAt.Count.Load(), s.count)
}

// Send copies msg into a buffer and publishes it. It fails as Reserve does.
func (s *Sender) Send(ctx context.Context, msg []byte) error {
	room, err := s.Reserve(ctx, len(msg))
	if err != nil {
		return err
	}
	s.Commit(copy(room, msg))
	s.Publish()
	return nil
}
