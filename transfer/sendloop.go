package transfer

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/timerfd"
	"sluice/layout"
	"sluice/shm"
)

// sendLoop sends what is in the outQueue over one connection after the other, and the end
// after it. It is a goroutine of its own; other goroutines tell it what to do by the methods
// that say so.
type sendLoop struct {
	queue   *outQueue
	stats   *senderStats
	segment *shm.Segment
	id      uint64 // of the segment: its creation time
	batch   int    // most buffers in a packet

	// Of any goroutine.
	closing    atomic.Bool   // no more buffers will come
	mustEnd    atomic.Bool   // with nothing else to deliver, wait for a consumer to send the end to
	giveUp     chan struct{} // closed: do not wait for a consumer any more
	giveUpOnce sync.Once
	stopping   atomic.Bool           // send nothing more, and say how far it got
	stopped    chan uint64           // the answer: which are the messages up to here
	aborted    atomic.Bool           // end at once
	done       chan struct{}         // closed when the goroutine has ended
	err        atomic.Pointer[error] // what has ended it; nil = nothing has

	// Of its goroutine.
	dialer      dialer
	conn        *sendConn // nil while no consumer is connected
	connections uint64    // made so far
	endSent     bool      // on the last of them
	sent        position  // after what was sent on it
	wait        backoff
}

func newSendLoop(seg *shm.Segment, queue *outQueue, stats *senderStats, at position, path string, opt SenderOptions) *sendLoop {
	return &sendLoop{
		queue: queue, stats: stats, segment: seg, id: seg.Header().Identity.CreatedAt.Load(), batch: cmp.Or(opt.Batch, DefaultBatch),
		giveUp: make(chan struct{}), stopped: make(chan uint64, 1), done: make(chan struct{}),
		dialer: dialer{segment: seg, path: path, access: opt.Access}, sent: at,
	}
}

// failed returns the error that has ended the loop, nil if none has. Any goroutine may call
// it.
func (l *sendLoop) failed() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// finish waits until everything is delivered, or ctx is done and nobody is there to deliver
// to, and returns what has ended the loop before that. No buffer may be added any more. Any
// goroutine may call it.
func (l *sendLoop) finish(ctx context.Context) error {
	l.closing.Store(true)
	defer context.AfterFunc(ctx, l.stopWaiting)()
	var alarm timerfd.Alarm
	defer alarm.Close()
	alarm.Set(ctx)
	nudge(l.queue.wake)
	<-l.done
	return l.failed()
}

// stopWaiting makes the loop end when no consumer is there. Any goroutine may call it.
func (l *sendLoop) stopWaiting() { l.giveUpOnce.Do(func() { close(l.giveUp) }) }

// abort makes the loop end, whatever is left. Any goroutine may call it.
func (l *sendLoop) abort() {
	l.aborted.Store(true)
	l.closing.Store(true)
	l.stopWaiting()
	nudge(l.queue.wake)
}

// stopSending makes the loop send nothing more, and returns the number of messages that are
// out of this process's hands; exact is false when it does not answer in time. Any goroutine
// may call it, once.
func (l *sendLoop) stopSending() (at uint64, exact bool) {
	l.stopping.Store(true)
	nudge(l.queue.wake)
	select {
	case at = <-l.stopped:
		return at, true
	case <-l.done:
	case <-time.After(stopTimeout):
	}
	return 0, false
}

// awaitAbort returns when the loop is aborted, or is not to stop sending. Any goroutine may
// call it.
func (l *sendLoop) awaitAbort() {
	for l.stopping.Load() && !l.aborted.Load() {
		time.Sleep(time.Millisecond)
	}
}

func (l *sendLoop) run() {
	defer close(l.done)
	err := shm.Guard(func() error {
		for {
			if more, err := l.step(); !more || err != nil {
				return err
			}
		}
	})
	l.disconnect()
	if err != nil {
		l.err.Store(&err)
		l.queue.interrupt() // a Sender that waits has nobody left to wait for
	}
}

// step does the next thing there is to do, or waits for one. more is false when
// there will be none.
func (l *sendLoop) step() (more bool, err error) {
	// Before the queue: who closes has added everything by then.
	closing := l.closing.Load()
	if l.stopping.Load() {
		l.answerStop()
	}
	if l.aborted.Load() {
		return false, nil
	}
	if unsent, unreleased := l.queue.counts(); l.endSent && unsent+unreleased == 0 {
		return false, nil // the consumer may have left already
	}
	if l.conn == nil {
		if err := l.connect(); err != nil {
			return false, err
		}
	}
	// After the connection was made: that puts what the last consumer has not
	// released back into unsent, and the end comes after all of it.
	unsent, unreleased := l.queue.counts()
	switch {
	case l.conn == nil:
		delivered := unsent+unreleased == 0 && !l.mustEnd.Load() && l.segment.Absent(layout.Consumer)
		if closing && delivered {
			return false, nil
		}
		if closing && l.givenUp() {
			return false, l.dialer.noDescriptor
		}
		if err := l.segment.Check(); err != nil {
			return false, err // no consumer will ever come to it
		}
		if reason := l.dialer.reason(); unsent > 0 && reason != layout.RefuseElsewhere {
			l.stats.setReason(reason)
		}
	case unsent > 0:
		moved, err := l.sendUnsent()
		if moved || err != nil {
			l.wait.reset()
			return true, err
		}
	case closing && !l.endSent:
		if err := l.sendHead(kindEnd, l.sent); err != nil {
			return true, l.lostConnection(err)
		}
		l.endSent = true
		return true, nil
	}
	return true, l.pause()
}

