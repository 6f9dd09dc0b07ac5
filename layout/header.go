package layout

// Block is the granule that separates fields with different writers. Two cache
// lines of 64 bytes, because the adjacent-line prefetcher of x86 pairs them.
const Block = 128

// Header is the first HeaderSize bytes of a segment, laid over mapped memory by
// At. Who writes which part is fixed:
//
//	Identity      the creator, before the segment has a name
//	Producer      the holder of the producer role, at every publish
//	Consumer      the holder of the consumer role, at every release
//	*Wait         set by the side that goes to sleep, cleared by the other
//	*Side         the holder of the role, rarely
//	Latency*      the holder of the consumer role, on sampled records
//
// Everything in it is readable by anybody who can open the file, at any time.
type Header struct {
	Identity Identity

	Producer Cursor
	Consumer Cursor

	ProducerWait Wait
	ConsumerWait Wait

	ProducerSide Side
	ConsumerSide Side

	LatencyCount Uint64 `doc:"messages that the histogram stands for"`
	LatencySum   Uint64 `doc:"sum of their publish-to-take times, ns"`
	LatencyMax   Uint64 `doc:"longest sampled publish-to-take time, ns"`
	_            [0x800 - 0x498]byte

	Latency [LatencyBuckets]Uint64 `doc:"publish-to-take times, log-linear buckets"`
	_       [HeaderSize - 0x800 - LatencyBuckets*8]byte
}

// Identity is written once, before anybody else can see the segment.
type Identity struct {
	Magic      Uint64 `doc:"sluice, carriage return, line feed"`
	Version    Uint64 `doc:"version of this layout"`
	HeaderSize Uint64 `doc:"bytes of header"`
	Mode       Uint64 `doc:"1 ring, 2 transfer"`
	Capacity   Uint64 `doc:"bytes of ring, a power of two; 0 in transfer mode"`
	Slots      Uint64 `doc:"most messages in flight; 0 = bytes alone"`
	DataOffset Uint64 `doc:"where the data region starts; 0 in transfer mode"`
	CreatedAt  Uint64 `doc:"wall clock at creation, ns since 1970"`
	_          [Block - 64]byte
}

// Cursor is one side's position. Index moves last: it is the commit point, and
// the other fields are stored before it in the order of docs/protocol.md so
// that a side killed at any instruction can be counted exactly.
type Cursor struct {
	Index       Uint64 `doc:"free-running byte position, of memory; ring: low 32 bits are the futex word"`
	Count       Uint64 `doc:"messages up to Index, since creation"`
	NextIndex   Uint64 `doc:"the Index that is being published"`
	CountBefore Uint64 `doc:"Count before that publish"`
	Bytes       Uint64 `doc:"payload bytes, since creation"`
	_           [Block - 40]byte
}

// Wait is the bed of one side. The sleeper writes the two thresholds, then the
// flag; the peer clears the flag that it has seen with a compare-and-swap, and
// only then wakes.
type Wait struct {
	Flag  Uint64 `doc:"0 = awake; else the side sleeps or is about to: the number of this sleep"`
	Index Uint64 `doc:"wake when the peer's Index has reached this"`
	Count Uint64 `doc:"and the peer's Count this"`
	_     [Block - 24]byte
}

// Side is what a holder of a role reports of itself. Only that holder writes it.
type Side struct {
	PID        Uint64 `doc:"process id of the last holder, for people only"`
	State      Uint64 `doc:"0 none 1 running 2 blocked 3 alone 4 closed"`
	Fence      Uint64 `doc:"0 unknown 1 asymmetric 2 full"`
	Holders    Uint64 `doc:"times the role was taken"`
	StartedAt  Uint64 `doc:"monotonic clock when it was taken last, ns"`
	ProgressAt Uint64 `doc:"monotonic clock at the last noted progress or look around, ns"`
	Blocked    Uint64 `doc:"blocked time, ns, signed: negative while blocked, then add the monotonic clock"`
	Waits      Uint64 `doc:"times it had to sleep"`
	Spins      Uint64 `doc:"times a spin ended in time"`
	WakesSent  Uint64 `doc:"times it woke the peer"`
	Spurious   Uint64 `doc:"times it was woken for nothing"`
	Dropped    Uint64 `doc:"producer: messages dropped because full"`
	Refused    Uint64 `doc:"producer: times the way out was refused"`
	HighWater  Uint64 `doc:"producer: deepest queue it has seen, messages"`
	Framing    Uint64 `doc:"producer: 0 none 1 lines 2 length 3 raw"`
	Memory     Uint64 `doc:"producer: bytes held for messages in flight"`
	Keep       Uint64 `doc:"1 = leave the segment when both sides are done"`

	Buffers        Uint64 `doc:"transfer: buffers that have left the producer, that the consumer has let go"`
	Descriptors    Uint64 `doc:"transfer, producer: descriptors it holds for buffers in flight"`
	MaxDescriptors Uint64 `doc:"transfer, producer: descriptors that the process may have"`
	Limit          Uint64 `doc:"transfer, producer: most bytes in flight; 0 = no limit"`
	Obstacle       Uint64 `doc:"transfer, producer: what refused it last: 0 nothing 1 no consumer 2 socket full 3 descriptors in flight 4 descriptors 5 memory limit"`
	Lost           Uint64 `doc:"transfer, consumer: messages that went with a producer that died"`
	_              [2*Block - 184]byte
}

// Side returns the block of counters that belongs to role r.
func (h *Header) Side(r Role) *Side {
	if r == Producer {
		return &h.ProducerSide
	}
	return &h.ConsumerSide
}

// Cursor returns the cursor that role r moves.
func (h *Header) Cursor(r Role) *Cursor {
	if r == Producer {
		return &h.Producer
	}
	return &h.Consumer
}

// Wait returns the bed of role r.
func (h *Header) Wait(r Role) *Wait {
	if r == Producer {
		return &h.ProducerWait
	}
	return &h.ConsumerWait
}
