package transfer

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// courier carries buffers from the Sender to the consumer's socket. What it has
// sent it keeps, sealed, until the consumer has let go of it: a consumer that dies
// takes nothing with it.
//
// The acknowledgement is the consumer's own count in the header page
// (ConsumerStats.Buffers): nothing travels back over the socket.
type courier struct {
	segment *shm.Segment
	own     *layout.RoleStats
	peer    *layout.RoleStats
	id      uint64 // of the segment
	path    string
	access  shm.Access
	batch   int
	recycle bool

	kick       chan struct{} // something changed; one is enough
	done       chan struct{}
	giveUp     chan struct{} // closed: do not wait for a consumer any more
	giveUpOnce sync.Once
	aborted    atomic.Bool // end at once
	halting    atomic.Bool // send nothing more, and say how far it got
	halted     chan uint64 // which are the messages up to here
	mustEnd    atomic.Bool
	closing    atomic.Bool // no more buffers will come
	broken     atomic.Bool // err is set
	atLimit    atomic.Bool // the Sender found no room below its limit when it tried last

	plain  bufpool
	files  fdBudget
	memory memBudget
	// How many buffers of the outbox have no buffer yet. They are the last of it,
	// and as long as there are any, no new buffer gets one: buffers that come back
	// go to the oldest. Else all could end up behind a buffer that waits for one.
	unbacked atomic.Int64

	mu     sync.Mutex // guards what follows
	outbox queue      // not sent
	sent   queue      // sent, and not let go by the consumer
	pool   recycledPool
	err    error

	// The courier's goroutine alone.
	conn       *net.UnixConn
	raw        rawConn
	connection uint64    // number of the connection
	ended      bool      // the end was sent on it
	denied     time.Time // since when the socket has let nobody in
	elsewhere  time.Time // since when the consumer is known to listen elsewhere
	starved    error     // there was no descriptor for a connection; nil = that was not tried, or not the reason
	last       position
	packet     []byte
	fds        []int
	wait       backoff
	idleSince  time.Time // since when nothing is in flight, as far as it was looked at
	trimmed    bool      // what a peak has taken was given back since then

	unbackedBytes     atomic.Int64 // bytes of ordinary memory that wait for a buffer
	unbackedPeakBytes atomic.Int64
}

func newCourier(s *Sender, path string, opt Options) *courier {
	c := &courier{
		segment: s.segment, own: s.own, peer: s.peer, id: s.segment.Header().Identity.CreatedAt.Load(),
		path: path, access: opt.Access, batch: opt.Batch, recycle: opt.Recycle, last: s.next,
		kick: make(chan struct{}, 1), done: make(chan struct{}), giveUp: make(chan struct{}),
		halted: make(chan uint64, 1),
	}
	if c.batch <= 0 {
		c.batch = DefaultBatch
	}
	c.batch = min(c.batch, MaxBatch)
	c.files.most = maxDescriptors()
	c.pool.files = &c.files
	c.memory.limit = s.limit
	c.pool.memory = &c.memory
	c.pool.most = maxFileSize()
	c.own.MaxDescriptors.Store(uint64(c.files.most))
	return c
}

// add takes a buffer over. The Sender's goroutine calls it.
func (c *courier) add(p outBuffer) {
	if p.data != nil {
		c.unbacked.Add(1)
		if n := c.unbackedBytes.Add(int64(cap(p.data))); n > c.unbackedPeakBytes.Load() {
			c.unbackedPeakBytes.Store(n)
		}
	}
	c.mu.Lock()
	c.outbox.push(p)
	c.mu.Unlock()
	nudge(c.kick)
}

