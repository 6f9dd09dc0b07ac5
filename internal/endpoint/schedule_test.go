package endpoint

import (
	"testing"

	"sluice/layout"
)

// producerOf returns a header whose producer has just taken its role.
func producerOf(t *testing.T, mode layout.Mode) *layout.Header {
	t.Helper()
	h := new(layout.Header)
	h.Identity.Mode.Store(uint64(mode))
	Begin(&h.ProducerStats)
	return h
}

// send makes n messages produced.
func send(h *layout.Header, n uint64) {
	c := &h.Producer
	Publish(c, c.Count.Load(), c.Index.Load()+8*n, c.Count.Load()+n, 0, false)
}

func wantOffered(t *testing.T, h *layout.Header, offered, unsent uint64) {
	t.Helper()
	if a := Offered(h); a.Offered() != offered || a.Unsent != unsent {
		t.Errorf("offered %d, unsent %d; want %d and %d", a.Offered(), a.Unsent, offered, unsent)
	}
}

func TestOffered_NoSchedule_AllThatWasSentOrRefused(t *testing.T) {
	for _, mode := range []layout.Mode{layout.ModeRing, layout.ModeTransfer} {
		h := producerOf(t, mode)
		send(h, 5)
		h.ProducerStats.Dropped.AddRelaxed(2)
		h.ProducerStats.RefusedMessages.AddRelaxed(1)
		h.ProducerStats.Refused.AddRelaxed(40) // attempts, not messages
		wantOffered(t, h, 8, 0)
	}
}

func TestOffered_BacklogIsSent(t *testing.T) {
	h := producerOf(t, layout.ModeRing)
	send(h, 3)
	BeginSchedule(h, 1, 1000)
	NoteDue(h, 10)
	wantOffered(t, h, 13, 10)
	send(h, 4)
	wantOffered(t, h, 13, 6)
	send(h, 6)
	wantOffered(t, h, 13, 0)
	send(h, 1) // due, and not noted yet
	wantOffered(t, h, 14, 0)
	NoteDue(h, 20)
	EndSchedule(h)
	wantOffered(t, h, 23, 9)
	send(h, 5) // not what was unsent
	wantOffered(t, h, 28, 9)
	BeginSchedule(h, 1, 1000)
	NoteDue(h, 2)
	wantOffered(t, h, 30, 11)
}

// What a dead producer had not sent stays unsent, whatever its successor sends, and whether that
// one has a schedule or not; and it is counted once, even if successors die while they take over.
func TestOffered_ProducerKilled_StaysUnsent(t *testing.T) {
	h := producerOf(t, layout.ModeRing)
	BeginSchedule(h, 1, 1000)
	NoteDue(h, 10)
	send(h, 4)
	for range 3 { // the first two die before they have taken over
		SettleSchedule(h)
		wantOffered(t, h, 10, 6)
	}
	Begin(&h.ProducerStats)
	wantOffered(t, h, 10, 6)
	send(h, 20)
	wantOffered(t, h, 30, 6)
	SettleSchedule(h) // of a second successor: nothing of the old schedule is in force
	Begin(&h.ProducerStats)
	wantOffered(t, h, 30, 6)
	BeginSchedule(h, 1, 1000)
	NoteDue(h, 1)
	wantOffered(t, h, 31, 7)
}
