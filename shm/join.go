package shm

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"sluice/layout"
)

// CreateOrOpen takes a role in the segment called name, and makes the segment with geometry g
// if there is none. The errors are those of Create and Open; an
// existing segment keeps its own geometry. ctx is as Open has it.
func CreateOrOpen(ctx context.Context, name string, g layout.Geometry, role layout.Role, with ...Option) (*Segment, error) {
	for {
		s, err := createNamed(ctx, name, g, role, optionsOf(with))
		if !errors.Is(err, fs.ErrExist) {
			return s, err
		}
		s, err = Open(ctx, name, role, with...)
		if !errors.Is(err, fs.ErrNotExist) { // else the last side left in between
			return s, err
		}
	}
}

// OpenWait is Open that waits for the segment to appear, until ctx is done: then it returns
// the cause of ctx.
func OpenWait(ctx context.Context, name string, role layout.Role, with ...Option) (*Segment, error) {
	const maxPause = 50 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, maxPause) {
		s, err := Open(ctx, name, role, with...)
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, InSegment("wait for", name, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
