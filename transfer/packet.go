package transfer

import (
	"encoding/binary"
	"fmt"

	"sluice/layout"
)

// A packet is one message of a SOCK_SEQPACKET socket: a head, an entry for each
// buffer, and the descriptors of those that need one, in the same order. All
// fields are little-endian.
//
//	 0  u32  magic "sltx"
//	 4  u16  version
//	 6  u16  kind: 1 hello, 2 buffers, 3 end
//	 8  u64  the segment's creation time, which tells it from another of its name
//	16  u64  buffers that left the producer before this packet
//	24  u64  messages in those
//	32  u64  bytes of memory that those took
//	40  entries, 56 bytes each:
//	    +0  u64  size of the buffer's file, bytes
//	    +8  u32  bytes of it in use
//	    +12 u32  messages in it
//	    +16 u32  number of a recycled buffer, else 0
//	    +20 u32  flags: 1 a descriptor comes with it, 2 packed records
//	    +24 u64  monotonic clock when its first message was committed, ns
//	    +32 u64  when its last was
//	    +40 u64  when its first message was due, 0 = at no time
//	    +48 u64  when its last was
const (
	packetMagic   = 's' | 'l'<<8 | 't'<<16 | 'x'<<24
	packetVersion = 2
	headSize      = 40
	entrySize     = 56
)

// MaxBatch is how many descriptors Linux lets one packet carry (SCM_MAX_FD).
const MaxBatch = 253

type kind uint16

const (
	kindHello   kind = 1 // the first packet of a connection; no entries
	kindBuffers kind = 2
	kindEnd     kind = 3 // no more will come; no entries
)

const (
	flagDescriptor = 1
	flagPacked     = 2
)

// position is a place in the stream: what came before it, since the segment was made.
type position struct {
	buffers  uint64
	messages uint64
	bytes    uint64 // of memory: see entry.memory
}

// after is the position behind a buffer.
func (p position) after(e *entry) position {
	return position{p.buffers + 1, p.messages + uint64(e.messages), p.bytes + e.memory()}
}

// head is where in the stream a packet stands.
type head struct {
	kind                     kind
	segment                  uint64
	buffers, messages, bytes uint64
}

// entry is one buffer of a packet.
type entry struct {
	size             uint64
	length, messages uint32
	number, flags    uint32
	first, last      messageTime // of its messages
}

// messageTime is when a message was committed and when it was due, ns of the monotonic clock of
// whoever has sent it: any value, if that is hostile.
type messageTime struct {
	committed uint64
	due       uint64 // 0 = at no time
}

func (h *head) append(p []byte) []byte {
	p = binary.LittleEndian.AppendUint32(p, packetMagic)
	p = binary.LittleEndian.AppendUint16(p, packetVersion)
	p = binary.LittleEndian.AppendUint16(p, uint16(h.kind))
	for _, v := range [...]uint64{h.segment, h.buffers, h.messages, h.bytes} {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return p
}

func (e *entry) append(p []byte) []byte {
	p = binary.LittleEndian.AppendUint64(p, e.size)
	for _, v := range [...]uint32{e.length, e.messages, e.number, e.flags} {
		p = binary.LittleEndian.AppendUint32(p, v)
	}
	for _, v := range [...]uint64{e.first.committed, e.last.committed, e.first.due, e.last.due} {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return p
}

// parse takes a packet apart and checks all that can be checked without its
// descriptors. entries is appended to into[:0]. The error is ErrVersion or
// ErrCorrupt.
func parse(p []byte, into []entry) (h head, entries []entry, err error) {
	if len(p) < headSize || binary.LittleEndian.Uint32(p) != packetMagic {
		return h, nil, fmt.Errorf("%w: packet of %d bytes without a sluice head", layout.ErrCorrupt, len(p))
	}
	if v := binary.LittleEndian.Uint16(p[4:]); v != packetVersion {
		return h, nil, fmt.Errorf("%w: the peer's packets have version %d, this program speaks %d", layout.ErrVersion, v, packetVersion)
	}
	h = head{
		kind:    kind(binary.LittleEndian.Uint16(p[6:])),
		segment: binary.LittleEndian.Uint64(p[8:]),
		buffers: binary.LittleEndian.Uint64(p[16:]), messages: binary.LittleEndian.Uint64(p[24:]), bytes: binary.LittleEndian.Uint64(p[32:]),
	}
	n, rest := (len(p)-headSize)/entrySize, (len(p)-headSize)%entrySize
	if rest != 0 || n > MaxBatch || (h.kind == kindBuffers) != (n > 0) || h.kind < kindHello || h.kind > kindEnd {
		return h, nil, fmt.Errorf("%w: packet of kind %d with %d bytes", layout.ErrCorrupt, h.kind, len(p))
	}
	entries = into[:0]
	for p = p[headSize:]; len(p) > 0; p = p[entrySize:] {
		e := entry{
			size:   binary.LittleEndian.Uint64(p),
			length: binary.LittleEndian.Uint32(p[8:]), messages: binary.LittleEndian.Uint32(p[12:]),
			number: binary.LittleEndian.Uint32(p[16:]), flags: binary.LittleEndian.Uint32(p[20:]),
			first: messageTime{binary.LittleEndian.Uint64(p[24:]), binary.LittleEndian.Uint64(p[40:])},
			last:  messageTime{binary.LittleEndian.Uint64(p[32:]), binary.LittleEndian.Uint64(p[48:])},
		}
		if err := e.check(); err != nil {
			return h, nil, err
		}
		entries = append(entries, e)
	}
	return h, entries, nil
}

// memory returns what a buffer counts for on both sides, in whole pages: one that is recycled
// all of it, however little is in it, another what is in use.
func (e *entry) memory() uint64 {
	if e.number != 0 {
		return pages(e.size)
	}
	return pages(uint64(e.length))
}

// check refuses what no sender of this version writes.
func (e *entry) check() error {
	packed := e.flags&flagPacked != 0
	switch {
	case e.flags&^(flagDescriptor|flagPacked) != 0,
		e.number == 0 && e.flags&flagDescriptor == 0,
		e.number != 0 && e.size == 0,
		e.number > maxRecycled,
		e.size > maxFile || uint64(e.length) > e.size,
		e.messages == 0 || !packed && e.messages != 1,
		packed && uint64(e.messages) > uint64(e.length)/layout.RecordHeader:
		return fmt.Errorf("%w: buffer of %d bytes, %d used by %d messages, number %d, flags %#x",
			layout.ErrCorrupt, e.size, e.length, e.messages, e.number, e.flags)
	}
	return nil
}
