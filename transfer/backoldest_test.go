package transfer

import (
	"fmt"
	"testing"
)

// A Sender that is out of descriptors leaves its messages in ordinary memory, which
// is faster than making buffers. Whenever a descriptor is free again it has to do
// that work, or the send loop, which then has it all, falls behind for good.
func TestSender_OutOfDescriptors_BacksOldest(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt) // without a consumer the send loop makes none
	s.queue.memory.fds.max = 4
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint(i))
	}
	send(t, s, want...)
	if unbacked := s.queue.unbacked.Load(); unbacked != 6 || memfds() != 4 {
		t.Fatalf("%d messages in ordinary memory, %d in buffers; want 6 and 4", unbacked, memfds())
	}
	s.queue.memory.fds.max = 100
	for i := range 5 {
		msg := fmt.Sprint(10 + i)
		send(t, s, msg)
		want = append(want, msg)
		if unbacked := s.queue.unbacked.Load(); unbacked != 6 || memfds() != 5+i {
			t.Errorf("%d messages in ordinary memory, %d in buffers; want 6 and %d", unbacked, memfds(), 5+i)
		}
	}
	r := open(t, name, opt)
	wantMessages(t, r, want...)
	r.Release()
}
