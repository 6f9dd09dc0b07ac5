package sleep

import (
	"slices"
	"testing"

	"sluice/internal/testenv"
)

// The sleep on many as a machine, explored in full like that of model_test.go: two publishers
// with a store buffer each, one sleeper on both of their rings, and a caller of the sleeper's own
// process who lets the second ring join, or cancels. A publisher may die between any two of its
// steps. Many and futex.Waiter are the code; docs/protocol.md is the argument.

// manyModel says which machine to build. The zero value is what the code does.
type manyModel struct {
	messages [2]int8 // that each publisher sends; none: 2 and 1
	fences   [2]bool // publisher i stores with XCHG, and says so
	joins    bool    // the second ring joins while the sleeper sleeps or works
	cancels  bool    // the caller cancels, after a join
	dies     bool    // the first publisher may die
	// The kernel cannot wait on so many words: each ring has a watcher, a goroutine that sleeps on
	// it and interrupts the sleeper.
	watchers   bool
	plainLower bool // the flag is lowered by a store that waits in the sleeper's buffer

	noBarrier      bool // fault: the sleeper issues no barrier
	barrierEarly   bool // fault: the barrier comes before the flags
	barrierBetween bool // fault: it comes after the first flag, before the second
	askFirst       bool // fault: only the first publisher is asked whether it fences
	noSecondLook   bool // fault: no look at the second ring between its flag and the sleep
	notLowered     bool // fault: flags stay up when the sleeper is awake
	keepArmed      bool // fault: likewise, and the next sleep takes them for its own
	sameNumber     bool // fault: all sleeps have one number
	clearAny       bool // fault: the publisher clears whatever flag is up
	askForOld      bool // fault: the sleeper asks for what it has taken already
	numberLate     bool // fault: the private word is read after the look
	newsLate       bool // fault: the private word changes before the join or the cancel can be seen
	oldList        bool // fault: after a join the sleeper waits on the words that it had before
	busyLate       bool // fault: a watcher interrupts before it says that it needs a new value
}

// manyMachine is one state.
type manyMachine struct {
	rings   [2]ringMachine
	sleeper manyStep
	at      int8 // the ring that the sleeper's step is about
	members int8 // the rings that the sleeper knows: the first ones
	number  int8 // of this sleep: the smallest that nobody knows
	waiting bool // in Wait, between the first flag that goes up and the last one that goes down

	caller                  manyStep
	joined, canceled        bool // what the caller announces
	interrupted             bool // the private word is not what the sleeper has read
	queued, woken, timedOut bool // waits on the private word; found by a wake; a timeout was needed
	futile                  bool // a publisher that looked while the sleeper was awake called wake
}

// ringMachine is the state of a ring. The publisher's buffer holds the indices memory+1 to
// published.
type ringMachine struct {
	publisher         manyStep
	published, memory int8
	looked            int8 // the publisher's register: the flag
	awake             bool // the publisher's: the sleeper was not waiting when it looked
	flag, want        int8
	lowering          bool // a store of 0 to the flag is in the sleeper's buffer

	// The sleeper's registers.
	taken, seen   int8
	armed, queued bool

	watcher manyStep
	value   int8 // that the watcher sleeps on
	busy    bool // it has one
}

func (r *ringMachine) ready() bool { return r.memory > r.taken }
func (r *ringMachine) flush()      { r.memory = r.published }

// manyStep is the next step of one of those who take part. It is a number, which is what makes
// the exploration fast.
type manyStep uint8

const (
	stepNone manyStep = iota

	// Publisher.
	stepStore
	stepLoadFlag
	stepLoadWant
	stepClearFlag
	stepWake
	stepDead

	// Sleeper; it also loads flags.
	stepLook
	stepStoreWant
	stepStoreFlag
	stepBarrier
	stepReadNumber
	stepReadValue
	stepLastLook
	stepLookDue
	stepWatch
	stepQueueNumber
	stepQueue
	stepAsleep
	stepWoken
	stepLower
	stepDone

	// Watcher; it also is asleep, and wakes.
	stepIdle
	stepWait
	stepEnded
	stepInterrupt
	stepSayIdle

	// Caller; it also interrupts and wakes.
	stepAnnounce
	stepGone
)

