package sluice

import (
	"fmt"
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
// f is called on that goroutine, one call at a time. It may call stop, and Close of the end. After
// stop no call begins; stop does not wait for one that is under way. Any goroutine may call it, and
// again.
//
// The looks end, too, when the end is closed or its segment is truncated by another program. f is
// not called for that, even if it was told High last: a program that goes on with another end
// resets what f has set.
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
	w := newPressureWatch(fill, f)
	go w.run(func() (pressure.Snapshot, error) { return pressure.ObserveQueue(seg) })
	return w.stop, nil
}

const opOnPressure = "watch"

// pressureWatch looks at a queue, and tells when it is full.
type pressureWatch struct {
	f         func(Pressure)
	high, low float64
	ended     chan struct{} // closed by stop
	stop      func()
}

func newPressureWatch(fill float64, f func(Pressure)) *pressureWatch {
	w := &pressureWatch{f: f, high: fill, low: fill * lowShare, ended: make(chan struct{})}
	w.stop = sync.OnceFunc(func() { close(w.ended) })
	return w
}

// run looks until stop is called or look fails.
func (w *pressureWatch) run(look func() (pressure.Snapshot, error)) {
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
			select {
			case <-w.ended: // during the look
				return
			default:
			}
			told = high
			w.f(Pressure{High: high, Fill: s.Fill(), Depth: s.Depth()})
		}
		timer.Reset(p.next(s.Produced+s.Consumed+s.Lost, told))
	}
}

// judge returns whether the pressure is high, given whether it was, and whether that has changed.
func (w *pressureWatch) judge(was bool, fill float64) (high, changed bool) {
	high = fill >= w.high || was && fill > w.low
	return high, high != was
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
