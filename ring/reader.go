package ring

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// Reader is the consumer's end of a ring. One goroutine at a time may use it; Close may
// be called from any.
type Reader struct {
	head  uint64 // where the next record is: end of what was taken
	taken uint64 // messages taken since creation
	bytes uint64 // payload bytes of those

	// avail is how far head may move in the fast path: to the next sample, and to seen at most.
	// It is 0 from Close on, whoever calls it: then head has reached it, and the next call takes
	// the slow path.
	avail layout.Uint64
	recordMemory

	readerSide

	// seen is the Writer's index, as last seen. Close loads it too.
	seen layout.Uint64

	ended uint64 // of the messages that Close found held, those that were released after it
}

// NewReader takes the consumer role in any memory with a valid header. The
// caller makes sure that there is only one. Errors: ErrOption, and ErrCorrupt for cursors that
// make no sense.
func NewReader(mem Memory, opt ReaderOptions) (*Reader, error) {
	if err := cmp.Or(opt.check(), checkRecords(mem.Geometry)); err != nil {
		return nil, err
	}
	r := &Reader{
		recordMemory: newRecordMemory(mem),
		readerSide:   newReaderSide(mem, opt),
	}
	pos, err := r.begin(opt)
	if err != nil {
		return nil, err
	}
	r.head, r.taken, r.bytes = pos.Index, pos.Count, pos.Bytes
	r.seen.Store(r.head)
	r.avail.Store(r.head)
	if _, err := r.refresh(); err != nil {
		return nil, err
	}
	return r, nil
}

// Next returns the next message without copying it. The slice is ring memory:
// it is valid until Release, must not be written to, and the Writer gets the room back
// only then. It begins at an address that is a multiple of 8. Next may be called again
// before Release to hold several.
//
// When the ring is empty it waits until there is a message, ctx is done (its
// cause is returned), the producer has closed and everything was taken
// (io.EOF, unless Follow is set), the caller holds so much that the Writer
// cannot go on (ErrUnreleased), or the segment is found to be corrupt (ErrCorrupt). After
// an error nothing was taken.
func (r *Reader) Next(ctx context.Context) ([]byte, error) {
	r.gate.Enter()
	head, avail := r.head, r.avail.Load()
	if head >= avail {
		return r.nextSlow(ctx)
	}
	n := *r.header(head) // read once; the peer may change it
	if n > avail-head-layout.RecordHeader {
		return r.takeNext()
	}
	r.head = head + layout.RecordSize(n)
	r.taken++
	r.bytes += n
	r.gate.Leave()
	return r.payload(head, int(n)), nil
}

// nextSlow is Next when avail is reached.
func (r *Reader) nextSlow(ctx context.Context) ([]byte, error) {
	var err error
	if r.head == r.seen.LoadRelaxed() {
		err = r.wait(ctx)
	} else {
		err = r.beginSlow()
	}
	if err != nil {
		return nil, r.endCall(r.callError(ctx, err))
	}
	return r.takeNext()
}

// takeNext takes the next of the messages that refresh has seen, whatever avail says, and sets
// avail. If it is a sample, that is right behind it: the next call counts the sample, if it was
// released until then. So Release has nothing to do with samples.
func (r *Reader) takeNext() ([]byte, error) {
	head, seen := r.head, r.seen.LoadRelaxed()
	n := *r.header(head) // read once; the peer may change it
	left := seen - head
	if n > left-layout.RecordHeader {
		r.gate.Leave()
		err := fmt.Errorf("%w: record at index %d has header %#x with %d bytes published", ErrCorrupt, head, n, left)
		return nil, r.callError(context.Background(), err)
	}
	size := layout.RecordSize(n)
	next := r.samples.Next(r.head, seen)
	if next == r.head {
		now := monotonic.Now()
		r.samples.Take(now)
		r.ownStats.ProgressAt.StoreRelaxed(now)
		next += size
	}
	r.head += size
	r.taken++
	r.bytes += n
	r.avail.Store(next) // a full fence
	if r.gate.Closed() {
		r.avail.Store(0) // as Close has done, maybe before
	}
	r.gate.Leave()
	return r.payload(head, int(n)), nil
}

// endCall ends a call that took nothing and returns err.
func (r *Reader) endCall(err error) error {
	r.gate.Leave()
	if err == ErrClosed && r.head == r.index {
		r.avail.Store(0)              // Close is about to do that; until then Next would succeed
		r.closeState.slicesReleased() // the caller holds nothing and gets nothing more
	}
	return err
}

// TryNext is Next that never waits: ErrEmpty when there is no message now, or
// io.EOF when there will be none. That the segment was removed and has no producer (ErrRemoved) is
// found out only by a Reader that waits, in Next or with Ready.
func (r *Reader) TryNext() ([]byte, error) {
	r.gate.Enter()
	if avail := r.avail.Load(); r.head < avail {
		return r.takeFast(avail)
	}
	ok, err := true, error(nil)
	if r.head == r.seen.LoadRelaxed() {
		ok, err = r.ready()
	} else {
		err = r.beginSlow()
	}
	if err != nil {
		return nil, r.endCall(r.callError(context.Background(), err))
	}
	if !ok {
		return nil, r.endCall(r.callError(context.Background(), r.foundNothing()))
	}
	return r.takeNext()
}

