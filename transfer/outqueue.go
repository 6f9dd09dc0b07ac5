package transfer

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"sluice/layout"
)

// outBuffer is a buffer on its way to the consumer, with one message in it or many. Its
// content is in a sealed memfd, in a recycled buffer, or still in ordinary memory, because
// there was no descriptor for it.
type outBuffer struct {
	fd       int             // sealed; -1 = none
	recycled *recycledBuffer // nil = none
	data     []byte          // ordinary memory; nil = none
	charged  uint64          // memory that it counts for by itself; a recycled one counts in its pool

	length      int
	memory      uint64 // what it counts for in the stream, on both sides: see entry.memory
	packed      bool
	messages    uint32
	first, last messageTime // of its messages
	start       position    // of the stream, before it
}

// end is the position after the buffer.
func (b *outBuffer) end() position {
	return position{b.start.buffers + 1, b.start.messages + uint64(b.messages), b.start.bytes + b.memory}
}

// outQueue holds what a Sender has accepted and the consumer has not released, in order:
// what is not sent, and what is. The latter stays, sealed, until the consumer has released
// it, so a consumer that dies takes nothing with it.
//
// The acknowledgement is the consumer's own count in the header page
// (ConsumerStats.Buffers); nothing comes back over the socket.
//
// Its lock guards its fields. The Sender's goroutine adds, the sendLoop's takes out. A fault
// in the header page, when the segment is truncated, leaves it unlocked.
type outQueue struct {
	consumer  *layout.RoleStats
	released  *layout.Uint64 // the consumer's Index
	memory    outMemory
	wake      chan struct{} // there is something to do for the sendLoop; one is enough
	interrupt func()        // makes a Sender that waits look again

	// How many of the unsent buffers are unbacked: still in ordinary memory. They are the last
	// ones, and as long as there are any, no new buffer gets a memfd: those that come back
	// go to the oldest. Else all could end up behind a buffer that waits for one. It changes
	// with mu held, and is read without.
	unbacked atomic.Int64

	mu                sync.Mutex
	buffers           bufferQueue // in the order of the stream
	sent              int         // of those, how many were sent and not released: the first ones
	unbackedBytes     int         // ordinary memory of the unbacked
	peakUnbackedBytes int         // the most of it since the last trim
	inherited         inheritance
	lagging           bool        // the Sender waits for what the consumer has released to be reclaimed
	batch             []outBuffer // what nextBatch has returned last: the sendLoop reads it without the lock
	fds               []int       // room for drop
	idleSince         time.Time   // since when the queue was empty, as far as trim has seen; zero = it was not
	trimmed           bool        // since then
}

func newOutQueue(stats *senderStats, h *layout.Header, limit uint64, recycle bool, interrupt func()) *outQueue {
	q := &outQueue{consumer: &h.ConsumerStats, released: &h.Consumer.Index, wake: make(chan struct{}, 1), interrupt: interrupt}
	m := &q.memory
	m.recycle, m.stats = recycle, stats
	m.fds.max = maxDescriptors()
	m.bytes.limit = limit
	m.plain.budget = &m.bytes
	m.recycled.fds, m.recycled.bytes, m.recycled.plain, m.recycled.maxSize = &m.fds, &m.bytes, &m.plain, maxFileSize()
	return q
}

// inheritance is the memory of an earlier Sender's messages that a consumer which lives may still
// have: it counts as this Sender's, until the consumer has released it, or finds that it is lost.
type inheritance struct {
	upTo  uint64 // where they end in the stream, bytes
	bytes uint64 // that are counted
}

// inherit counts what the consumer has of the stream before that byte.
func (q *outQueue) inherit(upTo uint64) {
	q.inherited.upTo = upTo
	q.inherited.bytes = min(q.inherited.left(q.released.Load()), q.memory.bytes.limit)
	q.memory.bytes.add(q.inherited.bytes)
	q.memory.report()
}

// left returns what is left of it when that much of the stream is released.
func (i *inheritance) left(released uint64) uint64 { return uint64(max(0, int64(i.upTo-released))) }

// reclaimInherited stops to count what the consumer has released of it. q.mu is held.
func (q *outQueue) reclaimInherited() {
	if left := q.inherited.left(q.released.Load()); left < q.inherited.bytes {
		q.memory.bytes.give(q.inherited.bytes - left)
		q.inherited.bytes = left
		q.memory.report()
	}
}

// push adds a buffer. The Sender's goroutine calls it.
func (q *outQueue) push(b *outBuffer) {
	q.mu.Lock()
	if b.data != nil {
		q.unbacked.Add(1)
		q.unbackedBytes += cap(b.data)
		q.peakUnbackedBytes = max(q.peakUnbackedBytes, q.unbackedBytes)
	}
	q.buffers.push(b)
	q.mu.Unlock()
	nudge(q.wake)
}

