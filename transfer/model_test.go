package transfer

import (
	"slices"
	"testing"

	"sluice/internal/testenv"
)

// Waiting at the limit as a small machine, explored in full: every interleaving of a Sender that
// makes messages, sleeps and reclaims, its sendLoop, and a Receiver that releases, with the
// Receiver's store buffer (x86-TSO, as in internal/sleep/model_test.go). One step is one access to
// shared memory, one system call, or what is done with the outQueue's lock held. sender_wait.go,
// outqueue.go and progress.go are the code.

// model says which machine to build. The zero value is what the code does.
type model struct {
	count       int  // messages
	large       bool // the last message takes more than lies between the limit and the mark
	indexFirst  bool // fault: a release stores the index before the acknowledgement
	noFence     bool // fault: the index is stored without a full fence, and there is no barrier
	noLook      bool // fault: the Sender does not look between flag and sleep
	clearLate   bool // fault: the flag is cleared after the wake, not before
	clearAny    bool // fault: the flag is cleared whichever sleep it stands for
	noInterrupt bool // fault: the sendLoop does not say what it has noted
	numberLate  bool // fault: the number of interrupts is read after the look
	markOnly    bool // fault: the Sender asks for the mark, whether the message fits then or not
	askForRoom  bool // fault: the Sender asks for room for one message, and goes on with it
	askAgain    bool // fault: a Sender whose position is reached asks for it again
	freeUnsent  bool // fault: what the consumer says is freed, sent or not
}

const (
	modelLimit = 4 // pages
	modelMark  = 1
	unasked    = 99
)

// size is what a message takes, pages.
func (m model) size(i int) int {
	if m.large && i == m.count-1 {
		return 4
	}
	return 1
}

// index is the position behind the first n messages.
func (m model) index(n int) (at int) {
	for i := range n {
		at += m.size(i)
	}
	return at
}

// machine is one state.
type machine struct {
	sender, loop, receiver string

	made, freed       int // messages; freed by whoever holds the lock
	resume, asked     int // the Sender's registers: positions
	seen, known       int
	number            int
	flag, want        int // shared
	asleep, lagging   bool
	interrupts        int
	sent, noted       int // the sendLoop's
	acked, moved      int // what the Receiver has stored, as messages: acknowledgement and index
	memAcked, memMove int // what others see of it
	looked            int
	wakes             int
	unsafe            bool
}

// drain makes the oldest store of the Receiver visible.
func (m model) drain(s machine) machine {
	switch first := s.memAcked == s.memMove; {
	case first != m.indexFirst && s.memAcked < s.acked:
		s.memAcked++
	case s.memMove < s.moved:
		s.memMove++
	}
	return s
}

func (m model) fence(s machine) machine {
	for s.memAcked < s.acked || s.memMove < s.moved {
		s = m.drain(s)
	}
	return s
}

// reclaim frees what is acknowledged and noted as sent.
func (m model) reclaim(s machine) machine {
	n := min(s.memAcked, s.noted)
	if m.freeUnsent {
		n = s.memAcked
	}
	s.unsafe = s.unsafe || n > s.noted
	s.freed = max(s.freed, n)
	return s
}

func (m model) inFlight(s machine) int { return m.index(s.made) - m.index(s.freed) }

func (m model) send(s machine) []machine {
	reached := m.index(s.memMove) >= s.resume
	switch s.sender {
	case "make":
		if s.made == m.count {
			s.sender = "done"
			break
		}
		s = m.reclaim(s)
		need := m.size(s.made)
		if m.inFlight(s)+need <= modelLimit {
			s.made++
			break
		}
		mark := min(modelMark, modelLimit-need)
		if m.markOnly {
			mark = modelMark
		}
		if m.askForRoom {
			mark = modelLimit - need
		}
		s.resume, s.sender = m.index(s.made)-mark, "store want"
	case "store want":
		if s.asked = s.resume; reached && !m.askAgain {
			s.asked = unasked
		}
		s.want, s.sender = s.asked, "store flag"
	case "store flag":
		s.number++
		s.flag, s.sender = s.number, "read"
	case "read":
		if !m.numberLate {
			s.known = s.interrupts
		}
		s.seen, s.sender = s.memMove, "look"
		if m.noLook {
			s.sender = "wait"
		}
	case "look":
		s.sender = "wait"
		if m.numberLate {
			s.sender = "read number"
		}
		if !reached {
			break
		}
		s.lagging = false
		s = m.reclaim(s)
		if m.index(s.made)-s.resume < m.inFlight(s) { // not all is noted as sent
			s.lagging = true
		} else if m.inFlight(s)+m.size(s.made) <= modelLimit {
			s.flag, s.sender = 0, "make"
			s.made++
		}
	case "read number":
		s.known, s.sender = s.interrupts, "wait"
	case "wait":
		s.sender = "woken"
		if s.memMove == s.seen && s.interrupts == s.known {
			s.asleep, s.sender = true, "asleep"
		}
	case "woken":
		s.sender = "read"
		if s.flag == 0 || !m.askAgain && (s.asked == unasked) != reached {
			s.sender = "store want"
		}
	default:
		return nil
	}
	return []machine{s}
}

