package sink

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/format"
	"sluice/internal/pollctx"
	"sluice/internal/stdio"
	"sluice/layout"
	"sluice/shm"
)

// Output writes messages to a file, many with one system call: large ones directly from ring
// memory, small ones copied together.
type Output struct {
	fd      int
	socket  bool
	name    string
	framing func() layout.Framing

	parts    [][]byte // what Write writes, in order
	joined   []byte   // parts of several small messages, and of what framing puts between messages
	lineOpen bool     // the last message has no line feed at its end
	source   string   // of the messages, if their names are written; see SetSource

	// writtenTo is the end of a regular file after the last Write, -1 for any other output. A
	// failed Write truncates the file to it, because its messages are delivered again.
	writtenTo int64
	exclusive bool // of OpenNew: a file is made, and none is replaced
	poll      *pollctx.Poller
	waits     *WaitTime
}

// WaitTime is how long an output waited for its reader: for a full pipe, or for a FIFO without
// one. The zero WaitTime is ready to use. It may be read while an output adds to it.
type WaitTime struct {
	mu    sync.Mutex
	total time.Duration
	since time.Time // start of the present wait; zero = none
}

// Total returns the time waited until now.
func (w *WaitTime) Total() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return w.total
	}
	return w.total + time.Since(w.since)
}

// measure adds the time that wait takes.
func (w *WaitTime) measure(wait func() error) error {
	w.mu.Lock()
	w.since = time.Now()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.total, w.since = w.total+time.Since(w.since), time.Time{}
		w.mu.Unlock()
	}()
	return wait()
}

// ErrNotRead is for an output whose reader did not read all of a batch before the command had
// to exit.
var ErrNotRead = errors.New("the reader of the output does not read")

// maxParts is the maximum for one writev (UIO_MAXIOV).
const maxParts = 1024

// minPart is the size from which on a message is a part of its own. The kernel needs longer for a
// part, whose pages it looks up, than a copy of less takes.
const minPart = 4 << 10

// grace is how long a Flush waits for its reader after the command was stopped.
const grace = time.Second

// CheckOutput returns the error that OpenOutput would return for path, as far as this can be
// found out without changing anything.
func CheckOutput(path string) error {
	closed := stdio.CheckPath(path)
	if path == "-" {
		closed = stdio.Check(1)
	}
	if err := errors.Join(closed, notSegment(path)); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	info, err := os.Stat(path)
	writable := path
	switch {
	case path == "-":
		return nil
	case errors.Is(err, fs.ErrNotExist):
		writable, err = filepath.Dir(path), nil
	case err == nil && info.IsDir():
		err = &fs.PathError{Op: "write", Path: path, Err: unix.EISDIR}
	case err == nil && info.Mode().Type() == fs.ModeSocket:
		err = &fs.PathError{Op: "write", Path: path, Err: unix.ENXIO}
	}
	if err == nil {
		if err = unix.Access(writable, unix.W_OK); err != nil {
			err = &fs.PathError{Op: "write", Path: path, Err: err}
		}
	}
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// ErrExists is for an output path that [OpenNew] would have to replace.
var ErrExists = errors.New("the file exists, and is not replaced")

// CheckNew is CheckOutput for OpenNew.
func CheckNew(path string) error {
	if err := CheckOutput(path); err != nil || path == "-" {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return fmt.Errorf("output: %s: %w", path, ErrExists)
	}
	return nil
}

// ErrSegment is for an output path that is a segment.
var ErrSegment = errors.New("the file is a segment and would be overwritten")

// notSegment returns ErrSegment for the path of a segment: opening it as an output would truncate
// it while other processes use it.
func notSegment(path string) error {
	at, err := filepath.EvalSymlinks(path)
	if err != nil { // no such file
		at, err = filepath.Abs(path)
	}
	if name, in := strings.CutPrefix(at, shm.Path("")); err == nil && in && shm.CheckName(name) == nil {
		return fmt.Errorf("%s: %w", path, ErrSegment)
	}
	return nil
}

// NameOf returns the name of an output for messages to the user.
func NameOf(path string) string {
	if path == "-" {
		return "standard output"
	}
	return path
}

// OpenOutput creates or truncates the file at path, or uses standard output for "-". A wait for
// the reader of a pipe returns the cause of ctx when ctx is done, and is added to waits.
//
// framing returns how messages are separated; each Write calls it, because it may change with the
// producer. Lines: a line feed, if the previous message does not end with one.
// Length: 4 bytes of little-endian length before each message. Raw: nothing.
func OpenOutput(ctx context.Context, path string, framing func() layout.Framing, waits *WaitTime) (*Output, error) {
	return openOutput(ctx, path, false, framing, waits)
}

// OpenNew is OpenOutput for what cannot be had again: a file is created, and one that is there is
// ErrExists, whatever it holds. Standard output, a FIFO and a device are opened as they are.
func OpenNew(ctx context.Context, path string, framing func() layout.Framing, waits *WaitTime) (*Output, error) {
	return openOutput(ctx, path, true, framing, waits)
}

func openOutput(ctx context.Context, path string, exclusive bool, framing func() layout.Framing, waits *WaitTime) (*Output, error) {
	poll, err := pollctx.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	o := &Output{name: NameOf(path), framing: framing, writtenTo: -1, exclusive: exclusive, poll: poll, waits: waits}
	if err := o.open(path); err != nil {
		poll.Close()
		return nil, fmt.Errorf("output: %w", err)
	}
	return o, nil
}

// open opens the file with O_NONBLOCK, so that waits can be interrupted: a FIFO may have no
// reader yet (ENXIO), a pipe may be full. Standard output is shared with other processes, which
// O_NONBLOCK would affect, so a pipe or a terminal there is opened a second time.
func (o *Output) open(path string) error {
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC | unix.O_NONBLOCK | unix.O_CLOEXEC
	if path == "-" {
		path = "/proc/self/fd/1"
		var st unix.Stat_t
		err := unix.Fstat(1, &st)
		kind := st.Mode & unix.S_IFMT
		if err != nil || kind != unix.S_IFIFO && kind != unix.S_IFCHR {
			o.fd, o.socket = 1, kind == unix.S_IFSOCK
			return o.mark()
		}
		flags = unix.O_WRONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	}
	if err := notSegment(path); err != nil {
		return err
	}
	if o.exclusive && o.name == path {
		flags &^= unix.O_TRUNC
		if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
			flags |= unix.O_EXCL
		}
	}
	retryOn := unix.ENXIO
	if info, err := os.Stat(path); err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		retryOn = unix.Errno(0) // for a terminal, ENXIO means that there is none
	}
	err := o.waits.measure(func() error {
		return o.poll.Retry(retryOn, func() (err error) {
			o.fd, err = unix.Open(path, flags, 0o666)
			return err
		})
	})
	errno, failed := err.(unix.Errno)
	if failed && o.name != path { // another user's pipe, or no /proc
		o.fd = 1
		return nil
	}
	if errno == unix.EEXIST && o.exclusive {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	if failed {
		return &fs.PathError{Op: "open", Path: path, Err: errno}
	}
	if err != nil {
		return err
	}
	return o.mark()
}