// takeFast takes the next message, which lies before avail. Its body is in Next and Take as well,
// which the compiler does not inline either.
func (r *Reader) takeFast(avail uint64) ([]byte, error) {
	head := r.head
	n := *r.header(head) // read once; the peer may change it
	if n > avail-head-layout.RecordHeader {
		return r.takeNext()
	}
	r.head = head + layout.RecordSize(n)
	r.taken++
	r.bytes += n
	r.gate.Leave()
	return r.payload(head, int(n)), nil
}

// NextBatch takes the messages that are there, without copying them: up to len(msgs), and no more
// once they have most bytes, but always one. It puts them into msgs and returns how many. Without a
// message it waits for one, as Next does; with no msgs it does nothing. An error is that of Next
// for the message after those n. For small messages NextBatch is much faster than Next.
func (r *Reader) NextBatch(ctx context.Context, msgs [][]byte, most int) (n int, err error) {
	for n < len(msgs) && (n == 0 || most > 0 && r.Buffered()) {
		taken, bytes := r.takeRow(msgs[n:], most)
		if taken == 0 {
			if msgs[n], err = r.Next(ctx); err != nil {
				return n, err
			}
			taken, bytes = 1, len(msgs[n])
		}
		n, most = n+taken, most-bytes
	}
	return n, nil
}

// takeRow takes messages into msgs as long as the fast path can, and no more once they have most
// bytes. It returns how many, and their bytes.
func (r *Reader) takeRow(msgs [][]byte, most int) (taken, bytes int) {
	r.gate.Enter()
	head, avail := r.head, r.avail.Load()
	for taken < len(msgs) && bytes < most && head < avail {
		n := *r.header(head) // read once; the peer may change it
		if n > avail-head-layout.RecordHeader {
			break
		}
		msgs[taken] = r.payload(head, int(n))
		head += layout.RecordSize(n)
		bytes += int(n)
		taken++
	}
	r.head = head
	r.taken += uint64(taken)
	r.bytes += uint64(bytes)
	r.gate.Leave()
	return taken, bytes
}

// Buffered reports whether Next would return at once, without looking at the
// Writer. A batch is: Next until Buffered says no, then one Release.
func (r *Reader) Buffered() bool { return r.head != r.seen.LoadRelaxed() && !r.gate.Closed() }

// Take releases every message taken so far and returns the next one: Release
// and Next in one call, for a loop that needs a message only until it asks for
// the next one.
func (r *Reader) Take(ctx context.Context) ([]byte, error) {
	// The bodies of Release and Next: a call would cost a nanosecond each.
	r.gate.Enter()
	avail := r.avail.Load()
	if r.head != r.index {
		if avail == 0 {
			return r.takeClosed(ctx)
		}
		endpoint.Publish(r.ownCursor, r.count, r.head, r.taken, r.bytes, r.sleeper.FullFence())
		r.index, r.count = r.head, r.taken
		if r.sleeper.PeerSleeps() {
			r.wake()
		}
	}
	head := r.head
	if head >= avail {
		return r.nextSlow(ctx)
	}
	n := *r.header(head) // read once; the peer may change it
	if n > avail-head-layout.RecordHeader {
		return r.takeNext()
	}
	r.head = head + layout.RecordSize(n)
	r.taken++
	r.bytes += n
	r.gate.Leave()
	return r.payload(head, int(n)), nil
}

// takeClosed is Take of a Reader that is closed, or whose segment was found to be corrupt.
func (r *Reader) takeClosed(ctx context.Context) ([]byte, error) {
	r.gate.Leave()
	r.Release() // which finds that the Reader is closed
	return nil, r.callError(ctx, cmp.Or(r.corrupt, ErrClosed))
}

// Release gives the room of every message taken so far back to the Writer and
// wakes it if it waits for that. Their slices are invalid from here on.
// With nothing taken it does nothing.
func (r *Reader) Release() {
	r.gate.Enter()
	if r.gate.Closed() { // what is held stays for the next Reader
		r.gate.Leave()
		r.avail.Store(0)
		r.ended = r.taken - r.count
		r.closeState.slicesReleased()
		return
	}
	if r.head != r.index {
		endpoint.Publish(r.ownCursor, r.count, r.head, r.taken, r.bytes, r.sleeper.FullFence())
		r.index, r.count = r.head, r.taken
		if r.sleeper.PeerSleeps() {
			r.wake()
		}
	}
	r.gate.Leave()
}

// Held returns how many messages were taken and not released. Those that Close finds count until
// Release, which then only ends their slices.
func (r *Reader) Held() int { return int(r.taken - r.count - r.ended) }

