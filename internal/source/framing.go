package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"sluice/ring"
)

// buffered is how much is read at once where the messages are not known before
// they are read.
const buffered = 256 << 10

// lines makes each line with its line feed a message; the last may lack one. A
// record's length stands before it in the ring, so a line cannot be read into
// its place: it is copied once.
type lines struct {
	in   *Input
	scan *bufio.Scanner
	max  int
	n    int
}

// Lines cuts in at line feeds. No line may be longer than max bytes.
func Lines(in *Input, max int) Cutter {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, min(buffered, max+1)), max+1) // the Scanner's limit is the buffer's
	scan.Split(wholeLine)
	return &lines{in: in, scan: scan, max: max}
}

// wholeLine is bufio.ScanLines that leaves the line ends on.
func wholeLine(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func (l *lines) next(ctx context.Context, to Sender) error {
	l.n++
	if !l.scan.Scan() {
		err := l.scan.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("%w: line %d of the input has more than %d bytes", ring.ErrTooLarge, l.n, l.max)
		}
		if err == nil {
			err = io.EOF
		}
		return err
	}
	line := l.scan.Bytes()
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

// lengths takes messages with a 4-byte little-endian length before each.
type lengths struct {
	file *Input
	in   *bufio.Reader
	max  int
	n    int
}

// Lengths cuts in by the length before each message, of at most max bytes.
func Lengths(in *Input, max int) Cutter {
	return &lengths{file: in, in: bufio.NewReaderSize(in, buffered), max: max}
}

func (l *lengths) next(ctx context.Context, to Sender) error {
	l.n++
	var prefix [4]byte
	if _, err := io.ReadFull(l.in, prefix[:]); err != nil {
		return l.cut(err)
	}
	n := int(binary.LittleEndian.Uint32(prefix[:]))
	if n > l.max {
		return fmt.Errorf("%w: message %d of the input has %d bytes by its length, at most %d fit (is this length framing?)", ring.ErrTooLarge, l.n, n, l.max)
	}
	buf, err := to.Reserve(ctx, n)
	if errors.Is(err, ring.ErrDropped) {
		if _, err := l.in.Discard(n); err != nil {
			return l.cut(noEOF(err))
		}
		l.file.sent += int64(len(prefix) + n)
		return err
	}
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(l.in, buf); err != nil {
		return l.cut(noEOF(err))
	}
	to.Commit(n)
	to.Publish()
	l.file.sent += int64(len(prefix) + n)
	return nil
}

// cut says where an input ended that ended too early.
func (l *lengths) cut(err error) error {
	if err == io.ErrUnexpectedEOF {
		return fmt.Errorf("input: message %d is cut short; is this length framing?", l.n)
	}
	return err
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunks makes messages of size bytes, the last of what is left, and reads
// them straight into the ring.
type chunks struct {
	in   *Input
	size int
}

// Chunks cuts in into messages of size bytes.
func Chunks(in *Input, size int) Cutter { return &chunks{in, size} }

func (c *chunks) next(ctx context.Context, to Sender) error {
	// At the end of the input nobody should wait for room, or be told that
	// there is none. Where the end is not known ahead, a byte is read first.
	var ahead [1]byte
	n := 0
	if !c.in.more() {
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
	// What was read is sent, also when the rest cannot be: a pipe gives it
	// only once.
	if n += more; n > 0 {
		to.Commit(n)
		to.Publish()
		c.in.sent += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil // the next call finds the end again
		}
	}
	return err
}
