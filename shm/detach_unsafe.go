package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Detach cuts the memory of the segment off from its file, for a caller that gives up
// the role while other goroutines may still use what Header and Data have returned. That
// memory stays where it is and becomes a private copy: nothing that is stored there
// reaches the file any more, and nothing faults, at any moment of the change. From here
// on Header returns another, shared mapping, for what the caller has yet to say to the
// peer, and Data returns nil.
//
// A copy shows what stands in the file until it is written to, page by page, as it is
// usual for MAP_PRIVATE: when the successor overwrites those bytes, they change. The
// slices of Data in keep are copied now and do not change.
//
// Leave then leaves the private memory mapped, until Unmap. After an error the caller
// must keep the role as long as the memory may be in use.
func (s *Segment) Detach(keep ...[]byte) error {
	if s.detached != nil {
		return s.detachErr
	}
	old := s.page
	if err := s.mapHeader(writable); err != nil {
		s.page = old
		return fmt.Errorf("detach segment %q: %w", s.name, err)
	}
	s.detached = [][]byte{old.header}
	if s.data != nil {
		s.detached = append(s.detached, s.data)
	}
	// The header first: from then on nothing is published, so a payload that goes to a
	// page that is private already is not missed.
	err := makePrivate(old.header, s.file, 0)
	half := int64(len(s.data) / 2)
	for i := int64(0); i < 2 && half > 0 && err == nil; i++ {
		err = makePrivate(s.data[i*half:(i+1)*half], s.file, int64(s.geometry.DataOffset))
	}
	s.data = nil
	if err != nil {
		s.detachErr = fmt.Errorf("detach segment %q: %w", s.name, err)
		return s.detachErr
	}
	for _, b := range keep {
		copyPages(b)
	}
	return nil
}

// Unmap gives back the memory that Detach has made private, when nobody uses it any
// more. It does nothing when there is none.
func (s *Segment) Unmap() error {
	var errs []error
	for _, b := range s.detached {
		errs = append(errs, unmapMirrored(b))
	}
	s.detached = nil
	return errors.Join(errs...)
}

// makePrivate maps the file's bytes from offset once more over b, privately. The kernel
// replaces the mapping in one step: who touches it meanwhile finds the old or the new.
func makePrivate(b []byte, f *os.File, offset int64) error {
	at, size := unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))
	_, err := unix.MmapPtr(int(f.Fd()), offset, at, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("map %d bytes privately: %w", size, os.NewSyscallError("mmap", err))
	}
	return nil
}

// populate is for madvise(2) what copyPages does, since Linux 5.14.
var populate = unix.MADV_POPULATE_WRITE

// copyPages makes private pages of their own of those that b lies in, without a change
// to any byte, even one that somebody else writes at the same time.
func copyPages(b []byte) {
	if len(b) == 0 {
		return
	}
	page := uintptr(os.Getpagesize())
	first := unsafe.Pointer(unsafe.SliceData(b))
	skew := uintptr(first) % page
	whole := unsafe.Slice((*byte)(unsafe.Add(first, -int(skew))), skew+uintptr(len(b)))
	if unix.Madvise(whole, populate) == nil {
		return
	}
	// A truncated file ends it: there is nothing to keep.
	Guard(func() error {
		for at := uintptr(0); at < uintptr(len(whole)); at += page {
			atomic.OrUint32((*uint32)(unsafe.Pointer(&whole[at])), 0)
		}
		return nil
	})
}
