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

// Output writes messages to a file straight from ring memory, many with one
// system call.
type Output struct {
	fd      int
	socket  bool
	name    string
	framing func() layout.Framing

	parts  [][]byte // what the next Flush writes, in order
	ragged bool     // the last line put lacks its line feed
	length []byte   // length prefixes of the messages in parts

	// at is where a regular file ends when everything put has been flushed, -1
	// when the output is something else. A failed Flush cuts the file back to
	// it, because its messages are delivered again.
	at   int64
	poll *pollctx.Poller
	held *Held
}

// Held is how long an output was held up by its other end: a pipe that is full, a FIFO that
// nobody has open. The zero Held was not; it may be read while an output counts in it.
type Held struct {
	mu    sync.Mutex
	total time.Duration
	since time.Time // it is held up now; zero = it is not
}

// For returns how long that was, until now.
func (h *Held) For() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return h.total
	}
	return h.total + time.Since(h.since)
}

// during counts the time that wait takes.
func (h *Held) during(wait func() error) error {
	h.mu.Lock()
	h.since = time.Now()
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.total, h.since = h.total+time.Since(h.since), time.Time{}
		h.mu.Unlock()
	}()
	return wait()
}

// ErrNotRead is for an output whose other end did not take all of a batch before the
// command had to end.
var ErrNotRead = errors.New("its reader does not read")

// maxParts is what one writev takes (UIO_MAXIOV).
const maxParts = 1024

// grace is how long a Flush goes on trying once the command is to stop.
const grace = time.Second

// CheckOutput reports what would keep OpenOutput from opening path, as far as
// that can be told without touching anything.
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

// ErrSegment is for an output that would take the place of a segment.
var ErrSegment = errors.New("it is a segment, and would be overwritten")

// notSegment refuses the path of a segment: to open it as an output cuts it to nothing
// under whoever uses it.
func notSegment(path string) error {
	at, err := filepath.EvalSymlinks(path)
	if err != nil { // it is not there
		at, err = filepath.Abs(path)
	}
	if name, in := strings.CutPrefix(at, shm.Path("")); err == nil && in && shm.CheckName(name) == nil {
		return fmt.Errorf("%s: %w", path, ErrSegment)
	}
	return nil
}

// NameOf is what an output is called in messages.
func NameOf(path string) string {
	if path == "-" {
		return "standard output"
	}
	return path
}

// OpenOutput creates or truncates the file at path, or takes standard output
// when path is "-". What waits for the other end of a pipe returns the cause of
// ctx when ctx is done.
//
// framing says what stands between messages; it is asked for each one, because
// producers come and go. Lines: a line feed, where the message before lacks
// one. Length: 4 bytes of little-endian length before each message. Raw:
// nothing.
//
// The time that the other end takes is counted in held.
func OpenOutput(ctx context.Context, path string, framing func() layout.Framing, held *Held) (*Output, error) {
	poll, err := pollctx.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	o := &Output{name: NameOf(path), framing: framing, at: -1, poll: poll, held: held}
	if err := o.open(path); err != nil {
		poll.Close()
		return nil, fmt.Errorf("output: %w", err)
	}
	return o, nil
}

// open opens without blocking, so that a Flush can be interrupted: a FIFO has no
// reader yet (ENXIO), a pipe may be full. Standard output is shared with others
// who may not expect that of it, so a pipe or a terminal there is opened once more.
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
	again := unix.ENXIO
	if info, err := os.Stat(path); err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		again = unix.Errno(0) // a terminal that is not there, which is another ENXIO
	}
	err := o.held.during(func() error {
		return o.poll.Retry(again, func() (err error) {
			o.fd, err = unix.Open(path, flags, 0o666)
			return err
		})
	})
	errno, failed := err.(unix.Errno)
	if failed && o.name != path { // another user's pipe, or no /proc
		o.fd = 1
		return nil
	}
	if failed {
		return &fs.PathError{Op: "open", Path: path, Err: errno}
	}
	if err != nil {
		return err
	}
	return o.mark()
}

// mark notes where a regular file ends, or will be written to.
func (o *Output) mark() error {
	var st unix.Stat_t
	if err := unix.Fstat(o.fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(o.fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_APPEND != 0 {
		o.at = st.Size
		return nil
	}
	o.at, err = unix.Seek(o.fd, 0, unix.SEEK_CUR)
	return err
}

var lineFeed = []byte{'\n'}

// Put queues a message for the next Flush.
func (o *Output) Put(msg []byte) error {
	switch o.framing() {
	case layout.FramingLines:
		if o.ragged {
			o.parts = append(o.parts, lineFeed)
		}
		o.ragged = len(msg) == 0 || msg[len(msg)-1] != '\n'
	case layout.FramingLength:
		at := len(o.length)
		o.length = binary.LittleEndian.AppendUint32(o.length, uint32(len(msg)))
		o.parts = append(o.parts, o.length[at:])
	}
	if len(msg) > 0 {
		o.parts = append(o.parts, msg)
	}
	return nil
}

// Flush writes everything that was put. When ctx is done and the other end does
// not take it, it returns the cause of ctx; an error when only a part went out.
func (o *Output) Flush() error {
	total := int64(0)
	for parts := o.parts; len(parts) > 0; {
		n, err := o.write(parts[:min(len(parts), maxParts)])
		if err == unix.EAGAIN {
			if err = o.held.during(func() error { return o.poll.Wait(o.fd, unix.POLLOUT, grace) }); err == nil {
				continue
			} else if total == 0 {
				return err // nothing happened
			}
			err = fmt.Errorf("%w: stopped after %s bytes of a batch, which comes again as a whole", ErrNotRead, format.Count(total))
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
	if o.at >= 0 {
		o.at += total
	}
	o.parts, o.length = o.parts[:0], o.length[:0]
	return nil
}

// write writes what the other end takes now. A socket cannot be opened once more
// as a pipe can, but told with each call not to wait.
func (o *Output) write(parts [][]byte) (int, error) {
	if o.socket {
		return unix.SendmsgBuffers(o.fd, parts, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	return unix.Writev(o.fd, parts)
}

// undo cuts a regular file back to what was flushed, unless somebody else has
// written to it meanwhile.
func (o *Output) undo(total int64, cause error) error {
	if cause == unix.EFAULT {
		cause = shm.ErrTruncated // the messages are ring memory
	}
	err := fmt.Errorf("output: write %s: %w", o.name, cause)
	var st unix.Stat_t
	if o.at < 0 || unix.Fstat(o.fd, &st) != nil || st.Size != o.at+total {
		return err
	}
	_, seekErr := unix.Seek(o.fd, o.at, unix.SEEK_SET)
	return errors.Join(err, unix.Ftruncate(o.fd, o.at), seekErr)
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

// Close closes the file; standard output too, so that a write error that the
// system kept for the end is not lost.
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
