package transfer

import (
	"errors"
	"fmt"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"sluice/layout"
)

// mappings are the recycled buffers of one connection, mapped by the consumer to be read: that with
// number n has index n-1, and is nil if it did not come. One goroutine at a time may use it.
type mappings []mmap.MMap

// content returns the bytes in use of buffer e.number. fd is its descriptor if one came with
// it, else -1; content owns it. replaced is the mapping that had the number before, nil if none
// had: the sender has given that buffer up. It is returned also with an error.
//
// Preconditions: e was checked, so its number is from 1 to maxRecycled.
func (m *mappings) content(e *entry, fd int) (data []byte, replaced mmap.MMap, err error) {
	if fd >= 0 {
		if replaced, err = m.add(e.number, fd, e.size); err != nil {
			return nil, nil, err
		}
	}
	var mem mmap.MMap
	if i := int(e.number) - 1; i < len(*m) {
		mem = (*m)[i]
	}
	if mem == nil {
		return nil, replaced, fmt.Errorf("%w: buffer %d was never sent", layout.ErrCorrupt, e.number)
	}
	if uint64(len(mem)) != e.size {
		return nil, replaced, fmt.Errorf("%w: buffer %d has %d bytes, its packet says %d", layout.ErrCorrupt, e.number, len(mem), e.size)
	}
	return mem[:e.length:e.length], replaced, nil
}

// touch reads a byte of each of the buffers that is mapped, and returns a value made of them. The
// first line of each is in the cache of the producer's processor: one by one, the user would wait
// for every line, and asked for together they come together.
//
// Where a descriptor comes with it, the number still has a mapping of a buffer that the producer
// has given up: to read there would take memory that nobody counts.
func (m *mappings) touch(entries []entry) (some byte) {
	for i := range entries {
		e := &entries[i]
		if n := int(e.number) - 1; n >= 0 && n < len(*m) && e.flags&flagDescriptor == 0 {
			if mem := (*m)[n]; len(mem) > 0 {
				some |= mem[0]
			}
		}
	}
	return some
}

// add maps the file of buffer number. It owns the descriptor, and closes it: the
// mapping is enough.
func (m *mappings) add(number uint32, fd int, size uint64) (replaced mmap.MMap, err error) {
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	if err := checkFile(fd, size, kept); err != nil {
		return nil, err
	}
	mem, err := mmap.MapRegion(f, int(size), mmap.RDONLY, 0, 0)
	if errors.Is(err, unix.EACCES) && writeOnly(f) {
		return nil, fmt.Errorf("%w: buffer %d cannot be read", layout.ErrCorrupt, number)
	}
	if err != nil {
		return nil, fmt.Errorf("map buffer %d: %w", number, os.NewSyscallError("mmap", err))
	}
	for len(*m) < int(number) {
		*m = append(*m, nil)
	}
	replaced, (*m)[number-1] = (*m)[number-1], mem
	return replaced, nil
}

// writeOnly reports whether the sender has given a descriptor that cannot be read.
func writeOnly(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_WRONLY
}