// getRecycled returns a recycled buffer of at least n bytes, nil when none can be had: then
// the message is made in ordinary memory, and copied when one has come back.
func (q *outQueue) getRecycled(n uint64) *recycledBuffer {
	if q.unbacked.Load() > 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reclaim()
	b, err := q.memory.recycled.get(n, 0)
	if err != nil {
		return nil
	}
	return b
}

// putRecycled takes one back that was not sent.
func (q *outQueue) putRecycled(b *recycledBuffer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.memory.recycled.put(b)
}

// reserve charges the memory of a message of n bytes that gets no recycled buffer now to the
// budget, and returns how much that is; false when it would pass the limit, with everything
// given up that nobody uses. patient says that it waits for the sendLoop; a Sender that waits at
// its limit does that by itself, with its context: see fallenTo.
func (q *outQueue) reserve(n uint64, patient bool) (charged uint64, ok bool) {
	m := &q.memory
	charged = m.sizeFor(n)
	if m.bytes.take(charged) {
		return charged, true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for try := 0; ; try++ {
		q.reclaim()
		if m.bytes.take(charged) {
			return charged, true
		}
		if m.plain.clear() || m.recycled.evict() {
			continue
		}
		// The consumer may have released what the sendLoop has sent this moment, and has
		// not noted yet. It needs microseconds, or a turn on a processor; and a count
		// that is a lie is not waited for longer.
		const tries = 200
		if !patient || q.unsent() == 0 || int64(q.consumer.Buffers.Load()-q.buffers.at(q.sent).start.buffers) <= 0 || try >= tries {
			return 0, false
		}
		q.mu.Unlock()
		time.Sleep(100 * time.Microsecond)
		q.mu.Lock()
	}
}

// fallenTo reclaims what the consumer has released, and reports whether at most n bytes are in
// flight then, given the position after everything that was queued.
//
// The consumer may have released more than the sendLoop has noted as sent. Nobody wakes the Sender
// for that a second time, so whoever reclaims it interrupts the Sender's wait.
func (q *outQueue) fallenTo(n uint64, end position) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lagging = false
	q.reclaim()
	first := end.bytes
	if q.buffers.len() > 0 {
		first = q.buffers.at(0).start.bytes
	}
	q.lagging = end.bytes-first > n
	return !q.lagging
}

// backOldest moves the oldest unbacked buffer into a memfd, if one can be had. The Sender
// calls it instead of making one for its newest buffer: else it would be several times as
// fast for being out of descriptors, and leave all the work to the sendLoop, which then
// cannot catch up any more.
func (q *outQueue) backOldest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reclaim()
	if n := int(q.unbacked.Load()); n > 0 {
		oldest := q.buffers.len() - n
		if q.memory.back(q.buffers.at(oldest)) == nil { // else the sendLoop tries again, and reports why not
			q.leavePlain(oldest, oldest+1)
		}
	}
}

// leavePlain moves what is in ordinary memory out of it, of the buffers from number first up to
// number end: those were backed. q.mu is held.
//
// It copies all of them first. Memory that the consumer has read last is slow to write to, but a
// processor writes to many such places at once, if no lock makes it wait for each.
func (q *outQueue) leavePlain(first, end int) {
	for i := first; i < end; i++ {
		if b := q.buffers.at(i); b.data != nil && b.recycled != nil {
			copy(b.recycled.mem, b.data)
		}
	}
	for i := first; i < end; i++ {
		b := q.buffers.at(i)
		if b.data == nil {
			continue
		}
		q.unbackedBytes -= cap(b.data)
		q.unbacked.Add(-1)
		q.memory.plain.put(b.data)
		b.data = nil
	}
}

// maxPacketBytes is how many bytes of buffers share a packet, if it is more than one buffer. What
// the consumer has in hand should fit a cache. But the socket has room for 167 packets of 3 to 11
// buffers, in the usual 208 KiB: a packet costs it a power of two. With 8 of 64 KiB in each, all
// recycled buffers fit into it.
const maxPacketBytes = 512 << 10

// nextBatch returns a copy of the first unsent buffers, at most n and none unbacked, for one
// packet: none when there is no descriptor for the first. They stay unsent until markSent. The copy
// is valid until the next call. An error is for good.
func (q *outQueue) nextBatch(n int) ([]outBuffer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, err := q.backUnsent(min(q.unsent(), n))
	q.leavePlain(q.sent, q.sent+n)
	if err != nil {
		return nil, err
	}
	q.batch = q.batch[:0]
	for i := range n {
		q.batch = append(q.batch, *q.buffers.at(q.sent + i))
	}
	return q.batch, nil
}

