package transfer

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/gate"
	"sluice/internal/monotonic"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// Sender is the producer's end of a transfer. What the socket does not take is queued, so it
// does not wait for the consumer until it is at its limit, and then only if it is told to
// (SenderOptions.OnLimit). One goroutine at a time may use it; Shutdown, Close and Abort may be
// called from any. A goroutine of its own sends what is queued.
type Sender struct {
	// Of the user's goroutine, within the gate; Shutdown has it when that is closed. What is
	// used with each message comes first, together.
	gate     gate.Gate // that every call of the user's passes, closed by Shutdown
	cursor   *layout.Cursor
	packing  int             // bytes of a packed buffer, 0 = one message a buffer
	stage    []byte          // where messages are made: of recycled, or ordinary memory
	used     int             // bytes of stage that committed messages take
	reserved int             // payload bytes reserved, -1 when nothing is
	messages uint32          // in stage
	count    uint64          // messages committed since the segment was made
	bytes    uint64          // payload of those
	first    messageTime     // of the first message in stage
	due      dueTime         // of the messages that are committed
	recycled *recycledBuffer // nil = none
	spare    []byte          // ordinary memory for the next stage
	charged  uint64          // memory that stage counts for; that of recycled counts in its pool
	next     position        // after everything that was queued
	end      layout.End      // how the stream ends
	sleeper  sleep.Sleeper   // Close and the sendLoop interrupt it
	waiting  atomic.Bool     // a call waits: a second one at once is a misuse

	// These do not change.
	segment                     *shm.Segment
	own                         *layout.RoleStats
	peer                        *layout.RoleStats
	peerAt                      *layout.Cursor
	limit                       uint64
	onLimit                     Policy
	blockTimeout                time.Duration // for room, before another policy than Block; 0 = not at all
	lowMark                     uint64        // bytes in flight at which a Sender that waits goes on
	maxSize                     int           // bytes of the largest message
	queue                       *outQueue
	loop                        *sendLoop
	stats                       *senderStats
	deferred                    *deferredUnmap
	began                       time.Time
	countBefore, consumedBefore uint64 // messages published and consumed before this Sender
	closeTimeout                time.Duration

	keepEnd atomic.Bool // leave the page for a Receiver that is still to come

	endMu       sync.Mutex // held by Shutdown and Close; guards what follows
	isShutDown  bool       // Shutdown has done its work
	undelivered bool       // it gave up, or failed

	pageMu   sync.Mutex // held by Unread, Drain and StopSending, and by Close when it sets pageGone
	pageGone bool       // the header page is not mapped any more
	lost     uint64     // messages that Shutdown gave up; read when pageGone is set
}

// MaxMessage returns the largest message, in bytes: what fits below the limit, and into a
// file that this process may make.
func (s *Sender) MaxMessage() int { return s.maxSize }

// Segment returns the mapped header page.
func (s *Sender) Segment() *shm.Segment { return s.segment }

// Reserve returns room for a message of n bytes, to be filled by the caller. It begins
// at an address that is a multiple of 8, and is valid until Commit. At most one
// reservation is open at a time; reserving again without Commit gives other room.
//
// When there is no room for it below the limit, it sends what is committed, full buffers or not,
// and does what SenderOptions.OnLimit says: Block waits until the memory in flight has fallen to
// SenderOptions.ResumeAt, Drop returns ErrDropped, and Fail a *LimitError; the last two first wait
// for SenderOptions.BlockTimeout, count a message as given up, and trying it again counts another.
// Other errors: ErrTooLarge, ErrClosed, the cause of ctx if that is done, and whatever keeps the
// Sender from sending for good. After an error nothing is reserved. While a packed buffer has room
// for the message none of this but ErrClosed is looked at. It panics when n is negative.
func (s *Sender) Reserve(ctx context.Context, n int) ([]byte, error) {
	s.gate.Enter()
	if s.gate.Closed() || s.packing == 0 || !s.fits(n) || n < 0 {
		return s.reserveSlow(ctx, n)
	}
	s.reserved = n
	room := s.stage[s.used:][layout.RecordHeader:][:n:n]
	s.gate.Leave()
	return room, nil
}

// fits reports whether the stage has room for the record of n bytes, if it is packed.
func (s *Sender) fits(n int) bool { return n <= (len(s.stage)-s.used)&^7-layout.RecordHeader }

