package source

import (
	"context"
	"runtime"
	"sync"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/schedule"
	"sluice/layout"
	"sluice/shm"
)

// OpenLoop is the Pace of a load with a schedule: messages are due at times that are fixed when it
// starts, whatever happens to the messages before them. A message that is late, because the queue
// was full or the process was stopped, is sent as soon as possible, and none is skipped. The
// account of what is due is kept in the segment while Run runs.
//
// It measures, so it spins for the last part of each wait: a core is busy, at some thousand
// messages a second and more all the time.
type OpenLoop struct {
	spec  schedule.Spec
	end   time.Duration // nothing is due from then on
	count uint64        // messages of the schedule; 0 = no limit
	input *counter      // of the messages that there are; nil = no limit
	to    Sender
	rings []*layout.Header // of all segments that it sends to

	// Of the goroutine that sends.
	start     time.Time
	times     *schedule.Times
	now       time.Duration // since start, as last read; less than end
	yield     bool          // there is one processor for all goroutines
	flush     func()
	flushedAt time.Duration
	stopAfter func(time.Duration)
}

// NewOpenLoop returns the Pace of messages that are due by s and sent to to, which has the segments
// in, at most count of them (0 = no limit), during duration (0 = no limit). input is what they are
// cut from, nil if they are generated.
//
// Preconditions: s.Rate is greater than 0; input is that of a regular file.
func NewOpenLoop(to Sender, in []*shm.Segment, s schedule.Spec, count uint64, duration time.Duration, input Cutter) *OpenLoop {
	o := &OpenLoop{spec: s, end: min(duration, schedule.Never), count: count, to: to, yield: runtime.GOMAXPROCS(0) == 1}
	for _, seg := range in {
		o.rings = append(o.rings, seg.Header())
	}
	if duration <= 0 {
		o.end = schedule.Never
	}
	if input != nil {
		o.input = input.counter()
	}
	return o
}

// lastBacklog is for how long after the duration messages are sent that were due before its end: so
// that one which the machine delayed for a moment at the very end is not taken for one that the
// queue did not take.
const lastBacklog = 20 * time.Millisecond

// Run starts the schedule now, and calls loop, which sends messages with o as their Pace. When loop
// returns, the schedule ends. What was due by then and is not sent stays unsent. The duration ends
// loop with the end of its context, of which Run says by stopAfter in what time from now it is to
// come. Run must be called once, on a goroutine with shm.Guard.
func (o *OpenLoop) Run(stopAfter func(time.Duration), loop func() error) error {
	o.start, o.times, o.stopAfter = time.Now(), o.spec.Times(), stopAfter
	for _, h := range o.rings {
		endpoint.BeginSchedule(h, monotonic.At(o.start), o.spec.Rate)
	}
	stopAfter(o.end + lastBacklog)
	finish := o.noteDue()
	defer finish() // also when the segment is truncated: the goroutine ends before the segment is closed
	err := loop()
	due := finish()
	for _, h := range o.rings {
		endpoint.NoteDue(h, due)
		endpoint.EndSchedule(h)
	}
	return err
}

// noteEvery is how often the number of messages that are due is written to the segment: what a
// killed producer owes is known to that.
const noteEvery = 10 * time.Millisecond

// noteDue notes what is due until the returned function is called, which returns the last number,
// of the time of its first call. The goroutine that sends cannot do it: it may be held back.
func (o *OpenLoop) noteDue() (finish func() uint64) {
	times, stop := o.spec.Times(), make(chan struct{})
	due := func() uint64 {
		n := times.CountBy(min(time.Since(o.start), o.end-1))
		if o.count > 0 {
			n = min(n, o.count)
		}
		if o.input != nil {
			n = o.input.upTo(n)
		}
		return n
	}
	var noter sync.WaitGroup
	noter.Go(func() {
		tick := time.NewTicker(noteEvery)
		defer tick.Stop()
		_ = shm.Guard(func() error { // the goroutine that sends returns the error
			for {
				select {
				case <-stop:
					return nil
				case <-tick.C:
					due := due()
					for _, h := range o.rings {
						endpoint.NoteDue(h, due)
					}
				}
			}
		})
	})
	return sync.OnceValue(func() uint64 {
		close(stop)
		noter.Wait()
		return due()
	})
}

// BeforeSleep sets a function that Wait calls before it sleeps, and once a millisecond when the
// waits are too short for that, so that nothing is held back for longer.
func (o *OpenLoop) BeforeSleep(fn func()) { o.flush = fn }

// Unlimited is false: every message has its time.
func (o *OpenLoop) Unlimited() bool { return false }

// Wait waits until the next message is due, and tells the producer when it was. At the end of the
// duration it ends ctx, and returns its cause. As long as messages are late it
// reads the clock only when it has caught up with its last reading.
func (o *OpenLoop) Wait(ctx context.Context) error {
	due := o.times.Next()
	if due > o.now {
		if err := o.waitUntil(ctx, due); err != nil {
			return err
		}
	}
	o.to.SetDue(o.start.Add(due))
	return nil
}

// maxHeld is how long a packed message may be held back before a wait that does not sleep. A flush
// before each of those would send every message in a buffer of its own.
const maxHeld = time.Millisecond

// waitUntil waits until due, if that is not over. The lateness of a message counts if the one
// before it was sent before this one was due: else the queue may be what it waited for.
func (o *OpenLoop) waitUntil(ctx context.Context, due time.Duration) error {
	o.readClock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if due >= o.end {
		o.flush()
		sleepUntil(ctx, o.start, o.end)
		o.stopAfter(0)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if due <= o.now {
		return nil
	}
	if due-o.now > spinFor || o.now-o.flushedAt > maxHeld {
		o.flush()
		o.flushedAt = o.now
	}
	sleepUntil(ctx, o.start, due-spinFor)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := spinUntil(o.start, due, o.yield)
	for _, h := range o.rings {
		endpoint.AddTimes(&h.Lateness, endpoint.NoTime, uint64(now-due), 1)
	}
	o.now = min(now, o.end-1)
	return nil
}

func (o *OpenLoop) readClock() { o.now = min(time.Since(o.start), o.end-1) }
