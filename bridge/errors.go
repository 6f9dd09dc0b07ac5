package bridge

import "errors"

// Errors, for errors.Is. Others are those of packages ring, shm and layout, and of nats.go.
var (
	// ErrTaken: another bridge sends or receives on the same subject.
	ErrTaken = errors.New("another bridge is on the subject")
	// ErrStream: the stream exists and is not fit for a bridge.
	ErrStream = errors.New("stream is not fit for a bridge")
	// ErrMaxPayload: a message is larger than the server or the stream takes.
	ErrMaxPayload = errors.New("message is larger than the server takes")
	// ErrMissing: messages that the near ring was given are neither in the stream nor in the far
	// ring.
	ErrMissing = errors.New("messages are missing from the stream")
	// ErrProtocol: something in the subject was not sent by a bridge, or by another one.
	ErrProtocol = errors.New("not what a bridge sends")
)
