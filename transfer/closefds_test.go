package transfer

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
)

// isOpen reports whether a descriptor is open.
func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// descriptorsInRow opens n descriptors with numbers in a row, above those that anybody else in
// this process gets.
func descriptorsInRow(t *testing.T, n int) (fds []int) {
	t.Helper()
	const first = 500
	for i := range n {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, first+i)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	if fds[n-1] != fds[0]+n-1 {
		t.Fatalf("descriptors %v are not in a row", fds)
	}
	return fds
}

// It closes those that it is told to, in whatever order, and none between them.
func TestCloseAll_LeavesOthersOpen(t *testing.T) {
	closes := func(t *testing.T) {
		for _, c := range [][]int{{}, {3}, {0, 1, 2}, {0, 9}, {5, 4, 3, 7, 0}, {9, 8, 1, 0}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
			fds := descriptorsInRow(t, 10)
			var chosen []int
			for _, i := range c {
				chosen = append(chosen, fds[i])
			}
			closeAll(slices.Clone(chosen))
			for i, fd := range fds {
				if open := isOpen(fd); open == slices.Contains(c, i) {
					t.Errorf("told to close %v: open is %v of number %d", c, open, i)
				}
				unix.Close(fd)
			}
		}
	}
	t.Run("close_range", closes)
	t.Run("without close_range", func(t *testing.T) {
		for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
			err := seccomp.Under(errno, func() { closes(t) }, seccomp.Call(unix.SYS_CLOSE_RANGE))
			if err != nil {
				t.Skipf("SKIPPED, NOT TESTED: %v", err)
			}
		}
	})
}

// Descriptors of a packet are closed together, but none later than its message is released: the
// Sender counts that memory as free.
func TestReceiver_Descriptors_ClosedBeforeRelease(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	var files []int
	for range 4 {
		files = append(files, file(t, "from him", sealed))
	}
	in.gives(files, one, one, one, one)
	for i, c := range []struct {
		release bool
		want    int // descriptors that are open then
	}{{true, 3}, {false, 3}, {true, 1}, {false, 0}} {
		wantMessages(t, r, "from him")
		if c.release {
			r.Release()
		}
		if n := memfds(); n != c.want {
			t.Errorf("%d descriptors are open after message %d, want %d", n, i+1, c.want)
		}
	}
	r.Release()
}

func TestReceiver_ReleaseN_ClosesDescriptors(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	in.gives([]int{file(t, "from him", sealed), file(t, "from him", sealed), file(t, "from him", sealed)}, one, one, one)
	wantMessages(t, r, "from him", "from him")
	r.ReleaseN(1)
	if n := memfds(); n != 1 {
		t.Errorf("%d descriptors are open, want that of the message that was not taken", n)
	}
}

// Small ones are read without asking for their size: at the limit, both ways accept the same.
func TestReceiver_SizesAroundPage_Checked(t *testing.T) {
	for _, size := range []int{0, 1, 4094, 4095, 4096, 4097} {
		for _, more := range []int{-1, 0, 1, 5000} {
			if size+more < 0 {
				continue
			}
			in, r := newRawProducer(t)
			in.greet()
			content := string(slices.Repeat([]byte{'x'}, size+more))
			e := entry{size: uint64(size), length: uint32(size), messages: 1, flags: flagDescriptor}
			if more == 0 {
				in.gives([]int{file(t, content, sealed)}, e)
				wantMessages(t, r, content)
				continue
			}
			in.put(packet(in.head(kindBuffers), e), file(t, content, sealed))
			in.refused(r, ErrCorrupt)
		}
	}
}

// A file may be larger than what is used of it, if its packet says so.
func TestReceiver_FileLargerThanUsed_Accepted(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	e := entry{size: 8, length: 4, messages: 1, flags: flagDescriptor}
	in.gives([]int{file(t, "from him", sealed)}, e)
	wantMessages(t, r, "from")
	in.put(packet(in.head(kindBuffers), e), file(t, "from", sealed))
	fails(t, r, ErrCorrupt)
}