func (m model) loop(s machine) []machine {
	switch s.loop {
	case "send":
		if s.sent == s.made {
			return nil
		}
		s.sent, s.loop = s.made, "note"
	case "note":
		s.noted, s.loop = s.sent, "send"
		before := s.freed
		s = m.reclaim(s)
		if s.freed > before && s.lagging && !m.noInterrupt {
			s.lagging = false
			s.interrupts++
			if s.asleep {
				s.asleep, s.sender = false, "woken"
			}
		}
	}
	return []machine{s}
}

func (m model) release(s machine) []machine {
	switch s.receiver {
	case "first store":
		if s.acked == s.sent {
			return nil
		}
		if s.receiver = "second store"; m.indexFirst {
			s.moved++
		} else {
			s.acked++
		}
	case "second store":
		if s.receiver = "load flag"; m.indexFirst {
			s.acked++
		} else {
			s.moved++
		}
		if !m.noFence {
			s = m.fence(s)
		}
	case "load flag":
		s.looked, s.receiver = s.flag, "first store"
		if s.flag != 0 {
			s.receiver = "load want"
		}
	case "load want":
		s.receiver = "first store"
		if m.index(s.moved) >= s.want {
			s.receiver = "clear"
			if m.clearLate {
				s.receiver = "wake"
			}
		}
	case "clear":
		s = m.fence(s)
		s.receiver = "first store"
		if s.flag == s.looked || m.clearAny && s.flag != 0 {
			s.flag, s.receiver = 0, "wake"
		}
	case "wake":
		s = m.fence(s)
		s.wakes++
		if s.asleep {
			s.asleep, s.sender = false, "woken"
		}
		if s.receiver = "first store"; m.clearLate {
			s.receiver = "clear flag"
		}
	case "clear flag":
		s.flag, s.receiver = 0, "first store"
	}
	return []machine{s}
}

// explore visits every state that can be reached. stuck is one in which nothing can go on although
// messages are to be made; eager one with more wakes than the memory between the limit and the mark
// allows; over one in which more than the limit is taken, or something is freed that was not sent.
func (m model) explore() (states int, stuck, eager, over *machine) {
	start := machine{sender: "make", loop: "send", receiver: "first store"}
	known := map[machine]bool{start: true}
	for queue := []machine{start}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if m.index(s.made)-m.index(s.freed) > modelLimit || s.unsafe {
			over = &s
			continue
		}
		if s.wakes*(modelLimit-modelMark) > m.index(s.moved) {
			eager = &s
			continue
		}
		next := append(append(m.send(s), m.loop(s)...), m.release(s)...)
		next = append(next, m.drain(s))
		next = slices.DeleteFunc(next, func(n machine) bool { return n == s })
		if len(next) == 0 && s.sender != "done" {
			stuck = &s
		}
		for _, n := range next {
			if !known[n] {
				known[n] = true
				queue = append(queue, n)
			}
		}
	}
	return len(known), stuck, eager, over
}

func TestModel_Credit_NoLostWakeup_OneForLimitLessMark(t *testing.T) {
	testenv.NotShort(t)
	for name, m := range map[string]model{
		"small messages":                 {count: 8},
		"a message as large as the rest": {count: 7, large: true},
	} {
		t.Run(name, func(t *testing.T) {
			states, stuck, eager, over := m.explore()
			if stuck != nil || eager != nil || over != nil {
				t.Errorf("stuck %+v; woken too often %+v; over the limit %+v", stuck, eager, over)
			}
			t.Log(states, "states")
			if states < 1000 {
				t.Errorf("only %d states: parts of the model are not reached", states)
			}
		})
	}
}

// A model that finds nothing wrong says something only if it finds what is wrong.
func TestModel_Credit_FindsEveryKnownFault(t *testing.T) {
	testenv.NotShort(t)
	const stuck, eager, over = "stuck", "eager", "over"
	for name, c := range map[string]struct {
		m    model
		want string
	}{
		"the index before the acknowledgement":    {model{count: 5, indexFirst: true}, stuck},
		"no fence behind the index":               {model{count: 5, noFence: true}, stuck},
		"no look between flag and sleep":          {model{count: 5, noLook: true}, stuck},
		"the flag is cleared after a wake":        {model{count: 8, clearLate: true}, stuck},
		"a later sleep's flag is cleared":         {model{count: 8, clearAny: true}, stuck},
		"a send loop that notes and says nothing": {model{count: 5, noInterrupt: true}, stuck},
		"a number that is read late":              {model{count: 5, numberLate: true}, stuck},
		"the mark, and the message does not fit":  {model{count: 5, large: true, markOnly: true}, stuck},
		"room for one message":                    {model{count: 6, askForRoom: true}, eager},
		"asking again for what is reached":        {model{count: 6, askAgain: true}, eager},
		"freeing what was not sent":               {model{count: 5, freeUnsent: true}, over},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, e, o := c.m.explore()
			if found := map[string]*machine{stuck: s, eager: e, over: o}[c.want]; found == nil {
				t.Errorf("the model sees nothing wrong with it (stuck %v, eager %v, over %v)", s != nil, e != nil, o != nil)
			}
		})
	}
}
