package transfer

import (
	"errors"
	"fmt"
	"math/bits"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"sluice/layout"
)

// pooled is a buffer that comes back: a memfd, mapped once on each side. It cannot
// be sealed against writing, so the producer's word is all that keeps it from
// changing what the consumer reads.
type pooled struct {
	number uint32 // from 1, what the consumer knows it by
	file   *os.File
	mem    mmap.MMap
	told   uint64 // the connection whose peer has its descriptor, 0 = none
}

// mostPooled is how many buffers a pool makes at most: more than the socket and the
// consumer hold between them, so that more would only lie in the queue, where
// ordinary memory serves as well.
const mostPooled = 1024

// pool makes recycled buffers and keeps those that nobody uses, by size.
type pool struct {
	free   [64][]*pooled // by the binary logarithm of the size
	every  map[uint32]*pooled
	vacant []uint32 // numbers of buffers that were given up
	files  *allowance
}

var errAllInUse = errors.New("all recycled buffers are in use")

func class(n uint64) int { return bits.Len64(pages(n) - 1) }

// get returns a buffer of at least n bytes, the one used last if it can: what it
// holds may still be in a cache. It makes one if there is none, in place of one
// of another size if need be. Errors: errAllInUse, EMFILE, and the kernel's.
func (p *pool) get(n uint64) (*pooled, error) {
	c := class(n)
	if last := len(p.free[c]) - 1; last >= 0 {
		b := p.free[c][last]
		p.free[c] = p.free[c][:last]
		return b, nil
	}
	full := errAllInUse
	if len(p.every) < mostPooled {
		full = p.files.take()
	}
	if full != nil && (!p.evict() || p.files.take() != nil) {
		return nil, full
	}
	number := uint32(len(p.every) + 1)
	if last := len(p.vacant) - 1; last >= 0 {
		number, p.vacant = p.vacant[last], p.vacant[:last]
	}
	b, err := newPooled(1<<c, number)
	if err != nil {
		p.files.give()
		p.vacant = append(p.vacant, number)
		return nil, err
	}
	if p.every == nil {
		p.every = map[uint32]*pooled{}
	}
	p.every[number] = b
	return b, nil
}

// evict gives up the largest buffer that nobody uses.
func (p *pool) evict() bool {
	for c := len(p.free) - 1; c >= 0; c-- {
		if last := len(p.free[c]) - 1; last >= 0 {
			b := p.free[c][last]
			p.free[c] = p.free[c][:last]
			delete(p.every, b.number)
			p.vacant = append(p.vacant, b.number)
			b.close()
			p.files.give()
			return true
		}
	}
	return false
}

func (p *pool) put(b *pooled) {
	c := class(uint64(len(b.mem)))
	p.free[c] = append(p.free[c], b)
}

func (p *pool) close() error {
	var errs []error
	for _, b := range p.every {
		errs = append(errs, b.close())
		p.files.give()
	}
	clear(p.every)
	clear(p.free[:])
	return errors.Join(errs...)
}

func newPooled(size int64, number uint32) (_ *pooled, err error) {
	fd, err := unix.MemfdCreate("sluice", memfdFlags())
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	b := &pooled{number: number, file: os.NewFile(uintptr(fd), "memfd")}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a buffer of %d bytes: %w", size, err), b.close())
		}
	}()
	// fallocate, because a hole costs a fault at the first touch, and where the
	// memory is not there, a signal.
	if err := unix.Fallocate(fd, 0, 0, size); err != nil {
		return nil, os.NewSyscallError("fallocate", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, kept); err != nil {
		return nil, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	b.mem, err = mmap.MapRegion(b.file, int(size), mmap.RDWR, 0, 0)
	return b, err
}

func (b *pooled) close() error {
	var err error
	if b.mem != nil {
		err = b.mem.Unmap()
	}
	return errors.Join(err, b.file.Close())
}

// mapped is the consumer's side: the recycled buffers of one connection.
type mapped map[uint32]mmap.MMap

// add maps the file of buffer number. It owns the descriptor, and closes it: the
// mapping is enough. old is the mapping that had that number before, nil if none
// had: the sender has given that buffer up.
func (m mapped) add(number uint32, fd int, size uint64) (old mmap.MMap, err error) {
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	if err := checkFile(fd, size, kept); err != nil {
		return nil, err
	}
	mem, err := mmap.MapRegion(f, int(size), mmap.RDONLY, 0, 0)
	if errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("%w: buffer %d cannot be read", layout.ErrCorrupt, number)
	}
	if err != nil {
		return nil, fmt.Errorf("map buffer %d: %w", number, err)
	}
	old = m[number]
	m[number] = mem
	return old, nil
}
