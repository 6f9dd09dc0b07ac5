package transfer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// maxFile is the largest file of a buffer: a message of 2 GiB less a byte, and
// the page that it is rounded up to.
const maxFile = math.MaxInt32 + 1

// sealed is what the producer gives up with a buffer. F_SEAL_WRITE is granted only
// when no writable mapping is left anywhere, and for ever: nobody, the sender
// included, changes the bytes again. F_SEAL_SHRINK keeps a mapping of them from
// faulting, F_SEAL_SEAL ends the list.
const (
	kept   = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	sealed = kept | unix.F_SEAL_WRITE
)

var pageSize = uint64(os.Getpagesize())

// pages returns the memory that a file of n bytes takes, at least a page.
func pages(n uint64) uint64 { return max(1, (n+pageSize-1)/pageSize) * pageSize }

// memfdFlags drops MFD_NOEXEC_SEAL where the kernel is older than that.
var memfdFlags = sync.OnceValue(func() int {
	const all = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING | unix.MFD_NOEXEC_SEAL
	fd, err := unix.MemfdCreate("sluice", all)
	if err == unix.EINVAL {
		return all &^ unix.MFD_NOEXEC_SEAL
	}
	if err == nil {
		unix.Close(fd)
	}
	return all
})

// maxFileSize returns how large a file this process may make (RLIMIT_FSIZE), in whole
// pages.
func maxFileSize() uint64 {
	var size unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_FSIZE, &size) != nil {
		size.Cur = math.MaxUint64
	}
	return size.Cur / pageSize * pageSize
}

// newSealed returns a sealed memfd that holds p.
//
// It writes instead of mapping: a mapping that is used once costs more than the
// copy that it saves, at every size up to a MiB (docs/transfer.md).
func newSealed(p []byte) (fd int, err error) {
	fd, err = unix.MemfdCreate("sluice", memfdFlags())
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	if err := fill(fd, p); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func fill(fd int, p []byte) error {
	for at := 0; at < len(p); {
		n, err := unix.Pwrite(fd, p[at:], int64(at))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("pwrite", err)
		}
		at += n
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, sealed)
	return os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
}

// checkFile verifies that the file is a memfd with those seals and of that size.
// After it, nobody can make these two untrue.
func checkFile(fd int, size uint64, seals int) error {
	if err := checkSeals(fd, seals); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if uint64(st.Size) != size {
		return wrongSize(size)
	}
	return nil
}

func wrongSize(want uint64) error {
	return fmt.Errorf("%w: a buffer is not as large as its packet says, %d bytes", layout.ErrCorrupt, want)
}

// checkSeals verifies that the file is a memfd with those seals.
func checkSeals(fd, seals int) error {
	got, err := sealsOf(fd)
	none := errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF) // no memfd: see probeReceive
	if err != nil && !none {
		return err
	}
	if none || got&seals != seals {
		return fmt.Errorf("%w: a buffer came without its seals (%#x, want %#x)", layout.ErrCorrupt, max(got, 0), seals)
	}
	return nil
}

func sealsOf(fd int) (int, error) {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	return seals, os.NewSyscallError("fcntl(F_GET_SEALS)", err)
}

// read fills p from the start of the file, of which it is a part.
func read(fd int, p []byte) error {
	for at := 0; at < len(p); {
		n, err := readAt(fd, p[at:], at)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: a buffer ends at byte %d of %d", layout.ErrCorrupt, at, len(p))
		}
		at += n
	}
	return nil
}

// readSmall fills all of room but the last byte with the content of a file of that size, and
// verifies that it has that size: a larger one would fill room. So it saves the call that asks for
// the size. room is at most a page, of which the kernel does not read a part.
//
// Preconditions: the file is a memfd, sealed.
func readSmall(fd int, room []byte) error {
	n, err := readAt(fd, room, 0)
	if err == nil && n != len(room)-1 {
		err = wrongSize(uint64(len(room) - 1))
	}
	return err
}

// readAt reads from a place of the file on, and returns how many bytes that are.
func readAt(fd int, p []byte, at int) (n int, err error) {
	for err = unix.EINTR; err == unix.EINTR; {
		n, err = unix.Pread(fd, p, int64(at))
	}
	if err == unix.EBADF {
		return 0, fmt.Errorf("%w: a buffer that cannot be read", layout.ErrCorrupt)
	}
	return n, os.NewSyscallError("pread", err)
}

// outOfDescriptors reports whether err says that there are no more of them, which
// passes when the peer takes some.
func outOfDescriptors(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}
