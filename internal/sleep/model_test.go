package sleep

import (
	"slices"
	"testing"

	"sluice/internal/testenv"
)

// The sleep protocol as a small machine, explored in full: every interleaving
// of a publisher, a sleeper, the publisher's store buffer, and one who cancels. One step is one
// access to shared memory or one system call. Sleeper (wait.go, wake.go, fence.go) and
// futex.Waiter are the code; docs/protocol.md is the argument.
//
// The memory model is x86-TSO (Owens, Sarkar, Sewell, 2009): stores wait in a
// FIFO buffer and become visible one by one at any later time; XCHG,
// CMPXCHG and the kernel's fence empty the buffer first. The publisher is the only one with
// something to buffer: the sleeper stores with XCHG. Arm's STLR and LDAR allow
// less than this.

// model says which machine to build. The zero value is what the code does.
type model struct {
	noBarrier    bool // the sleeper's process cannot issue a barrier
	fullFence    bool // the publisher stores with XCHG
	barrierEarly bool // fault: the barrier comes before the flag
	noSecondLook bool // fault: no look at the index between flag and sleep
	clearLate    bool // fault: the flag is cleared after the wake, not before
	clearAny     bool // fault: the flag is cleared whichever sleep it stands for
	askForOld    bool // fault: the sleeper asks for what it has taken already
	neverClear   bool // fault: the flag is not cleared at all
	insist       bool // the sleeper first asks for more than it needs, until a timeout

	// The publisher fences for some time, and says so; then the sleeper issues no barrier.
	forNow     bool
	askEarly   bool // fault: the sleeper asks whether the publisher fences before it stores the flag
	unsaidLate bool // fault: the publisher ends that before it says so

	// A third one of the sleeper's own process cancels its wait (futex.Waiter).
	cancels      bool
	oneWord      bool // the kernel cannot wait on two words
	rawFirst     bool // the sleeper waits on one word for a short time, then on two
	announceLate bool // fault: the number goes up before the cancel can be seen
	numberLate   bool // fault: the sleeper reads the number after its look
	wakeOnce     bool // fault: with one word, the wake is not repeated
	noLookAgain  bool // fault: with one word, no look at the number after saying "asleep"
	rawUnsaid    bool // fault: the sleeper does not say that it waits on one word first
}

// messages is how many the publisher publishes; the sleeper must see them all.
const messages = 4

// machine is one state. The publisher's buffer holds the indices memory+1 to
// published, in that order.
type machine struct {
	publisher, sleeper step
	published, memory  int // what the publisher has stored; what others see
	taken              int
	seen, asked        int // the sleeper's registers
	patient            bool
	number, looked     int  // of the sleeper's last sleep; the publisher's register
	flag, want         int  // shared
	asleep, onOne      bool // onOne: on the shared word alone
	canceler           step
	canceled           bool
	interrupts, known  int  // futex.Waiter's number, and what the sleeper has read of it
	said               int  // with one word: 0, or one more than what a sleeper knows
	fences, says       bool // the publisher's, and what it says
	unfenced           bool // the sleeper's register: a barrier is needed
	raised, wakes      int  // how often the flag went up, how often wake was called
}

type step string

// publish returns the states after the publisher's next step.
func (m model) publish(s machine) []machine {
	switch s.publisher {
	case "store":
		if s.published == messages {
			return nil
		}
		other := s
		switch {
		case !m.forNow:
		case m.unsaidLate && s.fences && s.says:
			other.fences = false
		case m.unsaidLate && s.says:
			other.says, other.memory = false, s.published
		default: // at any time; what it says is stored with XCHG
			other.fences = !s.fences
			other.says, other.memory = other.fences, s.published
		}
		return []machine{m.store(s), other}
	case "load flag":
		s.looked, s.publisher = s.flag, "store"
		if s.flag != 0 {
			s.publisher = "load want"
		}
	case "load want":
		s.publisher = "store"
		if s.published >= s.want {
			s.publisher = "clear the flag seen"
			if m.clearLate || m.neverClear {
				s.publisher = "wake"
			}
		}
	case "clear the flag seen": // CMPXCHG, which empties the buffer also when it fails
		s.memory = s.published
		s.publisher = "store"
		if s.flag == s.looked || m.clearAny && s.flag != 0 {
			s.flag, s.publisher = 0, "wake"
		}
	case "wake": // a system call that finds a sleeper, or not
		s.wakes++
		s.memory = s.published // the kernel's lock of the futex bucket
		s = s.wake()
		s.publisher = "store"
		if m.clearLate {
			s.publisher = "clear flag"
		}
	case "clear flag":
		s.flag, s.publisher = 0, "store"
	}
	return []machine{s}
}