// failed returns the error that has ended the courier, if one has.
func (c *courier) failed() error {
	if !c.broken.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// acquire returns a recycled buffer of at least n bytes, nil when none can be had:
// then the message is made in ordinary memory, and copied when one has come back.
func (c *courier) acquire(n uint64) *recycledBuffer {
	if c.unbacked.Load() > 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reclaim()
	b, err := c.pool.get(n, 0)
	if err != nil {
		return nil
	}
	return b
}

// reserve counts the memory of a message of n bytes that gets no recycled buffer now,
// and returns how much that is; false when it would pass the limit, with everything
// given up that nobody uses.
func (c *courier) reserve(n uint64) (weight uint64, ok bool) {
	weight = c.weight(n)
	if c.memory.take(weight) {
		return weight, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for try := 0; ; try++ {
		c.reclaim()
		if c.memory.take(weight) {
			return weight, true
		}
		if c.pool.evict() {
			continue
		}
		// The consumer may have released what the courier has sent this moment, and has
		// not noted yet. It needs microseconds, or a turn on a processor; and a count
		// that is a lie is not waited for longer.
		const tries = 200
		if c.outbox.len() == 0 || int64(c.peer.Buffers.Load()-c.outbox.at(0).start.buffers) <= 0 || try >= tries {
			return 0, false
		}
		c.mu.Unlock()
		time.Sleep(100 * time.Microsecond)
		c.mu.Lock()
	}
}

// weight is the memory that a message of n bytes will take: its buffer's.
func (c *courier) weight(n uint64) uint64 {
	if c.recycle {
		return c.pool.size(n)
	}
	return pages(n)
}

func (c *courier) release(b *recycledBuffer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pool.put(b)
}

// finish waits until everything is delivered, or ctx is done and nobody is there to
// deliver to, and reports whether something is left.
func (c *courier) finish(ctx context.Context) (left bool, err error) {
	c.closing.Store(true)
	defer context.AfterFunc(ctx, c.stopWaiting)()
	var alarm shm.Alarm
	defer alarm.Close()
	alarm.Set(ctx)
	nudge(c.kick)
	<-c.done
	for _, q := range []*queue{&c.sent, &c.outbox} {
		left = left || q.len() > 0
		for i := range q.len() {
			c.drop(q.at(i))
		}
	}
	return left, errors.Join(c.err, c.pool.close())
}

// stopWaiting makes the courier end when no consumer is there.
func (c *courier) stopWaiting() { c.giveUpOnce.Do(func() { close(c.giveUp) }) }

// abort makes the courier end, whatever is left.
func (c *courier) abort() {
	c.aborted.Store(true)
	c.closing.Store(true)
	c.stopWaiting()
	nudge(c.kick)
}

func (c *courier) run() {
	defer close(c.done)
	err := shm.Guard(func() error {
		for {
			if more, err := c.step(); !more || err != nil {
				return err
			}
		}
	})
	c.disconnect()
	if err != nil {
		c.mu.Lock()
		c.err = shm.InSegment("", c.segment.Name(), err)
		c.mu.Unlock()
		c.broken.Store(true)
	}
}

// step does the next thing there is to do, or waits for one. more is false when
// there will be none.
func (c *courier) step() (more bool, err error) {
	// Before the queues: who closes has added everything by then.
	closing := c.closing.Load()
	if c.halting.Load() {
		c.standStill()
	}
	if c.aborted.Load() {
		return false, nil
	}
	if waiting, unread := c.queued(); c.ended && waiting+unread == 0 {
		return false, nil // the consumer may have left already
	}
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return false, err
		}
	}
	// After the connection was made: that puts what the last consumer has not
	// released back into the outbox, and the end comes after all of it.
	waiting, unread := c.queued()
	switch {
	case c.conn == nil:
		delivered := waiting+unread == 0 && !c.mustEnd.Load() && c.segment.Absent(layout.Consumer)
		if closing && delivered {
			return false, nil
		}
		if closing && c.givenUp() {
			return false, c.starved
		}
		if err := c.segment.Check(); err != nil {
			return false, err // no consumer will ever come to it
		}
		switch {
		case waiting == 0 || !c.elsewhere.IsZero():
		case c.starved != nil:
			c.obstacle(layout.RefuseNoConnectionDescriptor)
		default:
			c.obstacle(layout.RefuseNoConsumer)
		}
	case waiting > 0:
		moved, err := c.deliver()
		if moved || err != nil {
			c.wait.reset()
			return true, err
		}
	case closing && !c.ended:
		if err := c.sendHead(kindEnd, c.last); err != nil {
			return true, c.hungUp(err)
		}
		c.ended = true
		return true, nil
	}
	return true, c.pause()
}

