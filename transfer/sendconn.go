package transfer

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// sendConn is one connection to a consumer. The sendLoop's goroutine uses it.
type sendConn struct {
	conn    *net.UnixConn
	raw     syscall.RawConn
	number  uint64 // among the connections of this Sender, from 1
	segment uint64 // its creation time
	stats   *senderStats

	packet []byte // the last one
	fds    []int  // that go with it
}

// newSendConn owns conn from here on, also when it fails.
func newSendConn(conn *net.UnixConn, number, segment uint64, stats *senderStats) (*sendConn, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &sendConn{conn: conn, raw: raw, number: number, segment: segment, stats: stats}, nil
}

func (c *sendConn) close() { c.conn.Close() }

// sendHead sends a packet without buffers: a hello, or the end. Errors as those of send.
func (c *sendConn) sendHead(k kind, at position) error {
	c.packet, c.fds = c.head(k, at), c.fds[:0]
	return c.send()
}

// sendBuffers sends a packet with at least one buffer, none of them unbacked. Errors as
// those of send.
func (c *sendConn) sendBuffers(batch []outBuffer) error {
	c.encode(batch)
	if err := c.send(); err != nil {
		return err
	}
	for i := range batch {
		if b := batch[i].recycled; b != nil {
			b.sentOnConn = c.number
		}
	}
	return nil
}

func (c *sendConn) head(k kind, at position) []byte {
	h := head{kind: k, segment: c.segment, buffers: at.buffers, messages: at.messages, bytes: at.bytes}
	return h.append(c.packet[:0])
}

// encode makes the packet of a batch.
func (c *sendConn) encode(batch []outBuffer) {
	c.packet, c.fds = c.head(kindBuffers, batch[0].start), c.fds[:0]
	for i := range batch {
		b := &batch[i]
		e := entry{size: uint64(b.length), length: uint32(b.length), messages: b.messages, first: b.first, last: b.last}
		fd := b.fd
		if r := b.recycled; r != nil {
			e.size, e.number, fd = uint64(len(r.mem)), r.number, -1
			if r.sentOnConn != c.number {
				fd = int(r.file.Fd())
			}
		}
		if fd >= 0 {
			e.flags |= flagDescriptor
			c.fds = append(c.fds, fd)
		}
		if b.packed {
			e.flags |= flagPacked
		}
		c.packet = e.append(c.packet)
	}
}

// send puts the packet and its descriptors into the socket. A full socket is counted as a
// refusal, and waited for during one pollInterval. Errors: os.ErrDeadlineExceeded after
// that, ETOOMANYREFS, ENOBUFS and ENOMEM where the kernel has no room for it now, one that
// is disconnected, and the kernel's others. After an error the packet was not sent.
func (c *sendConn) send() error {
	var rights []byte
	if len(c.fds) > 0 {
		rights = unix.UnixRights(c.fds...)
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(pollInterval)); err != nil {
		return err
	}
	counted := false
	var sendErr error
	err := c.raw.Write(func(fd uintptr) bool {
		for {
			sendErr = unix.Sendmsg(int(fd), c.packet, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			switch {
			case sendErr == unix.EINTR:
				continue
			case sendErr != unix.EAGAIN:
				return true
			case !counted:
				counted = true
				c.stats.refused(layout.RefuseSocketFull)
			}
			return false
		}
	})
	return errors.Join(err, os.NewSyscallError("sendmsg", sendErr))
}

// peerLeft reports whether the consumer has closed its end. It never sends, so there is
// nothing to read but the end.
func (c *sendConn) peerLeft() (left bool, err error) {
	var n int
	var peekErr error
	err = c.raw.Control(func(fd uintptr) { n, peekErr = peek(int(fd)) })
	switch {
	case err != nil || disconnected(peekErr):
		return true, nil
	case peekErr == unix.EAGAIN:
		return false, nil
	}
	return n == 0 && peekErr == nil, os.NewSyscallError("recvfrom", peekErr)
}
