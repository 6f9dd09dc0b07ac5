package transfer

// stopTimeout is how long StopSending waits for a call of the user's that is under way, and
// for the sendLoop, which looks once a pollInterval.
const stopTimeout = 5 * pollInterval

// StopSending sends nothing more, and returns how many of the messages that were published
// are lost when this process ends now: those that were not handed over to a consumer that
// lives. What was handed over is in the socket and in the consumer's hands, and stays
// there. exact is false when that could not be found out; then n is the most that there
// can be.
//
// Any goroutine may call it, once, and before Close. It is for a process that ends without:
// every call that would publish something waits until Abort, which alone ends this Sender.
func (s *Sender) StopSending() (n uint64, exact bool) {
	s.gate.Close()
	at, exact := s.loop.stopSending()
	exact = s.gate.Wait(stopTimeout) && exact
	s.page.Lock()
	defer s.page.Unlock()
	if s.left {
		return 0, true // Close has said what is lost
	}
	if !exact {
		at = s.peerAt.Count.Load()
	}
	count := s.cursor.Count.Load()
	n = count - min(max(at, s.countBefore), count)
	return n, exact || n == 0
}
