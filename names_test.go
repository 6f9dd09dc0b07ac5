package sluice_test

import (
	"errors"
	"testing"

	"sluice"
	"sluice/shm"
	"sluice/transfer"
)

// A program that prints one of these prints nothing else with it.
func TestErrors_EachHasItsOwnText(t *testing.T) {
	seen := map[string]bool{}
	for _, err := range []error{
		sluice.ErrIncomplete, sluice.ErrClosed, sluice.ErrEmpty, sluice.ErrFull, sluice.ErrDropped, sluice.ErrTooLarge,
		sluice.ErrUnreleased, sluice.ErrLimit, sluice.ErrUndelivered, sluice.ErrName, sluice.ErrOption, sluice.ErrRoleTaken,
		sluice.ErrNoSpace, sluice.ErrMode, sluice.ErrType, sluice.ErrSize, sluice.ErrGeometry, sluice.ErrFraming, sluice.ErrVersion, sluice.ErrNotSegment,
		sluice.ErrCorrupt, sluice.ErrUntrusted, sluice.ErrPeer, sluice.ErrNoDirectory, sluice.ErrElsewhere,
		sluice.ErrSocketRemoved, sluice.ErrDescriptors, sluice.ErrBusy, sluice.ErrTruncated, sluice.ErrRemoved,
		shm.ErrGroup, shm.ErrOtherUser, transfer.ErrDetached, transfer.ErrOtherUser, transfer.ErrSharedDirectory, transfer.ErrSocketTaken,
	} {
		if seen[err.Error()] {
			t.Errorf("two errors print as %q", err)
		}
		seen[err.Error()] = true
	}
	for err, kind := range map[error]error{
		shm.ErrOtherUser: sluice.ErrUntrusted, transfer.ErrOtherUser: sluice.ErrPeer, transfer.ErrSharedDirectory: sluice.ErrPeer,
		transfer.ErrSocketTaken: sluice.ErrRoleTaken, sluice.ErrDropped: sluice.ErrFull,
	} {
		if !errors.Is(err, kind) {
			t.Errorf("%q is not %q", err, kind)
		}
	}
}
