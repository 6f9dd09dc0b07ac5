package layout

// Mode says what the segment carries.
type Mode uint64

// The modes.
const (
	ModeRing     Mode = 1 // a data region with a bounded ring follows the header
	ModeTransfer Mode = 2 // header only; messages travel over a Unix socket
)

// String returns the mode as the commands spell it.
func (m Mode) String() string {
	switch m {
	case ModeRing:
		return "ring"
	case ModeTransfer:
		return "transfer"
	}
	return "unknown"
}

// Role is one of the two sides of a segment. Its value is also the offset of
// the byte whose file lock stands for the role.
type Role int

// The roles.
const (
	Producer Role = 0
	Consumer Role = 1
)

// String returns the role as the commands spell it.
func (r Role) String() string {
	if r == Producer {
		return "producer"
	}
	return "consumer"
}

// Peer returns the other role.
func (r Role) Peer() Role { return 1 - r }

// State is what a side stores about itself. It is for people and for advice; only
// its file lock tells whether a side is alive.
type State uint64

// The states.
const (
	StateNone    State = 0 // never held
	StateRunning State = 1
	StateBlocked State = 2 // asleep: full for a producer, empty for a consumer
	StateAlone   State = 3 // asleep and the other side is not there
	StateClosed  State = 4 // left in good order
)

// String returns the state in a word or two.
func (s State) String() string {
	switch s {
	case StateNone:
		return "none"
	case StateRunning:
		return "running"
	case StateBlocked:
		return "blocked"
	case StateAlone:
		return "alone"
	case StateClosed:
		return "closed"
	}
	return "unknown"
}

// Replaceable says which segments a consumer follows its producers to: it opens the name again when
// a producer that needs a segment of another kind has replaced this one.
type Replaceable uint64

// By what a segment may be replaced.
const (
	NotReplaceable    Replaceable = 0
	ReplaceableByMode Replaceable = 1 // by one of the same mode
	ReplaceableByAny  Replaceable = 2
)

// RefuseReason is why a transfer producer could not send at once. It is for people: the
// producer tries again by itself, except for RefuseMemoryLimit, which is an error of the
// caller's next message, and RefuseElsewhere, which ends the producer after two seconds.
type RefuseReason uint64

// The refuse reasons.
const (
	RefuseNone         RefuseReason = 0
	RefuseNoConsumer   RefuseReason = 1 // nobody listens
	RefuseSocketFull   RefuseReason = 2 // EAGAIN: the socket holds what it can
	RefuseInFlight     RefuseReason = 3 // ETOOMANYREFS: too many descriptors in sockets
	RefuseNoDescriptor RefuseReason = 4 // EMFILE, ENFILE: no descriptor for another buffer
	RefuseMemoryLimit  RefuseReason = 5 // the producer's own limit
	// RefuseElsewhere: the consumer listens where the producer does not connect.
	RefuseElsewhere RefuseReason = 6
	// RefuseNoConnectionDescriptor: EMFILE, ENFILE: no descriptor for the connection itself.
	RefuseNoConnectionDescriptor RefuseReason = 7
)

// String returns the reason in a few words.
func (r RefuseReason) String() string {
	switch r {
	case RefuseNone:
		return "none"
	case RefuseNoConsumer:
		return "no consumer"
	case RefuseSocketFull:
		return "socket full"
	case RefuseInFlight:
		return "too many descriptors in flight"
	case RefuseNoDescriptor:
		return "out of descriptors"
	case RefuseMemoryLimit:
		return "memory limit"
	case RefuseElsewhere:
		return "consumer listens elsewhere"
	case RefuseNoConnectionDescriptor:
		return "no descriptor to connect with"
	}
	return "unknown"
}

// Policy is what a producer does with a message for which the queue has no room: in a ring that is
// full, or in a transfer at its limit.
type Policy uint64

// The policies.
const (
	PolicyDefault Policy = 0 // of the mode: a ring waits, a transfer fails
	PolicyBlock   Policy = 1 // wait until there is room
	PolicyDrop    Policy = 2 // give the message up, and count it as dropped
	PolicyFail    Policy = 3 // return an error
	// PolicyDisconnect, of a ring: end the stream, and begin another once a consumer has received
	// that end and waits for the next stream. Messages between the two are dropped.
	PolicyDisconnect Policy = 4
)

