package sluice

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"time"

	"sluice/pressure"
	"sluice/shm"
)

// Pressure is how full a queue is, as [OnPressure] tells.
type Pressure struct {
	High  bool    // the queue has filled to the share that was asked for; false: it is past that
	Fill  float64 // the share of its tighter bound that is in use: [pressure.Snapshot.Fill]
	Depth uint64  // messages in the queue
}

// The interval of the looks at a queue: while messages move, and at most when they do not. It grows
// after settleTime without a movement. While a queue is full its end is what a program waits for.
const (
	lookInterval = 10 * time.Millisecond
	maxLookHigh  = 100 * time.Millisecond
	maxLookLow   = 500 * time.Millisecond
	settleTime   = 500 * time.Millisecond
)

// lowShare is how far a queue has to fall before it counts as relieved, as a share of the fill that
// was asked for: so that one which stays near that is not told all the time.
const lowShare = 0.75

// OnPressure calls f when the queue of an end has filled to a share of its bound, and again when it
// has fallen to three quarters of that share: a program can shed load meanwhile, for example. end
// is a Producer or a Consumer of either mode, a ProducerOf or a ConsumerOf. fill is more than 0 and
// at most 1; the bound is that of [pressure.Snapshot.Fill]. If the queue is that full already, f is
// called at once.
//
//	var shed atomic.Bool
//	stop, err := sluice.OnPressure(p, 0.8, func(now sluice.Pressure) { shed.Store(now.High) })
//
// A goroutine looks at the counters, which costs nothing where messages are sent: every 10 ms while
// messages move, less often when none has moved for half a second, at least ten times a second
// while the pressure is high and twice a second when it is not. So a change is noticed that much
// later, and one that is over by the next look is not noticed.
//
// f is called on that goroutine, one call at a time. It may call stop, and Close of the end. stop
// waits for a call of f that is under way, unless f calls it; when it has returned, no call comes.
// Any goroutine may call it, and again. Close of the end stops the looks too, but does not wait for
// f: a call that has begun then may still be under way.
//
// Errors: [ErrOption] for another fill, and for a queue without a bound ([NoLimit]); [ErrClosed];
// [ErrTruncated].
func OnPressure(end interface{ Segment() *shm.Segment }, fill float64, f func(Pressure)) (stop func(), err error) {
	seg := end.Segment()
	if !(fill > 0 && fill <= 1) { // NaN too
		return nil, shm.InSegment(opOnPressure, seg.Name(), fmt.Errorf("%w: a fill of %v is not more than 0 and at most 1", ErrOption, fill))
	}
	first, err := pressure.ObserveQueue(seg)
	if err != nil {
		return nil, err
	}
	if !first.Bounded() {
		return nil, shm.InSegment(opOnPressure, seg.Name(), fmt.Errorf("%w: the queue has no bound", ErrOption))
	}
	w := &pressureWatch{f: f, high: fill, low: fill * lowShare, ended: make(chan struct{}), left: make(chan struct{})}
	go w.run(func() (pressure.Snapshot, error) { return pressure.ObserveQueue(seg) })
	return w.stop, nil
}

const opOnPressure = "watch"

// pressureWatch looks at a queue, and tells when it is full.
type pressureWatch struct {
	f         func(Pressure)
	high, low float64

	once  sync.Once
	ended chan struct{} // closed by stop
	left  chan struct{} // closed when run has returned

	mu     sync.Mutex
	caller uint64 // the goroutine that runs, while it calls f; 0 = it does not
}

// run looks until stop is called or look fails.
func (w *pressureWatch) run(look func() (pressure.Snapshot, error)) {
	defer close(w.left)
	var p pacer
	timer := time.NewTimer(0)
	defer timer.Stop()
	for told := false; ; {
		select {
		case <-w.ended:
			return
		case <-timer.C:
		}
		s, err := look()
		if err != nil { // the end was closed, or the segment is gone
			return
		}
		if high, changed := w.judge(told, s.Fill()); changed {
			told = high
			if !w.call(Pressure{High: high, Fill: s.Fill(), Depth: s.Depth()}) {
				return
			}
		}
		timer.Reset(p.next(s.Produced+s.Consumed+s.Lost, told))
	}
}

// judge returns whether the pressure is high, given whether it was, and whether that has changed.
func (w *pressureWatch) judge(was bool, fill float64) (high, changed bool) {
	high = fill >= w.high || was && fill > w.low
	return high, high != was
}

// call calls f, unless stop was called.
func (w *pressureWatch) call(p Pressure) bool {
	w.mu.Lock()
	select {
	case <-w.ended:
		w.mu.Unlock()
		return false
	default:
	}
	w.caller = goroutine()
	w.mu.Unlock()
	w.f(p)
	w.mu.Lock()
	w.caller = 0
	w.mu.Unlock()
	return true
}

func (w *pressureWatch) stop() {
	w.mu.Lock()
	w.once.Do(func() { close(w.ended) })
	caller := w.caller
	w.mu.Unlock()
	if caller != goroutine() {
		<-w.left
	}
}

// goroutine returns the number of the goroutine that calls it, as a stack trace has it.
func goroutine() (number uint64) {
	var buf [64]byte
	line := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	for _, digit := range line {
		if digit < '0' || digit > '9' {
			break
		}
		number = 10*number + uint64(digit-'0')
	}
	return number
}

// pacer says how long it is to the next look.
type pacer struct {
	moved  uint64 // what was counted at the last look
	still  time.Duration
	before time.Duration
}

// next is called with what is counted now.
func (p *pacer) next(moved uint64, high bool) time.Duration {
	if moved != p.moved || p.before == 0 {
		p.moved, p.still, p.before = moved, 0, lookInterval
		return p.before
	}
	p.still += p.before
	if p.still >= settleTime {
		most := maxLookLow
		if high {
			most = maxLookHigh
		}
		p.before = min(2*p.before, most)
	}
	return p.before
}
