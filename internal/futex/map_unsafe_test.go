package futex

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapWord maps the first word of a file, until the process ends.
func mapWord(path string) (*uint32, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*uint32)(unsafe.Pointer(unsafe.SliceData(b))), nil
}