// mark sets writtenTo for a regular file.
func (o *Output) mark() error {
	var st unix.Stat_t
	if err := unix.Fstat(o.fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(o.fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_APPEND != 0 {
		o.writtenTo = st.Size
		return nil
	}
	o.writtenTo, err = unix.Seek(o.fd, 0, unix.SEEK_CUR)
	return err
}

// Write writes messages. If ctx is done and the reader does not read, it returns the cause of ctx
// if nothing was written, and ErrNotRead after a part.
func (o *Output) Write(msgs [][]byte) error {
	o.join(msgs)
	total := int64(0)
	for parts := o.parts; len(parts) > 0; {
		n, err := o.write(parts[:min(len(parts), maxParts)])
		if err == unix.EAGAIN {
			if err = o.waits.measure(func() error { return o.poll.Wait(o.fd, unix.POLLOUT, grace) }); err == nil {
				continue
			} else if total == 0 {
				return err // nothing was written
			}
			err = fmt.Errorf("%w: stopped after %s bytes of a batch, which is delivered again as a whole", ErrNotRead, format.Count(total))
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return o.undo(total, err)
		}
		total += int64(n)
		parts = skip(parts, n)
	}
	if o.writtenTo >= 0 {
		o.writtenTo += total
	}
	return nil
}

// join sets parts to messages with what framing puts between them. The framing of messages that are
// held together is the same: a producer with another one waits until all are released.
func (o *Output) join(msgs [][]byte) {
	framing, parts, joined, from := o.framing(), o.parts[:0], o.joined[:0], 0
	if o.source != "" {
		o.joinNamed(framing, msgs)
		return
	}
	for _, msg := range msgs {
		switch {
		case framing == layout.FramingLines && o.lineOpen:
			joined = append(joined, '\n')
		case framing == layout.FramingLength:
			joined = binary.LittleEndian.AppendUint32(joined, uint32(len(msg)))
		}
		if len(msg) < minPart {
			joined = append(joined, msg...)
		} else {
			if from < len(joined) {
				parts, from = append(parts, joined[from:]), len(joined)
			}
			parts = append(parts, msg)
		}
		o.lineOpen = len(msg) == 0 || msg[len(msg)-1] != '\n'
	}
	if from < len(joined) {
		parts = append(parts, joined[from:])
	}
	o.parts, o.joined = parts, joined
}

// write writes without blocking. A socket cannot be opened a second time as a pipe can, but
// sendmsg has a flag for that.
func (o *Output) write(parts [][]byte) (int, error) {
	switch {
	case o.socket:
		return unix.SendmsgBuffers(o.fd, parts, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	case len(parts) == 1:
		return unix.Write(o.fd, parts[0])
	}
	return unix.Writev(o.fd, parts)
}

// undo truncates a regular file to writtenTo, unless another process has written to it meanwhile.
// It returns an error for cause.
func (o *Output) undo(total int64, cause error) error {
	if cause == unix.EFAULT {
		cause = shm.ErrTruncated // the messages are ring memory
	}
	err := fmt.Errorf("output: write %s: %w", o.name, cause)
	var st unix.Stat_t
	if o.writtenTo < 0 || unix.Fstat(o.fd, &st) != nil || st.Size != o.writtenTo+total {
		return err
	}
	_, seekErr := unix.Seek(o.fd, o.writtenTo, unix.SEEK_SET)
	return errors.Join(err, unix.Ftruncate(o.fd, o.writtenTo), seekErr)
}

// skip drops the first n bytes of parts.
func skip(parts [][]byte, n int) [][]byte {
	for len(parts) > 0 && n >= len(parts[0]) {
		n -= len(parts[0])
		parts = parts[1:]
	}
	if n > 0 {
		parts[0] = parts[0][n:]
	}
	return parts
}

// Close closes the file, and standard output too, because a file system may report a write error
// only in close.
func (o *Output) Close() error {
	o.poll.Close()
	err := unix.Close(o.fd)
	if o.name == "standard output" && o.fd != 1 {
		err = errors.Join(err, unix.Close(1))
	}
	if err != nil {
		return fmt.Errorf("output: close %s: %w", o.name, err)
	}
	return nil
}
