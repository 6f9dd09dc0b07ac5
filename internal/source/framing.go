package source

import (
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

// batch sends messages that were read together, with one publish: that moves a cache line between
// processors.
type batch struct {
	in   *Input
	buf  buffer
	done int      // messages that were sent or dropped
	msgs [][]byte // at the start of buf, with overhead bytes before each

	overhead int
}

// send sends msgs, and returns how many it sent or the full queue dropped.
func (b *batch) send(ctx context.Context, to Sender) (done int, err error) {
	for err == nil && done < len(b.msgs) {
		var n int
		n, err = to.SendBatch(ctx, b.msgs[done:])
		if errors.Is(err, ring.ErrDropped) {
			n, err = n+1, nil
		}
		done += n
	}
	size := b.overhead * done
	for _, msg := range b.msgs[:done] {
		size += len(msg)
	}
	b.buf.take(size)
	b.in.sent += int64(size)
	b.done += done
	return done, err
}

// lines makes a message of each line with its line feed; the last line may have none.
type lines struct {
	batch
	max      int
	searched int // bytes at the start of buf without a line feed
}

// Lines splits in after line feeds. A line has at most max bytes. If a stop or an error
// interrupts the read of a line, its first part is not sent.
func Lines(in *Input, max int) Cutter {
	// One byte more, which shows that a line is too long.
	return &lines{batch: batch{in: in, buf: newBuffer(in, max+1)}, max: max}
}

func (l *lines) next(ctx context.Context, to Sender, most Batch) (int, error) {
	for {
		l.cut(most)
		if len(l.msgs) > 0 {
			return l.send(ctx, to)
		}
		left := len(l.buf.unread())
		if left > l.max {
			return 0, fmt.Errorf("%w: line %d has more than %d bytes", ErrTooLarge, l.done+1, l.max)
		}
		// Only at the end of the input is text without a line feed a line, not after
		// another error.
		if err := l.buf.read(); err != nil && (err != io.EOF || left == 0) {
			return 0, err
		}
	}
}

// cut sets msgs to the lines in buf: to none if the first is not there as a whole or is too long.
func (l *lines) cut(most Batch) {
	l.msgs = l.msgs[:0]
	data := l.buf.unread()
	for size := 0; len(l.msgs) < most.Messages && size < most.Bytes; {
		end := bytes.IndexByte(data[l.searched:], '\n') + 1
		switch {
		case end > 0:
			end += l.searched
		case l.in.ended && len(data) > 0:
			end = len(data)
		default:
			l.searched = len(data)
			return
		}
		l.searched = 0
		if end > l.max {
			return
		}
		l.msgs = append(l.msgs, data[:end])
		data, size = data[end:], size+end
	}
}

// lengths reads messages with a 4-byte little-endian length before each.
type lengths struct {
	batch
	max int
}

// prefix is the size of a length, in bytes.
const prefix = 4

// Lengths splits in by the length before each message. A message has at most max bytes.
func Lengths(in *Input, max int) Cutter {
	return &lengths{batch: batch{in: in, buf: newBuffer(in, readSize), overhead: prefix}, max: max}
}

func (l *lengths) next(ctx context.Context, to Sender, most Batch) (int, error) {
	for {
		l.cut(most)
		if len(l.msgs) > 0 {
			return l.send(ctx, to)
		}
		left := l.buf.unread()
		if len(left) >= prefix {
			switch n := int(binary.LittleEndian.Uint32(left)); {
			case n > l.max:
				return 0, fmt.Errorf("%w: message %d has %d bytes, at most %d are allowed", ErrTooLarge, l.done+1, n, l.max)
			case prefix+n > readSize:
				return 1, l.sendLarge(ctx, to, n)
			}
		}
		if err := l.buf.read(); err != nil {
			if err == io.EOF && len(left) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, l.endError(err)
		}
	}
}

// cut sets msgs to the messages in buf: to none if the first is not there as a whole or is too
// large.
func (l *lengths) cut(most Batch) {
	l.msgs = l.msgs[:0]
	data := l.buf.unread()
	for size := 0; len(l.msgs) < most.Messages && size < most.Bytes && len(data) >= prefix; {
		end := prefix + int(binary.LittleEndian.Uint32(data))
		if end > prefix+l.max || end > len(data) {
			return
		}
		l.msgs = append(l.msgs, data[prefix:end])
		data, size = data[end:], size+end
	}
}

// sendLarge sends a message of n bytes, which buf has no room for: they are read into the ring.
func (l *lengths) sendLarge(ctx context.Context, to Sender, n int) error {
	room, err := to.Reserve(ctx, n)
	dropped := errors.Is(err, ring.ErrDropped)
	if err != nil && !dropped {
		return err
	}
	start := l.buf.unread()[prefix:]
	l.buf.take(prefix + len(start))
	if dropped {
		_, err = io.CopyN(io.Discard, l.in, int64(n-len(start)))
	} else {
		_, err = io.ReadFull(l.in, room[copy(room, start):])
	}
	if err != nil {
		return l.endError(unexpectedEOF(err))
	}
	if !dropped {
		to.Commit(n)
		to.Publish()
	}
	l.in.sent += int64(prefix + n)
	l.done++
	return nil
}

// endError returns ErrCutShort for an end of the input inside a message, else err.
func (l *lengths) endError(err error) error {
	if err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends inside message %d", ErrCutShort, l.done+1)
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

func (c *chunks) next(ctx context.Context, to Sender, _ Batch) (int, error) {
	// Space must not be reserved at the end of the input: that would wait, or fail, for no
	// message. If the size of the input is unknown, a byte is read first.
	var ahead [1]byte
	n := 0
	if !c.in.hasMore() {
		if _, err := io.ReadFull(c.in, ahead[:]); err != nil {
			return 0, err
		}
		n = 1
	}
	buf, err := to.Reserve(ctx, c.size)
	if errors.Is(err, ring.ErrDropped) {
		_, discardErr := io.CopyN(io.Discard, c.in, int64(c.size-n))
		c.in.sent = c.in.read
		if discardErr == io.EOF {
			discardErr = nil // the next call returns it
		}
		return 1, discardErr
	}
	if err != nil {
		return 0, err
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
	return 1, err
}
