package transfer

import (
	"slices"

	"golang.org/x/sys/unix"
)

// closeAll closes descriptors, which it sorts. Those with numbers in a row are closed with one
// system call: close_range takes each of them and nothing else. A batch of buffers that were made,
// or received, together mostly is one row: the kernel gives out the lowest numbers that are free.
func closeAll(fds []int) {
	slices.Sort(fds)
	for len(fds) > 0 {
		n := 1
		for n < len(fds) && fds[n] == fds[n-1]+1 {
			n++
		}
		closeRow(fds[:n])
		fds = fds[n:]
	}
}

func closeRow(fds []int) {
	if len(fds) > 1 && unix.CloseRange(uint(fds[0]), uint(fds[len(fds)-1]), 0) == nil {
		return
	}
	for _, fd := range fds { // one, or a kernel before 5.9, or a sandbox that does not know the call
		unix.Close(fd)
	}
}
