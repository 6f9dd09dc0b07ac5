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

// pool makes recycled buffers and keeps those that nobody uses, by size.
type pool struct {
	free  [64][]*pooled // by the binary logarithm of the size
	every []*pooled
	files *allowance
}

func class(n uint64) int { return bits.Len64(pages(n) - 1) }

// get returns a buffer of at least n bytes, the one used last if it can: what it
// holds may still be in a cache. It makes one if there is none.
func (p *pool) get(n uint64) (*pooled, error) {
	c := class(n)
	if last := len(p.free[c]) - 1; last >= 0 {
		b := p.free[c][last]
		p.free[c] = p.free[c][:last]
		return b, nil
	}
	if err := p.files.take(); err != nil {
		return nil, err
	}
	b, err := newPooled(1<<c, uint32(len(p.every)+1))
	if err != nil {
		p.files.give()
		return nil, err
	}
	p.every = append(p.every, b)
	return b, nil
}

func (p *pool) put(b *pooled) {
	c := class(uint64(len(b.mem)))
	p.free[c] = append(p.free[c], b)
}

func (p *pool) close() error {
	var errs []error
	for _, b := range p.every {
		errs = append(errs, b.close())
	}
	p.every = nil
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
// mapping is enough.
func (m mapped) add(number uint32, fd int, size uint64) error {
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	if m[number] != nil {
		return fmt.Errorf("%w: buffer %d came with a descriptor again", layout.ErrCorrupt, number)
	}
	if err := checkFile(fd, size, kept); err != nil {
		return err
	}
	mem, err := mmap.MapRegion(f, int(size), mmap.RDONLY, 0, 0)
	if err != nil {
		return fmt.Errorf("map buffer %d: %w", number, err)
	}
	m[number] = mem
	return nil
}

func (m mapped) clear() error {
	var errs []error
	for number, mem := range m {
		errs = append(errs, mem.Unmap())
		delete(m, number)
	}
	return errors.Join(errs...)
}
