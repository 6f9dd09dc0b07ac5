package mapping

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MakePrivate maps the file's bytes from offset once more over b, privately. The kernel
// replaces the mapping in one step: who touches it meanwhile finds the old or the new. b must
// begin at a page.
func MakePrivate(b []byte, f *os.File, offset int64) error {
	at, size := unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))
	_, err := unix.MmapPtr(int(f.Fd()), offset, at, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("map %d bytes privately: %w", size, os.NewSyscallError("mmap", err))
	}
	return nil
}

// Clear maps fresh zeroed memory over the whole pages of b, in one step as MakePrivate. What was
// mapped there is released.
func Clear(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("clear %d bytes: %w", len(b), os.NewSyscallError("mmap", err))
	}
	return nil
}

// Offset returns how far the first byte of part lies from that of whole, and whether part lies in
// it.
func Offset(whole, part []byte) (at int, ok bool) {
	from, begin := uintptr(unsafe.Pointer(unsafe.SliceData(part))), uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return int(from - begin), from >= begin && from-begin+uintptr(len(part)) <= uintptr(len(whole))
}

// Populate maps the pages that b lies in for writing, which gives a private mapping pages of its
// own, without a change to any byte, even one that somebody else writes at the same time. It fails
// before Linux 5.14, where Touch does the same.
func Populate(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return os.NewSyscallError("madvise", unix.Madvise(pages(b), unix.MADV_POPULATE_WRITE))
}

// Touch is Populate by an atomic access to each page. It faults where the file was truncated.
func Touch(b []byte) {
	if len(b) == 0 {
		return
	}
	whole, page := pages(b), os.Getpagesize()
	for at := 0; at < len(whole); at += page {
		atomic.OrUint32((*uint32)(unsafe.Pointer(&whole[at])), 0)
	}
}

// pages returns b from the beginning of its first page.
func pages(b []byte) []byte {
	first := unsafe.Pointer(unsafe.SliceData(b))
	skew := int(uintptr(first) % uintptr(os.Getpagesize()))
	return unsafe.Slice((*byte)(unsafe.Add(first, -skew)), skew+len(b))
}