// connect tries once to reach a consumer, and says hello. An error ends the loop.
func (l *sendLoop) connect() error {
	conn, err := l.dialer.dial()
	if conn == nil {
		if l.dialer.reason() == layout.RefuseElsewhere {
			l.stats.setReason(layout.RefuseElsewhere)
		}
		return err
	}
	return l.adopt(conn)
}

// adopt goes on with a new connection: with all that the consumer has not released.
func (l *sendLoop) adopt(conn *net.UnixConn) (err error) {
	l.connections++
	if l.conn, err = newSendConn(conn, l.connections, l.id, l.stats); err != nil {
		l.conn = nil
		return err
	}
	l.endSent = false // the end goes to whoever takes the last message
	l.sent = l.queue.requeue(l.sent)
	l.stats.own.Buffers.Store(l.sent.buffers)
	if err := l.sendHead(kindHello, l.sent); err != nil {
		return l.lostConnection(err)
	}
	l.wait.reset()
	return nil
}

// disconnect closes the connection. What was sent on it and not released is sent again on
// the next.
func (l *sendLoop) disconnect() {
	if l.conn != nil {
		l.conn.close()
		l.conn = nil
	}
}

// lostConnection disconnects if err says that the peer has left, and returns any other
// error.
func (l *sendLoop) lostConnection(err error) error {
	if !disconnected(err) {
		return err
	}
	l.disconnect()
	return nil
}

// checkConn disconnects if the peer has left.
func (l *sendLoop) checkConn() (left bool, err error) {
	if left, err = l.conn.peerLeft(); left {
		l.disconnect()
	}
	return left, err
}

// sendHead sends a packet without buffers. It waits as long as it takes: this is
// the first packet of a connection or its last.
func (l *sendLoop) sendHead(k kind, at position) error {
	for {
		l.noteProgress()
		err := l.conn.sendHead(k, at)
		if !timedOut(err) {
			return err
		}
		if l.stopping.Load() {
			l.answerStop()
		}
		left, err := l.conn.peerLeft()
		if err != nil {
			return err
		}
		if left || l.aborted.Load() {
			return unix.EPIPE
		}
	}
}

// sendUnsent sends one packet of what is unsent. moved is false when nothing could be
// sent for now; the header page says why.
func (l *sendLoop) sendUnsent() (moved bool, err error) {
	batch, err := l.queue.nextBatch(l.batch)
	if len(batch) == 0 || err != nil {
		return false, err
	}
	l.noteProgress()
	end := batch[len(batch)-1].end()
	// Before the packet is out: a successor numbers its buffers after this.
	l.stats.own.Buffers.StoreRelaxed(end.buffers)
	if err := l.conn.sendBuffers(batch); err != nil {
		l.stats.own.Buffers.StoreRelaxed(l.sent.buffers)
		switch {
		case timedOut(err):
			left, err := l.checkConn()
			return !left, err
		case errors.Is(err, unix.ETOOMANYREFS):
			l.stats.refused(layout.RefuseInFlight)
			return false, nil
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
			l.stats.refused(layout.RefuseSocketFull)
			return false, nil
		}
		return false, l.lostConnection(err)
	}
	l.sent = end
	l.stats.setReason(layout.RefuseNone)
	l.queue.markSent(batch)
	return true, nil
}

// noteProgress notes that the loop runs, when it is all that does: a Sender that is closing
// waits for it.
func (l *sendLoop) noteProgress() {
	if l.closing.Load() {
		l.stats.progress()
	}
}

// pause waits for the Sender, and for a while only: nobody says when the consumer
// has released something, or has left or come.
func (l *sendLoop) pause() (err error) {
	l.noteProgress()
	wake := l.queue.wake
	if l.conn == nil {
		wake = nil // more to send brings no consumer
	}
	giveUp := l.giveUp
	if l.givenUp() {
		giveUp = nil
	}
	select {
	case <-wake:
		l.wait.reset()
	case <-giveUp:
		if l.conn != nil {
			_, err = l.checkConn()
		}
	case <-time.After(l.wait.next()):
		l.queue.trim()
		if l.conn != nil {
			_, err = l.checkConn()
		}
	}
	return err
}

func (l *sendLoop) givenUp() bool {
	select {
	case <-l.giveUp:
		return true
	default:
		return false
	}
}

// answerStop answers stopSending, and returns when the loop is aborted.
func (l *sendLoop) answerStop() {
	at := l.segment.Header().Consumer.Count.Load()
	if l.conn != nil && !l.segment.Absent(layout.Consumer) {
		if left, err := l.conn.peerLeft(); err == nil && !left {
			at = max(at, l.sent.messages)
		}
	}
	l.stopped <- at
	l.awaitAbort()
}

// backoff is a wait that doubles from one to the next.
type backoff struct{ last time.Duration }

func (b *backoff) reset() { b.last = 0 }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, time.Millisecond), pollInterval/2)
	return b.last
}