var manyStepNames = [...]string{
	stepStore:       "store",
	stepLoadFlag:    "load flag",
	stepLoadWant:    "load want",
	stepClearFlag:   "clear the flag seen",
	stepWake:        "wake",
	stepDead:        "dead",
	stepLook:        "look",
	stepStoreWant:   "store want",
	stepStoreFlag:   "store flag",
	stepBarrier:     "barrier",
	stepReadNumber:  "read number",
	stepReadValue:   "read value",
	stepLastLook:    "last look",
	stepLookDue:     "look for a join or cancel",
	stepWatch:       "give the watcher a value",
	stepQueueNumber: "queue at the private word",
	stepQueue:       "queue at the ring",
	stepAsleep:      "asleep",
	stepWoken:       "woken",
	stepLower:       "lower the flag",
	stepDone:        "done",
	stepIdle:        "idle",
	stepWait:        "wait",
	stepEnded:       "ended",
	stepInterrupt:   "interrupt",
	stepSayIdle:     "say that it is idle",
	stepAnnounce:    "announce",
	stepGone:        "gone",
}

func (s manyStep) String() string { return manyStepNames[s] }

// publish returns the states after the next step of a publisher.
func (m manyModel) publish(s manyMachine, i int) []manyMachine {
	before, r := s, &s.rings[i]
	switch r.publisher {
	case stepStore:
		if r.published == m.messages[i] {
			return nil
		}
		r.published++
		if m.fences[i] {
			r.flush()
		}
		r.publisher = stepLoadFlag
	case stepLoadFlag:
		r.looked, r.awake, r.publisher = r.flag, !s.waiting, stepStore
		if r.flag != 0 {
			r.publisher = stepLoadWant
		}
	case stepLoadWant:
		r.publisher = stepStore
		if r.published >= r.want {
			r.publisher = stepClearFlag
		}
	case stepClearFlag: // CMPXCHG
		r.flush()
		r.publisher = stepStore
		if r.flag == r.looked || m.clearAny && r.flag != 0 {
			r.flag, r.publisher = 0, stepWake
		}
	case stepWake:
		r.flush()
		s.futile = s.futile || r.awake
		s.wake(i)
		r.publisher = stepStore
	case stepDead:
		return nil
	}
	next := []manyMachine{s}
	if m.dies && i == 0 {
		before.rings[i].publisher = stepDead
		next = append(next, before)
	}
	return next
}

// wake is FUTEX_WAKE of an index word.
func (s *manyMachine) wake(i int) {
	r := &s.rings[i]
	s.woken = s.woken || r.queued
	if r.watcher == stepAsleep {
		r.watcher = stepEnded
	}
}

// interrupt is FUTEX_WAKE of the private word.
func (s *manyMachine) interrupt() { s.woken = s.woken || s.queued }

// toRing goes on with a step for the first ring.
func (s *manyMachine) toRing(this manyStep) { s.sleeper, s.at = this, 0 }

// nextRing goes on with the same step for the next ring, or after the last one with another.
func (s *manyMachine) nextRing(then manyStep) {
	if s.at++; s.at == s.members {
		s.toRing(then)
	}
}

// toUnarmed goes on with the first ring from there on whose flag is to go up, or the barrier.
func (s *manyMachine) toUnarmed(from int8) {
	s.sleeper = stepStoreWant
	for s.at = from; s.at < s.members; s.at++ {
		if !s.rings[s.at].armed {
			return
		}
	}
	s.toRing(stepBarrier)
}

// forget clears what nobody will read, so that states which differ in nothing else are one.
func (s *manyMachine) forget() {
	switch s.sleeper {
	case stepLook, stepLower, stepWoken, stepLoadFlag, stepStoreWant, stepStoreFlag, stepBarrier:
		s.interrupted = false
		for i := range s.rings {
			s.rings[i].seen = 0
		}
	default:
		s.number = 0
		for i := range s.rings {
			s.rings[i].armed = false
		}
	}
	for i := range s.rings {
		r := &s.rings[i]
		if r.publisher == stepStore || r.publisher == stepDead {
			r.looked, r.awake = 0, false
		}
		if r.flag == 0 && r.looked == 0 && s.sleeper != stepStoreFlag {
			r.want = 0
		}
		if r.watcher != stepWait && !(r.busy && r.watcher != stepAsleep && r.watcher != stepEnded) {
			r.value = 0
		}
	}
}