// String returns the policy in a word.
func (p Policy) String() string {
	switch p {
	case PolicyDefault:
		return "default"
	case PolicyBlock:
		return "block"
	case PolicyDrop:
		return "drop"
	case PolicyFail:
		return "fail"
	case PolicyDisconnect:
		return "disconnect"
	}
	return "unknown"
}

// End is how a producer ended its stream. A producer that was killed has not ended
// it: the next one goes on with it.
type End uint64

// The ends.
const (
	EndNone     End = 0 // not yet
	EndComplete End = 1 // everything there was to send was sent
	EndStopped  End = 2 // it was stopped before the end of its input or its count
	EndFailed   End = 3 // an error ended it
	// EndDisconnected: the ring was full, and the policy of its producer is PolicyDisconnect.
	EndDisconnected End = 4
)

// String returns the end in a word.
func (e End) String() string {
	switch e {
	case EndNone:
		return "none"
	case EndComplete:
		return "complete"
	case EndStopped:
		return "stopped"
	case EndFailed:
		return "failed"
	case EndDisconnected:
		return "disconnected"
	}
	return "unknown"
}

// Framing is how the producer's input was cut into messages. By default a consumer
// writes its output in the same way.
type Framing uint64

// The framings.
const (
	FramingNone   Framing = 0 // generated messages, or another program's
	FramingLines  Framing = 1 // a message is a line with its line feed
	FramingLength Framing = 2 // 4-byte little-endian length before each message
	FramingRaw    Framing = 3 // chunks without meaning
)

// String returns the framing as the commands spell it.
func (f Framing) String() string {
	switch f {
	case FramingLines:
		return "lines"
	case FramingLength:
		return "length"
	case FramingRaw:
		return "raw"
	}
	return "none"
}

// Fence is how a side orders the store of its index before the load of the peer's
// flag. docs/protocol.md has the argument.
type Fence uint64

// The fences.
const (
	FenceUnknown    Fence = 0 // never attached
	FenceAsymmetric Fence = 1 // release store; the sleeper issues a membarrier
	FenceFull       Fence = 2 // sequentially consistent store on both sides, for good
	FenceForNow     Fence = 3 // sequentially consistent store of this side, until it says 1 or 2
)

// LinkState is what a bridge is doing, or what keeps it from passing messages on.
type LinkState uint64

// The states of a bridge.
const (
	LinkNone       LinkState = 0
	LinkConnecting LinkState = 1 // no connection to a server
	LinkRunning    LinkState = 2
	LinkNoStream   LinkState = 3 // the server has no such stream, or none now
	LinkFull       LinkState = 4 // the stream is at its limit
	LinkRefused    LinkState = 5 // the stream refuses messages for another reason
	LinkNoAck      LinkState = 6 // the stream does not acknowledge what was sent
	LinkMissing    LinkState = 7 // the next message is not in the stream, and later ones are
	LinkStopped    LinkState = 8 // the bridge has left in good order, and its stream has not ended
	LinkFailed     LinkState = 9 // an error has ended the bridge, and its stream has not ended
)

// String returns the state in a few words.
func (s LinkState) String() string {
	switch s {
	case LinkNone:
		return "none"
	case LinkConnecting:
		return "connecting"
	case LinkRunning:
		return "running"
	case LinkNoStream:
		return "no stream"
	case LinkFull:
		return "stream full"
	case LinkRefused:
		return "refused"
	case LinkNoAck:
		return "no acknowledgement"
	case LinkMissing:
		return "messages missing"
	case LinkStopped:
		return "stopped"
	case LinkFailed:
		return "failed"
	}
	return "unknown"
}

// PeerWaits is what the bridge at the other side waits for, as far as it has told.
type PeerWaits uint64

// What a bridge waits for.
const (
	PeerUnknown PeerWaits = 0
	PeerRuns    PeerWaits = 1
	PeerFull    PeerWaits = 2 // room in its ring: its consumer is slower
	PeerEmpty   PeerWaits = 3 // messages
)

// String returns what is waited for in a word or two.
func (w PeerWaits) String() string {
	switch w {
	case PeerRuns:
		return "nothing"
	case PeerFull:
		return "room"
	case PeerEmpty:
		return "messages"
	}
	return "unknown"
}
