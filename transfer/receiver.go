package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/gate"
	"sluice/internal/timerfd"
	"sluice/layout"
	"sluice/shm"
)

// Receiver is the consumer's end of a transfer. One goroutine at a time may use it; Close
// may be called from any.
type Receiver struct {
	// Of the user's goroutine, within the gate; Close has it when that is closed. What is used
	// with each message comes first, together.
	gate     gate.Gate // that every call of the user's passes, closed by Close
	current  inBuffer  // that messages are taken from
	at       int       // where in it the next message is
	left     uint32    // messages that were not taken from it
	timed    uint32    // the next one that is timed: how many are left with it, at least 1
	held     int       // messages that were taken and not released
	loads    uint64    // buffers that were made the current one
	buffers  heldBuffers
	progress // own and cursor are this side's

	accept  *acceptor
	conn    atomic.Pointer[recvConn] // nil while no producer is connected; interrupt reads it too
	alarm   timerfd.Alarm            // for the deadline of a wait
	blocked uint64                   // ns

	ends       endpoint.EndWatch
	reported   uint64         // the producer whose end onEnd got; 0 = none
	ended      bool           // the producer has sent the end
	lostBefore uint64         // of lost, those that a Receiver has reported
	wroteOff   bool           // WriteOff was called
	framing    layout.Framing // of the producer of this connection, or of the last one
	connected  bool           // there was one

	// These do not change.
	segment      *shm.Segment
	peer         *layout.RoleStats
	follow       bool
	onEnd        func(error) // nil = nobody wants to know
	deferred     *deferredUnmap
	stopped      chan struct{} // closed with the gate
	closeTimeout time.Duration

	closeMu sync.Mutex // held by Close; guards what follows
	closed  bool       // Close has done its work
	unread  uint64     // when it had

	// Of the user's goroutine, once the Receiver is closed: of held, those that it has released
	// since. Close may still be looking at held.
	heldEnded int
}

// Segment returns the mapped header page.
func (r *Receiver) Segment() *shm.Segment { return r.segment }

// Framing returns how the producer of the last message cut its input into messages,
// FramingNone if it did not say or the Receiver is closed. Before the first message it is
// what the present producer says.
func (r *Receiver) Framing() layout.Framing {
	r.gate.Enter()
	defer r.gate.Leave()
	switch {
	case r.gate.Closed():
		return layout.FramingNone
	case r.connected:
		return r.framing
	}
	return r.peer.LoadFraming()
}

// Next returns the next message: valid until Release, and not to be written to. It
// may be called again before Release to hold several. It begins at an address that is a
// multiple of 8.
//
// When there is none it waits until one comes, ctx is done (its cause is
// returned), or the producer has ended and everything was taken (io.EOF, unless
// Follow is set). ErrCorrupt and ErrVersion are for what the producer may not
// send; what came with it is closed. After an error nothing was taken.
//
// A producer has 1024 recycled buffers at most, and as many others as its descriptors
// allow. A Receiver that holds them all and asks for more waits for ever.
func (r *Receiver) Next(ctx context.Context) ([]byte, error) {
	r.gate.Enter()
	if r.gate.Closed() || r.left <= r.timed || !r.current.packed || r.taken < r.skip || len(r.current.data) < r.at+layout.RecordHeader {
		return r.nextSlow(ctx)
	}
	// The body of unpack.
	rest := r.current.data[r.at:]
	n := binary.LittleEndian.Uint64(rest)
	if n > uint64(len(rest)-layout.RecordHeader) {
		return r.nextSlow(ctx)
	}
	msg := rest[layout.RecordHeader : layout.RecordHeader+n : layout.RecordHeader+n]
	r.at += int(min(layout.RecordSize(n), uint64(len(rest))))
	r.left--
	r.taken++
	r.held++
	r.payload += n
	r.gate.Leave()
	return msg, nil
}

func (r *Receiver) nextSlow(ctx context.Context) ([]byte, error) {
	defer r.gate.Leave()
	msg, err := r.next(ctx)
	return msg, r.callError(ctx, err)
}

// callError is endpoint.CallError.
func (r *Receiver) callError(ctx context.Context, err error) error {
	if err == nil {
		return nil // inlined into calls that succeed
	}
	return endpoint.CallError(ctx, endpoint.OpReceive, r.segment, err)
}

// next is Next within a call.
func (r *Receiver) next(ctx context.Context) ([]byte, error) {
	for {
		if r.gate.Closed() {
			return nil, ErrClosed
		}
		for r.left > 0 {
			msg, err := r.unpack()
			if err != nil {
				r.left = 0
				r.disconnect() // what came with it is closed
				return nil, err
			}
			if r.taken < r.skip {
				r.taken++
				r.current.first = r.at
				continue
			}
			r.take(msg)
			if r.left < r.timed {
				r.timed = r.times.take(r.taken, r.left)
			}
			return msg, nil
		}
		if err := r.load(ctx); err != nil {
			return nil, err
		}
	}
}

