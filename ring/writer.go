package ring

import (
	"cmp"
	"context"
	"fmt"

	"sluice/internal/endpoint"
	"sluice/layout"
)

// Policy says what a Writer does when the ring is full.
type Policy = layout.Policy

// The policies.
const (
	Block = layout.PolicyBlock // wait until there is room
	Drop  = layout.PolicyDrop  // give up the newest message: ErrDropped, and count it
	Fail  = layout.PolicyFail  // give up: ErrFull, counted as refused; a second try counts again

	// Disconnect ends the stream: the Reader gets ErrIncomplete when it has taken what is there.
	// Messages are given up (ErrDropped, and counted) until a Reader waits for the next stream: one
	// that has joined since, or one that follows. Then the stream goes on with the present message.
	Disconnect = layout.PolicyDisconnect
)

// Writer is the producer's end of a ring. One goroutine at a time may use it; Close may
// be called from any.
type Writer struct {
	tail   uint64 // where the next record goes: end of what is staged
	staged uint64 // messages staged and published since creation
	bytes  uint64 // payload bytes of those

	// stop is how far tail may move in the fast path (setStop). It is 0 from Close on,
	// whoever calls it.
	stop     layout.Uint64
	reserved int // payload bytes reserved, -1 when nothing is
	recordMemory

	writerSide

	limit     uint64 // the Reader's index, as last seen, plus capacity
	slotLimit uint64 // the Reader's count, as last seen, plus slots

	prefetched uint64 // up to where lines were asked for: at tail, the next ones are
	need       uint64 // bytes that Reserve wants free

	// full is the last look at the Reader that found no room for need bytes at tail. need is 0 if
	// there was none.
	full struct{ tail, need uint64 }
}

// NewWriter takes the producer role in any memory with a valid header. The
// caller makes sure that there is only one. WriterOptions.Capacity and Slots are
// ignored: the geometry is mem's. Errors: ErrOption, and ErrCorrupt for cursors that make no
// sense.
func NewWriter(mem Memory, opt WriterOptions) (*Writer, error) {
	if err := cmp.Or(opt.check(), checkRecords(mem.Geometry)); err != nil {
		return nil, err
	}
	w := &Writer{
		recordMemory: newRecordMemory(mem),
		writerSide:   newWriterSide(mem, opt),
		reserved:     -1,
	}
	pos, err := w.begin(opt)
	if err != nil {
		return nil, err
	}
	w.tail, w.staged, w.bytes = pos.Index, pos.Count, pos.Bytes
	if _, err := w.refresh(); err != nil {
		return nil, err
	}
	return w, nil
}

// MaxMessage returns the largest message the ring takes, in bytes.
func (w *Writer) MaxMessage() int { return int(layout.MaxMessage(w.mem.Geometry.Capacity)) }

// Published returns how many messages this Writer has published. It counts them itself: the
// segment need not be readable any more.
func (w *Writer) Published() uint64 { return w.count - w.startCount }

// Reserve returns room for a message of n bytes, to be filled by the caller.
// It is ring memory, valid until Commit; nobody else sees it before Publish.
// It begins at an address that is a multiple of 8. Its old content is
// unspecified. At most one reservation is open at a time; reserving again
// without Commit drops the first.
//
// When the ring is full it publishes what is staged and does what the policy says: Block waits
// until there is room, ctx is done (its cause is returned) or the segment is found to be corrupt
// (ErrCorrupt); Drop returns ErrDropped and Fail ErrFull, after WriterOptions.BlockTimeout, and
// each counts a message that was given up, in the header's Dropped or RefusedMessages. A message
// that can never fit is ErrTooLarge. After an error nothing is reserved. It panics when n is
// negative.
func (w *Writer) Reserve(ctx context.Context, n int) ([]byte, error) {
	w.gate.Enter()
	if w.tail+layout.RecordSize(uint64(n)) > w.stop.Load() || n < 0 {
		buf, err := w.reserveSlow(ctx, n)
		return buf, w.endCall(err)
	}
	w.reserved = n
	w.gate.Leave()
	return w.payload(w.tail, n), nil
}

// TryReserve is Reserve that never waits and gives up no message: ErrFull, which counts
// nothing, when there is no room now.
func (w *Writer) TryReserve(n int) ([]byte, error) {
	w.gate.Enter()
	fits, err := w.canReserve(n)
	if err != nil {
		return nil, w.endCall(w.callError(context.Background(), endpoint.OpSend, err))
	}
	if !fits {
		return nil, w.endCall(ErrFull)
	}
	buf := w.take(n)
	return buf, w.endCall(nil)
}

// endCall ends a call that returns err.
func (w *Writer) endCall(err error) error {
	w.gate.Leave()
	if err == ErrClosed {
		w.stop.Store(0)               // Close is about to do that; until then Reserve would succeed
		w.closeState.slicesReleased() // the caller has no reservation and gets no other
	}
	return err
}