func (s *Sender) reserveSlow(ctx context.Context, n int) ([]byte, error) {
	defer s.gate.Leave()
	if s.gate.Closed() {
		return nil, s.closedError()
	}
	if n < 0 {
		panic(fmt.Sprintf("transfer: Reserve(%d): negative size", n))
	}
	return s.reserve(ctx, n)
}

// closedError ends a call that has found the Sender closed. The caller has no reservation
// any more, and from here on never will.
func (s *Sender) closedError() error {
	if s.loop.stopping.Load() {
		s.gate.Leave() // StopSending waits for calls that may publish, and this does not
		s.loop.awaitAbort()
		s.gate.Enter()
	}
	s.deferred.release()
	return ErrClosed
}

// callError is endpoint.CallError.
func (s *Sender) callError(ctx context.Context, op string, err error) error {
	return endpoint.CallError(ctx, op, s.segment, err)
}

// reserve is Reserve within a call.
func (s *Sender) reserve(ctx context.Context, n int) ([]byte, error) {
	s.reserved = -1
	fits, before := s.stage != nil && n <= len(s.stage) && s.messages == 0, 0
	if s.packing > 0 {
		fits, before = s.fits(n), layout.RecordHeader
	}
	if !fits {
		if err := s.newStage(ctx, n); err != nil {
			return nil, s.waitError(ctx, endpoint.OpSend, err)
		}
	}
	s.reserved = n
	at := s.used + before
	return s.stage[at : at+n : at+n], nil
}

// newStage queues what is staged and gets a new stage for a message of n bytes.
func (s *Sender) newStage(ctx context.Context, n int) error {
	switch {
	case n > s.MaxMessage():
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, s.MaxMessage())
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	s.enqueue()
	if err := s.loop.failed(); err != nil {
		return err
	}
	size := n
	if s.packing > 0 {
		size = max(int(layout.RecordSize(uint64(n))), s.packing)
	}
	s.used, s.messages = 0, 0
	if s.stage != nil && len(s.stage) >= size {
		return nil // reserved before, and not used
	}
	s.dropStage()
	if s.makeStage(size) {
		return nil
	}
	return s.noRoom(ctx, size)
}

// makeStage makes a stage of at least size bytes, and reports whether there is room for it.
func (s *Sender) makeStage(size int) bool {
	if s.queue.memory.recycle {
		if s.recycled = s.queue.getRecycled(uint64(size)); s.recycled != nil {
			s.stage = s.recycled.mem
			s.stats.setBelowLimit()
			s.queue.memory.report()
			return true
		}
	}
	var ok bool
	if s.charged, ok = s.queue.reserve(uint64(size), !s.waits()); !ok {
		return false
	}
	s.stats.setBelowLimit()
	s.queue.memory.report()
	if cap(s.spare) < size {
		s.spare = s.queue.memory.plain.get(size)
	}
	s.stage = s.spare[:size]
	return true
}

// dropStage gives the stage back, unused.
func (s *Sender) dropStage() {
	if s.recycled != nil {
		s.queue.putRecycled(s.recycled)
	}
	s.queue.memory.bytes.give(s.charged)
	s.recycled, s.stage, s.charged = nil, nil, 0
}

// limitReached counts the message that there was no room for, and returns the error.
func (s *Sender) limitReached() error {
	s.stats.refusedAtLimit()
	taken := s.peerAt.Count.Load()
	return &LimitError{
		Limit: s.limit, Waiting: s.unreleased(taken), After: time.Since(s.began),
		Produced: s.count - s.countBefore, Consumed: taken - min(s.consumedBefore, taken),
	}
}

// Discard drops the open reservation: its memory is used for the next one. With none open it
// does nothing.
func (s *Sender) Discard() {
	s.gate.Enter()
	defer s.gate.Leave()
	if s.gate.Closed() { // Close may be looking at it
		s.deferred.release()
		return
	}
	s.reserved = -1
}

