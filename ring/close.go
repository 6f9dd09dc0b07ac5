package ring

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/monotonic"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// Close may be called from another goroutine than the one that uses the end, at any instruction
// of that one. It guarantees: the next call of the user fails, and one that waits returns;
// nothing faults; the next holder of the role finds what the user had published and nothing that
// it stores later.
//
// First Close closes the gate that every call passes (gate.Gate), and sets the bound that every
// call checks (Writer.stop, Reader.avail) to 0, so that the next call takes the slow path, where
// it finds the gate closed. Then it waits for the call that is under way: some nanoseconds for
// one that works, until it is awake for one that sleeps.
//
// Then no call is under way, and Close may do what the user may: publish what is staged, release
// the role, unmap. But between two calls the user may work on a slice of ring memory: a
// reservation that is not committed, messages that are not released. Then the memory is made
// private before the role is released (shm.Segment.Detach), and unmapped only when a later call
// of the user shows that it has no slice any more, or when the end is garbage-collected.
//
// If a call does not return within gate.CloseTimeout, for example because its thread gets no
// processor, Close treats the user as killed: it makes the memory private while the user stores
// to it, so that those stores reach the file up to some point and then no more, and repairs what
// is there as after a kill (endpoint.Recover).

// maxKept is how many bytes of slices in use Close copies at most, so that they keep their
// content: 16 MiB of messages, which addRecords may count twice.
const maxKept = 32 << 20

// closeState is the state of an end that is being closed or is closed.
type closeState struct {
	closeLock sync.Mutex // held by Close
	unread    uint64     // messages, as Close has left them; guarded by closeLock
	count     uint64     // messages published or released since creation, as Close has left them
	counted   bool       // count is known

	mu       sync.Mutex
	seg      *shm.Segment // that has left and still has private memory
	noSlices bool         // the user has no slice of it any more
}

// slicesReleased says that the user has no slice of the memory any more. Calls that find the gate
// closed call it.
func (e *closeState) slicesReleased() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noSlices = true
	e.unmap()
}

// roleReleased says that the role is released; what is still mapped of seg is private.
func (e *closeState) roleReleased(seg *shm.Segment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seg = seg
	e.unmap()
}

func (e *closeState) unmap() {
	if e.noSlices && e.seg != nil {
		e.seg.Unmap()
		e.seg = nil
	}
}

// shutDown ends the calls of the user, and reports whether none is under way any more. bound is
// what calls check.
func (s *side) shutDown(bound *layout.Uint64, seg *shm.Segment) (idle bool) {
	s.gate.Close()
	bound.Store(0)
	s.sleeper.Interrupt()
	timeout := s.closeTimeout
	if seg != nil && errors.Is(seg.Check(), ErrTruncated) {
		// A call that has faulted (shm.Guard) never ends, and there is no memory to wait for.
		timeout = min(timeout, 100*time.Millisecond)
	}
	return s.gate.Wait(timeout)
}

func (s *side) unread() uint64 {
	s.gate.Enter()
	if !s.gate.Closed() {
		defer s.gate.Leave()
		return countUnread(s.mem.Header, s.mem.Geometry)
	}
	s.gate.Leave() // Close waits for that
	s.closeState.closeLock.Lock()
	defer s.closeState.closeLock.Unlock()
	return s.closeState.unread
}

// finalCount returns how many messages the holders of the role have published or released, given
// that the user of this one has come that far. Close knows what of that has reached the segment,
// unless the segment was not readable.
func (s *side) finalCount(used uint64) uint64 {
	if !s.gate.Closed() {
		return used
	}
	s.closeState.closeLock.Lock()
	defer s.closeState.closeLock.Unlock()
	if !s.closeState.counted {
		return used
	}
	return s.closeState.count
}

// Close publishes what is staged, tells the Reader that no more will come, and releases the
// role. The segment is removed when its Reader is gone too and has taken
// everything; else it stays with the messages that [Writer.Unread] counts.
// ErrRemoved: there are some, and they are lost.
//
// Any goroutine may call it, at any time, and several at once: the first closes, and the
// others wait for it and return nil. A call that waits returns ErrClosed, and so does
// every later one; Commit and Publish do nothing then. What is staged is published only
// if no other call of this Writer is under way, or it ends within 10 s. A Send that takes longer,
// because its thread gets no processor, may return nil although its message is lost. Memory from
// Reserve stays readable and writable until the next Commit, Reserve or Send, or until
// the Writer is no longer reachable; what is written there is discarded.
func (w *Writer) Close() error { return w.close(false) }

// Abort is Close that gives up: what is staged is dropped, and the stream ends as
// [layout.EndFailed], so that the Reader gets ErrIncomplete once it has taken what was
// published.
func (w *Writer) Abort() error { return w.close(true) }

