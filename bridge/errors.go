package bridge

import (
	"errors"
	"fmt"
)

// Errors, for errors.Is. Others are those of packages ring, shm and layout, and of nats.go.
var (
	// ErrTaken: another bridge sends or receives on the same subject.
	ErrTaken = errors.New("another bridge is on the subject")
	// ErrStream: the stream exists and is not fit for a bridge.
	ErrStream = errors.New("stream is not fit for a bridge")
	// ErrStreamDeleted: somebody has deleted the stream while a bridge used it. What Out had sent
	// and In had not received is lost; the next Out makes the stream again.
	ErrStreamDeleted = errors.New("stream was deleted")
	// ErrMaxPayload: a message is larger than the server or the stream takes. The error is a
	// *PayloadError.
	ErrMaxPayload = errors.New("message is larger than the server takes")
	// ErrMissing: messages that the near ring was given are neither in the stream nor in the far
	// ring. The error is a *MissingError.
	ErrMissing = errors.New("messages are missing from the stream")
	// ErrProtocol: something in the subject was not sent by a bridge, or by another one.
	ErrProtocol = errors.New("not what a bridge sends")
)

// PayloadError is an ErrMaxPayload with its figures.
type PayloadError struct {
	Size int // of the message, bytes
	Max  int // of a message that the server takes, bytes
}

// Error implements error.
func (e *PayloadError) Error() string {
	return fmt.Sprintf("%v: %d bytes, at most %d", ErrMaxPayload, e.Size, e.Max)
}

// Unwrap returns ErrMaxPayload.
func (e *PayloadError) Unwrap() error { return ErrMaxPayload }

// MissingError is an ErrMissing with its figures: positions of the near ring, from the first
// missing message to the first that is there.
type MissingError struct{ From, To uint64 }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%v: %d, from position %d on", ErrMissing, e.To-e.From, e.From)
}

// Unwrap returns ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }
