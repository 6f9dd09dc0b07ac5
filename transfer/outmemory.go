package transfer

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

// back gives a buffer that is in ordinary memory a memfd: a sealed one with its content, or a
// recycled one, into which the caller copies it. Errors: EMFILE, ENFILE, errAllInUse and
// errNoRoom, after which it may be tried again, and the kernel's.
//
// Preconditions: the lock of the outQueue is held; b.data is set.
func (m *outMemory) back(b *outBuffer) (err error) {
	if !m.recycle {
		b.fd, err = m.seal(b.data)
		return err
	}
	if b.recycled, err = m.recycled.get(uint64(b.length), b.charged); err == nil {
		b.charged = 0 // the pool's now
	}
	return err
}

// release closes descriptors of buffers, and stops to count them and what the buffers were charged
// for. Whoever finds room in a budget has to find it in the kernel as well, so that comes last.
func (m *outMemory) release(fds []int, charged uint64) {
	closeAll(fds)
	m.fds.giveN(len(fds))
	m.bytes.give(charged)
}

// report notes in the header page what is held.
func (m *outMemory) report() { m.stats.setHeld(m.fds.held.Load(), m.bytes.taken.Load()) }
