package ring

import (
	"cmp"
	"context"
	"io"

	"sluice/internal/cpu"
	"sluice/internal/endpoint"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// readerSide is what the consumer's ends of both kinds of rings share: samples, the ends of
// streams, the wait for the next message.
type readerSide struct {
	side

	startCount  uint64 // messages released before this end
	corrupt     error  // found by a call that has no error to return; the next one returns it
	pollBackoff uint32 // pauses before the next load of the Writer's index
	minBatch    uint64 // bytes that a load should bring
	follow      bool
	keepEnd     bool // leave the end of the stream to the next Reader
	leaveEnd    bool // likewise, but in good order
	ends        endpoint.EndWatch
	reported    uint64      // the producer whose end onEnd was told of; 0 = none
	onEnd       func(error) // nil = not wanted
	missed      missed
	writer      peerStatus   // nil on plain memory
	segment     *shm.Segment // nil on plain memory
	samples     endpoint.SampleReader

	notifier *sleep.Notifier // nil until Ready or ReadyFD
	watched  []*sleep.Member // of the notifier: this end
}

func newReaderSide(mem Memory, opt ReaderOptions) readerSide {
	return readerSide{
		side:   newSide(mem, layout.Consumer, opt.Spin, opt.Keep, opt.peerStatus),
		follow: opt.Follow,
		onEnd:  opt.OnEnd,
		missed: missed{report: opt.OnMissed},
		writer: opt.peerStatus,

		minBatch: min(maxBatchBytes, mem.Geometry.Capacity/4),
	}
}

// begin takes over from the last holder of the role.
func (r *readerSide) begin(opt ReaderOptions) (endpoint.Position, error) {
	pos, err := r.attach()
	if err != nil {
		return pos, err
	}
	r.startCount = pos.Count
	r.ownStats.Replace.Store(uint64(opt.Replaceable))
	r.samples = endpoint.NewSampleReader(r.mem.Header)
	r.ends = endpoint.WatchEnds(r.mem.Header)
	r.ends.Await()
	r.missed.told = r.ownStats.Missed.Load()
	return pos, nil
}

// Segment returns the mapped segment, nil on plain memory.
func (r *readerSide) Segment() *shm.Segment { return r.segment }

// Unread returns how many published messages are not released, as Close has left them once
// this end is closed.
func (r *readerSide) Unread() uint64 { return r.unread() }

// Framing returns how the producer cut its input into messages, FramingNone if
// it did not say or this end is closed.
func (r *readerSide) Framing() layout.Framing {
	r.gate.Enter()
	defer r.gate.Leave()
	if r.gate.Closed() {
		return layout.FramingNone
	}
	return r.peerStats.LoadFraming()
}

// KeepEnd makes Close leave as a kill does: the next Reader is told how the stream has ended, also
// when this one was, and the segment stays for it when the Writer ends the stream meanwhile and
// everything was released. It is for a Reader that passes the stream on, and has not passed on the
// end.
func (r *readerSide) KeepEnd() {
	r.gate.Enter()
	if !r.gate.Closed() { // else Close is looking at it
		r.keepEnd = true
	}
	r.gate.Leave()
}

// LeaveEnd is KeepEnd for a Reader that takes what a Writer has left whose stream has ended: it
// leaves in good order, so it does not count as one that has died. A Writer that comes later does
// not keep the segment for the next Reader; Keep does.
func (r *readerSide) LeaveEnd() {
	r.gate.Enter()
	if !r.gate.Closed() {
		r.keepEnd, r.leaveEnd = true, true
	}
	r.gate.Leave()
}

// callError is endpoint.CallError.
func (r *readerSide) callError(ctx context.Context, err error) error {
	return endpoint.CallError(ctx, endpoint.OpReceive, r.segment, err)
}

// end reports why no message will come, given that there is none now: io.EOF or ErrIncomplete when
// the stream is over, nil when one may come. refresh looks at the Writer; holdsNone says that
// everything that was taken is released.
func (r *readerSide) end(refresh func() (bool, error), holdsNone bool) (bool, error) {
	generation, due := r.ends.Due()
	if !due {
		if r.peerStats.Replace.Load() != 0 {
			return false, ErrRemoved
		}
		return false, nil
	}
	// The producer publishes its last message before it stores StateClosed.
	if ok, err := refresh(); ok || err != nil {
		return ok, err
	}
	over, incomplete := r.ends.Report(generation)
	switch {
	case !over:
		return false, nil
	case !r.follow:
		return false, cmp.Or(incomplete, io.EOF)
	}
	if generation != r.reported {
		r.reported = generation
		if r.onEnd != nil {
			r.onEnd(r.callError(context.Background(), incomplete))
		}
	}
	if holdsNone { // else a successor takes what is held, and is told then
		r.ends.Acknowledge()
		r.ends.Await()
	}
	return false, nil
}

// Loading the Writer's index takes its cache line away from the Writer's processor, which then
// waits for it at the next publish. A Reader that loads it after every few messages slows both
// sides down to the rate at which that line can move. So it pauses before the load as long as
// loads bring less than minBatch, and no longer once one brings nothing. minBatch is a quarter of
// the ring, maxBatchBytes at most. maxPollBackoff pauses take about a microsecond.
const (
	maxBatchBytes  = 4096
	maxPollBackoff = 64
)

// backOff changes the pauses before the next load after one that has brought so many bytes. They
// are most at the most.
func (r *readerSide) backOff(pauses *uint32, most uint32, arrived uint64) {
	if arrived < r.minBatch {
		*pauses = min(2**pauses+1, most)
	} else {
		*pauses -= (*pauses + 3) / 4 // down to 0
	}
}

// waitFor waits until c is ready.
func (r *readerSide) waitFor(ctx context.Context, c member) error {
	if r.pollBackoff > 0 {
		cpu.Pause(r.pollBackoff)
	}
	if ok, err := c.Ready(); ok || err != nil {
		r.backOff(&r.pollBackoff, maxPollBackoff, c.arrived())
		return err
	}
	r.pollBackoff = 0
	if r.notifier != nil {
		r.notifier.Disarm()
	}
	return r.await(ctx, c)
}

// shutDown is that of a side. The notifier does not use the memory any more then.
func (r *readerSide) shutDown(bound *layout.Uint64, seg *shm.Segment) (idle bool) {
	idle = r.side.shutDown(bound, seg)
	if r.notifier != nil && r.notifier.Close() && idle {
		r.sleeper.Unwatch()
	}
	return idle
}
