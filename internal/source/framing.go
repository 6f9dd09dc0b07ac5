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
	"sluice/ring"
)

// ErrTooLarge is for a message of the input that is larger than the segment takes.
var ErrTooLarge = errors.New("message is too large")

// ErrCutShort is for an input with length framing that ends inside a message.
var ErrCutShort = errors.New("input ends too early")

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

// Lines cuts in at line feeds. No line may be longer than max bytes. What is read of a
// line that a stop or an error keeps from being read to its end is not sent.
func Lines(in *Input, max int) Cutter {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, min(buffered, max+1)), max+1) // the Scanner's limit is the buffer's
	l := &lines{in: in, scan: scan, max: max}
	scan.Split(l.wholeLine)
	return l
}

// wholeLine is bufio.ScanLines that leaves the line ends on. The Scanner says atEOF after
// any error of the input; only its end makes a line of what has no line feed.
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
	if len(line) > l.max { // by one, which is the Scanner's to find the end of a last line
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
	return fmt.Errorf("%w: line %d of the input has more than %d bytes", ErrTooLarge, l.n, l.max)
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

func (l *lengths) next(ctx context.Context, to sluice.Producer) error {
	l.n++
	var prefix [4]byte
	if _, err := io.ReadFull(l.in, prefix[:]); err != nil {
		return l.cut(err)
	}
	n := int(binary.LittleEndian.Uint32(prefix[:]))
	if n > l.max {
		return fmt.Errorf("%w: message %d of the input has %d bytes by the length before it, at most %d fit", ErrTooLarge, l.n, n, l.max)
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
		return fmt.Errorf("%w: message %d of the input is cut short", ErrCutShort, l.n)
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

func (c *chunks) next(ctx context.Context, to sluice.Producer) error {
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
