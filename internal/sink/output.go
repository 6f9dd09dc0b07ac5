package sink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// Output writes messages to a file straight from ring memory, many with one
// system call.
type Output struct {
	file    *os.File
	name    string
	framing func() layout.Framing

	parts  [][]byte // what the next Flush writes, in order
	open   bool     // the last line put lacks its line feed
	length []byte   // length prefixes of the messages in parts

	// written is how much of a regular file was flushed, -1 when the output is
	// something else. A failed Flush cuts the file back to it, because its
	// messages are delivered again.
	written int64
}

// maxParts is what one writev takes (UIO_MAXIOV).
const maxParts = 1024

// OpenOutput opens the file at path, creating it where there is none, or takes
// standard output when path is "-". What the file holds stays until Begin.
func OpenOutput(path string) (*Output, error) {
	o := &Output{file: os.Stdout, name: "standard output", written: -1}
	if path == "-" {
		return o, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	o.file, o.name = f, path
	return o, nil
}

// Begin empties a regular file.
//
// framing says what stands between messages; it is asked for each one, because
// producers come and go. Lines: a line feed, where the message before lacks
// one. Length: 4 bytes of little-endian length before each message. Raw:
// nothing.
func (o *Output) Begin(framing func() layout.Framing) error {
	o.framing = framing
	if o.file == os.Stdout {
		return nil
	}
	if info, err := o.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	o.written = 0
	if err := o.file.Truncate(0); err != nil {
		return fmt.Errorf("output: empty %s: %w", o.name, err)
	}
	return nil
}

var lineFeed = []byte{'\n'}

// Put queues a message for the next Flush.
func (o *Output) Put(msg []byte) error {
	switch o.framing() {
	case layout.FramingLines:
		if o.open {
			o.parts = append(o.parts, lineFeed)
		}
		o.open = len(msg) == 0 || msg[len(msg)-1] != '\n'
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

// Flush writes everything that was put.
func (o *Output) Flush() error {
	total := int64(0)
	for parts := o.parts; len(parts) > 0; {
		n, err := unix.Writev(int(o.file.Fd()), parts[:min(len(parts), maxParts)])
		if err == unix.EINTR || err == unix.EAGAIN && o.waitWritable() == nil {
			continue
		}
		if err != nil {
			return o.undo(err)
		}
		total += int64(n)
		parts = skip(parts, n)
	}
	if o.written >= 0 {
		o.written += total
	}
	o.parts, o.length = o.parts[:0], o.length[:0]
	return nil
}

// waitWritable waits where somebody made the output non-blocking.
func (o *Output) waitWritable() error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(o.file.Fd()), Events: unix.POLLOUT}}, -1)
	return err
}

// undo cuts a regular file back to what was flushed.
func (o *Output) undo(cause error) error {
	err := fmt.Errorf("output: write %s: %w", o.name, cause)
	if o.written < 0 {
		return err
	}
	return errors.Join(err, o.file.Truncate(o.written))
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
	if err := o.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("output: close %s: %w", o.name, err)
	}
	return nil
}
