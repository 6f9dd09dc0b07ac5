package ring

import (
	"context"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
)

// Drain publishes what is staged and waits until the Reader has released everything, this one
// or one that is still to come. It returns nil then, and else the cause of ctx, ErrClosed after
// a Close, or what Reserve would: what is not released stays in the ring for the next Reader
// (Unread). The wait counts as blocked.
func (w *Writer) Drain(ctx context.Context) error {
	w.gate.Enter()
	defer w.gate.Leave()
	if !w.gate.Closed() && w.tail != w.index {
		w.publish()
	}
	err := w.drain(ctx, func() error { _, err := w.refresh(); return err })
	if err == ErrClosed {
		w.stop.Store(0) // as Close is about to do. A reservation stays as it is
	}
	return err
}

// drain waits until the Reader has released everything that is published. refresh checks what the
// Reader says.
func (w *writerSide) drain(ctx context.Context, refresh func() error) error {
	d := drained{w, refresh}
	ok, err := d.Ready()
	if !ok && err == nil {
		err = w.await(ctx, d)
	}
	return w.callError(ctx, endpoint.OpDrain, err)
}

// drained is the condition that the Reader has released everything. refresh checks what the Reader
// says.
type drained struct {
	w       *writerSide
	refresh func() error
}

func (d drained) Ready() (bool, error) {
	if d.w.gate.Closed() {
		return false, ErrClosed
	}
	err := d.refresh()
	return err == nil && d.w.peerCursor.Index.Load() == d.w.index, err
}

func (d drained) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return d.w.index, d.w.count - layout.MaxCapacity, 0
}

func (d drained) Deadlocked() error { return nil }