func (w *Writer) close(abort bool) error {
	w.closeState.closeLock.Lock()
	defer w.closeState.closeLock.Unlock()
	if w.gate.Closed() {
		return nil
	}
	idle := w.shutDown(&w.stop, w.segment)
	c := closing{side: &w.side, seg: w.segment, idle: idle, end: w.end, startCount: w.startCount, resumes: w.resumes}
	if abort {
		c.end = layout.EndFailed
	}
	var err error
	if idle {
		w.sleeper.StopWatching()
		err = shm.Guard(func() error {
			w.beginLast()
			if w.tail != w.index && !abort {
				w.publish()
			}
			return nil
		})
		c.startCount, c.before = w.streamStart, w.before
		if w.reserved >= 0 {
			at := w.tail&w.mask + layout.RecordHeader
			c.addSlices(w.mem.Data, at, uint64(w.reserved))
		}
	}
	errs := c.leave(w.mayRemove)
	if c.private {
		runtime.AddCleanup(w, unmapSegment, w.segment)
	}
	return c.joined(append(errs, err))
}

// Close releases the role, but not the messages that the caller still holds: they are delivered
// again to the next Reader. The segment is removed when its Writer is
// gone too, nothing is unread, and every stream was complete or a Reader was told that it
// was not; else it stays with the messages that [Reader.Unread] counts. ErrRemoved:
// there are some, and they are lost.
//
// Any goroutine may call it, at any time, and several at once: the first closes, and the
// others wait for it and return nil. A call that waits returns ErrClosed, and so does
// every later one; Release does nothing then. Messages from Next stay readable until the
// next Release or Take, or until the Reader is no longer reachable. They keep their
// content if they are no more than 16 MiB; beyond that it changes when a next Reader has
// released them and the Writer goes on.
func (r *Reader) Close() error {
	r.closeState.closeLock.Lock()
	defer r.closeState.closeLock.Unlock()
	if r.gate.Closed() {
		return nil
	}
	seen := r.seen.Load() // all that a call can return
	idle := r.shutDown(&r.avail, r.segment)
	c := closing{side: &r.side, seg: r.segment, idle: idle, keepEnd: r.keepEnd, leaveEnd: r.leaveEnd}
	var err error
	if idle {
		r.sleeper.StopWatching()
		if r.head == r.index && !r.keepEnd { // else the next Reader takes what is held, and is told the end after it
			c.ends = &r.ends
		}
		err = shm.Guard(func() error {
			r.samples.Count(r.index)
			if c.ends != nil {
				c.ends.Leave(r.peerCursor.Index.Load() == r.index)
			}
			return nil
		})
		c.addRecords(r.mem.Data, r.index, r.head)
	} else if r.segment != nil {
		shm.Guard(func() error {
			c.addRecords(r.mem.Data, r.mem.Header.Consumer.Index.Load(), seen)
			return nil
		})
	}
	errs := c.leave(c.endTold)
	if c.private {
		runtime.AddCleanup(r, unmapSegment, r.segment)
	}
	return c.joined(append(errs, err))
}

func unmapSegment(seg *shm.Segment) { seg.Unmap() }

// closing is one Close of either end.
type closing struct {
	*side
	seg        *shm.Segment // nil on plain memory
	idle       bool         // no call is under way
	inUse      bool         // calls that do not pass the gate may be under way all the same
	slices     [][]byte     // what may be in use between two calls, and is to keep its content
	end        layout.End   // of a producer's stream
	before     layout.End   // of the stream before that: writerSide.before
	startCount uint64       // messages published before this producer
	resumes    bool         // writerSide.resumes
	private    bool         // the memory was made private, and is still mapped

	// ends acknowledges the end of a stream, for a consumer that holds nothing. nil = no end is
	// acknowledged.
	ends              *endpoint.EndWatch
	keepEnd, leaveEnd bool // of readerSide
}

// addSlices records that the user may have slices of n bytes of data from offset at on.
func (c *closing) addSlices(data []byte, at, n uint64) {
	if n > 0 && n <= c.mem.Geometry.Capacity { // a hostile peer may store anything
		c.slices = append(c.slices, data[at:at+n])
	}
}

// addRecords records that the user may have the records from one index up to another. Those that
// begin after the end of the ring are at the beginning of data, and only one that begins before it
// goes on behind it.
func (c *closing) addRecords(data []byte, from, end uint64) {
	capacity := c.mem.Geometry.Capacity
	at, n := from&(capacity-1), end-from
	c.addSlices(data, at, n)
	if n <= capacity && at+n > capacity {
		c.addSlices(data, 0, at+n-capacity)
	}
}

// addSlots records that the user may have the slots of messages from number from up to end.
func (c *closing) addSlots(data []byte, from, end, mask, size uint64) {
	n := end - from
	if n > mask+1 {
		return
	}
	inRow := min(n, mask+1-from&mask)
	c.addSlices(data, from&mask*size, inRow*size)
	c.addSlices(data, 0, (n-inRow)*size)
}