// take counts a message that the caller gets.
func (r *Receiver) take(msg []byte) {
	r.taken++
	r.held++
	r.payload += uint64(len(msg))
}

// TryNext is Next that never waits: ErrEmpty when there is no message now, or
// io.EOF when there will be none.
func (r *Receiver) TryNext() ([]byte, error) {
	msg, err := r.Next(noWait)
	if err == errNoWait {
		err = ErrEmpty
	}
	return msg, err
}

// Take releases every message taken so far and returns the next one: Release and Next
// in one call, for a loop that needs a message only until it asks for the one after it.
// Before it waits everything is released.
func (r *Receiver) Take(ctx context.Context) ([]byte, error) {
	if r.held > 0 {
		r.Release()
	}
	return r.Next(ctx)
}

// NextBatch takes the messages that are there, without copying them: up to len(msgs), and no more
// once they have most bytes, but always one. It puts them into msgs and returns how many. Without a
// message it waits for one, as Next does; with no msgs it does nothing. An error is that of Next
// for the message after those n.
func (r *Receiver) NextBatch(ctx context.Context, msgs [][]byte, most int) (n int, err error) {
	for n < len(msgs) && (n == 0 || most > 0 && r.Buffered()) {
		if msgs[n], err = r.Next(ctx); err != nil {
			return n, err
		}
		most -= len(msgs[n])
		n++
	}
	return n, nil
}

// Messages ranges over messages without copying them, releasing each after the body of
// the loop has run. It ends without an error at io.EOF; any other error is the last pair.
func (r *Receiver) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			msg, err := r.Next(ctx)
			if err == io.EOF {
				return
			}
			if !yield(msg, err) || err != nil {
				return // a message whose body broke off stays unreleased
			}
			r.Release()
		}
	}
}

// noWait is the context of a Next that does not wait: one that is done.
var (
	errNoWait = errors.New("no message now")
	noWait    = func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errNoWait)
		return ctx
	}()
)

// unpack takes the next message out of the current buffer.
func (r *Receiver) unpack() ([]byte, error) {
	msg := r.current.data[:len(r.current.data):len(r.current.data)]
	if r.current.packed {
		rest := r.current.data[r.at:]
		if len(rest) < layout.RecordHeader {
			return nil, r.badRecord(0)
		}
		n := binary.LittleEndian.Uint64(rest) // read once; a recycled buffer may change
		if n > uint64(len(rest)-layout.RecordHeader) {
			return nil, r.badRecord(n)
		}
		msg = rest[layout.RecordHeader : layout.RecordHeader+n : layout.RecordHeader+n]
		r.at += int(min(layout.RecordSize(n), uint64(len(rest))))
	}
	r.left--
	return msg, nil
}

func (r *Receiver) badRecord(n uint64) error {
	return fmt.Errorf("%w: message %d has %d bytes by its record, and its buffer %d left", ErrCorrupt, r.taken, n, len(r.current.data)-r.at)
}

// Buffered reports whether Next would return at once, without looking at the
// socket.
func (r *Receiver) Buffered() bool {
	r.gate.Enter()
	some := !r.gate.Closed() && (r.left > 0 || r.pending())
	r.gate.Leave()
	return some
}

func (r *Receiver) pending() bool {
	conn := r.conn.Load()
	return conn != nil && conn.pending()
}

// Release releases every message taken so far: their slices are invalid from here
// on, their memory is free, and they are not delivered again. With nothing taken it
// does nothing. When the Receiver is closed, it only ends the slices.
func (r *Receiver) Release() {
	r.gate.Enter()
	defer r.gate.Leave()
	if r.gate.Closed() {
		r.heldEnded = r.held
		r.deferred.release()
		return
	}
	r.release()
}

// Held returns how many messages were taken and not released. Those that Close finds count until
// Release, which then only ends their slices.
func (r *Receiver) Held() int { return r.held - r.heldEnded }

// ReleaseN releases the oldest n of the messages that are held, as Release does all of them.
// The slices of the others stay valid. It is for a pipeline stage that is done with messages in
// the order in which it has taken them, and holds several. The memory of a packed buffer is free
// when all its messages are released. When the Receiver is closed it takes any n, and only ends
// slices.
//
// Preconditions: n is from 0 to Held.
func (r *Receiver) ReleaseN(n int) {
	held := r.Held()
	if n < 0 || n > held {
		if r.gate.Closed() {
			return
		}
		panic(fmt.Sprintf("transfer: ReleaseN(%d) with %d messages held", n, held))
	}
	if n == held {
		r.Release()
		return
	}
	r.gate.Enter()
	defer r.gate.Leave()
	if r.gate.Closed() {
		r.heldEnded += n
		return
	}
	r.releaseOldest(n)
}

