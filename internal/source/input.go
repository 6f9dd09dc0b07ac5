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

	// stop becomes readable when ctx is done; nil for a regular file.
	stop   *os.File
	unstop func() bool
}

// OpenInput opens a file, or standard input when path is "-". A read that
// waits for a terminal, a pipe or a socket returns the cause of ctx when ctx is
// done.
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
	if err == nil && info.Mode().IsRegular() {
		in.size = info.Size()
	} else if err == nil {
		err = in.watch()
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("input: %w", err)
	}
	return in, nil
}

// watch turns the end of ctx into something that poll(2) can wait for: a
// read(2) that sleeps on a terminal or a pipe can be interrupted by no context.
func (in *Input) watch() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	in.stop = os.NewFile(uintptr(fd), "stop")
	in.unstop = context.AfterFunc(in.ctx, func() { in.stop.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) })
	return nil
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

// waitReadable sleeps until there is something to read or ctx is done.
func (in *Input) waitReadable() error {
	fds := []unix.PollFd{
		{Fd: int32(in.file.Fd()), Events: unix.POLLIN},
		{Fd: int32(in.stop.Fd()), Events: unix.POLLIN},
	}
	for {
		if in.ctx.Err() != nil {
			return context.Cause(in.ctx)
		}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			return nil
		}
	}
}

// more reports whether a regular file is known to go on here.
func (in *Input) more() bool { return in.read < in.size }

// Close closes the file. Standard input stays open.
func (in *Input) Close() error {
	if in.stop != nil {
		in.unstop()
		in.stop.Close()
	}
	if in.file == os.Stdin {
		return nil
	}
	return in.file.Close()
}
