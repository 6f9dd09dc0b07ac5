package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// courier carries parcels from the Sender to the consumer's socket. What it has
// sent it keeps, sealed, until the consumer has let go of it: a consumer that dies
// takes nothing with it.
//
// The acknowledgement is the consumer's own count in the header page
// (ConsumerSide.Buffers): nothing travels back over the socket.
type courier struct {
	segment *shm.Segment
	own     *layout.Side
	peer    *layout.Side
	id      uint64 // of the segment
	path    string
	access  shm.Access
	batch   int
	recycle bool

	kick    chan struct{} // something changed; one is enough
	done    chan struct{}
	giveUp  chan struct{} // closed: do not wait for a consumer any more
	mustEnd atomic.Bool
	closing atomic.Bool // no more parcels will come
	broken  atomic.Bool // err is set

	scrap scrap
	files allowance
	// How many parcels of the outbox have no buffer yet. They are the last of it,
	// and as long as there are any, no new parcel gets one: buffers that come back
	// go to the oldest. Else all could end up behind a parcel that waits for one.
	bare atomic.Int64

	mu     sync.Mutex // guards what follows
	outbox queue      // not sent
	sent   queue      // sent, and not let go by the consumer
	pool   pool
	err    error

	// The courier's goroutine alone.
	conn       *net.UnixConn
	raw        rawConn
	connection uint64    // number of the connection
	ended      bool      // the end was sent on it
	denied     time.Time // since when the socket has let nobody in
	last       position
	packet     []byte
	fds        []int
	wait       backoff
}

func newCourier(s *Sender, path string, opt Options) *courier {
	c := &courier{
		segment: s.segment, own: s.own, peer: s.peer, id: s.segment.Header().Identity.CreatedAt.Load(),
		path: path, access: opt.Access, batch: opt.Batch, recycle: opt.Recycle, last: s.next,
		kick: make(chan struct{}, 1), done: make(chan struct{}), giveUp: make(chan struct{}),
	}
	if c.batch <= 0 {
		c.batch = DefaultBatch
	}
	c.batch = min(c.batch, MaxBatch)
	c.files.most = mostDescriptors()
	c.pool.files = &c.files
	c.own.MaxDescriptors.Store(uint64(c.files.most))
	return c
}

// add takes a parcel over. The Sender's goroutine calls it.
func (c *courier) add(p parcel) {
	if p.data != nil {
		c.bare.Add(1)
	}
	c.mu.Lock()
	c.outbox.push(p)
	c.mu.Unlock()
	c.nudge()
}

func (c *courier) nudge() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
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
func (c *courier) acquire(n uint64) *pooled {
	if c.bare.Load() > 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reclaim()
	b, err := c.pool.get(n)
	if err != nil {
		return nil
	}
	return b
}

func (c *courier) release(b *pooled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pool.put(b)
}

// finish waits until everything is delivered, or ctx is done and nobody is there to
// deliver to, and reports whether something is left.
func (c *courier) finish(ctx context.Context) (left bool, err error) {
	c.closing.Store(true)
	defer context.AfterFunc(ctx, func() { close(c.giveUp) })()
	c.nudge()
	<-c.done
	for _, q := range []*queue{&c.sent, &c.outbox} {
		left = left || q.len() > 0
		for i := range q.len() {
			if q.at(i).drop() {
				c.files.give()
			}
		}
	}
	return left, errors.Join(c.err, c.pool.close())
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
		c.err = fmt.Errorf("segment %q: %w", c.segment.Name(), err)
		c.mu.Unlock()
		c.broken.Store(true)
	}
}

// step does the next thing there is to do, or waits for one. more is false when
// there will be none.
func (c *courier) step() (more bool, err error) {
	// Before the queues: who closes has added everything by then.
	closing := c.closing.Load()
	waiting, unread := c.queued()
	if c.ended && waiting+unread == 0 {
		return false, nil // the consumer may have left already
	}
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return false, err
		}
	}
	switch {
	case c.conn == nil:
		delivered := waiting+unread == 0 && !c.mustEnd.Load() && !c.segment.Alive(layout.Consumer)
		if closing && (delivered || c.givenUp()) {
			return false, nil
		}
		if waiting > 0 {
			c.own.Obstacle.Relaxed(uint64(layout.ObstacleConsumer))
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
	c.pause()
	return true, nil
}

// lookAround says that the courier lives, when it is all that does: a Sender that is
// closing waits for it.
func (c *courier) lookAround() {
	if c.closing.Load() {
		c.own.ProgressAt.Relaxed(shm.Clock())
	}
}

// pause waits for the Sender, and for a while only: nobody says when the consumer
// has let go of something, or has left or come.
func (c *courier) pause() {
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
	case <-time.After(c.wait.next()):
		if c.conn != nil && c.hasLeft() {
			c.disconnect()
		}
	}
}

func (c *courier) givenUp() bool {
	select {
	case <-c.giveUp:
		return true
	default:
		return false
	}
}

// queued returns how many parcels are not sent, and how many are and not let go.
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
		if p.drop() {
			c.files.give()
		}
		if p.pooled != nil {
			c.pool.put(p.pooled)
		}
	}
	c.sent.pop(n)
	c.own.Descriptors.Relaxed(uint64(c.files.held.Load()))
}

// backoff is a wait that doubles from one to the next.
type backoff struct{ last time.Duration }

func (b *backoff) reset() { b.last = 0 }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, time.Millisecond), slice/2)
	return b.last
}
