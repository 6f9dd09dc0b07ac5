package sleep

import (
	"slices"
	"testing"
)

// The sleep on behalf of another goroutine as a machine, explored in full like that of
// model_test.go: a publisher with a store buffer; the owner of a Notifier, which waits for the
// event or calls the goroutine back and sleeps by itself, as it likes; the goroutine; and the
// watchers of their Waiters, where the kernel waits on one word only. Notifier is the code.

// notifyModel says which machine to build. The zero value is what the code does.
type notifyModel struct {
	fence    bool // the publisher stores with XCHG, and the sleepers issue no barrier
	watchers bool // the goroutine's sleep needs a watcher
	many     bool // so does the owner's, which is one on many

	noBarrier     bool // fault: the sleepers issue no barrier
	noSecondLook  bool // fault: no look between the flag and the sleep
	notCalledBack bool // fault: the owner sleeps while the goroutine does
	haltLate      bool // fault: the goroutine is interrupted before it can see that it is called back
	numberLate    bool // fault: the goroutine reads the private word after its look
	twoWaiters    bool // fault: the owner sleeps with a private word of its own
	notSignaled   bool // fault: the event is not set when the last look has found something
}

// notifyMessages is how many the publisher sends.
const notifyMessages = 2

// The two that sleep.
const (
	byGoroutine = iota
	byOwner
)

// notifyMachine is one state. The publisher's buffer holds the indices memory+1 to published.
type notifyMachine struct {
	publisher         notifyStep
	published, memory int8
	looked            int8 // the publisher's register: the flag
	flag, want        int8

	owner       notifyStep
	taken, seen int8
	forEvent    bool // the flag that goes up is for the goroutine
	armed       bool // Notifier.armed

	event, current bool // set; not cleared since the goroutine has its work
	idle, halt     bool

	goroutine notifyStep
	value     int8 // that it sleeps on

	sleepers [2]sleepingMachine
	waiters  [2]waiterMachine // the second one only if the owner has its own
}

type sleepingMachine struct{ onNumber, onIndex, woken bool }

type waiterMachine struct {
	interrupted bool // the private word is not what the sleeper has read
	watcher     notifyStep
	value       int8
	busy        bool
}

func (s *notifyMachine) ready() bool { return s.memory > s.taken }

// notifyStep is the next step of one of those who take part, a number as manyStep is.
type notifyStep uint8

const (
	doNothing notifyStep = iota // of a watcher: it waits for a value

	// Publisher.
	doStore
	doLoadFlag
	doLoadWant
	doClearFlag
	doWake

	// One who sleeps.
	doSleep
	doQueueNumber
	doQueue
	doAsleep
	doAwake

	// Watcher; it also is asleep, and wakes.
	doWait
	doEnded
	doInterrupt

	// Goroutine; it also sleeps.
	doReceive
	doReadNumber
	doLookHalt
	doLook
	doLower
	doSayIdle
	doSignal

	// Owner; it also looks, sleeps, lowers the flag and signals.
	doArm
	doClearTheEvent
	doAwaitEvent
	doCallBack
	doHalt
	doAwaitIdle
	doStoreWant
	doStoreFlag
	doBarrier
	doReadValue
	doLastLook
	doGiveWork
)

var notifyStepNames = [...]string{
	doNothing:       "nothing",
	doStore:         "store",
	doLoadFlag:      "load flag",
	doLoadWant:      "load want",
	doClearFlag:     "clear the flag seen",
	doWake:          "wake",
	doSleep:         "sleep",
	doQueueNumber:   "queue at the private word",
	doQueue:         "queue at the index",
	doAsleep:        "asleep",
	doAwake:         "awake",
	doWait:          "wait",
	doEnded:         "ended",
	doInterrupt:     "interrupt",
	doReceive:       "receive",
	doReadNumber:    "read number",
	doLookHalt:      "look whether it is called back",
	doLook:          "look",
	doLower:         "lower",
	doSayIdle:       "say that it is idle",
	doSignal:        "signal",
	doArm:           "arm",
	doClearTheEvent: "clear the event",
	doAwaitEvent:    "wait for the event",
	doCallBack:      "call back",
	doHalt:          "halt",
	doAwaitIdle:     "wait until it is idle",
	doStoreWant:     "store want",
	doStoreFlag:     "store flag",
	doBarrier:       "barrier",
	doReadValue:     "read value",
	doLastLook:      "last look",
	doGiveWork:      "give work",
}

