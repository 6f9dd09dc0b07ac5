package sluice

import (
	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// Mode says how messages travel: a bounded ring that both processes share, or sealed memory files
// that are passed over a socket.
type Mode = layout.Mode

// The modes.
const (
	ModeRing     = layout.ModeRing
	ModeTransfer = layout.ModeTransfer
)

// Policy says what a Producer does when there is no room for a message: its ring is full, or its
// transfer at the limit.
type Policy = layout.Policy

// The policies.
const (
	Block = layout.PolicyBlock // wait until there is room
	Drop  = layout.PolicyDrop  // give up the message: ErrDropped, and count it
	Fail  = layout.PolicyFail  // return ErrFull or, of a transfer, ErrLimit, and count it as refused

	// Disconnect, of a ring, ends the stream: the consumer gets [ErrIncomplete] once it has taken
	// what is there. Messages are given up, with ErrDropped, until a consumer waits for the next
	// stream, which begins with the present message: one that has joined since, or one that
	// follows. ConsumerOptions.OnMissed tells it how many were given up.
	Disconnect = layout.PolicyDisconnect
)

// Values of ProducerOptions.Spin and ConsumerOptions.Spin.
const (
	SpinAdaptive = ring.SpinAdaptive // as long as spinning has paid off, 20 us at most
	SpinNever    = ring.SpinNever    // sleep at once
)

// NoLimit is a value of ProducerOptions.Limit: as much memory as the machine has.
const NoLimit = transfer.NoLimit

// End says how a producer has ended its stream.
type End = layout.End

// The ends.
const (
	EndComplete = layout.EndComplete // everything was sent
	EndStopped  = layout.EndStopped  // the producer was asked to stop before that
	EndFailed   = layout.EndFailed   // an error ended it
	// EndDisconnected: the ring was full, and the policy is Disconnect.
	EndDisconnected = layout.EndDisconnected
)

// SegmentError says what was done in which segment, and what went wrong: the error of [Create] and
// [Open], and of the calls of both ends.
type SegmentError = shm.SegmentError

// LimitError is an ErrLimit with the figures that led to it.
type LimitError = transfer.LimitError

// UndeliveredError is an ErrUndelivered with the number of messages.
type UndeliveredError = transfer.UndeliveredError

// Errors, for errors.Is. They are those of the packages beneath.
var (
	// ErrIncomplete: the stream has ended and something of it is missing. It is also
	// io.ErrUnexpectedEOF.
	ErrIncomplete = layout.ErrIncomplete
	// ErrClosed: this end was closed. It is also os.ErrClosed.
	ErrClosed = ring.ErrClosed
	// ErrEmpty: there is no message now.
	ErrEmpty = ring.ErrEmpty
	// ErrFull: the queue is full, and the policy is not to wait.
	ErrFull = ring.ErrFull
	// ErrDropped: the queue is full, and the message was counted as dropped. It is also
	// ErrFull.
	ErrDropped = ring.ErrDropped
	// ErrTooLarge: the message is larger than MaxMessage.
	ErrTooLarge = ring.ErrTooLarge
	// ErrUnreleased: the Consumer waits for a message, and the Producer (for room, or in
	// Drain) until messages that the Consumer holds are released.
	ErrUnreleased = ring.ErrUnreleased
	// ErrLimit: the messages of a transfer that are not released take ProducerOptions.Limit.
	// The error is a *LimitError; each one counts a message as given up.
	ErrLimit = transfer.ErrLimit
	// ErrUndelivered: messages of a transfer were lost, because no consumer took them. The
	// error is an *UndeliveredError, which has their number, unless the segment was
	// truncated and does not tell it.
	ErrUndelivered = transfer.ErrUndelivered

	// ErrName: the name is not one of a segment.
	ErrName = shm.ErrName
	// ErrOption: an option has a value that makes no sense, or none in that mode.
	ErrOption = endpoint.ErrOption
	// ErrRoleTaken: a live process has that role.
	ErrRoleTaken = shm.ErrRoleTaken
	// ErrNoSpace: /dev/shm has no room for the segment.
	ErrNoSpace = shm.ErrNoSpace
	// ErrMode: the segment is of the other mode.
	ErrMode = layout.ErrMode
	// ErrType: the segment has records, or fixed slots of another size or another type than the
	// caller asks for.
	ErrType = ring.ErrType
	// ErrSize: a message has not the size of the fixed slots that it is for.
	ErrSize = ring.ErrSize
	// ErrGeometry: the segment has another capacity, other slots or another type, and is in use.
	ErrGeometry = ring.ErrGeometry
	// ErrFraming: the segment has unread messages of another framing.
	ErrFraming = ring.ErrFraming
	// ErrVersion: the segment was made by another version of sluice.
	ErrVersion = layout.ErrVersion
	// ErrNotSegment: the file of that name was not made by sluice.
	ErrNotSegment = layout.ErrNotSegment
	// ErrCorrupt: the segment, or what the peer sent, makes no sense.
	ErrCorrupt = layout.ErrCorrupt
	// ErrUntrusted: the file of that name is not safe to use, because of its owner or its
	// permissions.
	ErrUntrusted = shm.ErrUntrusted
	// ErrPeer: the socket of a transfer is not safe to use, or not one of sluice.
	ErrPeer = transfer.ErrPeer
	// ErrNoDirectory: the directory in which the consumer of a transfer is to listen does not
	// exist.
	ErrNoDirectory = transfer.ErrNoDirectory
	// ErrElsewhere: the consumer of a transfer listens at a path to which the producer does not
	// connect; both need the same Socket.
	ErrElsewhere = transfer.ErrElsewhere
	// ErrSocketRemoved: the socket of a transfer's consumer was removed, and cannot be made
	// again.
	ErrSocketRemoved = transfer.ErrSocketRemoved
	// ErrDescriptors: this process has no descriptors left for the buffers of a transfer
	// (ulimit -n). The messages are not lost: the next call may get them.
	ErrDescriptors = transfer.ErrDescriptors
	// ErrBusy: Close has timed out while a call of another goroutine was under way. The role
	// is still held; call Close again.
	ErrBusy = transfer.ErrBusy
	// ErrTruncated: somebody has truncated the segment's file.
	ErrTruncated = shm.ErrTruncated
	// ErrRemoved: somebody has removed the segment's file. Close returns it when messages are
	// lost with it: who is not in it cannot join.
	ErrRemoved = shm.ErrRemoved
)