// inUse reports whether somebody knows a number, so that it is not a new one.
func (s *manyMachine) inUse(number int8) bool {
	return slices.ContainsFunc(s.rings[:], func(r ringMachine) bool {
		return r.flag == number || r.looked == number
	})
}

// due reports whether the sleeper finds that a ring has joined, or a cancel.
func (s *manyMachine) due() bool { return s.canceled || s.joined && s.members == 1 }

// sleep returns the states after the sleeper's next step.
func (m manyModel) sleep(s manyMachine) []manyMachine {
	r := &s.rings[s.at]
	switch s.sleeper {
	case stepLook: // outside of Wait; it may be one step, since nothing relies on it
		took := false
		for i := range s.members {
			r := &s.rings[i]
			took = took || r.ready()
			r.taken = r.memory
		}
		switch {
		case s.canceled:
			s.sleeper = stepDone
		case s.due():
			s.members = 2
		case !took && m.keepArmed:
			s.toRing(stepLoadFlag)
		case !took:
			for i := range s.rings {
				s.rings[i].armed = false
			}
			s.begin(m)
		}
	case stepStoreWant:
		r.want, s.sleeper = r.taken+1, stepStoreFlag
		if m.askForOld {
			r.want = r.taken
		}
	case stepStoreFlag: // XCHG, which empties the buffer
		for i := range s.rings {
			s.rings[i].lower()
		}
		r.flag, r.armed = s.number, true
		if m.barrierBetween && s.at == 0 {
			s.barrier(m)
		}
		s.toUnarmed(s.at + 1)
	case stepBarrier:
		if !m.barrierEarly && !m.barrierBetween {
			s.barrier(m)
		}
		s.sleeper = stepReadNumber
		if m.numberLate {
			s.toRing(stepReadValue)
		}
	case stepReadNumber:
		s.interrupted = false
		s.toRing(stepReadValue)
		if m.numberLate {
			s.toSleep(m)
		}
	case stepReadValue:
		r.seen = r.memory
		s.nextRing(stepLastLook)
	case stepLastLook:
		if r.ready() && !(m.noSecondLook && s.at == 1) {
			s.toRing(stepLower)
			break
		}
		s.nextRing(stepLookDue)
	case stepLookDue:
		switch {
		case s.due():
			s.toRing(stepLower)
		case m.numberLate:
			s.sleeper = stepReadNumber
		default:
			s.toSleep(m)
		}
	case stepWatch:
		if !r.busy {
			r.busy, r.value = true, r.seen
		}
		s.nextRing(stepQueueNumber)
	// futex_waitv compares one word after the other, and enters the sleeper in its queue. A wake
	// that finds it there ends the sleep before it has begun.
	case stepQueueNumber:
		s.queued = !s.interrupted
		switch {
		case !s.queued:
			s.sleeper = stepWoken
		case m.watchers:
			s.sleeper = stepAsleep
		default:
			s.toRing(stepQueue)
		}
	case stepQueue:
		if r.memory != r.seen {
			s.sleeper, s.at = stepWoken, 0
			break
		}
		r.queued = !(m.oldList && s.at == 1)
		s.nextRing(stepAsleep)
	case stepAsleep:
		if !s.woken {
			return nil // only a wake helps
		}
		s.sleeper = stepWoken
	case stepWoken: // the look is for nothing but the time that it saves
		s.queued, s.woken = false, false
		ready := s.due()
		for i := range s.rings {
			r := &s.rings[i]
			r.queued, r.seen = false, 0
			ready = ready || int8(i) < s.members && r.ready()
		}
		s.toRing(stepLoadFlag)
		if ready {
			s.toRing(stepLower)
		}
	case stepLoadFlag:
		r.armed = r.flag != 0
		if s.nextRing(stepNone); s.sleeper == stepNone {
			s.begin(m)
		}
	case stepLower:
		switch {
		case m.notLowered || m.keepArmed:
		case m.plainLower:
			r.lowering = true
		default:
			r.flag = 0
		}
		s.nextRing(stepLook)
		s.waiting = s.sleeper == stepLower
	case stepDone:
		return nil
	}
	return []manyMachine{s}
}

