package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
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
	if unreachable(err) {
		if conn, err = c.dialElsewhere(err); errors.Is(err, ErrElsewhere) {
			return err
		}
	} else {
		c.elsewhere = time.Time{}
	}
	c.starved = nil
	switch {
	case err == nil:
		c.denied = time.Time{}
	case errors.Is(err, unix.EACCES) && c.beingMade():
		return nil
	case outOfDescriptors(err):
		c.denied, c.starved = time.Time{}, err
		return nil
	case unreachable(err), errors.Is(err, unix.EAGAIN):
		c.denied = time.Time{}
		return nil // nobody listens yet, or it has no time for us
	case errors.As(err, new(*net.OpError)):
		return err // with the path
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
	start := c.requeue()
	c.own.Buffers.Store(start.buffers)
	c.last = start
	if err := c.sendHead(kindHello, start); err != nil {
		return c.hungUp(err)
	}
	c.wait.reset()
	return nil
}

// requeue puts what was sent and not let go before what was not sent, and returns
// where that starts. A fault in it, of a segment that was truncated, unlocks as well.
func (c *courier) requeue() (start position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reclaim()
	c.outbox.unpop(&c.sent)
	if c.outbox.len() > 0 {
		return c.outbox.at(0).start
	}
	return c.last
}

// unreachable reports whether err says that nobody listens at a path.
func unreachable(err error) bool { return gone(err) || errors.Is(err, fs.ErrNotExist) }

// elsewherePatience is how long a consumer that listens elsewhere is waited for.
const elsewherePatience = 2 * time.Second

// dialElsewhere connects to where a living consumer says that it listens, if that is
// not where this producer looks for it: the two have other directories for sockets, as
// a login and a service have. nobodyThere is why its own path leads nowhere.
//
// What the segment says is the word of whoever may write to it. That has to be this
// user alone, as by the file's owner and by who was the consumer. Otherwise, or when
// that path leads nowhere either, this is ErrElsewhere after a while, because the two
// would wait for each other for ever.
func (c *courier) dialElsewhere(nobodyThere error) (*net.UnixConn, error) {
	path := c.segment.Header().ConsumerSocket.Load()
	alive, err := c.segment.Alive(layout.Consumer)
	if path == "" || path == c.path || err != nil || !alive {
		c.elsewhere = time.Time{}
		return nil, nobodyThere
	}
	why := "which is another user's to say"
	if _, shared := c.access.Group(); !shared && c.segment.Private() && c.peer.UID.Load() == uint64(os.Geteuid()) && filepath.IsAbs(path) {
		conn, err := dial(path, c.access)
		if err == nil {
			c.elsewhere = time.Time{}
			return conn, nil
		}
		why = err.Error()
	}
	if c.elsewhere.IsZero() {
		c.elsewhere = time.Now()
	}
	c.obstacle(layout.RefuseElsewhere)
	if time.Since(c.elsewhere) < elsewherePatience {
		return nil, nobodyThere
	}
	return nil, fmt.Errorf("%w: at %q (%s), and this producer connects to %s", ErrElsewhere, path, why, c.path)
}

// beingMade reports whether a socket that lets nobody in may be one that was only just
// made: it is bound first, and gets its owner and its mode after that.
func (c *courier) beingMade() bool {
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
func (c *courier) hasLeft() (left bool, err error) {
	var n int
	var peekErr error
	err = c.raw.Control(func(fd uintptr) { n, peekErr = peek(int(fd)) })
	switch {
	case err != nil || gone(peekErr):
		return true, nil
	case peekErr == unix.EAGAIN:
		return false, nil
	}
	return n == 0 && peekErr == nil, os.NewSyscallError("recvfrom", peekErr)
}

// hasLeftNow is hasLeft that also acts on it.
func (c *courier) hasLeftNow() (left bool, err error) {
	if left, err = c.hasLeft(); left {
		c.disconnect()
	}
	return left, err
}