// backUnsent backs the first unsent buffers, as many as fit into a packet and at most n, and
// returns how many are backed then. An error is for good. q.mu is held.
func (q *outQueue) backUnsent(n int) (backed int, err error) {
	size := 0
	for i := range n {
		b := q.buffers.at(q.sent + i)
		if size += b.length; i > 0 && size > maxPacketBytes {
			return i, nil
		}
		if b.data == nil {
			continue
		}
		switch err := q.memory.back(b); {
		case err == nil:
		case err == errAllInUse || err == errNoRoom:
			return i, nil
		case outOfDescriptors(err):
			q.memory.stats.refused(layout.RefuseNoDescriptor)
			return i, nil
		default:
			return i, err
		}
	}
	return n, nil
}

// markSent notes that a batch was sent.
func (q *outQueue) markSent(batch []outBuffer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent += len(batch)
	q.reclaim()
	q.memory.report()
}

// requeue makes what was sent and not released unsent: its connection is lost, and the next
// consumer gets it again. It returns where the stream goes on: at the first buffer, or at end
// when there is none.
func (q *outQueue) requeue(end position) (start position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reclaim()
	q.sent = 0
	if q.buffers.len() > 0 {
		return q.buffers.at(0).start
	}
	return end
}

// counts returns how many buffers are not sent, and how many are and not released.
func (q *outQueue) counts() (unsent, unreleased int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reclaim()
	return q.unsent(), q.sent
}

// unsent returns how many buffers are not sent. q.mu is held.
func (q *outQueue) unsent() int { return q.buffers.len() - q.sent }

// reclaim frees what the consumer has released. q.mu is held.
func (q *outQueue) reclaim() {
	if q.inherited.bytes > 0 {
		q.reclaimInherited()
	}
	if q.sent == 0 {
		return
	}
	// The count is the consumer's to write. Whatever it says, nothing that was not
	// sent is freed.
	n := int(min(max(0, int64(q.consumer.Buffers.Load()-q.buffers.at(0).start.buffers)), int64(q.sent)))
	if n == 0 {
		return
	}
	q.drop(n)
	q.sent -= n
	q.memory.report()
	if q.lagging {
		q.lagging = false
		q.interrupt()
	}
}

// drop frees the first n buffers. q.mu is held.
func (q *outQueue) drop(n int) {
	fds, charged := q.fds[:0], uint64(0)
	for range n {
		b := q.buffers.at(0)
		if b.fd >= 0 {
			fds = append(fds, b.fd)
		}
		charged += b.charged
		if b.recycled != nil {
			q.memory.recycled.put(b.recycled)
		}
		q.buffers.pop()
	}
	q.memory.release(fds, charged)
	q.fds = fds
}

const (
	// trimAfter is how long nothing is in flight before memory is given back.
	trimAfter = 500 * time.Millisecond
	// keptFree is how much of it is kept all the same, bytes.
	keptFree = 1 << 20
	// collectFrom is how much ordinary memory must have been unbacked to make a
	// collection worth its while, bytes.
	collectFrom = 16 << 20
)

// trim gives back what a peak has taken, when nothing has been in flight for a while. It is
// to be called now and then.
func (q *outQueue) trim() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.buffers.len() > 0 {
		q.idleSince = time.Time{}
		return
	}
	now := time.Now()
	if q.idleSince.IsZero() {
		q.idleSince, q.trimmed = now, false
	}
	if q.trimmed || now.Sub(q.idleSince) < trimAfter {
		return
	}
	q.trimmed = true
	q.memory.recycled.trim(keptFree)
	q.buffers, q.fds = bufferQueue{}, nil
	q.memory.plain.clear()
	q.memory.report()
	if q.peakUnbackedBytes >= collectFrom {
		go debug.FreeOSMemory() // the collector alone would keep it for minutes
	}
	q.peakUnbackedBytes = 0
}

// close frees everything, and reports whether something was left. Neither the Sender nor
// the sendLoop uses it any more.
func (q *outQueue) close() (left bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left = q.buffers.len() > 0
	q.drop(q.buffers.len())
	return left, q.memory.recycled.close()
}

// bufferQueue is a queue of buffers, in a ring that grows. Pointers into it are valid until it
// does. One goroutine at a time may use it.
type bufferQueue struct {
	items []outBuffer // their number is a power of two, or none
	head  int         // of the first
	n     int
}

func (q *bufferQueue) len() int { return q.n }

// at returns the buffer behind the first i, also when it is the one that push will fill.
func (q *bufferQueue) at(i int) *outBuffer { return &q.items[(q.head+i)&(len(q.items)-1)] }

func (q *bufferQueue) push(b *outBuffer) {
	if q.n == len(q.items) {
		q.grow()
	}
	*q.at(q.n) = *b
	q.n++
}

func (q *bufferQueue) grow() {
	const minItems = 64
	items := make([]outBuffer, max(minItems, 2*len(q.items)))
	n := copy(items, q.items[q.head:])
	copy(items[n:], q.items[:q.head])
	q.items, q.head = items, 0
}

// pop drops the first.
func (q *bufferQueue) pop() {
	*q.at(0) = outBuffer{}
	q.head = (q.head + 1) & (len(q.items) - 1)
	q.n--
}