// begin goes on with the flags that are to go up.
func (s *manyMachine) begin(m manyModel) {
	s.number = 1
	for !m.sameNumber && s.inUse(s.number) {
		s.number++
	}
	if m.barrierEarly {
		s.barrier(m)
	}
	s.waiting = true
	s.toUnarmed(0)
}

// toSleep goes on with the system call, or with the watchers before it.
func (s *manyMachine) toSleep(m manyModel) {
	s.sleeper = stepQueueNumber
	if m.watchers {
		s.toRing(stepWatch)
	}
}

// lower lets a store of 0 leave the sleeper's buffer.
func (r *ringMachine) lower() {
	if r.lowering {
		r.flag, r.lowering = 0, false
	}
}

// barrier empties the buffers of both publishers, if one of those that were asked needs it.
func (s *manyMachine) barrier(m manyModel) {
	needed := !m.fences[0] || s.members == 2 && !m.fences[1] && !m.askFirst
	for i := range s.rings {
		if needed && !m.noBarrier {
			s.rings[i].flush()
		}
	}
}

// watch returns the states after the next step of a ring's watcher.
func (m manyModel) watch(s manyMachine, i int) []manyMachine {
	r := &s.rings[i]
	switch r.watcher {
	case stepIdle:
		if r.busy {
			r.watcher = stepWait
		}
	case stepWait:
		r.watcher = stepEnded
		if r.memory == r.value {
			r.watcher = stepAsleep
		}
	case stepEnded:
		r.busy, r.watcher = m.busyLate, stepInterrupt
	case stepInterrupt:
		s.interrupted = true
		r.watcher = stepWake
	case stepWake:
		s.interrupt()
		r.watcher = stepIdle
		if m.busyLate {
			r.watcher = stepSayIdle
		}
	case stepSayIdle:
		r.busy, r.watcher = false, stepIdle
	}
	return []manyMachine{s}
}

// call returns the states after the next step of the caller: of a join, then of a cancel.
func (m manyModel) call(s manyMachine) []manyMachine {
	switch s.caller {
	case stepAnnounce:
		if m.joins && !s.joined {
			s.joined = true
		} else {
			s.canceled = true
		}
		s.caller = stepInterrupt
		if m.newsLate {
			s.caller = s.nextCall(m)
		}
	case stepInterrupt:
		s.interrupted = true
		s.caller = stepWake
	case stepWake:
		s.interrupt()
		s.caller = stepAnnounce
		if !m.newsLate {
			s.caller = s.nextCall(m)
		}
	}
	return []manyMachine{s}
}

// nextCall returns the first step of what the caller has still to do.
func (s *manyMachine) nextCall(m manyModel) manyStep {
	switch {
	case (!m.joins || s.joined) && (!m.cancels || s.canceled):
		return stepGone
	case m.newsLate:
		return stepInterrupt
	}
	return stepAnnounce
}

// manyResult is what an exploration has found.
type manyResult struct {
	states           int
	lost             *manyMachine // asleep for ever with something unseen
	futile, timedOut bool         // wakes of a sleeper that was awake; a timeout that was needed
}

func (m manyModel) explore() (found manyResult) {
	if m.messages == [2]int8{} {
		m.messages = [2]int8{2, 1}
	}
	start := manyMachine{sleeper: stepLook, members: 2}
	for i := range start.rings {
		start.rings[i].publisher, start.rings[i].watcher = stepStore, stepIdle
	}
	if m.joins {
		start.members = 1
	}
	start.caller = start.nextCall(m)
	found.states = visitAll(start, func(s manyMachine) (next []manyMachine) {
		if found.lost != nil {
			return nil
		}
		found.futile, found.timedOut = found.futile || s.futile, found.timedOut || s.timedOut
		next = append(m.sleep(s), m.call(s)...)
		for i := range s.rings {
			next = append(append(next, m.publish(s, i)...), m.watch(s, i)...)
			if r := s.rings[i]; r.memory < r.published {
				drained := s
				drained.rings[i].memory++
				next = append(next, drained)
			}
			if s.rings[i].lowering {
				drained := s
				drained.rings[i].lower()
				next = append(next, drained)
			}
		}
		for i := range next {
			next[i].forget()
		}
		next = slices.DeleteFunc(next, func(n manyMachine) bool { return n == s }) // nothing moved
		asleep := s.sleeper == stepAsleep && !s.woken
		if asleep && s.caller == stepGone && s.due() {
			found.lost = &s
		}
		if len(next) > 0 || s.sleeper == stepDone {
			return next
		}
		for i := range s.rings {
			if r := &s.rings[i]; r.ready() && r.publisher == stepDead {
				woken := s
				woken.sleeper, woken.at, woken.timedOut = stepWoken, 0, true
				next = []manyMachine{woken}
			} else if r.ready() {
				found.lost = &s
			}
		}
		return next
	})
	return found
}