// releaseOldest is ReleaseN within a call, for less than all.
func (r *Receiver) releaseOldest(n int) {
	r.held -= n
	to := r.released
	for n > 0 && !r.buffers.empty() {
		b := r.buffers.oldest()
		if b.messages > n {
			to.payload += b.skipRecords(n)
			b.messages -= n
			r.buffers.messages -= n
			to.position = position{b.end.buffers - 1, b.taken - uint64(b.messages), b.end.bytes - b.weight}
			to.lost = b.lost
			n = 0
			break
		}
		n -= b.messages
		to = b.after()
		r.buffers.pop()
	}
	if n > 0 { // of the current one
		b := &r.current
		to.payload += b.skipRecords(n)
		to.position = position{b.end.buffers - 1, r.taken - uint64(r.held), b.end.bytes - b.weight}
		to.lost = r.lost
	}
	r.unmapReleased()
	r.buffers.closeFiles()
	r.publish(to)
	r.publishTimes()
}

// release is Release within a call.
func (r *Receiver) release() {
	at, messages := r.seen, r.taken
	r.held = 0
	if last, ok := r.buffers.last(); ok { // seen is behind it when a new connection starts again before it
		at.buffers, messages, at.bytes = max(at.buffers, last.buffers), max(messages, last.messages), max(at.bytes, last.bytes)
	}
	r.buffers.clear()
	if r.left > 0 { // it is still being taken from
		at.buffers--
		at.bytes -= r.current.weight
		r.current.first = r.at
	} else {
		r.buffers.free(&r.current)
	}
	r.unmapReleased()
	r.buffers.closeFiles()
	at.messages = messages
	r.publish(r.markAt(at))
	r.publishTimes()
}

// unmapReleased unmaps what no held message can be in.
func (r *Receiver) unmapReleased() error {
	switch {
	case r.held == 0:
		return r.buffers.unmapBefore(r.loads + 1)
	case r.buffers.empty():
		return r.buffers.unmapBefore(r.loads)
	}
	return r.buffers.unmapBefore(r.buffers.oldest().load)
}

// Released returns how many messages this Receiver has released. It counts them itself: the
// segment need not be readable any more.
func (r *Receiver) Released() uint64 {
	return r.releasedHere()
}

// Unread returns how many published messages are not released, as Close has left them once this
// Receiver is closed.
func (r *Receiver) Unread() uint64 {
	r.gate.Enter()
	if !r.gate.Closed() {
		defer r.gate.Leave()
		return r.countUnread()
	}
	r.gate.Leave() // Close waits for that
	r.closeMu.Lock()
	defer r.closeMu.Unlock()
	return r.unread
}

// countUnread is Unread while the page is known to be there. The producer's count may be
// anything.
func (r *Receiver) countUnread() uint64 {
	return uint64(max(0, int64(r.produced().messages-r.released.messages)))
}

// Receive appends the next message to buf[:0], releases it and returns the result,
// which is the caller's own. It waits and fails as Next does.
func (r *Receiver) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	r.gate.Enter()
	defer r.gate.Leave()
	msg, err := r.next(ctx)
	if err != nil {
		return nil, r.callError(ctx, err)
	}
	buf = append(buf[:0], msg...)
	r.release()
	return buf, nil
}

// WriteOff counts as lost what a producer that was killed had published and this
// Receiver has not released, and returns how many messages that are: when this one
// takes no more, nobody can. It does nothing while a producer lives, who has them
// all. Close does it too; call it to know before. After that Close counts nothing more:
// what is lost with a producer that is killed in between, the next Receiver counts.
func (r *Receiver) WriteOff() (lost uint64) {
	r.gate.Enter()
	defer r.gate.Leave()
	if r.gate.Closed() {
		return 0
	}
	r.wroteOff = true
	return r.writeOff()
}

// writeOff is WriteOff within a call.
func (r *Receiver) writeOff() (lost uint64) {
	at := r.produced()
	// Looked at last: what a living one publishes is not counted.
	if !r.segment.Absent(layout.Producer) {
		return 0
	}
	return r.loseUpTo(at)
}

// writeOffDead is writeOff for a Receiver that goes on, once nothing of a producer that was
// killed can come any more: no connection is left, and none is on its way.
func (r *Receiver) writeOffDead() {
	// The holder before what it has published, and again after it: a successor counts itself
	// before it publishes. The one that is gone connects no more, so the answer stays true.
	holder := r.peer.Generation.Load()
	at := r.produced()
	if r.held > 0 || at.messages <= r.released.messages || !r.segment.Absent(layout.Producer) {
		return
	}
	if r.accept.allCame(holder) && r.peer.Generation.Load() == holder {
		r.loseUpTo(at)
	}
}

// produced is how far the producers have got by their own account.
func (r *Receiver) produced() position {
	had := &r.segment.Header().Producer
	return position{r.released.buffers, had.Count.Load(), had.Index.Load()}
}
