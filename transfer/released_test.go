package transfer

import (
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// A Receiver notes progress with every buffer, not only when it waits: a consumer that
// shows none while messages are there is stalled.
func TestProgress_BufferTaken(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	send(t, s, "a", "b") // both in one packet: nobody waits for the second
	r := open(t, name, opt)
	wantMessages(t, r, "a")
	if !r.Buffered() {
		t.Error("the second is not there")
	}
	r.own.ProgressAt.Store(0)
	wantMessages(t, r, "b")
	if r.own.ProgressAt.Load() == 0 {
		t.Error("no progress is noted")
	}
}

func TestBlocked_TryNext_NotCounted(t *testing.T) {
	name, opt := place(t)
	_, r := apart(t, name, opt)
	_, err := r.TryNext()
	testenv.WantErr(t, err, ErrEmpty)
	if state := layout.State(r.own.State.Load()); state != layout.StateRunning {
		t.Errorf("it is %v", state)
	}
}

// A consumer that was killed between its count of messages and that of buffers has released
// both: its successor says so, though it has nothing to take.
func TestRelease_BuffersGivenBack(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	send(t, s, "a", "b")
	h := s.Segment().Header()
	h.Consumer.Count.Store(2)
	r := open(t, name, opt)
	testenv.Eventually(t, "a release of both buffers", func() bool {
		_, err := r.TryNext()
		testenv.WantErr(t, err, ErrEmpty)
		return h.ConsumerStats.Buffers.Load() == 2
	})
}
