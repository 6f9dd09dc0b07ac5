package layout

// Block is the distance that keeps fields with different writers apart: two cache
// lines of 64 bytes, because the adjacent-line prefetcher of x86 fetches pairs.
const Block = 128

// Header is the first HeaderSize bytes of a segment, laid over mapped memory by
// At. Who writes which part is fixed:
//
//	Identity        the creator, before the segment has a name
//	Producer        the holder of the producer role, at every publish
//	Consumer        the holder of the consumer role, at every release
//	*Sleep          the side that goes to sleep; the other one clears Flag
//	*Stats, *Socket the holder of the role, rarely
//	Schedule        the holder of the producer role
//	ProducerLink    the holder of the producer role, if it is a bridge; ConsumerLink likewise
//	Origin          the holder of the producer role, if it is a bridge
//	histograms      the holder of the consumer role; Lateness the producer's
//	Samples         the holder of the producer role
//
// Everything in it is readable by anybody who can open the file, at any time.
type Header struct {
	Identity Identity

	Producer Cursor
	Consumer Cursor

	ProducerSleep SleepState
	ConsumerSleep SleepState
	_             [2 * Block]byte

	ProducerStats RoleStats
	ConsumerStats RoleStats

	ProducerSocket Path
	ConsumerSocket Path

	Schedule Schedule
	Origin   Origin

	ProducerLink Link
	ConsumerLink Link
	_            [0x1000 - 0xc00]byte

	Latency  Histogram
	Response Histogram
	Lateness Histogram
	_        [0x8000 - 0x5200]byte

	Samples [SampleSlots]Sample `doc:"ring of samples: index, due at, published at, messages it stands for; 8 bytes each"`
}

// Identity is written once, before anybody else can see the segment.
type Identity struct {
	Magic       Uint64 `doc:"sluice, carriage return, line feed"`
	Version     Uint64 `doc:"version of this layout"`
	HeaderSize  Uint64 `doc:"bytes of header"`
	Mode        Uint64 `doc:"1 ring, 2 transfer"`
	Capacity    Uint64 `doc:"bytes of ring: a power of two, or SlotSize times one; 0 in transfer mode"`
	Slots       Uint64 `doc:"maximum of messages in flight; 0 = limited by bytes only"`
	DataOffset  Uint64 `doc:"where the data region starts; 0 in transfer mode"`
	CreatedAt   Uint64 `doc:"wall clock at creation, ns since 1970"`
	SlotSize    Uint64 `doc:"bytes of a fixed slot; 0 = records of variable size"`
	Fingerprint Uint64 `doc:"of the type in a fixed slot; 0 = none, which fits every type"`
	_           [2*Block - 80]byte
}

// Cursor is one side's position. Index moves last: it is the commit point, and
// the other fields are stored before it in the order of docs/protocol.md so
// that a side killed at any instruction can be counted exactly. With fixed slots Index is the
// count, and of the other fields only Samples is used.
type Cursor struct {
	Index       Uint64 `doc:"free-running position: bytes of records or of memory, messages of fixed slots; ring: low 32 bits are the futex word"`
	Count       Uint64 `doc:"messages up to Index, since creation; unused with fixed slots"`
	NextIndex   Uint64 `doc:"the Index that is being published; unused with fixed slots"`
	CountBefore Uint64 `doc:"Count before that publish; unused with fixed slots"`
	Bytes       Uint64 `doc:"payload bytes, since creation; unused with fixed slots"`
	Samples     Uint64 `doc:"entries of Samples: producer, written; consumer, used"`
	_           [Block - 48]byte
}

// SleepState is how one side sleeps. The sleeper writes the two thresholds, then the
// flag; the peer clears the flag that it has seen with a compare-and-swap, and
// only then wakes the sleeper. A transfer's consumer waits at its socket and does not use it.
type SleepState struct {
	Flag  Uint64 `doc:"0 = awake; else the side sleeps or is about to: the number of this sleep"`
	Index Uint64 `doc:"wake when the peer's Index has reached this"`
	Count Uint64 `doc:"and the peer's Count this"`
	_     [Block - 24]byte
}

