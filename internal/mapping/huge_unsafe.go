package mapping

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HugePageSize returns the size of a huge page in bytes, a power of two; 0 when the kernel has
// none.
var HugePageSize = sync.OnceValue(func() int64 {
	text, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 || n&(n-1) != 0 {
		return 0
	}
	return n
})

// HugePart returns the part of b that consists of whole huge pages, which may be empty, and how
// many bytes of b are before it.
func HugePart(b []byte) (huge []byte, before int) {
	size := int(HugePageSize())
	if size == 0 {
		return nil, 0
	}
	before = int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & uintptr(size-1))
	if len(b) < before+size {
		return nil, 0
	}
	return b[before : before+(len(b)-before)&^(size-1)], before
}

// ErrNoHugePages is for memory that the kernel does not put into huge pages.
var ErrNoHugePages = errors.New("no huge pages")

// TryHuge returns ErrNoHugePages if Collapse fails for files in dir.
func TryHuge(dir string) error {
	size := HugePageSize()
	if size == 0 {
		return ErrNoHugePages
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	if err := unix.Fallocate(fd, 0, 0, size); err != nil {
		return os.NewSyscallError("fallocate", err)
	}
	b, err := Shared(f, 0, size)
	if err != nil {
		return err
	}
	defer Unmap(b)
	return Collapse(b)
}

// Collapse copies the pages of b, which begins and ends with a huge page, into huge pages and maps
// those. Nobody who uses the memory meanwhile, here or in another process, notices more than page
// faults. The settings in /sys/kernel/mm/transparent_hugepage do not matter, except that
// shmem_enabled may be deny.
//
// The error is ErrNoHugePages and that of the kernel: unix.EINVAL before Linux 6.1, where huge
// pages are denied, and for a mapping of which the file was truncated; unix.ENOMEM without a free
// huge page, unix.EBUSY at the limit of a control group, unix.EAGAIN for pages that others have in
// use. Then some of b may be huge.
func Collapse(b []byte) error {
	if err := unix.Madvise(b, unix.MADV_COLLAPSE); err != nil {
		return fmt.Errorf("%w: %w", ErrNoHugePages, os.NewSyscallError("madvise", err))
	}
	return nil
}
