package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rawConn is a socket for sendmsg(2) and recvmsg(2) under the runtime's poller.
type rawConn struct{ syscall.RawConn }

func newRawConn(conn *net.UnixConn) (rawConn, error) {
	raw, err := conn.SyscallConn()
	return rawConn{raw}, err
}

// connect tries once to reach a consumer. An error ends the courier: what listens
// there will not do.
func (c *courier) connect() error {
	conn, err := dial(c.path, c.access)
	switch {
	case err == nil:
		c.denied = time.Time{}
	case errors.Is(err, unix.EACCES) && c.beingMade():
		return nil
	case gone(err), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EAGAIN), outOfDescriptors(err):
		c.denied = time.Time{}
		return nil // nobody listens yet, or it has no time for us
	default:
		return fmt.Errorf("connect to %s: %w", c.path, err)
	}
	raw, err := newRawConn(conn)
	if err != nil {
		conn.Close()
		return err
	}
	c.conn, c.raw, c.ended = conn, raw, false // the end goes to whoever takes the last message
	c.connection++
	start := c.again()
	c.own.Buffers.Store(start.buffers)
	c.last = start
	if err := c.sendHead(kindHello, start); err != nil {
		return c.hungUp(err)
	}
	c.wait.reset()
	return nil
}

// again puts what was sent and not let go before what was not sent, and returns
// where that starts. A fault in it, of a segment that was truncated, unlocks as well.
func (c *courier) again() (start position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reclaim()
	c.outbox.unpop(&c.sent)
	if c.outbox.len() > 0 {
		return c.outbox.at(0).start
	}
	return c.last
}

// beingMade reports whether a socket that lets nobody in may be one that a member of
// the group has only just made: bound first, and opened to the group after that.
func (c *courier) beingMade() bool {
	if _, shared := c.access.Group(); !shared {
		return false
	}
	if c.denied.IsZero() {
		c.denied = time.Now()
	}
	return time.Since(c.denied) < helloPatience
}

// disconnect closes the connection. What was sent on it and not let go stays in
// sent, to be sent again on the next.
func (c *courier) disconnect() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// hungUp turns an error of the socket into a disconnect if it says that the peer
// has left, and returns any other.
func (c *courier) hungUp(err error) error {
	if !gone(err) {
		return err
	}
	c.disconnect()
	return nil
}

// hasLeft reports whether the consumer has closed its end. It never sends, so
// there is nothing to read but the end.
func (c *courier) hasLeft() bool {
	var n int
	var peekErr error
	var one [1]byte
	err := c.raw.Control(func(fd uintptr) {
		n, _, peekErr = unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return err != nil || peekErr == nil && n == 0 || peekErr != nil && peekErr != unix.EAGAIN && peekErr != unix.EINTR
}

// hasLeftNow is hasLeft that also acts on it.
func (c *courier) hasLeftNow() bool {
	if c.hasLeft() {
		c.disconnect()
		return true
	}
	return false
}