// RoleStats is what the holder of a role stores about itself. Only that holder writes it.
type RoleStats struct {
	PID           Uint64 `doc:"process id of the last holder, for people only"`
	PIDNamespace  Uint64 `doc:"inode number of the pid namespace of that id; 0 = unknown"`
	TimeNamespace Uint64 `doc:"inode number of the time namespace of its clock; 0 = unknown"`
	UID           Uint64 `doc:"user id of the last holder"`
	State         Uint64 `doc:"0 none 1 running 2 blocked 3 alone 4 closed"`
	Fence         Uint64 `doc:"0 unknown 1 asymmetric 2 full 3 full for now"`
	Generation    Uint64 `doc:"times the role was taken"`
	StartedAt     Uint64 `doc:"monotonic clock when it was taken last, ns"`
	ProgressAt    Uint64 `doc:"monotonic clock when it last showed progress, or that it runs, ns"`
	Blocked       Uint64 `doc:"blocked time, ns, signed: negative while blocked, then add the monotonic clock, but at most BlockedUntil"`
	BlockedUntil  Uint64 `doc:"monotonic clock up to which a sleep in progress counts as blocked, ns"`
	Waits         Uint64 `doc:"times it was blocked: slept, or yielded to others"`
	Spins         Uint64 `doc:"waits satisfied by spinning"`
	WakesSent     Uint64 `doc:"times it woke the peer"`
	Spurious      Uint64 `doc:"wake-ups without what it waited for"`
	Keep          Uint64 `doc:"1 = keep the segment when both sides are done"`

	End             Uint64 `doc:"producer: how its stream ended: 0 not yet 1 complete 2 stopped before its end 3 failed 4 disconnected: its consumer was too slow"`
	Incomplete      Uint64 `doc:"producer: streams that ended stopped, failed or disconnected; consumer: how many of those it was told of"`
	EndSeen         Uint64 `doc:"consumer: the producer's Generation whose end it was told of; 0 = none"`
	Dropped         Uint64 `doc:"producer: messages dropped because full"`
	Refused         Uint64 `doc:"producer: times a message could not be sent now"`
	RefusedMessages Uint64 `doc:"producer: messages given up because they were refused"`
	Unsent          Uint64 `doc:"producer: messages that were due and not sent, of schedules that have ended"`
	HighWater       Uint64 `doc:"deepest queue it has seen, messages"`
	Framing         Uint64 `doc:"producer: 0 none 1 lines 2 length 3 raw"`
	Memory          Uint64 `doc:"producer: bytes held for messages in flight and for reuse"`

	Buffers        Uint64 `doc:"transfer: producer: buffers sent; consumer: buffers released"`
	Descriptors    Uint64 `doc:"transfer, producer: descriptors it holds for buffers in flight"`
	MaxDescriptors Uint64 `doc:"transfer, producer: descriptors that the process may have"`
	Limit          Uint64 `doc:"transfer, producer: maximum of bytes in flight; 0 = no limit"`
	RefuseReason   Uint64 `doc:"transfer, producer: what refused it last: 0 nothing 1 no consumer 2 socket full 3 descriptors in flight 4 descriptors 5 memory limit 6 the consumer listens elsewhere 7 no descriptor to connect with"`
	Lost           Uint64 `doc:"transfer, consumer: messages lost with a producer that died"`
	NextLost       Uint64 `doc:"transfer, consumer: the Lost that is being stored"`
	Consumed       Uint64 `doc:"transfer, consumer: messages taken and released: Count without Lost"`
	LostSeen       Uint64 `doc:"transfer, consumer: the Lost that a consumer has reported"`
	OnFull         Uint64 `doc:"producer: when there is no room: 1 waits 2 drops the message 3 fails 4 ends the stream, and begins another when a consumer waits for one"`
	ResumeAt       Uint64 `doc:"transfer, producer: one that waits goes on when this much is in flight, bytes"`
	Replace        Uint64 `doc:"consumer: 1 = a producer may replace the segment by one of its mode, 2 = by any, once everything is released and the end told; producer: 1 = the segment was replaced"`

	Missed      Uint64 `doc:"producer: of Dropped, messages that it dropped while no consumer was there or its consumer was disconnected; consumer: how many of those consumers were told of"`
	JoinedAfter Uint64 `doc:"consumer: the producer's Generation whose end consumers were told of when this one began to wait for the next stream"`
	// BlockTimeout is not used with OnFull 1, which waits as long as it takes.
	BlockTimeout Uint64 `doc:"producer: how long it waits for room before it does what OnFull says, ns; 0 = not at all"`
	_            [4*Block - 41*8]byte
}

// Schedule is when the messages of an open-loop load are due, however long their producer is
// held back. It belongs to one holder of the producer role: Holder is stored last when it begins,
// and, once RoleStats.Unsent has what of it is unsent, alone when it ends.
type Schedule struct {
	Base         Uint64 `doc:"monotonic clock when the first message is due, ns"`
	Rate         Uint64 `doc:"messages a second on average, as a 64-bit floating point number"`
	SentBefore   Uint64 `doc:"messages produced, dropped and refused before the first of the schedule"`
	UnsentBefore Uint64 `doc:"ProducerStats.Unsent when the schedule began"`
	Due          Uint64 `doc:"messages of the schedule that were due when the producer last noted it"`
	Holder       Uint64 `doc:"ProducerStats.Generation of the producer that has this schedule; 0 = none"`
	_            [Block - 48]byte
}

// Origin says where the messages of a segment come from when a bridge fills it from another
// segment, on another machine perhaps. The bridge that follows a killed one finds in it, with
// Producer.Count, which message is next: position Base + Producer.Count of segment Source. The
// fields of one place are written while Current names the other one, with Source 0 meanwhile; of
// the valid place only Ended, EndAt and Told change. The other place is the source before, of which
// blocks may come again.
type Origin struct {
	Current Uint64 `doc:"which of the two places holds: 1 or 2; 0 = none"`
	Place1  Place
	Place2  Place
	_       [Block - 8 - 2*48]byte
}

