package transfer

import (
	"time"

	"sluice/layout"
)

// haltPatience is how long Halt waits for a call of the user's that is under way, and for
// the courier, which looks around once a slice.
const haltPatience = 5 * pollInterval

// Halt sends nothing more, and returns how many of the messages that were published are
// lost when this process ends now: those that were not handed over to a consumer that
// lives. What was handed over is in the socket and in the consumer's hands, and stays
// there. exact is false when that could not be found out; then n is the most that there
// can be.
//
// Any goroutine may call it, once, and before Close. It is for a process that ends without:
// every call that would publish something waits until Abort, which alone ends this Sender.
func (s *Sender) Halt() (n uint64, exact bool) {
	s.gate.Close()
	at, exact := s.courier.halt()
	exact = s.gate.Wait(haltPatience) && exact
	s.page.Lock()
	defer s.page.Unlock()
	if s.left {
		return 0, true // Close has said what is lost
	}
	if !exact {
		at = s.peerAt.Count.Load()
	}
	count := s.cursor.Count.Load()
	n = count - min(max(at, s.firstCount), count)
	return n, exact || n == 0
}

// halt makes the courier stand still, and returns the number of messages that are out of
// this process's hands; exact is false when it does not say so in time.
func (c *courier) halt() (at uint64, exact bool) {
	c.halting.Store(true)
	nudge(c.kick)
	select {
	case at = <-c.halted:
		return at, true
	case <-c.done:
	case <-time.After(haltPatience):
	}
	return 0, false
}

// standStill answers halt, and returns when the Sender is aborted. It is the courier's.
func (c *courier) standStill() {
	at := c.segment.Header().Consumer.Count.Load()
	if c.conn != nil && !c.segment.Absent(layout.Consumer) {
		if left, err := c.hasLeft(); err == nil && !left {
			at = max(at, c.last.messages)
		}
	}
	c.halted <- at
	c.awaitAbort()
}

// awaitAbort returns when the Sender is aborted, or is not halted.
func (c *courier) awaitAbort() {
	for c.halting.Load() && !c.aborted.Load() {
		time.Sleep(time.Millisecond)
	}
}
