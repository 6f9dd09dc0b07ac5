package ring

import "testing"

// The sleep protocol as a small machine, explored in full: every interleaving
// of a publisher, a sleeper and the publisher's store buffer. One step is one
// access to shared memory or one system call. wait.go and side.go are the code;
// docs/protocol.md is the argument.
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
	number, looked     int // of the sleeper's last sleep; the publisher's register
	flag, want         int // shared
	asleep             bool
	raised, wakes      int // how often the flag went up, how often wake was called
}

type step string

// publish returns the states after the publisher's next step.
func (m model) publish(s machine) []machine {
	switch s.publisher {
	case "store":
		if s.published == messages {
			return nil
		}
		s.published++
		if m.fullFence {
			s.memory = s.published
		}
		s.publisher = "load flag"
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
		if s.asleep {
			s.asleep, s.sleeper = false, "woken"
		}
		s.publisher = "store"
		if m.clearLate {
			s.publisher = "clear flag"
		}
	case "clear flag":
		s.flag, s.publisher = 0, "store"
	}
	return []machine{s}
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
		s.want, s.sleeper = s.asked, "store flag"
		if m.barrierEarly {
			s.memory = s.published
		}
	case "store flag":
		if s.flag == 0 {
			s.raised++
		}
		s.number++
		s.flag, s.sleeper = s.number, "barrier"
	case "barrier":
		if !m.noBarrier && !m.barrierEarly {
			s.memory = s.published
		}
		s.sleeper = "read value"
	case "read value":
		s.seen, s.sleeper = s.memory, "last look"
		if m.noSecondLook {
			s.sleeper = "wait"
		}
	case "last look":
		s.sleeper = "wait"
		if ready {
			s.sleeper = "take"
		}
	case "wait": // FUTEX_WAIT compares and sleeps in one step
		if s.memory == s.seen {
			s.asleep, s.sleeper = true, "asleep"
		} else {
			s.sleeper = "woken"
		}
	case "asleep":
		if !s.patient {
			return nil // only a wake helps: the slice is not counted on
		}
		s.asleep, s.patient, s.sleeper = false, false, "woken"
		s.asked = s.taken + 1
	case "woken":
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

// explore visits every state that can be reached. stuck is one from which
// nothing moves although messages were not taken; eager, one with more wakes
// than the sleeper asked for.
func (m model) explore() (states int, stuck, eager *machine) {
	start := machine{publisher: "store", sleeper: "look"}
	known := map[machine]bool{start: true}
	for queue := []machine{start}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if s.wakes > s.raised {
			eager = &s
			continue
		}
		next := append(m.publish(s), m.sleep(s)...)
		if s.memory < s.published {
			drained := s
			drained.memory++
			next = append(next, drained)
		}
		if len(next) == 0 && s.sleeper != "done" {
			stuck = &s
		}
		for _, n := range next {
			if !known[n] {
				known[n] = true
				queue = append(queue, n)
			}
		}
	}
	return len(known), stuck, eager
}

func TestNoInterleavingLosesAWakeUp(t *testing.T) {
	for name, m := range map[string]model{
		"asymmetric fence":                           {},
		"asymmetric fence, asking for more at first": {insist: true},
		"full fences":                                {fullFence: true, noBarrier: true},
		"full fences, asking for more at first":      {fullFence: true, noBarrier: true, insist: true},
		"a full fence and a barrier":                 {fullFence: true},
	} {
		t.Run(name, func(t *testing.T) {
			states, stuck, eager := m.explore()
			if stuck != nil {
				t.Errorf("asleep for ever: %+v", *stuck)
			}
			if eager != nil {
				t.Errorf("woken more often than asked: %+v", *eager)
			}
			t.Log(states, "states")
			if states < 500 {
				t.Errorf("only %d states: the model has come apart", states)
			}
		})
	}
}

// A model that finds nothing wrong says something only if it finds what is
// wrong. Each of these has been a bug of some such protocol.
func TestTheModelFindsEveryKnownWayToLoseAWakeUp(t *testing.T) {
	for name, m := range map[string]model{
		"release store and no barrier":      {noBarrier: true},
		"the barrier comes before the flag": {barrierEarly: true},
		"no look between flag and sleep":    {noSecondLook: true},
		"the flag is cleared after a wake":  {clearLate: true},
		"a later sleep's flag is cleared":   {clearAny: true},
		"asking for what is there already":  {askForOld: true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, stuck, _ := m.explore(); stuck == nil {
				t.Error("the model sees nothing wrong with it")
			}
		})
	}
}

func TestTheModelFindsAWakeForEveryMessage(t *testing.T) {
	if _, _, eager := (model{neverClear: true}).explore(); eager == nil {
		t.Error("the model sees nothing wrong with it")
	}
}