// ReleaseN releases the oldest n of the messages that are held, as Release does all of them.
// The slices of the others stay valid. It is for a pipeline stage that is done with messages in
// the order in which it has taken them, and holds several. When the Reader is closed it takes
// any n, and only ends slices.
//
// Preconditions: n is from 0 to Held.
func (r *Reader) ReleaseN(n int) {
	held := r.Held()
	if n < 0 || n > held {
		if r.gate.Closed() {
			return
		}
		panic(fmt.Sprintf("ring: ReleaseN(%d) with %d messages held", n, held))
	}
	if n == held {
		r.Release()
		return
	}
	r.gate.Enter()
	defer r.gate.Leave()
	if r.gate.Closed() { // what is held stays for the next Reader
		r.ended += uint64(n)
		return
	}
	if n == 0 {
		return
	}
	index, bytes := r.index, r.ownCursor.Bytes.LoadRelaxed()
	for range n {
		size, payload := r.recordAt(index)
		if size > r.head-index { // the peer has written over what this Reader holds
			r.corrupt = fmt.Errorf("%w: record at index %d has changed while it was held", ErrCorrupt, index)
			r.avail.Store(0) // the next call finds that out
			return
		}
		index += size
		bytes += payload
	}
	endpoint.Publish(r.ownCursor, r.count, index, r.count+uint64(n), bytes, r.sleeper.FullFence())
	r.index, r.count = index, r.count+uint64(n)
	if r.sleeper.PeerSleeps() {
		r.wake()
	}
}

// recordAt returns the size of the record at an index, and the length of its payload. Nobody
// but a hostile peer has changed it since it was taken; then size may be any number.
func (r *Reader) recordAt(index uint64) (size, payload uint64) {
	word := *r.header(index)
	return layout.RecordSize(min(word, layout.MaxCapacity)), word
}

// Released returns how many messages this Reader has released. It counts them itself: the
// segment need not be readable any more.
func (r *Reader) Released() uint64 { return r.count - r.startCount }

// Receive appends the next message to buf[:0], releases it and returns the
// result, which is the caller's own. It waits and fails as Next does.
func (r *Reader) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	msg, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	buf = append(buf[:0], msg...)
	r.Release()
	return buf, nil
}

// Messages ranges over messages without copying them, releasing each after the
// body of the loop has run. It ends without an error at io.EOF; any other error,
// ErrIncomplete included, is the last pair.
func (r *Reader) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return messages(ctx, r.Next, r.Release)
}

func (r *Reader) wait(ctx context.Context) error {
	return r.waitFor(ctx, nextMessage{r})
}

// refresh looks at the Writer and reports whether there is a message.
func (r *Reader) refresh() (bool, error) {
	index := r.peerCursor.Index.Load()
	if index == r.head {
		return false, nil
	}
	// Measured from what was released: what is published and what is held
	// share the ring.
	ahead := index - r.index
	if ahead > r.mem.Geometry.Capacity || ahead%8 != 0 || ahead < r.head-r.index {
		return false, fmt.Errorf("%w: write index %d with read index %d in a ring of %d bytes", ErrCorrupt, index, r.index, r.mem.Geometry.Capacity)
	}
	r.seen.StoreRelaxed(index)
	r.samples.Refresh()
	return true, nil
}

// beginSlow counts the samples that were released. An error says why nothing can be taken any more.
func (r *Reader) beginSlow() error {
	if r.gate.Closed() {
		return ErrClosed
	}
	r.samples.Count(r.index)
	r.sleeper.Streams(r.count)
	return r.corrupt
}

// ready looks for a message, or the end of the stream.
func (r *Reader) ready() (bool, error) {
	if err := r.beginSlow(); err != nil {
		return false, err
	}
	ok, err := r.refresh()
	if err == nil {
		r.tellMissed(!ok)
	}
	if ok || err != nil {
		return ok, err
	}
	return r.end(r.refresh, r.head == r.index)
}

// nextMessage is the condition of a Reader that waits for the next message.
type nextMessage struct{ r *Reader }

func (c nextMessage) Ready() (bool, error) { return c.r.ready() }
func (c nextMessage) ahead() bool          { return c.r.peerCursor.Index.Load() != c.r.head }
func (c nextMessage) arrived() uint64      { return c.r.seen.LoadRelaxed() - c.r.head }
func (c nextMessage) common() *readerSide  { return &c.r.readerSide }
func (c nextMessage) Over() func() bool    { return c.r.over() }

func (r *Reader) member() member { return nextMessage{r} }

// WakeAt asks for any message: the smallest is a header.
func (c nextMessage) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return c.r.head + layout.RecordHeader, c.r.taken - layout.MaxCapacity, 0
}

// Deadlocked returns ErrUnreleased if everything published was taken and the Writer wants more
// bytes or slots than were released: it waits for the caller, and the caller for it.
func (c nextMessage) Deadlocked() error {
	if r := c.r; r.head != r.index && r.sleeper.PeerWaitsFor(r.index, r.count) {
		return fmt.Errorf("%w: %s", ErrUnreleased, format.Messages(r.taken-r.count))
	}
	return nil
}