func TestManyModel_NoLostWakeup(t *testing.T) {
	testenv.NotShort(t)
	for name, m := range map[string]manyModel{
		"two rings":                         {},
		"one publisher fences":              {fences: [2]bool{true, false}},
		"the other one does":                {fences: [2]bool{false, true}},
		"both do, and there is no barrier":  {fences: [2]bool{true, true}, noBarrier: true},
		"a cancel":                          {messages: [2]int8{1, 1}, cancels: true},
		"a join":                            {messages: [2]int8{1, 1}, joins: true},
		"a join, and a cancel":              {messages: [2]int8{1, 1}, joins: true, cancels: true},
		"a publisher dies":                  {dies: true},
		"a publisher dies, the other joins": {messages: [2]int8{1, 1}, dies: true, joins: true},
		"flags lowered by a plain store":    {messages: [2]int8{1, 1}, plainLower: true},
		"watchers":                          {messages: [2]int8{2, 0}, watchers: true},
		"watchers, and a publisher dies":    {messages: [2]int8{2, 0}, watchers: true, dies: true},
		"watchers, and a join":              {messages: [2]int8{0, 1}, watchers: true, joins: true},
	} {
		t.Run(name, func(t *testing.T) {
			found := m.explore()
			if found.lost != nil {
				t.Errorf("asleep for ever: %+v", *found.lost)
			}
			if found.futile != m.plainLower {
				t.Errorf("wakes of a sleeper that is awake: %v", found.futile)
			}
			if found.timedOut != m.dies {
				t.Errorf("a timeout was needed: %v", found.timedOut)
			}
			t.Log(found.states, "states")
			if found.states < 500 {
				t.Errorf("only %d states: parts of the model are not reached", found.states)
			}
		})
	}
}

func TestManyModel_FindsEveryKnownFault(t *testing.T) {
	testenv.NotShort(t)
	for name, m := range map[string]manyModel{
		"release stores and no barrier":                 {noBarrier: true},
		"no barrier, and one publisher fences":          {fences: [2]bool{true, false}, noBarrier: true},
		"the barrier comes before the flags":            {barrierEarly: true},
		"the barrier is for the first ring only":        {barrierBetween: true},
		"only the first publisher is asked for fences":  {fences: [2]bool{true, false}, askFirst: true},
		"no look at one ring between flag and sleep":    {noSecondLook: true},
		"the flag of an earlier sleep":                  {keepArmed: true},
		"all sleeps have one number":                    {sameNumber: true},
		"a later sleep's flag is cleared":               {clearAny: true},
		"asking for what is there already":              {askForOld: true},
		"a cancel and a number read late":               {messages: [2]int8{1, 1}, cancels: true, numberLate: true},
		"a join and a number read late":                 {messages: [2]int8{1, 1}, joins: true, numberLate: true},
		"a cancel that is announced late":               {messages: [2]int8{1, 1}, cancels: true, newsLate: true},
		"a join that is announced late":                 {messages: [2]int8{1, 1}, joins: true, newsLate: true},
		"a sleep on the words before a join":            {messages: [2]int8{1, 1}, joins: true, oldList: true},
		"a watcher that needs a value and says so late": {messages: [2]int8{2, 0}, watchers: true, busyLate: true},
	} {
		t.Run(name, func(t *testing.T) {
			if found := m.explore(); found.lost == nil {
				t.Error("the model sees nothing wrong with it")
			}
		})
	}
}

// A busy publisher whose ring is not the one that has woken the sleeper would call the kernel.
func TestManyModel_FindsFutileWakes(t *testing.T) {
	testenv.NotShort(t)
	if found := (manyModel{notLowered: true}).explore(); !found.futile {
		t.Error("the model sees nothing wrong with it")
	}
}
