package transfer

import (
	"errors"
	"fmt"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"sluice/layout"
)

// writeOnly reports whether the sender has given a descriptor that cannot be read.
func writeOnly(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_WRONLY
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
	if errors.Is(err, unix.EACCES) && writeOnly(f) {
		return nil, fmt.Errorf("%w: buffer %d cannot be read", layout.ErrCorrupt, number)
	}
	if err != nil {
		return nil, fmt.Errorf("map buffer %d: %w", number, os.NewSyscallError("mmap", err))
	}
	old = m[number]
	m[number] = mem
	return old, nil
}