func (s notifyStep) String() string { return notifyStepNames[s] }

// publish returns the states after the publisher's next step.
func (m notifyModel) publish(s notifyMachine) []notifyMachine {
	switch s.publisher {
	case doStore:
		if s.published == notifyMessages {
			return nil
		}
		s.published++
		if m.fence {
			s.memory = s.published
		}
		s.publisher = doLoadFlag
	case doLoadFlag:
		s.looked, s.publisher = s.flag, doStore
		if s.flag != 0 {
			s.publisher = doLoadWant
		}
	case doLoadWant:
		s.publisher = doStore
		if s.published >= s.want {
			s.publisher = doClearFlag
		}
	case doClearFlag: // CMPXCHG
		s.memory, s.publisher = s.published, doStore
		if s.flag == s.looked {
			s.flag, s.publisher = 0, doWake
		}
	case doWake:
		s.memory, s.publisher = s.published, doStore
		return s.wakeOne()
	}
	return []notifyMachine{s}
}

// wakeOne returns the states after FUTEX_WAKE of the index word, of one of those who sleep on it.
func (s notifyMachine) wakeOne() (next []notifyMachine) {
	for i := range s.sleepers {
		if woken := s; woken.sleepers[i].onIndex {
			woken.sleepers[i] = sleepingMachine{woken: true}
			next = append(next, woken)
		}
		if woken := s; woken.waiters[i].watcher == doAsleep {
			woken.waiters[i].watcher = doEnded
			next = append(next, woken)
		}
	}
	if next == nil {
		next = []notifyMachine{s}
	}
	return next
}

// waiterOf returns the Waiter of one who sleeps.
func (m notifyModel) waiterOf(who int) int {
	if m.twoWaiters {
		return who
	}
	return 0
}

// interrupted wakes those who sleep on the private word of a Waiter.
func (m notifyModel) interrupted(s *notifyMachine, waiter int) {
	for who := range s.sleepers {
		if s.sleepers[who].onNumber && m.waiterOf(who) == waiter {
			s.sleepers[who] = sleepingMachine{woken: true}
		}
	}
}

// sleep is a step of a sleep of one of the two. It returns the next one, doAwake at the end.
func (m notifyModel) sleep(s *notifyMachine, who int, this notifyStep, seen int8) notifyStep {
	sleeping, waiter := &s.sleepers[who], &s.waiters[m.waiterOf(who)]
	watched := m.watchers && (who == byGoroutine || m.many)
	switch this {
	case doSleep:
		if watched && !waiter.busy {
			waiter.busy, waiter.value = true, seen
		}
		return doQueueNumber
	case doQueueNumber:
		if waiter.interrupted {
			return doAwake
		}
		sleeping.onNumber = true
		if watched {
			return doAsleep
		}
		return doQueue
	case doQueue:
		switch {
		case sleeping.woken:
			return doAsleep
		case s.memory != seen:
			*sleeping = sleepingMachine{}
			return doAwake
		}
		sleeping.onIndex = true
		return doAsleep
	case doAsleep:
		if !sleeping.woken {
			return this
		}
		*sleeping = sleepingMachine{}
		return doAwake
	}
	panic("no step of a sleep: " + this.String())
}

