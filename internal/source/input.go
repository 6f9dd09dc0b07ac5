package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sluice/internal/interrupt"
	"sluice/shm"
)

// Input is a file or standard input whose reads end when ctx does.
type Input struct {
	file *os.File
	name string
	size int64 // what a regular file has from here on, else -1

	read, sent int64 // bytes: read from the file; of those, given to the ring

	poll *interrupt.Poller // nil for a regular file
	idle func()            // called before a wait for more
}

// OpenInput opens a file, or standard input when path is "-". A read that
// waits for a terminal, a pipe or a socket returns the cause of ctx when ctx is
// done.
func OpenInput(ctx context.Context, path string) (*Input, error) {
	in := &Input{file: os.Stdin, name: "standard input", size: -1}
	if path != "-" {
		// Without O_NONBLOCK the open of a FIFO waits for a writer, whatever ctx
		// says. Read waits for it instead.
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		in.file, in.name = f, path
	}
	info, err := in.file.Stat()
	if err == nil && info.IsDir() {
		err = &os.PathError{Op: "read", Path: in.name, Err: unix.EISDIR}
	}
	if err == nil && info.Mode().IsRegular() {
		at, _ := in.file.Seek(0, io.SeekCurrent) // standard input may be in its middle
		in.size = max(0, info.Size()-at)
	} else if err == nil {
		in.poll, err = interrupt.New(ctx)
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("input: %w", err)
	}
	return in, nil
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
func (in *Input) Read(p []byte) (int, error) {
	if in.poll != nil {
		if in.idle != nil {
			in.idle()
		}
		if err := in.poll.Wait(int(in.file.Fd()), unix.POLLIN, 0); err != nil {
			return 0, err
		}
	}
	n, err := in.file.Read(p)
	in.read += int64(n)
	if errors.Is(err, unix.EFAULT) {
		err = shm.ErrTruncated // it cannot be p of our own
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("input: %w", err)
	}
	return n, err
}

// more reports whether a regular file is known to go on here.
func (in *Input) more() bool { return in.read < in.size }

// Close closes the file. Standard input stays open.
func (in *Input) Close() error {
	if in.poll != nil {
		in.poll.Close()
	}
	if in.file == os.Stdin {
		return nil
	}
	return in.file.Close()
}
