package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// Limits of an acceptor.
const (
	// helloTimeout is how long a connection may take to say what it is.
	helloTimeout = time.Second
	// maxPending is how many connections may be silent at once. One more ends the
	// oldest.
	maxPending = 64
	// maxReady is how many connections wait for the Receiver. It takes one after the
	// other, and each but the last is one of a producer that is gone.
	maxReady = 16
)

// acceptor takes connections at the Receiver's socket, and waits for their first
// packets beside it: a peer that connects and sends nothing delays nobody. The
// Receiver gets connections of this segment's producers, in the order in which they came.
//
// It has a goroutine of its own, which accepts, and one for each connection that is silent; mu
// guards what they and the Receiver share. The Receiver's goroutine calls next, allCame, wait and
// renew, and close when it needs no more.
type acceptor struct {
	socket  *listenSocket
	access  shm.Access
	id      uint64        // of the segment
	wake    chan struct{} // there is something for next; one is enough
	room    chan struct{} // there is room for one more in ready
	closed  chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	pending []*pending // that have said nothing so far, in the order in which they came
	ready   []accepted // for next
	asked   uint64     // the producer that allCame asks about; 0 = none
	came    uint64     // the last one of which allCame is true
}

// pending is a connection whose hello has not come.
type pending struct {
	conn *net.UnixConn
	raw  syscall.RawConn
}

// accepted is a producer's connection, or why there cannot be one.
type accepted struct {
	conn *recvConn // nil with err
	err  error
}

// newAcceptor owns s from here on.
func newAcceptor(s *listenSocket, access shm.Access, id uint64) *acceptor {
	a := &acceptor{
		socket: s, access: access, id: id,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	a.running.Add(1)
	go a.run()
	return a
}

// renew listens again when somebody has removed the socket: no producer would find this
// Receiver any more. It returns the acceptor to go on with, which is a itself when nothing is to
// be done or nothing can be. A socket that was inherited is not renewed, nor judged: who made it
// may have removed it on purpose, as systemd does when its unit is stopped. ErrSocketRemoved.
func (a *acceptor) renew() (*acceptor, error) {
	lost, there := a.socket.lost()
	switch {
	case !lost, !there && !a.socket.own:
		return a, nil
	case there:
		return a, fmt.Errorf("%w: something else stands at %s", ErrSocketRemoved, a.socket.path)
	}
	next, err := listen(a.socket.path, a.access, a.socket.mkdir)
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrSocketRemoved, err)
	}
	// What has come to the old one comes again to the new one.
	err = a.close()
	return newAcceptor(next, a.access, a.id), err
}

// next returns the oldest connection that nobody has taken, if there is one.
func (a *acceptor) next() (c accepted, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ready) == 0 {
		return c, false
	}
	c = a.ready[0]
	a.ready = append(a.ready[:0], a.ready[1:]...)
	nudge(a.room)
	return c, true
}

// allCame reports whether next has returned every connection of a producer, the given
// holder of its role, that was gone when this was first asked. Only the goroutine that
// accepts knows that it has none in its hands: the first call makes it look, and is false,
// and wake tells when it has looked.
func (a *acceptor) allCame(holder uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.came != holder {
		a.asked = holder
		a.socket.listener.SetDeadline(time.Unix(1, 0)) // ends its wait
	}
	return a.came == holder
}

// look answers allCame, between two waits for a connection.
func (a *acceptor) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.socket.listener.SetDeadline(time.Time{})
	if len(a.pending)+len(a.ready) == 0 && !a.socket.waiting() {
		a.came = a.asked
		nudge(a.wake)
	}
}

// close ends all connections that next has not returned. It closes the
// socket.
func (a *acceptor) close() error {
	close(a.closed)
	err := a.socket.close()
	a.mu.Lock()
	for _, p := range a.pending {
		p.conn.Close()
	}
	// Before the wait: one that another's await has heard may have its own still waiting.
	for _, c := range a.ready {
		if c.conn != nil {
			c.conn.close()
		}
	}
	a.ready = nil
	a.mu.Unlock()
	a.running.Wait()
	return err
}

func (a *acceptor) isClosed() bool {
	select {
	case <-a.closed:
		return true
	default:
		return false
	}
}

