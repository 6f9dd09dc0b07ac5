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

// Populate gives the private mapping that b lies in pages of its own, without a change to any
// byte, even one that somebody else writes at the same time. It fails before Linux 5.14, where
// Touch does the same.
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