// store returns the state after the publisher has stored its index.
func (m model) store(s machine) machine {
	s.published++
	if m.fullFence || s.fences {
		s.memory = s.published
	}
	s.publisher = "load flag"
	return s
}

// sleep returns the states after the sleeper's next step.
func (m model) sleep(s machine) []machine {
	ready := s.memory > s.taken
	switch s.sleeper {
	case "look":
		s.sleeper = "store want"
		if ready {
			s.sleeper = "take"
		}
		s.asked, s.patient = s.taken+1, m.insist
		if m.insist {
			s.asked = s.taken + 2
		}
		if m.askForOld {
			s.asked = s.taken
		}
	case "store want":
		s.want, s.sleeper, s.unfenced = s.asked, "store flag", !s.says
		if m.barrierEarly {
			s.memory = s.published
		}
	case "store flag":
		if s.flag == 0 {
			s.raised++
		}
		s.number++
		s.flag, s.sleeper = s.number, "ask for fences"
	case "ask for fences":
		if !m.askEarly {
			s.unfenced = !s.says
		}
		s.sleeper = "barrier"
	case "barrier":
		if s.unfenced && !m.noBarrier && !m.barrierEarly {
			s.memory = s.published
		}
		s.sleeper = "read value"
	case "read value":
		if !m.numberLate {
			s.known = s.interrupts
		}
		s.seen, s.sleeper = s.memory, "last look"
		if m.noSecondLook {
			s.sleeper = "wait"
		}
	case "last look":
		s.sleeper = "wait"
		if m.oneWord || m.rawFirst {
			s.sleeper, s.onOne = "say asleep", true
			if m.rawUnsaid {
				s.sleeper = "wait"
			}
		}
		if m.numberLate {
			s.sleeper = "read number"
		}
		if ready {
			s.sleeper = "take"
		} else if s.canceled {
			s.sleeper = "done"
		}
	case "read number":
		s.known, s.sleeper = s.interrupts, "wait"
	case "say asleep":
		s.said, s.sleeper = s.known+1, "look again"
		if m.noLookAgain {
			s.sleeper = "wait"
		}
	case "look again":
		s.sleeper = "wait"
		if s.interrupts != s.known {
			s.sleeper = "woken"
		}
	case "wait": // the kernel compares and sleeps in one step
		if s.memory == s.seen && (s.onOne || s.interrupts == s.known) {
			s.asleep, s.sleeper = true, "asleep"
		} else {
			s.sleeper = "woken"
		}
	case "asleep":
		switch {
		case s.patient:
			s = s.wake()
			s.patient, s.asked = false, s.taken+1
		case s.onOne && m.rawFirst: // its time is up, or a signal came
			s.asleep, s.sleeper = false, "raw sleep over"
		default:
			return nil // only a wake helps: the slice is not counted on
		}
	case "raw sleep over": // sleep on, without a look
		s.said, s.onOne, s.sleeper = 0, false, "wait"
	case "woken":
		s.said, s.onOne = 0, false
		switch {
		case ready:
			s.sleeper = "take"
		case s.flag == 0 || s.want != s.asked:
			s.sleeper = "store want"
		default:
			s.sleeper = "read value"
		}
	case "take":
		s.taken, s.flag, s.sleeper = s.memory, 0, "look"
		if s.taken == messages {
			s.sleeper = "done"
		}
	case "done":
		return nil
	}
	return []machine{s}
}

// cancel returns the states after the canceler's next step.
func (m model) cancel(s machine) []machine {
	switch s.canceler {
	case "announce":
		s.canceled, s.canceler = true, "interrupt"
		if m.announceLate {
			s.canceler = "gone"
		}
	case "interrupt":
		s.interrupts++
		s.canceler = "wake"
	case "wake": // on the private word
		if !s.onOne {
			s = s.wake()
		}
		s.canceler = "look for one word"
	case "look for one word":
		s.canceler = "gone"
		if m.announceLate {
			s.canceler = "announce"
		}
		if s.said != 0 && s.said-1 < s.interrupts {
			s.canceler = "wake one word"
		}
	case "wake one word": // the shared one
		s = s.wake()
		s.canceler = "look for one word" // until the sleeper is up
		if m.wakeOnce {
			s.canceler = "gone"
		}
	default:
		return nil
	}
	return []machine{s}
}