// Place is one of the two places of an Origin.
type Place struct {
	Source Uint64 `doc:"Identity.CreatedAt of the segment that messages come from"`
	Base   Uint64 `doc:"its position that Producer.Count 0 of this segment stands for, modulo 2^64"`
	Begin  Uint64 `doc:"Producer.Count of this segment when messages of Source began; the messages of the other place ended there"`
	Ended  Uint64 `doc:"ProducerStats.Generation of Source whose end was told here last, or is about to be; 0 = none"`
	EndAt  Uint64 `doc:"position of Source at that end"`
	Told   Uint64 `doc:"Ended, once a later bridge has seen that the stream here ended with it"`
}

// Link is what a bridge says about itself and about what is at the other side of it. Only the
// bridge that holds the role writes it, now and then; Holder goes last when it begins.
type Link struct {
	Holder       Uint64 `doc:"RoleStats.Generation of the role's holder that is a bridge; 0 = none"`
	State        Uint64 `doc:"0 none 1 connecting 2 running 3 no stream 4 stream full 5 refused 6 no acknowledgement 7 messages missing 8 stopped 9 failed"`
	StateAt      Uint64 `doc:"monotonic clock when State began, ns; of 6 when the last acknowledgement was due or came"`
	NotedAt      Uint64 `doc:"monotonic clock when the fields below were noted, ns"`
	Position     Uint64 `doc:"position of the source up to which the stream has acknowledged messages (consumer), or this segment has them (producer)"`
	InFlight     Uint64 `doc:"consumer: payload bytes sent to the stream and not acknowledged"`
	RoundTrip    Uint64 `doc:"consumer: how long an acknowledgement takes, smoothed, ns; 0 = unknown"`
	StreamBytes  Uint64 `doc:"bytes in the stream, of all its subjects"`
	StreamLimit  Uint64 `doc:"most bytes that the stream may hold; 0 = unknown, or not limited by bytes"`
	PeerSeenAt   Uint64 `doc:"monotonic clock when the bridge at the other side was heard of last, ns; 0 = never"`
	PeerPosition Uint64 `doc:"position of the source that the other side has come to: its far ring has (consumer), or its near ring was given (producer)"`
	PeerWaits    Uint64 `doc:"what the other side waits for: 0 unknown 1 nothing 2 room in its ring 3 messages"`
	Lag          Uint64 `doc:"messages that the near ring was given and the far one has not, as of NotedAt; valid with PeerSeenAt"`
	LagBytes     Uint64 `doc:"their payload bytes, about"`
	LagTime      Uint64 `doc:"how long ago the oldest of them was taken from the near ring, or about how long it waits there, ns"`
	_            [2*Block - 15*8]byte
}

// Histogram is a log-linear histogram of times (latency.go).
type Histogram struct {
	Count   Uint64 `doc:"messages that the histogram stands for"`
	Sum     Uint64 `doc:"sum of their times, ns"`
	Max     Uint64 `doc:"longest sampled time, ns"`
	_       [Block - 24]byte
	Buckets [LatencyBuckets]Uint64 `doc:"log-linear buckets of 8 bytes"`
	_       [0x1600 - Block - LatencyBuckets*8]byte
}

// SampleSlots is the number of entries of the sample ring.
const SampleSlots = 1024

// Sample is one entry of the sample ring: a message that is timed.
type Sample struct {
	Index       Uint64 // position of the message
	DueAt       Uint64 // monotonic ns; 0 = no schedule
	PublishedAt Uint64 // monotonic ns
	Messages    Uint64 // that it stands for
}

// Stats returns the block of counters that belongs to role r.
func (h *Header) Stats(r Role) *RoleStats {
	if r == Producer {
		return &h.ProducerStats
	}
	return &h.ConsumerStats
}

// Cursor returns the cursor that role r moves.
func (h *Header) Cursor(r Role) *Cursor {
	if r == Producer {
		return &h.Producer
	}
	return &h.Consumer
}

// Count returns how many messages role r has published or released, as it has stored that. In a
// ring of records it may include a publish that is under way, or was cut short by a kill.
func (h *Header) Count(r Role) uint64 {
	c := h.Cursor(r)
	if h.Identity.SlotSize.Load() != 0 {
		return c.Index.Load()
	}
	return c.Count.Load()
}

// Sleep returns how role r sleeps.
func (h *Header) Sleep(r Role) *SleepState {
	if r == Producer {
		return &h.ProducerSleep
	}
	return &h.ConsumerSleep
}

// Link returns what the holder of role r says if it is a bridge.
func (h *Header) Link(r Role) *Link {
	if r == Producer {
		return &h.ProducerLink
	}
	return &h.ConsumerLink
}

// Socket returns the path that belongs to role r: where the producer connects to, or
// where the consumer listens.
func (h *Header) Socket(r Role) *Path {
	if r == Producer {
		return &h.ProducerSocket
	}
	return &h.ConsumerSocket
}

// LoadFraming returns how the producer says that it has cut its input into messages,
// FramingNone for a value that is no framing.
func (s *RoleStats) LoadFraming() Framing {
	if f := Framing(s.Framing.Load()); f <= FramingRaw {
		return f
	}
	return FramingNone
}
