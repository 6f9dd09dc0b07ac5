package transfer

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// sendHead sends a packet without buffers. It waits as long as it takes: this is
// the first packet of a connection or its last.
func (c *courier) sendHead(k kind, at position) error {
	h := head{kind: k, segment: c.id, buffers: at.buffers, messages: at.messages, bytes: at.bytes}
	c.packet = h.append(c.packet[:0])
	for {
		err := c.send(nil)
		if !timedOut(err) {
			return err
		}
		if c.halting.Load() {
			c.standStill()
		}
		left, err := c.hasLeft()
		if err != nil {
			return err
		}
		if left || c.aborted.Load() {
			return unix.EPIPE
		}
	}
}

// deliver sends one packet of what waits. moved is false when nothing could be
// sent for now; the header says why.
func (c *courier) deliver() (moved bool, err error) {
	batch, err := c.load()
	if len(batch) == 0 || err != nil {
		return false, err
	}
	end := batch[len(batch)-1].end()
	// Before the packet is out: a successor numbers its buffers after this.
	c.own.Buffers.StoreRelaxed(end.buffers)
	switch err := c.send(c.fds); {
	case err == nil:
	case timedOut(err):
		c.own.Buffers.StoreRelaxed(c.last.buffers)
		left, err := c.hasLeftNow()
		return !left, err
	case errors.Is(err, unix.ETOOMANYREFS):
		c.own.Buffers.StoreRelaxed(c.last.buffers)
		c.refused(layout.RefuseInFlight)
		return false, nil
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		c.own.Buffers.StoreRelaxed(c.last.buffers)
		c.refused(layout.RefuseSocketFull)
		return false, nil
	default:
		c.own.Buffers.StoreRelaxed(c.last.buffers)
		return false, c.hungUp(err)
	}
	c.last = end
	c.obstacle(layout.RefuseNone)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range batch {
		if b := batch[i].recycled; b != nil {
			b.sentOnConn = c.connection
		}
		c.sent.push(batch[i])
	}
	c.outbox.pop(len(batch))
	c.reclaim()
	c.note()
	return true, nil
}

// mostInPacket is how many bytes of buffers share a packet, if it is more than one
// buffer. What is in the socket and in the consumer's hands should fit a cache.
const maxPacketBytes = 256 << 10

// load builds the next packet in c.packet and c.fds, and returns a copy of its
// buffers, none when there is no descriptor for the first.
func (c *courier) load() ([]outBuffer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(c.outbox.len(), c.batch)
	first := c.outbox.at(0).start
	h := head{kind: kindBuffers, segment: c.id, buffers: first.buffers, messages: first.messages, bytes: first.bytes}
	c.packet, c.fds = h.append(c.packet[:0]), c.fds[:0]
	size := 0
	for i := range n {
		p := c.outbox.at(i)
		if size += p.length; i > 0 && size > maxPacketBytes {
			n = i
			break
		}
		if p.data != nil {
			err := c.materialize(p)
			if outOfDescriptors(err) {
				c.refused(layout.RefuseNoDescriptor)
			} else if err != nil && err != errAllInUse && err != errNoRoom {
				return nil, err
			}
			if err != nil {
				n = i
				break
			}
		}
		e := entry{size: uint64(p.length), length: uint32(p.length), messages: p.messages, stamp: p.stamp}
		fd := p.fd
		if b := p.recycled; b != nil {
			e.size, e.number, fd = uint64(len(b.mem)), b.number, -1
			if b.sentOnConn != c.connection {
				fd = int(b.file.Fd())
			}
		}
		if fd >= 0 {
			e.flags |= flagDescriptor
			c.fds = append(c.fds, fd)
		}
		if p.packed {
			e.flags |= flagPacked
		}
		c.packet = e.append(c.packet)
	}
	return append([]outBuffer(nil), c.outbox.items[c.outbox.head:c.outbox.head+n]...), nil
}

// materialize moves a buffer out of ordinary memory. c.mu is held.
func (c *courier) materialize(p *outBuffer) (err error) {
	if c.recycle {
		if p.recycled, err = c.pool.get(uint64(p.length), p.weight); err != nil {
			return err
		}
		p.weight = 0 // the pool's now
		copy(p.recycled.mem, p.data)
	} else if p.fd, err = c.seal(p.data); err != nil {
		return err
	}
	c.unbackedBytes.Add(-int64(cap(p.data)))
	c.plain.give(p.data)
	p.data = nil
	c.unbacked.Add(-1)
	return nil
}

// backOldest gives a buffer to the oldest buffer that has none, if there is one to be
// had. The Sender calls it instead of making one for its newest buffer: else it
// would be several times as fast for being out of descriptors, and leave all the
// work to the courier, which then cannot catch up any more.
func (c *courier) backOldest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reclaim()
	if n := int(c.unbacked.Load()); n > 0 {
		_ = c.materialize(c.outbox.at(c.outbox.len() - n)) // the courier tries again, and says why not
	}
}

// seal moves p into a memfd, if there may be one more. The Sender's goroutine calls
// it too.
func (c *courier) seal(p []byte) (fd int, err error) {
	if err := c.files.take(); err != nil {
		return -1, err
	}
	if fd, err = newSealed(p); err != nil {
		c.files.give()
	}
	return fd, err
}

// send puts c.packet and the descriptors into the socket. When it is full, that is
// counted, and waited for until a slice is over: os.ErrDeadlineExceeded.
func (c *courier) send(fds []int) error {
	c.lookAround()
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(pollInterval)); err != nil {
		return err
	}
	refused := false
	var sendErr error
	err := c.raw.Write(func(fd uintptr) bool {
		for {
			sendErr = unix.Sendmsg(int(fd), c.packet, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			switch {
			case sendErr == unix.EINTR:
				continue
			case sendErr != unix.EAGAIN:
				return true
			case !refused:
				refused = true
				c.refused(layout.RefuseSocketFull)
			}
			return false
		}
	})
	return errors.Join(err, os.NewSyscallError("sendmsg", sendErr))
}

// refused counts that the way out was refused, and says by what. The Sender's
// goroutine calls it too.
func (c *courier) refused(o layout.RefuseReason) {
	c.own.Refused.Add(1)
	c.obstacle(o)
}

// obstacle says what is in the way. The limit, which makes the producer stop, stays
// what it was until the Sender finds room again: else the next packet would hide it.
func (c *courier) obstacle(o layout.RefuseReason) {
	if !c.atLimit.Load() {
		c.own.RefuseReason.StoreRelaxed(uint64(o))
	}
	if c.atLimit.Load() {
		c.own.RefuseReason.StoreRelaxed(uint64(layout.RefuseMemoryLimit))
	}
}
