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

// Input is a file or standard input whose reads end when ctx does.
type Input struct {
	fd   int
	name string
	size int64 // what a regular file has from here on, as it was opened, else -1
	end  int64 // where that ends in the file

	read, sent int64 // bytes: read from the file; of those, sent
	ended      bool  // Read has returned io.EOF

	poll *pollctx.Poller // nil for a regular file
	idle func()          // called before a wait for more
}

// OpenInput opens the file at path, or takes standard input when path is "-". What
// waits for a file that is none yet or gives nothing now (a pipe, a terminal)
// returns the cause of ctx when ctx is done.
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
		at, _ := unix.Seek(in.fd, 0, unix.SEEK_CUR) // standard input may be in its middle
		in.size, in.end = max(0, st.Size-at), st.Size
	default:
		in.poll, err = pollctx.New(ctx)
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("input: %w", err)
	}
	return in, nil
}

// open opens without blocking: an open of a FIFO would wait for a writer, and a
// read for whatever another reader of the same pipe has taken. Standard input is
// shared with others who may not expect that of it, so what is there is opened once
// more, where that can be done (not a socket, not another user's).
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

// Size returns the bytes that a regular file has; -1 when that is unknown.
func (in *Input) Size() int64 { return in.size }

// Unsent returns the bytes that were read and will not come again, because they
// came out of a pipe or a terminal, and were given to nobody.
func (in *Input) Unsent() int64 {
	if in.size >= 0 {
		return 0
	}
	return in.read - in.sent
}

// Read reads into p, which may be ring memory.
func (in *Input) Read(p []byte) (n int, err error) {
	for {
		if in.poll != nil {
			if in.idle != nil {
				in.idle()
			}
			if err := in.poll.Wait(in.fd, unix.POLLIN, 0); err != nil {
				return 0, err
			}
		}
		n, err = unix.Read(in.fd, p)
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	switch {
	case err == unix.EFAULT:
		err = shm.ErrTruncated // it cannot be p of our own
	case err != nil:
		err = &os.PathError{Op: "read", Path: in.name, Err: err}
	case n > 0 || len(p) == 0:
		in.read += int64(n)
		return n, nil
	case in.read < in.size && in.shrunk():
		err = fmt.Errorf("%s became shorter, %s of %s bytes were read: is it the consumer's output as well?", in.name, format.Count(in.read), format.Count(in.size))
	default:
		in.ended = true
		return 0, io.EOF
	}
	return 0, fmt.Errorf("input: %w", err)
}

// shrunk reports whether a regular file has become shorter than it was. Those of sysfs
// say that they have a page, and end where their text does.
func (in *Input) shrunk() bool {
	var st unix.Stat_t
	return unix.Fstat(in.fd, &st) == nil && st.Size < in.end
}

// more reports whether a regular file is known to go on here.
func (in *Input) more() bool { return in.read < in.size }

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
