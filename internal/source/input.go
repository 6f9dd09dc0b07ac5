package source

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sluice/internal/format"
	"sluice/internal/pollctx"
	"sluice/internal/stdio"
	"sluice/shm"
)

// Input is a file or standard input whose reads end when its context is done.
type Input struct {
	fd   int
	name string
	size int64 // bytes from the present offset to the end of a regular file at open, else -1
	end  int64 // offset of that end

	read, sent int64 // bytes: read from the file; of those, sent
	ended      bool  // Read has returned io.EOF

	poll       *pollctx.Poller // nil for a regular file
	beforeWait func()          // called before each wait for input
}

// OpenInput opens the file at path, or uses standard input for "-". A read that waits for a
// pipe, FIFO or terminal returns the cause of ctx when ctx is done.
func OpenInput(ctx context.Context, path string) (*Input, error) {
	in := &Input{name: path, size: -1}
	err := stdio.CheckPath(path)
	if path == "-" {
		err = stdio.Check(0)
	}
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	err = in.open(path)
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(in.fd, &st)
	}
	if err != nil {
		return nil, fmt.Errorf("input: %w", &os.PathError{Op: "open", Path: in.name, Err: err})
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = &os.PathError{Op: "read", Path: in.name, Err: unix.EISDIR}
	case unix.S_IFREG:
		at, _ := unix.Seek(in.fd, 0, unix.SEEK_CUR) // standard input may be at any offset
		in.size, in.end = max(0, st.Size-at), st.Size
	case unix.S_IFIFO:
		// Whoever writes is woken less often: a tenth of the time of lines from cat. It
		// fails where a user has many pipes, which then stay as they are.
		_, _ = unix.FcntlInt(uintptr(in.fd), unix.F_SETPIPE_SZ, readSize)
		fallthrough
	default:
		in.poll, err = pollctx.New(ctx)
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("input: %w", err)
	}
	return in, nil
}

// open opens the file with O_NONBLOCK, because an open of a FIFO would block until it has a
// writer, and a read could block if another reader of the pipe took the data. Standard input is
// shared with other processes, which O_NONBLOCK would affect, so it is opened a second time if
// possible (not for a socket or another user's file).
func (in *Input) open(path string) (err error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	if path != "-" {
		in.fd, err = unix.Open(path, flags, 0)
		return err
	}
	in.fd, in.name = 0, "standard input"
	var st unix.Stat_t
	if unix.Fstat(0, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO && st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return nil
	}
	if fd, err := unix.Open("/proc/self/fd/0", flags, 0); err == nil {
		in.fd = fd
	}
	return nil
}

// Size returns the size in bytes of a regular file, -1 for any other.
func (in *Input) Size() int64 { return in.size }

// Discarded returns how many bytes were read from a pipe or a terminal, and so cannot be read
// again, but were not sent.
func (in *Input) Discarded() int64 {
	if in.size >= 0 {
		return 0
	}
	return in.read - in.sent
}

// Read reads into p, which may be ring memory.
func (in *Input) Read(p []byte) (n int, err error) {
	// What blocks must not be read before there is something. A FIFO whose first writer is
	// still to come would end at once.
	ready := in.poll == nil || in.fd != 0 && in.read > 0
	for {
		if !ready {
			if in.beforeWait != nil {
				in.beforeWait()
			}
			if err := in.poll.Wait(in.fd, unix.POLLIN, 0); err != nil {
				return 0, err
			}
		}
		n, err = unix.Read(in.fd, p)
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
		ready = in.poll == nil
	}
	switch {
	case err == unix.EFAULT:
		err = shm.ErrTruncated // p is ring memory
	case err != nil:
		err = &os.PathError{Op: "read", Path: in.name, Err: err}
	case n > 0 || len(p) == 0:
		in.read += int64(n)
		return n, nil
	case in.read < in.size && in.shrunk():
		err = fmt.Errorf("%s was truncated after %s of %s bytes were read: is it also the consumer's output?", in.name, format.Count(in.read), format.Count(in.size))
	default:
		in.ended = true
		return 0, io.EOF
	}
	return 0, fmt.Errorf("input: %w", err)
}

// shrunk reports whether a regular file is shorter than at open. A file that only ends before its
// size, as in sysfs, has not shrunk.
func (in *Input) shrunk() bool {
	var st unix.Stat_t
	return unix.Fstat(in.fd, &st) == nil && st.Size < in.end
}

// hasMore reports whether a regular file has more bytes, by its size at open.
func (in *Input) hasMore() bool { return in.read < in.size }

// Close closes the file. Standard input stays open.
func (in *Input) Close() error {
	if in.poll != nil {
		in.poll.Close()
	}
	if in.fd == 0 {
		return nil
	}
	return unix.Close(in.fd)
}