// wake returns the state after a wake, by the kernel, of a sleeper that is asleep or not.
func (s machine) wake() machine {
	if s.asleep {
		s.asleep, s.sleeper = false, "woken"
	}
	return s
}

// explore visits every state that can be reached. deadlocked is one from which
// nothing can go on although messages were not taken, or a sleep that a cancel has missed;
// eager, one with more wakes than the sleeper asked for.
func (m model) explore() (states int, deadlocked, eager *machine) {
	start := machine{publisher: "store", sleeper: "look"}
	if m.cancels {
		start.canceler = "announce"
		if m.announceLate {
			start.canceler = "interrupt"
		}
	}
	states = visitAll(start, func(s machine) []machine {
		if s.wakes > s.raised {
			eager = &s
			return nil
		}
		next := append(append(m.publish(s), m.sleep(s)...), m.cancel(s)...)
		if s.memory < s.published {
			drained := s
			drained.memory++
			next = append(next, drained)
		}
		next = slices.DeleteFunc(next, func(n machine) bool { return n == s }) // nothing moved
		if len(next) == 0 && s.sleeper != "done" || s.asleep && s.canceled && s.canceler == "gone" {
			deadlocked = &s
		}
		return next
	})
	return states, deadlocked, eager
}

// visitAll calls next, which returns the states that follow one, for each state that can be
// reached from start, and returns how many there are.
func visitAll[S comparable](start S, next func(S) []S) (states int) {
	known := map[S]bool{start: true}
	for queue := []S{start}; len(queue) > 0; queue = queue[1:] {
		for _, n := range next(queue[0]) {
			if !known[n] {
				known[n] = true
				queue = append(queue, n)
			}
		}
	}
	return len(known)
}

func TestModel_NoLostWakeup(t *testing.T) {
	testenv.NotShort(t)
	for name, m := range map[string]model{
		"asymmetric fence":                           {},
		"asymmetric fence, asking for more at first": {insist: true},
		"full fences":                                {fullFence: true, noBarrier: true},
		"full fences, asking for more at first":      {fullFence: true, noBarrier: true, insist: true},
		"a full fence and a barrier":                 {fullFence: true},
		"fences for now":                             {forNow: true},
		"fences for now, asking for more at first":   {forNow: true, insist: true},
		"with a cancel":                              {cancels: true},
		"with a cancel, on one word":                 {cancels: true, oneWord: true},
		"with a cancel, on one word first":           {cancels: true, rawFirst: true},
	} {
		t.Run(name, func(t *testing.T) {
			states, deadlocked, eager := m.explore()
			if deadlocked != nil {
				t.Errorf("asleep for ever: %+v", *deadlocked)
			}
			if eager != nil {
				t.Errorf("woken more often than asked: %+v", *eager)
			}
			t.Log(states, "states")
			if states < 500 {
				t.Errorf("only %d states: parts of the model are not reached", states)
			}
		})
	}
}

// A model that finds nothing wrong says something only if it finds what is
// wrong. Each of these has been a bug of some such protocol.
func TestModel_FindsEveryKnownFault(t *testing.T) {
	testenv.NotShort(t)
	for name, m := range map[string]model{
		"release store and no barrier":      {noBarrier: true},
		"the barrier comes before the flag": {barrierEarly: true},
		"no look between flag and sleep":    {noSecondLook: true},
		"the flag is cleared after a wake":  {clearLate: true},
		"a later sleep's flag is cleared":   {clearAny: true},
		"asking for what is there already":  {askForOld: true},
		"asking for fences before the flag": {forNow: true, askEarly: true},
		"a fence that ends before it says":  {forNow: true, unsaidLate: true},
		"a cancel that is announced late":   {cancels: true, announceLate: true},
		"a cancel and a number read late":   {cancels: true, numberLate: true},
		"one word and a single wake":        {cancels: true, oneWord: true, wakeOnce: true},
		"one word and no look again":        {cancels: true, oneWord: true, noLookAgain: true},
		"one word first and a single wake":  {cancels: true, rawFirst: true, wakeOnce: true},
		"one word first and no look again":  {cancels: true, rawFirst: true, noLookAgain: true},
		"one word first and not said":       {cancels: true, rawFirst: true, rawUnsaid: true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, deadlocked, _ := m.explore(); deadlocked == nil {
				t.Error("the model sees nothing wrong with it")
			}
		})
	}
}

func TestModel_FindsWakePerMessage(t *testing.T) {
	testenv.NotShort(t)
	if _, _, eager := (model{neverClear: true}).explore(); eager == nil {
		t.Error("the model sees nothing wrong with it")
	}
}