// Commit stages the first n bytes of the reservation as a message. It is not
// visible yet, and n may be less than what was reserved. When the Writer is closed it does
// nothing, whatever n is.
//
// Preconditions: a reservation is open and has at least n bytes.
func (w *Writer) Commit(n int) {
	if n < 0 || n > w.reserved {
		w.badCommit(n)
		return
	}
	w.gate.Enter()
	if w.gate.Closed() {
		w.endCall(ErrClosed)
		return
	}
	// The body of commit, which the compiler does not inline: no second call for every message.
	if w.sampler.due(w.staged) {
		w.stageSample(w.staged, w.tail)
		w.setStop()
	}
	*w.header(w.tail) = uint64(n)
	w.tail += layout.RecordSize(uint64(n))
	w.staged++
	w.bytes += uint64(n)
	w.reserved = -1
	w.gate.Leave()
}

// badCommit is Commit of what is not reserved: a misuse, except that nobody can have a reservation
// of a Writer that was closed meanwhile.
func (w *Writer) badCommit(n int) {
	w.gate.Enter()
	if w.gate.Closed() {
		w.endCall(ErrClosed)
		return
	}
	w.gate.Leave()
	panic(fmt.Sprintf("ring: Commit(%d) with %d bytes reserved", n, max(0, w.reserved)))
}

// commit is Commit within another call. Its body is in Commit once more: see there.
func (w *Writer) commit(n int) {
	if w.sampler.due(w.staged) {
		w.stageSample(w.staged, w.tail)
		w.setStop()
	}
	*w.header(w.tail) = uint64(n)
	w.tail += layout.RecordSize(uint64(n))
	w.staged++
	w.bytes += uint64(n)
	w.reserved = -1
}

// Discard drops the open reservation: nothing of it is sent. Without one it does nothing.
func (w *Writer) Discard() {
	w.gate.Enter()
	w.reserved = -1
	w.endCall(nil)
}

// Publish makes all staged messages visible to the Reader and wakes it if it
// sleeps. With nothing staged it does nothing.
func (w *Writer) Publish() {
	w.gate.Enter()
	if !w.gate.Closed() && w.tail != w.index {
		// The body of publish, which the compiler does not inline either.
		if w.samples.Staged() {
			w.publishSamples()
		}
		endpoint.Publish(w.ownCursor, w.count, w.tail, w.staged, w.bytes, w.sleeper.FullFence())
		w.index, w.count = w.tail, w.staged
		if w.sleeper.PeerSleeps() {
			w.wakeReader()
		}
	}
	w.gate.Leave()
}

// Flush is Publish: a ring holds nothing back that was published.
func (w *Writer) Flush() { w.Publish() }

// publish is Publish with something staged, and while the Writer is not closed. Its body is in
// Publish once more: see there.
func (w *Writer) publish() {
	if w.samples.Staged() {
		w.publishSamples()
	}
	endpoint.Publish(w.ownCursor, w.count, w.tail, w.staged, w.bytes, w.sleeper.FullFence())
	w.index, w.count = w.tail, w.staged
	if w.sleeper.PeerSleeps() {
		w.wakeReader()
	}
}

// Send copies msg into the ring and publishes it, with whatever was staged
// before. It waits and fails as Reserve does; on failure msg was not sent.
func (w *Writer) Send(ctx context.Context, msg []byte) error {
	n := uint64(len(msg))
	size := layout.RecordSize(n)
	w.gate.Enter()
	tail := w.tail
	if tail+size > w.stop.Load() || w.index != tail {
		return w.endCall(w.sendSlow(ctx, msg))
	}
	w.copyTo(tail, msg)
	tail += size
	before := w.staged
	staged := before + 1
	bytes := w.bytes + n
	w.bytes = bytes
	w.tail, w.staged = tail, staged
	w.index, w.count = tail, staged
	w.reserved = -1 // else Commit would take room that is not checked
	endpoint.Publish(w.ownCursor, before, tail, staged, bytes, w.sleeper.FullFence())
	if w.sleeper.PeerSleeps() {
		w.wakeReader()
	}
	w.gate.Leave()
	return nil
}

// SendBatch copies all msgs into the ring and publishes them together, or
// earlier in parts when they do not fit at once. It returns how many were
// accepted before an error; those are published.
func (w *Writer) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	w.gate.Enter()
	n, err := w.stageAll(ctx, msgs)
	switch {
	case w.gate.Closed():
		err = ErrClosed // Close publishes what is staged, once this call is over
	case w.tail != w.index:
		w.publish()
	}
	return n, w.endCall(err)
}

func (w *Writer) stageAll(ctx context.Context, msgs [][]byte) (int, error) {
	for done := 0; ; done++ {
		if done += w.stageRow(msgs[done:]); done == len(msgs) {
			return done, nil
		}
		buf, err := w.reserveSlow(ctx, len(msgs[done]))
		if err != nil {
			return done, err
		}
		copy(buf, msgs[done])
		w.commit(len(msgs[done]))
	}
}

// stageRow stages messages as long as the fast path can, and returns how many.
func (w *Writer) stageRow(msgs [][]byte) (done int) {
	tail, stop, bytes := w.tail, w.stop.Load(), w.bytes
	for done < len(msgs) {
		msg := msgs[done]
		n := uint64(len(msg))
		end := tail + layout.RecordSize(n)
		if end > stop {
			break
		}
		w.copyTo(tail, msg)
		tail = end
		bytes += n
		done++
	}
	if done > 0 {
		w.tail, w.bytes = tail, bytes
		w.staged += uint64(done)
		w.reserved = -1
	}
	return done
}
