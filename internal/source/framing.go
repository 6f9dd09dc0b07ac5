package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"sluice"
	"sluice/internal/sentinel"
	"sluice/ring"
)

// ErrTooLarge is the sluice.ErrTooLarge of a message of the input.
var ErrTooLarge = sentinel.New("message of the input is too large", sluice.ErrTooLarge)

// ErrCutShort is for an input with length framing that ends inside a message.
var ErrCutShort = errors.New("input is truncated")

// readSize is how many bytes are read at once with framing lines or length.
const readSize = 256 << 10

// lines makes a message of each line with its line feed; the last line may have none. The length
// of a message must be known before space is reserved in the ring, so a line is copied once.
type lines struct {
	in   *Input
	scan *bufio.Scanner
	max  int
	n    int
}

// Lines splits in after line feeds. A line has at most max bytes. If a stop or an error
// interrupts the read of a line, its first part is not sent.
func Lines(in *Input, max int) Cutter {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, min(readSize, max+1)), max+1) // the Scanner's limit is the buffer's
	l := &lines{in: in, scan: scan, max: max}
	scan.Split(l.wholeLine)
	return l
}

// wholeLine is like bufio.ScanLines but keeps line feeds. The Scanner sets atEOF after any error
// of the input, but only at its end is text without a line feed a line.
func (l *lines) wholeLine(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && l.in.ended && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func (l *lines) next(ctx context.Context, to sluice.Producer) error {
	l.n++
	if !l.scan.Scan() {
		err := l.scan.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			return l.tooLong()
		}
		if err == nil {
			err = io.EOF
		}
		return err
	}
	line := l.scan.Bytes()
	if len(line) > l.max { // max+1: the Scanner needs one byte more to find the end of the last line
		return l.tooLong()
	}
	buf, err := to.Reserve(ctx, len(line))
	if err == nil {
		to.Commit(copy(buf, line))
		to.Publish()
	}
	if err == nil || errors.Is(err, ring.ErrDropped) {
		l.in.sent += int64(len(line))
	}
	return err
}

func (l *lines) tooLong() error {
	return fmt.Errorf("%w: line %d has more than %d bytes", ErrTooLarge, l.n, l.max)
}

// lengths reads messages with a 4-byte little-endian length before each.
type lengths struct {
	file *Input
	in   *bufio.Reader
	max  int
	n    int
}

// Lengths splits in by the length before each message. A message has at most max bytes.
func Lengths(in *Input, max int) Cutter {
	return &lengths{file: in, in: bufio.NewReaderSize(in, readSize), max: max}
}

func (l *lengths) next(ctx context.Context, to sluice.Producer) error {
	l.n++
	var prefix [4]byte
	if _, err := io.ReadFull(l.in, prefix[:]); err != nil {
		return l.endError(err)
	}
	n := int(binary.LittleEndian.Uint32(prefix[:]))
	if n > l.max {
		return fmt.Errorf("%w: message %d has %d bytes, at most %d are allowed", ErrTooLarge, l.n, n, l.max)
	}
	buf, err := to.Reserve(ctx, n)
	if errors.Is(err, ring.ErrDropped) {
		if _, err := l.in.Discard(n); err != nil {
			return l.endError(unexpectedEOF(err))
		}
		l.file.sent += int64(len(prefix) + n)
		return err
	}
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(l.in, buf); err != nil {
		return l.endError(unexpectedEOF(err))
	}
	to.Commit(n)
	to.Publish()
	l.file.sent += int64(len(prefix) + n)
	return nil
}

// endError returns ErrCutShort for an end of the input inside a message, else err.
func (l *lengths) endError(err error) error {
	if err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends inside message %d", ErrCutShort, l.n)
	}
	return err
}

func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunks reads messages of size bytes directly into the ring; the last one may be shorter.
type chunks struct {
	in   *Input
	size int
}

// Chunks splits in into messages of size bytes.
func Chunks(in *Input, size int) Cutter { return &chunks{in, size} }

func (c *chunks) next(ctx context.Context, to sluice.Producer) error {
	// Space must not be reserved at the end of the input: that would wait, or fail, for no
	// message. If the size of the input is unknown, a byte is read first.
	var ahead [1]byte
	n := 0
	if !c.in.hasMore() {
		if _, err := io.ReadFull(c.in, ahead[:]); err != nil {
			return err
		}
		n = 1
	}
	buf, err := to.Reserve(ctx, c.size)
	if errors.Is(err, ring.ErrDropped) {
		_, discardErr := io.CopyN(io.Discard, c.in, int64(c.size-n))
		c.in.sent = c.in.read
		if discardErr != nil && discardErr != io.EOF {
			return discardErr
		}
		return err
	}
	if err != nil {
		return err
	}
	copy(buf, ahead[:n])
	more, err := io.ReadFull(c.in, buf[n:])
	// What was read is sent even after an error: it cannot be read from a pipe again.
	if n += more; n > 0 {
		to.Commit(n)
		to.Publish()
		c.in.sent += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil // the next call returns io.EOF
		}
	}
	return err
}
