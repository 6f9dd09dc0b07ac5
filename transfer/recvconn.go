package transfer

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// recvConn is the connection of a producer: its packets, and the mappings of its recycled
// buffers. The Receiver's goroutine uses it, and Close when no call is under way; interrupt may
// be called by any.
type recvConn struct {
	conn    *net.UnixConn
	raw     syscall.RawConn
	segment uint64   // its creation time
	end     position // of the stream, after the last packet; at first, where the connection starts

	room    []byte  // for a packet
	rights  []byte  // for its descriptors
	entries []entry // of the last packet, those that were not taken
	fds     []int   // theirs
	maps    mappings
	touched byte // what mappings.touch returned: without a use, nothing would be read

	entryRoom []entry // for those of a packet
	fdRoom    []int
}

var rightsSize = unix.CmsgSpace(4 * MaxBatch)

// newRecvConn makes a recvConn of a connection whose hello has said where it starts.
func newRecvConn(conn *net.UnixConn, raw syscall.RawConn, segment uint64, start position) *recvConn {
	return &recvConn{
		conn: conn, raw: raw, segment: segment, end: start,
		room: make([]byte, headSize+MaxBatch*entrySize+1), rights: make([]byte, rightsSize),
	}
}

// wait returns when something can be received, after interrupt, or after timeout: then it is
// os.ErrDeadlineExceeded. stop is asked when interrupt can no longer go unnoticed: true ends the
// wait.
func (c *recvConn) wait(timeout time.Duration, stop func() bool) error {
	if err := c.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if stop() { // and what interrupt did may have been undone just now
		return nil
	}
	waited := false
	return c.raw.Read(func(fd uintptr) bool {
		if waited {
			return true
		}
		waited = true // next time there is something
		_, err := peek(int(fd))
		return err != unix.EAGAIN
	})
}

// interrupt ends a wait.
func (c *recvConn) interrupt() { c.conn.SetReadDeadline(time.Unix(1, 0)) }

// pending reports whether buffers of the last packet were not taken.
func (c *recvConn) pending() bool { return len(c.entries) > 0 }

// take returns the next buffer of the last packet, valid until receive, with its descriptor, -1 if
// it has none, which is the caller's from here on.
//
// Preconditions: pending.
func (c *recvConn) take() (e *entry, fd int) {
	e, fd = &c.entries[0], -1
	c.entries = c.entries[1:]
	if e.flags&flagDescriptor != 0 {
		fd = c.fds[0]
		c.fds = c.fds[1:]
	}
	return e, fd
}

// receive takes the next packet and checks it: buffers, or the end of the stream. Errors: EAGAIN
// when there is none for now, one that is disconnected at the end of the connection,
// ErrDescriptors, ErrCorrupt, ErrVersion, and the kernel's. After an error no descriptor that came
// with it is open.
//
// Preconditions: not pending.
func (c *recvConn) receive() (kind, error) {
	n, rights, flags, err := c.recvmsg()
	if err != nil {
		return 0, err
	}
	if c.fdRoom, err = descriptors(c.fdRoom[:0], c.rights[:rights]); err == nil {
		c.fds = c.fdRoom
		var h head
		if h, err = c.check(c.room[:n], flags); err == nil {
			return h.kind, nil
		}
	}
	c.fds = c.fdRoom
	c.drop()
	return 0, err
}

// check takes the packet apart, compares it with what came along, and moves end behind it.
func (c *recvConn) check(p []byte, flags int) (h head, err error) {
	switch {
	case flags&unix.MSG_CTRUNC != 0:
		// There is room for as many as a packet can have.
		return h, fmt.Errorf("%w for the buffers of a packet", ErrDescriptors)
	case flags&unix.MSG_TRUNC != 0 || len(p) == len(c.room):
		return h, fmt.Errorf("%w: a packet of more than %d bytes", ErrCorrupt, len(c.room)-1)
	case len(p) == 0 && len(c.fds) == 0:
		return h, unix.ECONNRESET
	}
	if h, c.entryRoom, err = parse(p, c.entryRoom); err != nil {
		return h, err
	}
	need := 0
	end := c.end
	for i := range c.entryRoom {
		e := &c.entryRoom[i]
		need += int(e.flags & flagDescriptor)
		end = end.after(e)
	}
	switch {
	case need != len(c.fds):
		return h, fmt.Errorf("%w: a packet with %d descriptors for %d", ErrCorrupt, len(c.fds), need)
	case h.kind == kindHello || h.segment != c.segment:
		return h, fmt.Errorf("%w: packet of kind %d in the middle of a connection", ErrCorrupt, h.kind)
	case h.buffers != c.end.buffers || h.messages != c.end.messages || h.bytes != c.end.bytes:
		return h, fmt.Errorf("%w: packet at buffer %d, message %d, byte %d, where %d, %d and %d were due", ErrCorrupt,
			h.buffers, h.messages, h.bytes, c.end.buffers, c.end.messages, c.end.bytes)
	}
	c.entries, c.end = c.entryRoom, end
	return h, nil
}

// recvmsg receives into c.room and c.rights, without waiting.
func (c *recvConn) recvmsg() (n, rights, flags int, err error) {
	var recvErr error
	err = c.raw.Control(func(fd uintptr) {
		recvErr = unix.EINTR
		for recvErr == unix.EINTR {
			n, rights, flags, _, recvErr = unix.Recvmsg(int(fd), c.room, c.rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		}
	})
	if err == nil && recvErr != nil {
		err = os.NewSyscallError("recvmsg", recvErr)
	}
	return n, rights, flags, err
}

// descriptors takes them out of the control data. What it has found is in the
// result also after an error.
func descriptors(into []int, control []byte) ([]int, error) {
	if len(control) == 0 {
		return into, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return into, fmt.Errorf("%w: control data: %w", ErrCorrupt, err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return into, fmt.Errorf("%w: control data: %w", ErrCorrupt, err)
		}
		into = append(into, fds...)
	}
	return into, nil
}

// drop closes the descriptors of the last packet that were not taken.
func (c *recvConn) drop() {
	for _, fd := range c.fds {
		unix.Close(fd)
	}
	c.fds, c.entries = nil, nil
}

// close ends the connection. Its mappings are the caller's.
func (c *recvConn) close() error {
	c.drop()
	return c.conn.Close()
}
