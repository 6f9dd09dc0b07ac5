package shm

import (
	"os"
	"sync"

	"sluice/internal/sentinel"
)

// ErrClosed is for a segment or an end of one that its owner has closed. It is also
// os.ErrClosed.
var ErrClosed = sentinel.New("closed by its owner", os.ErrClosed)

// mapped lets other goroutines than the owner's read a header while it stays mapped.
type mapped struct {
	mu     sync.RWMutex // held for writing while the mapping changes
	closed bool
}

// WhileMapped runs fn, which may use what Header returns in it, while nobody unmaps the segment.
// It returns the error of fn, or ErrClosed without running fn once the segment is left or the
// view closed. Any goroutine may call it, at any time; fn must be short, because Leave, Detach
// and Close wait for it, and must not call them.
func (m *mapped) WhileMapped(fn func() error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	return fn()
}

// close runs unmap while no WhileMapped is under way, and lets none begin after it.
func (m *mapped) close(unmap func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return unmap()
}
