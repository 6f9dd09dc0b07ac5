package transfer

import "golang.org/x/sys/unix"

// outMemory makes the memory of a Sender's buffers, and counts what it takes: sealed
// memfds, recycled buffers, and ordinary memory where there is no descriptor for one.
//
// It belongs to an outQueue, whose lock guards recycled. Everything else may be used by any
// goroutine.
type outMemory struct {
	recycle  bool // every buffer is a recycled one
	fds      fdBudget
	bytes    memBudget
	plain    bufpool
	recycled recycledPool
	stats    *senderStats
}

// sizeFor is the memory that a message of n bytes will take: its buffer's.
func (m *outMemory) sizeFor(n uint64) uint64 {
	if m.recycle {
		return m.recycled.sizeFor(n)
	}
	return pages(n)
}

// seal moves p into a sealed memfd. EMFILE when the budget has no descriptor for it.
func (m *outMemory) seal(p []byte) (fd int, err error) {
	if err := m.fds.take(); err != nil {
		return -1, err
	}
	if fd, err = newSealed(p); err != nil {
		m.fds.give()
	}
	return fd, err
}

// materialize moves a buffer from ordinary memory into a memfd. Errors: EMFILE, ENFILE,
// errAllInUse and errNoRoom, after which it may be tried again, and the kernel's.
//
// Preconditions: the lock of the outQueue is held; b.data is set.
func (m *outMemory) materialize(b *outBuffer) (err error) {
	if m.recycle {
		if b.recycled, err = m.recycled.get(uint64(b.length), b.charged); err != nil {
			return err
		}
		b.charged = 0 // the pool's now
		copy(b.recycled.mem, b.data)
	} else if b.fd, err = m.seal(b.data); err != nil {
		return err
	}
	m.plain.put(b.data)
	b.data = nil
	return nil
}

// release gives back what a buffer has of its own, but not its recycled buffer.
func (m *outMemory) release(b *outBuffer) {
	if b.fd >= 0 {
		unix.Close(b.fd)
		b.fd = -1
		m.fds.give()
	}
	m.bytes.give(b.charged)
	b.charged = 0
}

// report notes in the header page what is held.
func (m *outMemory) report() { m.stats.setHeld(m.fds.held.Load(), m.bytes.taken.Load()) }
