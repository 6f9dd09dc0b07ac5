package transfer

import (
	"errors"
	"fmt"
	"math/bits"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// recycledBuffer is a buffer that comes back: a memfd, mapped once on each side. It cannot
// be sealed against writing, so the producer's word is all that keeps it from
// changing what the consumer reads.
type recycledBuffer struct {
	number     uint32 // from 1, what the consumer knows it by
	file       *os.File
	mem        mmap.MMap
	sentOnConn uint64 // the connection whose peer has its descriptor, 0 = none
	lent       bool   // the Sender is closed, and its user may still write to mem
}

// maxRecycled is how many buffers a pool makes at most: more than the socket and the
// consumer hold between them, so that more would only lie in the queue, where
// ordinary memory serves as well.
const maxRecycled = 1024

// recycledPool makes recycled buffers and keeps those that nobody uses, by size. What it has
// made counts as memory until it gives it up.
type recycledPool struct {
	free    map[uint64][]*recycledBuffer // by size
	unused  int                          // buffers in free
	all     map[uint32]*recycledBuffer
	vacant  []uint32 // numbers of buffers that were given up
	fds     *fdBudget
	bytes   *memBudget
	plain   *bufpool // given up before a buffer is
	maxSize uint64   // bytes of the largest buffer that there can be
}

var (
	errAllInUse = errors.New("all recycled buffers are in use")
	errNoRoom   = errors.New("no memory below the limit")
)

// recycledSize returns the size of a recycled buffer for n bytes: whole pages, up to eight
// of them exactly, and beyond that an eighth of a power of two, so that buffers of
// about one size are one another's. At most an eighth is wasted.
func recycledSize(n uint64) uint64 {
	count := pages(n) / pageSize
	step := uint64(1) << max(0, bits.Len64(count-1)-4)
	return (count + step - 1) / step * step * pageSize
}

// sizeFor is recycledSize, but never more than the limit, or than a file can have, where n bytes
// fit below it.
func (p *recycledPool) sizeFor(n uint64) uint64 {
	if size := recycledSize(n); size <= min(p.bytes.limit, p.maxSize) {
		return size
	}
	return pages(n)
}

// get returns a buffer of at least n bytes, the one used last if it can: what it
// holds may still be in a cache. It makes one if there is none, in place of one
// of another size if need be. credit is what the message counts for already: the
// buffer takes its place. Errors: errAllInUse, errNoRoom, EMFILE, and the kernel's.
func (p *recycledPool) get(n, credit uint64) (*recycledBuffer, error) {
	size := p.sizeFor(n)
	if last := len(p.free[size]) - 1; last >= 0 {
		b := p.free[size][last]
		p.free[size] = p.free[size][:last]
		p.unused--
		p.bytes.give(credit)
		return b, nil
	}
	for credit < size && !p.bytes.take(size-credit) {
		if !p.plain.clear() && (!p.bytes.fits(size-credit, p.idle()) || !p.evict()) {
			return nil, errNoRoom
		}
	}
	if credit > size {
		p.bytes.give(credit - size)
	}
	b, err := p.make(size)
	if err != nil { // as it was before
		p.bytes.give(size)
		p.bytes.add(credit)
		return nil, err
	}
	return b, nil
}

// make makes a buffer, whose memory is counted already.
func (p *recycledPool) make(size uint64) (*recycledBuffer, error) {
	full := errAllInUse
	if len(p.all) < maxRecycled {
		full = p.fds.take()
	}
	if full != nil && (!p.evict() || p.fds.take() != nil) {
		return nil, full
	}
	number := uint32(len(p.all) + 1)
	if last := len(p.vacant) - 1; last >= 0 {
		number, p.vacant = p.vacant[last], p.vacant[:last]
	}
	b, err := newRecycledBuffer(int64(size), number)
	if err != nil {
		p.fds.give()
		p.vacant = append(p.vacant, number)
		return nil, err
	}
	if p.all == nil {
		p.all = map[uint32]*recycledBuffer{}
	}
	p.all[number] = b
	return b, nil
}

// evict gives up the largest buffer that nobody uses, and its memory with it.
func (p *recycledPool) evict() bool {
	if p.unused == 0 {
		return false // soon, as a Sender asks with each message while all are in use
	}
	size := uint64(0)
	for s, free := range p.free {
		if len(free) > 0 {
			size = max(size, s)
		}
	}
	last := len(p.free[size]) - 1
	b := p.free[size][last]
	if p.free[size] = p.free[size][:last]; last == 0 {
		delete(p.free, size)
	}
	p.unused--
	b.punch()
	p.forget(b)
	return true
}

// forget gives a buffer up.
func (p *recycledPool) forget(b *recycledBuffer) error {
	delete(p.all, b.number)
	p.vacant = append(p.vacant, b.number)
	p.fds.give()
	p.bytes.give(uint64(len(b.mem)))
	return b.close()
}

// trim gives up buffers that nobody uses, until those that are left take at most n
// bytes or all are in use.
func (p *recycledPool) trim(n uint64) {
	for p.idle() > n && p.evict() {
	}
}

// idle returns the memory of the buffers that nobody uses.
func (p *recycledPool) idle() (n uint64) {
	for size, free := range p.free {
		n += size * uint64(len(free))
	}
	return n
}

// put takes back a buffer that nobody uses, or gives it up when it is lent.
func (p *recycledPool) put(b *recycledBuffer) {
	if b.lent {
		p.forget(b)
		return
	}
	if p.free == nil {
		p.free = map[uint64][]*recycledBuffer{}
	}
	size := uint64(len(b.mem))
	p.free[size] = append(p.free[size], b)
	p.unused++
}

func (p *recycledPool) close() error {
	var errs []error
	for _, b := range p.all {
		errs = append(errs, p.forget(b))
	}
	clear(p.free)
	p.unused = 0
	return errors.Join(errs...)
}

func newRecycledBuffer(size int64, number uint32) (_ *recycledBuffer, err error) {
	fd, err := unix.MemfdCreate("sluice", memfdFlags())
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	b := &recycledBuffer{number: number, file: os.NewFile(uintptr(fd), "memfd")}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a buffer of %d bytes: %w", size, err), b.close())
		}
	}()
	// fallocate, because a hole costs a fault at the first touch, and where the
	// memory is not there, a signal. It gives up what it has done when a signal comes.
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Fallocate(fd, 0, 0, size)
	}
	if err != nil {
		return nil, os.NewSyscallError("fallocate", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, kept); err != nil {
		return nil, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	b.mem, err = mmap.MapRegion(b.file, int(size), mmap.RDWR, 0, 0)
	return b, os.NewSyscallError("mmap", err)
}

// punch gives the memory back. Closing alone does not: the consumer has it mapped until
// it hears that the number is another buffer's. It reads nothing there, because it has
// released all that was in it.
func (b *recycledBuffer) punch() {
	_ = unix.Fallocate(int(b.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(b.mem)))
}

// close unmaps the buffer, unless it is lent, and closes its file.
func (b *recycledBuffer) close() error {
	var err error
	if b.mem != nil && !b.lent {
		err = b.mem.Unmap()
	}
	return errors.Join(err, b.file.Close())
}
