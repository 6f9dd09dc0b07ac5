// Package mapping maps files in ways that mmap-go cannot: twice in a row, and privately over
// memory that is in use.
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
func Mirror(f *os.File, offset, size int64) ([]byte, error) {
	// Reserve the whole range first, so that MAP_FIXED replaces only what is
	// ours.
	base, err := unix.MmapPtr(-1, 0, nil, uintptr(2*size), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of addresses: %w", 2*size, os.NewSyscallError("mmap", err))
	}
	for i := range int64(2) {
		at := unsafe.Add(base, i*size)
		if _, err := unix.MmapPtr(int(f.Fd()), offset, at, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			unix.MunmapPtr(base, uintptr(2*size))
			return nil, fmt.Errorf("map %d bytes: %w", size, os.NewSyscallError("mmap", err))
		}
	}
	return unsafe.Slice((*byte)(base), 2*size), nil
}

// Shared maps size bytes of f from offset once, at an address that the kernel chooses.
func Shared(f *os.File, offset, size int64) ([]byte, error) {
	base, err := unix.MmapPtr(int(f.Fd()), offset, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, os.NewSyscallError("mmap", err))
	}
	return unsafe.Slice((*byte)(base), size), nil
}

// Unmap unmaps memory that was mapped as one piece.
func Unmap(b []byte) error {
	return os.NewSyscallError("munmap", unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))))
}
