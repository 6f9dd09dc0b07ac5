package source

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Input is a file or standard input whose reads end when ctx does.
type Input struct {
	ctx  context.Context
	file *os.File
	name string
	size int64 // of a regular file, else -1
	read int64
}

// OpenInput opens a file, or standard input when path is "-". A read that
// waits for a terminal, a pipe or a socket returns the cause of ctx within
// 100 ms when ctx is done.
func OpenInput(ctx context.Context, path string) (*Input, error) {
	in := &Input{ctx: ctx, file: os.Stdin, name: "standard input", size: -1}
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		in.file, in.name = f, path
	}
	info, err := in.file.Stat()
	if err == nil && info.IsDir() {
		err = &os.PathError{Op: "read", Path: in.name, Err: unix.EISDIR}
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("input: %w", err)
	}
	if info.Mode().IsRegular() {
		in.size = info.Size()
	}
	return in, nil
}

// Size returns the bytes that a regular file has; -1 when that is unknown.
func (in *Input) Size() int64 { return in.size }

// Read reads into p, which may be ring memory.
func (in *Input) Read(p []byte) (int, error) {
	if in.size < 0 {
		if err := in.waitReadable(); err != nil {
			return 0, err
		}
	}
	n, err := in.file.Read(p)
	in.read += int64(n)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("input: %w", err)
	}
	return n, err
}

// waitReadable polls in slices: a read(2) that sleeps on a terminal or a pipe
// can be interrupted by no context.
func (in *Input) waitReadable() error {
	const slice = 100 // ms
	fds := []unix.PollFd{{Fd: int32(in.file.Fd()), Events: unix.POLLIN}}
	for {
		if in.ctx.Err() != nil {
			return context.Cause(in.ctx)
		}
		if n, err := unix.Poll(fds, slice); n > 0 || err != nil && err != unix.EINTR {
			return err
		}
	}
}

// more reports whether a regular file is known to go on here.
func (in *Input) more() bool { return in.read < in.size }

// Close closes the file. Standard input stays open.
func (in *Input) Close() error {
	if in.file == os.Stdin {
		return nil
	}
	return in.file.Close()
}
