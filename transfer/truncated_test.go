package transfer

import (
	"os"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// Whoever may write to a segment may truncate it, also between two steps of who joins it.

func TestTruncated_Receiver_LeavesNoSocket(t *testing.T) {
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
	testenv.WantErr(t, err, shm.ErrTruncated)
	if _, err := os.Lstat(opt.Socket); err == nil {
		t.Error("the socket is left")
	}
}

func TestTruncated_Sender_Error(t *testing.T) {
	name, opt := place(t)
	seg, err := createSegment(t.Context(), name, opt.sender())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(shm.Path(name), 0); err != nil {
		t.Fatal(err)
	}
	_, err = newSenderIn(seg, opt.Socket, DefaultLimit, MaxMessage, opt.sender())
	testenv.WantErr(t, err, shm.ErrTruncated)
}
