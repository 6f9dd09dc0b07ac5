package procinfo

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemfdBytes_EachFileOnce(t *testing.T) {
	const name = "procinfo-test"
	memfd := func(name string, bytes int) (fd int) {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if _, err := unix.Pwrite(fd, make([]byte, bytes), 0); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	page := os.Getpagesize()
	first := memfd(name, page)
	memfd(name, 3*page)
	memfd("another", page)
	dup, err := unix.Dup(first)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dup)
	if n := MemfdBytes(name, os.Getpid(), os.Getpid()); n != uint64(4*page) {
		t.Errorf("%d bytes, want %d", n, 4*page)
	}
	if n := MemfdBytes(name, -1); n != 0 {
		t.Errorf("%d bytes of a process that there is not", n)
	}
}