func (a *acceptor) run() {
	defer a.running.Done()
	for {
		conn, err := a.socket.listener.AcceptUnix()
		if a.isClosed() {
			if err == nil {
				conn.Close()
			}
			return
		}
		if timedOut(err) {
			a.look()
			continue
		}
		if err == nil {
			err = a.add(conn)
		}
		if err != nil {
			a.mu.Lock()
			a.put(accepted{err: err})
			a.mu.Unlock()
		}
		for a.full() {
			select {
			case <-a.room:
			case <-a.closed:
				return
			}
		}
	}
}

// full reports whether no more is accepted for now: an error stays until somebody has
// heard it.
func (a *acceptor) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ready) >= maxReady || len(a.ready) > 0 && a.ready[len(a.ready)-1].err != nil
}

// put adds to ready. a.mu is held.
func (a *acceptor) put(c accepted) {
	a.ready = append(a.ready, c)
	nudge(a.wake)
}

// add begins to wait for what a connection says. One of somebody who is not let in is
// closed.
func (a *acceptor) add(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err == nil {
		err = authorize(conn, a.access)
	}
	if err != nil {
		conn.Close()
		if errors.Is(err, ErrPeer) {
			return nil
		}
		return fmt.Errorf("ask who has connected: %w", err)
	}
	p := &pending{conn, raw}
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.isClosed() { // and close has ended those that were pending before
		conn.Close()
		return nil
	}
	if len(a.pending) == maxPending {
		a.pending[0].conn.Close() // its goroutine ends with it
		a.pending = append(a.pending[:0], a.pending[1:]...)
	}
	a.pending = append(a.pending, p)
	a.running.Add(1)
	go a.await(p)
	return nil
}

// await waits until p says something, or for as long as it may be silent.
func (a *acceptor) await(p *pending) {
	defer a.running.Done()
	err := p.raw.Read(func(fd uintptr) bool {
		_, err := peek(int(fd))
		return err != unix.EAGAIN
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.listen()
	}
	a.remove(p, true) // it has not spoken in time, or is closed
}

// listen hears all that have said something, the oldest first: a producer that was
// killed comes before its successor, and may have been silent until now. a.mu is held.
func (a *acceptor) listen() {
	for _, p := range append([]*pending(nil), a.pending...) {
		at, err := p.hello(a.id)
		switch {
		case errors.Is(err, unix.EAGAIN):
			continue
		case err == nil:
			p.conn.SetReadDeadline(time.Time{})
			a.remove(p, false)
			a.put(accepted{conn: newRecvConn(p.conn, p.raw, a.id, at)})
			continue
		case errors.Is(err, errNotProducer), disconnected(err):
		default:
			a.put(accepted{err: err})
		}
		a.remove(p, true)
	}
}

// remove takes p out of pending, if it is still there. a.mu is held.
func (a *acceptor) remove(p *pending, closeIt bool) {
	for i, other := range a.pending {
		if other == p {
			a.pending = append(a.pending[:i], a.pending[i+1:]...)
			if closeIt {
				p.conn.Close()
			}
			return
		}
	}
}

// errNotProducer is for a connection that is not of this segment's producer.
var errNotProducer = errors.New("not this segment's producer")

// hello takes the first packet and returns where the producer's stream starts. Errors:
// EAGAIN, errNotProducer, ErrVersion, and the kernel's. No descriptor can come with it.
func (p *pending) hello(id uint64) (at position, err error) {
	var room [headSize + 1]byte
	var n, flags int
	var recvErr error
	err = p.raw.Control(func(fd uintptr) {
		recvErr = unix.EINTR
		for recvErr == unix.EINTR {
			n, _, flags, _, recvErr = unix.Recvmsg(int(fd), room[:], nil, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		}
	})
	if err != nil {
		return at, errNotProducer // it was closed meanwhile
	}
	if recvErr != nil {
		return at, os.NewSyscallError("recvmsg", recvErr)
	}
	h, _, err := parse(room[:min(n, headSize)], nil)
	switch {
	case errors.Is(err, ErrVersion):
		return at, err
	case err != nil || n != headSize || flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0 || h.kind != kindHello || h.segment != id:
		return at, errNotProducer
	}
	return position{h.buffers, h.messages, h.bytes}, nil
}

// wait waits until next may have something, ctx is done, stopped is closed or the time
// is over.
func (a *acceptor) wait(ctx context.Context, stopped <-chan struct{}, timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-a.wake:
	case <-ctx.Done():
	case <-stopped:
	case <-timer.C:
	}
}
