package transfer

import (
	"os"
	"testing"

	"sluice/layout"
	"sluice/shm"
)

// Whoever may write to a segment may truncate it, also between two steps of who joins it.

func TestAReceiverInATruncatedSegmentLeavesNoSocket(t *testing.T) {
	name, opt := place(t)
	create(t, name, endOptions{Socket: opt.Socket + "elsewhere"})
	seg, err := shm.OpenWait(t.Context(), name, layout.Consumer, opt.Access)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(shm.Path(name), 0); err != nil {
		t.Fatal(err)
	}
	_, err = OpenSegment(seg, opt.receiver())
	is(t, err, shm.ErrTruncated)
	if _, err := os.Lstat(opt.Socket); err == nil {
		t.Error("the socket is left")
	}
}

func TestASenderInATruncatedSegmentIsAnError(t *testing.T) {
	name, opt := place(t)
	seg, err := createSegment(t.Context(), name, opt.sender())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(shm.Path(name), 0); err != nil {
		t.Fatal(err)
	}
	_, err = newSenderIn(seg, opt.Socket, DefaultLimit, MaxMessage, opt.sender())
	is(t, err, shm.ErrTruncated)
}
