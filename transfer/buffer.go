package transfer

import (
	"context"
	"fmt"

	"sluice/internal/endpoint"
)

// Buffer is a message that its owner fills and then transfers, as an ArrayBuffer in a
// transfer list: afterwards it is detached, and its bytes are the receiver's alone.
// Reserve, Commit and Publish do the same without an object that could be used
// again by mistake. One goroutine at a time may use it.
type Buffer struct {
	bytes    []byte
	detached bool
}

// NewBuffer returns a Buffer of n zero bytes, n at least 0.
func NewBuffer(n int) *Buffer { return &Buffer{bytes: make([]byte, n)} }

// Bytes returns the content, to be read and written until Transfer: ErrDetached after
// it. A slice from before is ordinary memory of this process: writing to it changes
// nothing for the receiver, who has a sealed copy (with Recycle, one of its own).
func (b *Buffer) Bytes() ([]byte, error) {
	if b.detached {
		return nil, fmt.Errorf("bytes: %w", ErrDetached)
	}
	return b.bytes, nil
}

// Len returns the size in bytes, 0 once it is detached.
func (b *Buffer) Len() int { return len(b.bytes) }

// Transfer sends b as a message and detaches it: every further use is ErrDetached. It
// fails as Reserve does, and then b is still its owner's.
func (s *Sender) Transfer(ctx context.Context, b *Buffer) error {
	if b.detached {
		return s.callError(ctx, endpoint.OpSend, ErrDetached)
	}
	if err := s.Send(ctx, b.bytes); err != nil {
		return err
	}
	b.bytes, b.detached = nil, true
	return nil
}