// lookAround says that the courier lives, when it is all that does: a Sender that is
// closing waits for it.
func (c *courier) lookAround() {
	if c.closing.Load() {
		c.own.ProgressAt.StoreRelaxed(shm.Clock())
	}
}

// pause waits for the Sender, and for a while only: nobody says when the consumer
// has let go of something, or has left or come.
func (c *courier) pause() (err error) {
	c.lookAround()
	kick := c.kick
	if c.conn == nil {
		kick = nil // more to send brings no consumer
	}
	giveUp := c.giveUp
	if c.givenUp() {
		giveUp = nil
	}
	select {
	case <-kick:
		c.wait.reset()
	case <-giveUp:
		if c.conn != nil {
			_, err = c.hasLeftNow()
		}
	case <-time.After(c.wait.next()):
		c.trim()
		if c.conn != nil {
			_, err = c.hasLeftNow()
		}
	}
	return err
}

func (c *courier) givenUp() bool {
	select {
	case <-c.giveUp:
		return true
	default:
		return false
	}
}

// queued returns how many buffers are not sent, and how many are and not let go.
func (c *courier) queued() (waiting, unread int) {
	c.mu.Lock()
	defer c.mu.Unlock() // also when a truncated segment makes reclaim fault
	c.reclaim()
	return c.outbox.len(), c.sent.len()
}

// reclaim drops what the consumer has let go of. c.mu is held.
func (c *courier) reclaim() {
	if c.sent.len() == 0 {
		return
	}
	// The count is the consumer's to write. Whatever it says, nothing that was not
	// sent is dropped.
	n := int(min(max(0, int64(c.peer.Buffers.Load()-c.sent.at(0).start.buffers)), int64(c.sent.len())))
	if n == 0 {
		return
	}
	for i := range n {
		p := c.sent.at(i)
		c.drop(p)
		if p.recycled != nil {
			c.pool.put(p.recycled)
		}
	}
	c.sent.pop(n)
	c.note()
}

// drop closes what a buffer has of its own.
func (c *courier) drop(p *outBuffer) {
	if p.drop() {
		c.files.give()
	}
	c.memory.give(p.weight)
	p.weight = 0
}

// note says how many descriptors and how much memory the Sender holds.
func (c *courier) note() {
	c.own.Descriptors.StoreRelaxed(uint64(c.files.held.Load()))
	c.own.Memory.StoreRelaxed(c.memory.taken.Load())
}

const (
	// trimAfter is how long nothing is in flight before memory is given back.
	trimAfter = 500 * time.Millisecond
	// keptFree is how much of it is kept all the same, bytes.
	keptFree = 1 << 20
	// collectFrom is how much ordinary memory must have waited for a buffer to make a
	// collection worth its while, bytes.
	collectFrom = 16 << 20
)

// trim gives back what a peak has taken, when nothing has been in flight for a while.
func (c *courier) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outbox.len()+c.sent.len() > 0 {
		c.idleSince = time.Time{}
		return
	}
	now := time.Now()
	if c.idleSince.IsZero() {
		c.idleSince, c.trimmed = now, false
	}
	if c.trimmed || now.Sub(c.idleSince) < trimAfter {
		return
	}
	c.trimmed = true
	c.pool.trim(keptFree)
	c.outbox, c.sent = queue{}, queue{}
	c.plain.clear()
	c.note()
	if c.unbackedPeakBytes.Swap(0) >= collectFrom {
		go debug.FreeOSMemory() // the collector alone would keep it for minutes
	}
}

// backoff is a wait that doubles from one to the next.
type backoff struct{ last time.Duration }

func (b *backoff) reset() { b.last = 0 }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, time.Millisecond), pollInterval/2)
	return b.last
}
