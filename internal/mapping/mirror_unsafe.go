// Package mapping maps files in ways that mmap-go cannot: twice in a row, at addresses that huge
// pages fit, and privately over memory that is in use.
package mapping

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mirror maps size bytes of f from offset twice in a row and returns the
// 2*size bytes: b[i] and b[i+size] are the same byte of the file, so whatever
// starts in the first half and fits in size is contiguous.
//
// mmap-go cannot place a mapping at an address, hence x/sys.
func Mirror(f *os.File, offset, size int64) ([]byte, error) { return shared(f, offset, size, 2) }

// Shared maps size bytes of f from offset once.
func Shared(f *os.File, offset, size int64) ([]byte, error) { return shared(f, offset, size, 1) }

// shared maps size bytes of f from offset, as often as times says. size is a multiple of the page
// size if that is more than once.
func shared(f *os.File, offset, size, times int64) ([]byte, error) {
	base, err := reserve(offset, times*size)
	if err != nil {
		return nil, err
	}
	for i := range times {
		at := unsafe.Add(base, i*size)
		if _, err := unix.MmapPtr(int(f.Fd()), offset, at, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			unix.MunmapPtr(base, uintptr(times*size))
			return nil, fmt.Errorf("map %d bytes: %w", size, os.NewSyscallError("mmap", err))
		}
	}
	return unsafe.Slice((*byte)(base), times*size), nil
}

// reserve reserves size bytes of addresses for mappings of a file from offset, so that MAP_FIXED
// replaces only what is ours. If a huge page fits into them, the address is as far from a multiple
// of its size as offset is: the kernel can map only what is aligned both in the file and in memory.
func reserve(offset, size int64) (unsafe.Pointer, error) {
	slack := HugePageSize()
	if slack > size {
		slack = 0
	}
	base, err := unix.MmapPtr(-1, 0, nil, uintptr(size+slack), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of addresses: %w", size+slack, os.NewSyscallError("mmap", err))
	}
	if slack == 0 {
		return base, nil
	}
	before := (offset - int64(uintptr(base))) & (slack - 1) // a multiple of the page size, as both are
	if before > 0 {
		unix.MunmapPtr(base, uintptr(before))
	}
	page := int64(os.Getpagesize())
	if after := (size + before + page - 1) &^ (page - 1); after < size+slack {
		unix.MunmapPtr(unsafe.Add(base, after), uintptr(size+slack-after))
	}
	return unsafe.Add(base, before), nil
}

// Unmap unmaps memory that was mapped as one piece.
func Unmap(b []byte) error {
	return os.NewSyscallError("munmap", unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))))
}
