package transfer

import "golang.org/x/sys/unix"

// buffer is a buffer on its way, with one message in it or many. Its content is in
// a sealed memfd, in a recycled buffer, or still in ordinary memory, because there
// was no descriptor for it.
type outBuffer struct {
	fd       int             // sealed; -1 = none
	recycled *recycledBuffer // nil = none
	data     []byte          // ordinary memory; nil = none
	weight   uint64          // memory that it counts for by itself; a recycled one counts in its pool

	length   int
	memory   uint64 // what it counts for in the stream, on both sides: see entry.memory
	packed   bool
	messages uint32
	stamp    uint64   // monotonic ns of its first message
	start    position // of the stream, before it
}

// position is a place in the stream: what came before it, since the segment was
// made.
type position struct {
	buffers  uint64
	messages uint64
	bytes    uint64 // of memory
}

// end is the position after the buffer.
func (p *outBuffer) end() position {
	return position{p.start.buffers + 1, p.start.messages + uint64(p.messages), p.start.bytes + p.memory}
}

// drop closes the buffer's own descriptor, and reports whether it had one.
func (p *outBuffer) drop() bool {
	if p.fd < 0 {
		return false
	}
	unix.Close(p.fd)
	p.fd = -1
	return true
}

// queue is a queue of buffers that can grow at both ends. Pointers into it are
// valid until it grows.
type queue struct {
	items []outBuffer
	head  int
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) at(i int) *outBuffer { return &q.items[q.head+i] }

func (q *queue) push(p outBuffer) { q.items = append(q.items, p) }

// pop drops the first n. Half of the space or more may be empty before it is
// used again, so a buffer moves once on average.
func (q *queue) pop(n int) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > len(q.items)/2:
		left := copy(q.items, q.items[q.head:])
		clear(q.items[left:])
		q.items, q.head = q.items[:left], 0
	}
}

// unpop puts all of r before the first and empties r.
func (q *queue) unpop(r *queue) {
	items := append(r.items[r.head:len(r.items):len(r.items)], q.items[q.head:]...)
	*q, *r = queue{items: items}, queue{}
}