// watch returns the states after the next step of a Waiter's watcher.
func (m notifyModel) watch(s notifyMachine, i int) []notifyMachine {
	w := &s.waiters[i]
	switch w.watcher {
	case doNothing:
		if w.busy {
			w.watcher = doWait
		}
	case doWait:
		w.watcher = doEnded
		if s.memory == w.value {
			w.watcher = doAsleep
		}
	case doEnded:
		w.busy, w.value, w.watcher = false, 0, doInterrupt
	case doInterrupt:
		w.interrupted, w.watcher = true, doWake
	case doWake:
		m.interrupted(&s, i)
		w.watcher = doNothing
	}
	return []notifyMachine{s}
}

// work returns the states after the goroutine's next step.
func (m notifyModel) work(s notifyMachine) []notifyMachine {
	switch s.goroutine {
	case doReceive: // give work goes on
	case doReadNumber:
		s.waiters[0].interrupted, s.goroutine = false, doLookHalt
		if m.numberLate {
			s.goroutine = doSleep
		}
	case doLookHalt:
		s.goroutine = doLook
		if s.halt {
			s.goroutine = doLower
		}
	case doLook:
		switch {
		case s.memory != s.value || s.flag == 0:
			s.goroutine = doLower
		case m.numberLate:
			s.goroutine = doReadNumber
		default:
			s.goroutine = doSleep
		}
	case doAwake:
		s.goroutine = doReadNumber
		if m.numberLate {
			s.goroutine = doLookHalt
		}
	case doLower:
		s.flag, s.value, s.goroutine = 0, 0, doSayIdle
	case doSayIdle:
		s.idle, s.goroutine = true, doSignal
	case doSignal:
		s.event, s.goroutine = s.event || s.current, doReceive
	default:
		s.goroutine = m.sleep(&s, byGoroutine, s.goroutine, s.value)
	}
	return []notifyMachine{s}
}

// own returns the states after the owner's next step, and those after one that it need not do.
func (m notifyModel) own(s notifyMachine) (next, others []notifyMachine) {
	switch s.owner {
	case doLook:
		if s.taken == notifyMessages {
			return nil, nil
		}
		if s.ready() {
			s.taken = s.memory
			break
		}
		called := s
		s.forEvent, s.owner = true, doArm
		called.forEvent, called.owner = false, doCallBack
		return []notifyMachine{s, called}, nil
	case doArm:
		switch {
		case !s.armed:
			s.owner = doClearTheEvent
		case s.idle:
			s.armed, s.idle = false, false
			s.owner = doClearTheEvent
		default:
			s.owner = doAwaitEvent
		}
	case doClearTheEvent:
		s.event, s.current, s.owner = false, false, doStoreWant
	case doAwaitEvent:
		looks, called := s, s // for something else that the owner waits for too
		looks.owner = doLook
		called.forEvent, called.owner = false, doCallBack
		others = []notifyMachine{looks, called}
		if !s.event {
			return nil, others
		}
		return []notifyMachine{looks}, others

	case doCallBack:
		s.owner = doStoreWant
		if s.armed && !m.notCalledBack {
			s.owner = doHalt
			if m.haltLate {
				s.owner = doInterrupt
			}
		}
	case doHalt:
		s.halt, s.owner = true, doInterrupt
		if m.haltLate {
			s.owner = doAwaitIdle
		}
	case doInterrupt:
		s.waiters[0].interrupted, s.owner = true, doWake
	case doWake:
		m.interrupted(&s, 0)
		s.owner = doAwaitIdle
		if m.haltLate {
			s.owner = doHalt
		}
	case doAwaitIdle:
		if s.idle {
			s.idle, s.halt, s.armed, s.owner = false, false, false, doStoreWant
		}

	case doStoreWant:
		s.want, s.owner = s.taken+1, doStoreFlag
	case doStoreFlag: // XCHG
		for s.flag = 1; s.flag == s.looked; s.flag++ { // a number that nobody knows
		}
		s.owner = doBarrier
	case doBarrier:
		if !m.noBarrier && !m.fence {
			s.memory = s.published
		}
		s.owner = doReadNumber
		if s.forEvent {
			s.owner = doReadValue
		}
	case doReadNumber:
		s.waiters[m.waiterOf(byOwner)].interrupted, s.owner = false, doReadValue
	case doReadValue:
		s.seen, s.owner = s.memory, doLastLook
	case doLastLook:
		switch {
		case s.ready() && !m.noSecondLook:
			s.owner = doLower
		case s.forEvent:
			s.owner = doGiveWork
		default:
			s.owner = doSleep
		}
	case doGiveWork:
		if s.goroutine == doReceive {
			s.value, s.goroutine = s.seen, doReadNumber
			if m.numberLate {
				s.goroutine = doLookHalt
			}
			s.armed, s.current, s.seen, s.owner = true, true, 0, doAwaitEvent
		}
	case doLower:
		s.flag, s.seen, s.owner = 0, 0, doLook
		if s.forEvent {
			s.owner = doSignal
		}
	case doSignal:
		s.event, s.owner = s.event || !m.notSignaled, doAwaitEvent
	case doAwake:
		switch {
		case s.ready():
			s.owner = doLower
		case s.flag == 0:
			s.owner = doStoreWant
		default:
			s.owner = doReadNumber
		}
	default:
		s.owner = m.sleep(&s, byOwner, s.owner, s.seen)
	}
	return []notifyMachine{s}, nil
}