// leave tells the peer and releases the role. remove reports whether the file may be removed,
// given that nobody is left in it and it is drained.
func (c *closing) leave(remove func(h *layout.Header) bool) []error {
	h := c.mem.Header
	unread := uint64(0)
	defer func() { c.closeState.unread = unread }()
	var detachErr error
	if c.seg != nil && (!c.idle || c.inUse || len(c.slices) > 0) {
		kept := 0
		for _, b := range c.slices {
			kept += len(b)
		}
		if kept > maxKept {
			c.slices = nil
		}
		detachErr = c.seg.Detach(c.slices...)
		if detachErr == nil && c.idle && c.inUse && kept <= maxKept {
			// A call that does not pass the gate relies on nothing else. If it fails, the file
			// takes its memory until the end is collected.
			c.seg.Clear(c.slices...)
		}
		c.private = true
		h = c.seg.Header()
		if c.ends != nil {
			c.ends.MoveTo(h)
		}
	}
	err := shm.Guard(func() error {
		if !c.idle && c.seg != nil {
			c.recoverPosition(h)
		}
		unread = c.tellPeer(h)
		c.closeState.count, c.closeState.counted = h.Count(c.role), true
		return nil
	})
	var recordErr error
	record := func() { recordErr = shm.Guard(func() error { c.recordLeft(h); return nil }) }
	if c.seg == nil || detachErr != nil {
		// With detachErr, the user can still store to the file: the role stays with this process.
		record()
		return []error{err, recordErr, detachErr}
	}
	var lost error
	if unread > 0 && c.seg.Absent(c.role.Peer()) && errors.Is(c.seg.Check(), ErrRemoved) {
		lost = fmt.Errorf("%w; lost: %s", ErrRemoved, format.Number(unread, "unread message"))
	}
	_, leaveErr := c.seg.Leave(guardedBool(func() bool {
		drained := h.Producer.Index.Load() == h.Consumer.Index.Load()
		return drained && remove(h) && h.ProducerStats.Keep.Load() == 0 && h.ConsumerStats.Keep.Load() == 0
	}), record)
	c.closeState.roleReleased(c.seg)
	return []error{err, recordErr, lost, leaveErr}
}

// joined returns what has failed as one error, nil for nothing.
func (c *closing) joined(errs []error) error {
	if c.seg == nil {
		return errors.Join(errs...)
	}
	return shm.InSegment(endpoint.OpClose, c.seg.Name(), errs...)
}

// mayRemove reports whether a producer that leaves may remove the file, given that nobody is left
// in it and it is drained.
func (w *writerSide) mayRemove(h *layout.Header) bool {
	return !(w.keepEnd && endpoint.EndUnreported(h)) && !endpoint.Died(&h.ConsumerStats)
}

// endTold reports whether a consumer that leaves may remove the file: it was told every end that
// was not complete.
func (c *closing) endTold(h *layout.Header) bool {
	if c.keepEnd {
		return !endpoint.EndUnreported(h)
	}
	if c.ends != nil {
		return !c.ends.Pending()
	}
	return !endpoint.EndPending(h)
}

// recoverPosition makes the header what a successor of a killed side would make it: the call that
// is under way has stored to it up to some point.
func (c *closing) recoverPosition(h *layout.Header) {
	if !c.mem.Geometry.Fixed() {
		own := h.Cursor(c.role)
		endpoint.Repair(own, endpoint.Recover(own))
	}
	h.Sleep(c.role).Flag.Store(0)
	endpoint.EndSleep(h.Stats(c.role), monotonic.Now)
}

// tellPeer marks a producer as closed, which ends its stream, and wakes the peer, whatever it
// asked for, so that it notices. The peer's flag stays up: it may sleep on, until there is what
// it asked for. It returns how many messages are unread.
func (c *closing) tellPeer(h *layout.Header) (unread uint64) {
	if c.role == layout.Producer {
		own, end := &h.ProducerStats, c.end
		published := endpoint.Published(h, layout.Producer) != c.startCount
		// A Reader may have been told the earlier end after this producer had come.
		if end == layout.EndNone && !published && h.ConsumerStats.EndSeen.Load() != own.Generation.Load()-1 {
			end = c.before
		}
		ends := end != layout.EndNone && layout.End(own.End.Load()) != layout.EndDisconnected // that it has ended
		if ends {
			endpoint.SetEnd(own, end, published || c.resumes)
		}
		if n := countUnread(h, c.mem.Geometry); n > own.HighWater.Load() { // the queue never gets deeper than this
			own.HighWater.Store(n)
		}
		if ends {
			endpoint.Close(own, monotonic.Now())
		}
	}
	sleep.WakeForEnd(sleep.WordsOf(h, c.role))
	return countUnread(h, c.mem.Geometry)
}

// recordLeft marks a consumer as closed, and acknowledges the end of the stream for it. That is
// the last step before the role is released: one that is killed before it has not left in good
// order, and who comes next is told the end again.
func (c *closing) recordLeft(h *layout.Header) {
	if c.role == layout.Producer {
		return
	}
	if c.ends != nil {
		c.ends.Acknowledge()
	}
	if !c.keepEnd || c.leaveEnd { // else the Writer that leaves keeps the segment, as after a kill
		endpoint.Close(&h.ConsumerStats, monotonic.Now())
	}
}

// countUnread returns how many messages of a ring of that geometry are not released, at most as
// many as it has room for: a hostile peer may count anything.
func countUnread(h *layout.Header, g layout.Geometry) uint64 {
	produced, consumed := h.Count(layout.Producer), h.Count(layout.Consumer)
	return min(uint64(max(0, int64(produced-consumed))), g.MaxMessages())
}