// Commit stages the first n bytes of the reservation as a message. When the Sender is
// closed it does nothing, whatever n is.
//
// Preconditions: a reservation is open and has at least n bytes.
func (s *Sender) Commit(n int) {
	if n < 0 || n > s.reserved {
		s.badCommit(n)
		return
	}
	s.gate.Enter()
	if s.gate.Closed() {
		s.closedError()
		s.gate.Leave()
		return
	}
	// The body of commit: calling it costs a nanosecond of ten.
	s.reserved = -1
	if s.messages == 0 {
		s.first = messageTime{monotonic.Now(), s.due.next}
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
	s.gate.Leave()
}

// badCommit is Commit of what is not reserved: a misuse, except that nobody can have a reservation
// of a Sender that was closed meanwhile.
func (s *Sender) badCommit(n int) {
	s.gate.Enter()
	defer s.gate.Leave()
	if s.gate.Closed() {
		s.closedError()
		return
	}
	panic(fmt.Sprintf("transfer: Commit(%d) with %d bytes reserved", n, max(0, s.reserved)))
}

// commit is Commit within a call.
func (s *Sender) commit(n int) {
	s.reserved = -1
	if s.messages == 0 {
		s.first = messageTime{monotonic.Now(), s.due.next}
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

// Publish queues what is committed, and counts it. With packing, a buffer is sent when it is
// full: whoever has no more to send for now calls Flush. When the Sender is closed it does
// nothing.
func (s *Sender) Publish() {
	if s.packing == 0 {
		s.publishSlow()
	} else if !s.gate.Closed() {
		// Without Enter and a deferred Leave, which cost as much as the rest. If Close
		// comes in between, this stores once more what Close has stored, as nobody
		// commits any more, or it stores to a page that is private by then.
		s.publishCounts()
	}
}

func (s *Sender) publishSlow() {
	s.gate.Enter()
	defer s.gate.Leave()
	if !s.gate.Closed() {
		s.enqueue()
		s.publishCounts()
	}
}

// publish is Publish within a call.
func (s *Sender) publish() {
	if s.packing == 0 {
		s.enqueue()
	}
	s.publishCounts()
}

// publishCounts counts what is committed.
func (s *Sender) publishCounts() {
	s.cursor.Bytes.StoreRelaxed(s.bytes)
	s.cursor.Count.StoreRelease(s.count)
}

// Flush is Publish, of a buffer that is not full as well. While a reservation is
// open it does nothing: the buffer is still being written to.
func (s *Sender) Flush() {
	s.gate.Enter()
	defer s.gate.Leave()
	if !s.gate.Closed() {
		s.flush()
	}
}

// flush is Flush within a call.
func (s *Sender) flush() {
	if s.reserved < 0 {
		s.enqueue()
		s.publishCounts()
	}
}

// enqueue makes a buffer of the stage and queues it. From here on its bytes are the
// receiver's.
func (s *Sender) enqueue() {
	if s.messages == 0 {
		return
	}
	memory := &s.queue.memory
	last := s.first
	if s.messages > 1 {
		// The last one was committed just now, if the buffer is full or the user has flushed it.
		last = messageTime{monotonic.Now(), s.due.last(s.count)}
	}
	b := outBuffer{
		fd: -1, recycled: s.recycled, length: s.used, packed: s.packing > 0,
		messages: s.messages, first: s.first, last: last, start: s.next,
	}
	if s.recycled != nil {
		b.memory = uint64(len(s.recycled.mem))
	} else {
		// What it takes, which may be less than what was reserved.
		b.memory = memory.sizeFor(uint64(s.used))
		b.charged = min(b.memory, s.charged)
		memory.bytes.give(s.charged - b.charged)
		s.charged = 0
	}
	// Before the sendLoop has it: a successor numbers its messages after these, and
	// what the consumer has seen may not have a number of those. And before there is a
	// descriptor, which a fault would lose.
	s.publishCounts()
	s.cursor.Index.StoreRelaxed(b.end().bytes)
	if s.recycled == nil {
		if b.fd = s.sealStage(); b.fd < 0 {
			if b.data = s.stage[:s.used]; pages(uint64(cap(b.data))) <= b.memory {
				s.spare = nil
			} else { // it would take more than it counts for
				b.data = append(make([]byte, 0, s.used), b.data...)
			}
		}
	}
	s.next = b.end()
	s.stage, s.recycled, s.used, s.messages = nil, nil, 0, 0
	s.own.ProgressAt.StoreRelaxed(last.committed)
	memory.report()
	if depth := s.count - s.peerAt.Count.Load(); int64(depth) > int64(s.own.HighWater.LoadRelaxed()) {
		s.own.HighWater.StoreRelaxed(depth)
	}
	s.queue.push(&b)
}

// sealStage moves the stage into a sealed memfd. It is -1 when there can be none now:
// the sendLoop tries again, and reports it if that is for good.
func (s *Sender) sealStage() (fd int) {
	if s.queue.unbacked.Load() > 0 {
		s.queue.backOldest()
		return -1
	}
	if s.queue.memory.recycle {
		return -1
	}
	fd, err := s.queue.memory.seal(s.stage[:s.used])
	if outOfDescriptors(err) { // of any other reason the sendLoop will end
		s.stats.refused(layout.RefuseNoDescriptor)
	}
	return fd
}

// Unread returns how many messages this Sender has sent that the consumer has not released, as
// Close has left them once it is closed: those are lost. Any goroutine may call it while no call
// sends something.
func (s *Sender) Unread() uint64 {
	s.pageMu.Lock()
	defer s.pageMu.Unlock()
	if s.pageGone {
		return s.lost
	}
	return s.unread()
}

// unread is Unread while the page is known to be there.
func (s *Sender) unread() uint64 { return s.unreleased(s.peerAt.Count.Load()) }

// unreleased returns how many of this Sender's messages are beyond number at. Those of an
// earlier one, which the consumer may still have to count as lost, are not its own.
func (s *Sender) unreleased(at uint64) uint64 {
	return s.count - min(max(at, s.countBefore), s.count)
}

// Send copies msg into a buffer and publishes it. It fails as Reserve does.
func (s *Sender) Send(ctx context.Context, msg []byte) error {
	s.gate.Enter()
	defer s.gate.Leave()
	if s.gate.Closed() {
		return s.closedError()
	}
	if s.packing == 0 || !s.fits(len(msg)) {
		return s.send(ctx, msg)
	}
	// What send does when the buffer has room.
	n := uint64(len(msg))
	record := s.stage[s.used : s.used+int(layout.RecordSize(n))]
	if s.messages == 0 {
		s.first = messageTime{monotonic.Now(), s.due.next}
	}
	binary.LittleEndian.PutUint64(record, n)
	copy(record[layout.RecordHeader:], msg)
	s.reserved = -1
	s.used += len(record)
	s.messages++
	s.count++
	s.bytes += n
	s.publishCounts()
	return nil
}

// send is Send within a call.
func (s *Sender) send(ctx context.Context, msg []byte) error {
	room, err := s.reserve(ctx, len(msg))
	if err != nil {
		return err
	}
	s.commit(copy(room, msg))
	s.publish()
	return nil
}

// Published returns how many messages this Sender has sent. It counts them itself: the
// segment need not be readable any more.
func (s *Sender) Published() uint64 { return s.count - s.countBefore }

// SendBatch is Send of each of msgs. It returns how many were accepted before an error; those are
// published. A Close while it is under way ends it with ErrClosed.
func (s *Sender) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	s.gate.Enter()
	defer s.gate.Leave()
	if s.gate.Closed() {
		return 0, s.closedError()
	}
	for i := 0; i < len(msgs); {
		if s.gate.Closed() {
			return i, ErrClosed
		}
		if n := s.pack(msgs[i:]); n > 0 {
			i += n
			continue
		}
		if err := s.send(ctx, msgs[i]); err != nil {
			return i, err
		}
		i++
	}
	return len(msgs), nil
}

// pack is send of the first of msgs, as many as there is room for in a packed buffer that is begun.
// It counts them once, after the last one: a panic on the way, as msgs may be memory that faults,
// leaves none of them.
func (s *Sender) pack(msgs [][]byte) (n int) {
	if s.packing == 0 || s.messages == 0 {
		return 0
	}
	s.reserved = -1
	rest, size := s.stage[s.used:], 0
	for n < len(msgs) && !s.gate.Closed() {
		msg := msgs[n]
		if len(msg) > len(rest)&^7-layout.RecordHeader {
			break
		}
		binary.LittleEndian.PutUint64(rest, uint64(len(msg)))
		if room := rest[layout.RecordHeader:]; len(msg) == 8 { // without a call: 1.6 times as fast
			binary.LittleEndian.PutUint64(room, binary.LittleEndian.Uint64(msg))
		} else {
			copy(room, msg)
		}
		rest = rest[layout.RecordSize(uint64(len(msg))):]
		size += len(msg)
		n++
	}
	s.used = len(s.stage) - len(rest)
	s.messages += uint32(n)
	s.count += uint64(n)
	s.bytes += uint64(size)
	s.publishCounts()
	return n
}