// explore visits every state. lost is one in which the owner waits for ever, unless it has another
// reason to go on: with a message that it has not seen, or for the goroutine.
func (m notifyModel) explore() (states int, lost *notifyMachine) {
	start := notifyMachine{publisher: doStore, owner: doLook, goroutine: doReceive, event: true}
	states = visitAll(start, func(s notifyMachine) []notifyMachine {
		if lost != nil {
			return nil
		}
		same := func(n notifyMachine) bool { return n == s }
		next, others := m.own(s)
		next = append(next, m.work(s)...)
		for i := range s.waiters {
			next = append(next, m.watch(s, i)...)
		}
		next = slices.DeleteFunc(next, same)
		if len(next) == 0 && s.owner == doAwaitIdle { // which is not to depend on the publisher
			lost = &s
		}
		next = slices.DeleteFunc(append(next, m.publish(s)...), same)
		if s.memory < s.published {
			drained := s
			drained.memory++
			next = append(next, drained)
		}
		if len(next) == 0 && s.taken != notifyMessages {
			lost = &s
		}
		next = append(next, others...)
		for i := range next {
			if n := &next[i]; n.publisher == doStore {
				n.looked = 0
			}
		}
		return next
	})
	return states, lost
}

func TestNotifyModel_NoLostWakeup(t *testing.T) {
	for name, m := range map[string]notifyModel{
		"one sleep on two words":    {},
		"the publisher fences":      {fence: true},
		"a watcher, of one ring":    {watchers: true},
		"a watcher, of one of many": {watchers: true, many: true},
	} {
		t.Run(name, func(t *testing.T) {
			states, lost := m.explore()
			if lost != nil {
				t.Errorf("waits for ever: %+v", *lost)
			}
			t.Log(states, "states")
			if states < 500 {
				t.Errorf("only %d states: parts of the model are not reached", states)
			}
		})
	}
}

func TestNotifyModel_FindsEveryKnownFault(t *testing.T) {
	for name, m := range map[string]notifyModel{
		"no barrier":                                 {noBarrier: true},
		"no look between flag and sleep":             {noSecondLook: true},
		"a goroutine that is not called back":        {notCalledBack: true},
		"a call back that is announced late":         {haltLate: true},
		"a call back and a number read late":         {numberLate: true},
		"a Waiter for each, and watchers":            {watchers: true, twoWaiters: true},
		"a Waiter for each, and watchers, with many": {watchers: true, many: true, twoWaiters: true},
		"a last look that sets no event":             {notSignaled: true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, lost := m.explore(); lost == nil {
				t.Error("the model sees nothing wrong with it")
			}
		})
	}
}
