package transfer

import (
	"encoding/binary"
	"errors"

	"github.com/edsrzf/mmap-go"

	"sluice/layout"
)

// inBuffer is a buffer that was received.
type inBuffer struct {
	data   []byte // its content; nil = it is not wanted, or was released
	pooled bool   // data is ordinary memory, of the pool; else in a mapping
	packed bool
	weight uint64   // what it counts for in the stream: see entry.memory
	end    position // of the stream, after it
	first  int      // where in data the record of the oldest held message is, if it is packed
}

// heldBuffer is one of which all messages were taken and some are not released.
type heldBuffer struct {
	inBuffer
	messages int    // that are held, at least one
	taken    uint64 // up to the last of them, as progress counts
	payload  uint64
	lost     uint64
	load     uint64 // which of the buffers that were loaded it is
}

// after is the mark with all of it released.
func (b *heldBuffer) after() mark {
	return mark{position{b.end.buffers, b.taken, b.end.bytes}, b.payload, b.lost}
}

// heldBuffers is what the slices point into that the user of a Receiver has: the buffers
// before the current one, oldest first, and mappings that are of no other use any more. The
// memory of what is released is used for the next buffers. The Receiver's goroutine uses it,
// and Close when no call is under way.
type heldBuffers struct {
	queue    []heldBuffer
	head     int
	messages int // in queue
	retired  []retiredMapping
	memory   bufpool
	files    []int // descriptors of what was copied out of a packet: see closeFiles
}

// retiredMapping is a mapping whose buffer is gone, and that messages may still point into.
type retiredMapping struct {
	mem  mmap.MMap
	load uint64 // the last buffer that can be in it
}

func (h *heldBuffers) empty() bool { return h.head == len(h.queue) }

func (h *heldBuffers) oldest() *heldBuffer { return &h.queue[h.head] }

// last returns how far what is held goes; ok is false when nothing is.
func (h *heldBuffers) last() (to position, ok bool) {
	if h.empty() {
		return to, false
	}
	return h.queue[len(h.queue)-1].after().position, true
}

func (h *heldBuffers) push(b heldBuffer) {
	h.queue = append(h.queue, b)
	h.messages += b.messages
}

// pop drops the oldest.
func (h *heldBuffers) pop() {
	b := h.oldest()
	h.messages -= b.messages
	h.free(&b.inBuffer)
	if h.head++; h.head > len(h.queue)/2 {
		n := copy(h.queue, h.queue[h.head:])
		clear(h.queue[n:])
		h.queue, h.head = h.queue[:n], 0
	}
}

// clear drops all.
func (h *heldBuffers) clear() {
	for i := h.head; i < len(h.queue); i++ {
		h.free(&h.queue[i].inBuffer)
	}
	h.queue, h.head, h.messages = h.queue[:0], 0, 0
}

// free gives back the memory of a buffer in which no message is held.
func (h *heldBuffers) free(b *inBuffer) {
	if b.pooled {
		h.memory.put(b.data)
	}
	b.data, b.pooled = nil, false
}

// retire takes over a mapping that the buffers up to number load may be in.
func (h *heldBuffers) retire(mem mmap.MMap, load uint64) {
	h.retired = append(h.retired, retiredMapping{mem, load})
}

// closeFiles closes what was copied and no more used. It is called when a packet is used up, so
// that its descriptors go together, and before something is released: the Sender then counts the
// memory of that as free.
func (h *heldBuffers) closeFiles() {
	if len(h.files) > 0 {
		closeAll(h.files)
		h.files = h.files[:0]
	}
}

// unmapBefore unmaps what only buffers before number load can be in.
func (h *heldBuffers) unmapBefore(load uint64) error {
	var errs []error
	n := 0
	for n < len(h.retired) && h.retired[n].load < load {
		errs = append(errs, h.retired[n].mem.Unmap())
		n++
	}
	h.retired = append(h.retired[:0], h.retired[n:]...)
	return errors.Join(errs...)
}

// skipRecords moves first past n records, and returns how many bytes of payload they have. In
// a recycled buffer a broken peer may have changed them: then it is some number.
func (b *inBuffer) skipRecords(n int) (payload uint64) {
	for range n {
		rest := b.data[min(b.first, len(b.data)):]
		if len(rest) < layout.RecordHeader {
			return payload
		}
		size := min(binary.LittleEndian.Uint64(rest), uint64(len(rest)-layout.RecordHeader))
		payload += size
		b.first += int(layout.RecordSize(size))
	}
	return payload
}
