package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"sluice/internal/endpoint"
	"sluice/layout"
)

// Waiting is a message that waits in a ring, as [Peek] has read it.
type Waiting struct {
	Number uint64 // messages published before it since the segment was created
	Size   int    // bytes
	Start  []byte // its first bytes; valid until the next message is read
}

// ErrMoving: a Reader releases messages faster than they can be read.
var ErrMoving = errors.New("messages are released faster than they can be read")

// PeekSource is a ring as an observer sees it: a *shm.View is one. ReadData copies bytes of the
// ring from one of its bytes on; Peek does not ask for what lies beyond the end of the ring.
type PeekSource interface {
	Header() *layout.Header
	Geometry() layout.Geometry
	ReadData(p []byte, at uint64) error
}

// Peek ranges over the messages that wait in a ring, the oldest first: those that were published
// when it began, and no Reader has released. Of each it reads at most most bytes. It takes no role
// and stores nothing, so it is for a ring whose sides have died, and for one in use too: a message
// that a Reader has released while it was read is left out, with all before it, because the Writer
// may have written over it. So numbers may be missing between two messages.
//
// An error is the last pair: ErrCorrupt, ErrMoving, and those of ReadData. Whatever is in the
// segment, it does not panic; a mapping that another process truncates is a fault (shm.Guard).
//
// Preconditions: most is at least 0; the Geometry is a valid one of a ring.
func Peek(from PeekSource, most int) iter.Seq2[Waiting, error] {
	return func(yield func(Waiting, error) bool) {
		p := peeker{PeekSource: from, g: from.Geometry(), most: most}
		for ok := p.begin(); ok; {
			var msg Waiting
			if msg, ok = p.next(); ok && !yield(msg, nil) {
				return
			}
		}
		if p.err != nil {
			yield(Waiting{}, p.err)
		}
	}
}

// maxPeekTries is how often in a row Peek begins again at the message that is the oldest now.
const maxPeekTries = 1000

// peeker is a Peek under way.
type peeker struct {
	PeekSource
	g    layout.Geometry
	most int

	at  endpoint.Position // of the next message
	end uint64            // the Writer's Index at the beginning
	buf []byte
	err error
}

// begin loads where the messages begin and end, and reports whether they can be read.
func (p *peeker) begin() bool {
	for range maxPeekTries {
		if !p.load() {
			return false
		}
		p.end = p.Header().Producer.Index.Load()
		// If the Reader moved meanwhile, the end may be further from here than the ring is long.
		if p.Header().Consumer.Index.Load() == p.at.Index {
			return p.check()
		}
	}
	p.err = ErrMoving
	return false
}

// reload begins again at the message that is the oldest now, and reports whether it can be read.
// The Reader may have come past the end meanwhile.
func (p *peeker) reload() bool {
	return p.load() && (p.isOver() || p.check())
}

// load loads the position of the oldest message. Index and Count are stored one after the other.
func (p *peeker) load() bool {
	index := &p.Header().Consumer.Index
	for range maxPeekTries {
		if p.at = endpoint.PositionOf(p.Header(), layout.Consumer); p.at.Index == index.Load() {
			return true
		}
	}
	p.err = ErrMoving
	return false
}

// isOver reports whether the position is at the end, or past it.
func (p *peeker) isOver() bool { return int64(p.end-p.at.Index) <= 0 }

// check reports whether what lies between the position and the end can be in the ring: a hostile
// peer may store anything, at any time, and lengths are bounded by that.
func (p *peeker) check() bool {
	p.err = checkDistance(&p.g, endpoint.Position{Index: p.end, Count: p.at.Count}, p.at)
	if p.err == nil && !p.g.Fixed() && p.at.Index%layout.RecordHeader != 0 {
		p.err = fmt.Errorf("%w: read index %d", ErrCorrupt, p.at.Index)
	}
	return p.err == nil
}

// next reads the next message, and reports whether there is one.
func (p *peeker) next() (msg Waiting, ok bool) {
	for range maxPeekTries {
		if p.isOver() {
			return msg, false
		}
		size, msg, err := p.read()
		// Loaded after the bytes: what was not released by now, nobody has written over.
		released := p.Header().Consumer.Index.Load()
		if int64(released-p.at.Index) <= 0 {
			p.at.Index += size
			p.at.Count++
			p.err = err
			return msg, err == nil
		}
		if !p.reload() {
			return msg, false
		}
	}
	p.err = ErrMoving
	return msg, false
}

// read reads the message at the present position, and returns by how much Index grows with it.
func (p *peeker) read() (size uint64, msg Waiting, err error) {
	at, n := p.at.Index, p.g.SlotSize
	if size = 1; p.g.Fixed() {
		at = at % (p.g.Capacity / n) * n
	} else {
		var header [layout.RecordHeader]byte
		if err := p.readAt(header[:], at); err != nil {
			return 0, msg, err
		}
		n, at = binary.LittleEndian.Uint64(header[:]), at+layout.RecordHeader
		left := p.end - p.at.Index
		if n > left-layout.RecordHeader {
			return 0, msg, fmt.Errorf("%w: record at index %d has header %#x with %d bytes published", ErrCorrupt, p.at.Index, n, left)
		}
		size = layout.RecordSize(n)
	}
	if most := min(n, uint64(p.most)); uint64(len(p.buf)) < most {
		p.buf = make([]byte, most)
	}
	msg = Waiting{Number: p.at.Count, Size: int(n), Start: p.buf[:min(n, uint64(p.most))]}
	return size, msg, p.readAt(msg.Start, at)
}

// readAt reads bytes from a free-running position on, around the end of the ring.
func (p *peeker) readAt(b []byte, at uint64) error {
	at %= p.g.Capacity
	first := min(uint64(len(b)), p.g.Capacity-at)
	if err := p.ReadData(b[:first], at); err != nil || first == uint64(len(b)) {
		return err
	}
	return p.ReadData(b[first:], 0)
}
