package ring

import (
	"cmp"
	"context"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/shm"
)

// writerSide is what the producer's ends of both kinds of rings share: policy, samples, the end of
// the stream.
type writerSide struct {
	side

	onFull     Policy
	resumed    uint64
	startCount uint64 // messages published before this end
	flow
	resumes bool         // an earlier Writer has begun the stream, and published something since the creation
	end     layout.End   // of the stream, for Close
	before  layout.End   // of the stream before, if no Reader was told, and this one has no end yet
	segment *shm.Segment // nil on plain memory
	keepEnd bool         // keep the segment when no Reader was told of the end

	sampler sampler
	samples endpoint.SampleWriter
	dueAt   uint64 // when the messages from now on are due, monotonic ns; 0 = at no time
}

func newWriterSide(mem Memory, opt WriterOptions) writerSide {
	return writerSide{
		side:   newSide(mem, layout.Producer, opt.Spin, opt.Keep, opt.peerStatus),
		onFull: cmp.Or(opt.OnFull, Block),
		flow:   flow{maxAbsence: opt.MaxAbsence, blockTimeout: opt.BlockTimeout, reader: opt.peerStatus},
		end:    layout.EndComplete,
	}
}

// begin takes over from the last holder of the role.
func (w *writerSide) begin(opt WriterOptions) (endpoint.Position, error) {
	w.before = endpoint.UntoldEnd(w.mem.Header)
	unended := endpoint.Died(w.ownStats)
	pos, err := w.attach()
	if err != nil {
		return pos, err
	}
	w.startCount, w.streamStart = pos.Count, pos.Count
	w.resumes = unended && pos.Count > 0
	w.resumed = pos.Count - w.mem.Header.Count(layout.Consumer)
	w.sampler.begin(pos.Count)
	w.samples = endpoint.NewSampleWriter(w.mem.Header, pos.Index)
	w.ownStats.Framing.Store(uint64(opt.Framing))
	w.ownStats.OnFull.Store(uint64(w.onFull))
	w.ownStats.BlockTimeout.Store(uint64(w.blockTimeout))
	if !opt.KeepOrigin {
		w.mem.Header.Origin.Current.Store(0) // before a message of this Writer moves Count
	}
	return pos, nil
}

// Resumed returns how many unread messages were in the ring when this end took its role.
func (w *writerSide) Resumed() uint64 { return w.resumed }

// Segment returns the mapped segment, nil on plain memory.
func (w *writerSide) Segment() *shm.Segment { return w.segment }

// Unread returns how many published messages no Reader has released, as Close has left them
// once this end is closed.
func (w *writerSide) Unread() uint64 { return w.unread() }

// KeepEnd makes Close leave the segment, even with no message in it, when no Reader was told
// that the stream has ended. The next Reader is told then, and does not wait for another stream
// to begin. If another Writer comes first, it goes on with the segment, and its Reader is told
// that a stream was not complete.
func (w *writerSide) KeepEnd() {
	w.gate.Enter()
	if !w.gate.Closed() { // else Close is looking at it
		w.keepEnd = true
	}
	w.gate.Leave()
}

// EndAs sets how Close ends the stream; without it, as complete. With layout.EndStopped and
// layout.EndFailed the Reader gets ErrIncomplete at the end. With layout.EndNone Close does not end
// it: the Reader waits for the next Writer, as after a kill. If nothing was published, an earlier
// end that no Reader was told of is told then, as if this Writer had not come.
func (w *writerSide) EndAs(end layout.End) {
	w.gate.Enter()
	if !w.gate.Closed() {
		w.end = end
	}
	w.gate.Leave()
}

// callError is endpoint.CallError.
func (w *writerSide) callError(ctx context.Context, op string, err error) error {
	return endpoint.CallError(ctx, op, w.segment, err)
}

// noteDepth raises the high-water mark, given how many messages are written and how many the Reader
// has released.
func (w *writerSide) noteDepth(written, released uint64) {
	if depth := written - released; int64(depth) > int64(w.ownStats.HighWater.LoadRelaxed()) {
		w.ownStats.HighWater.StoreRelaxed(depth)
	}
}

// setDue is SetDue before message number count. It reports whether the bound of the fast path has
// to be set again.
func (w *writerSide) setDue(dueAt, count uint64) (changed bool) {
	switch {
	case (dueAt == 0) != (w.dueAt == 0):
		// No sample stands for messages of both kinds.
		w.sampler.begin(count)
		changed = true
	case dueAt >= w.sampler.late && dueAt != 0 && !w.sampler.due(count):
		w.sampler.next = count
		changed = true
	}
	w.dueAt = dueAt
	return changed
}

// stageSample looks whether message number count, which lies at an index, is a sample, and makes
// it one.
func (w *writerSide) stageSample(count, index uint64) {
	// The Reader's cache line is loaded here, for both, and nowhere else at a sample.
	queued := w.samples.Queued()
	w.noteDepth(count, w.mem.Header.Count(layout.Consumer))
	if n := w.sampler.look(count, w.dueAt, queued); n > 0 {
		w.samples.Stage(index, w.dueAt, n)
		if w.dueAt != 0 {
			w.sampler.adapt(w.dueAt)
		}
	}
}

// publishSamples stores the time in the samples that are staged, and as progress of this side.
func (w *writerSide) publishSamples() {
	now := monotonic.Now()
	n := w.samples.Publish(now)
	if w.dueAt == 0 {
		for range n {
			w.sampler.adapt(now)
		}
	}
	w.ownStats.ProgressAt.StoreRelaxed(now)
}

// sampleOften makes samples denser from message number count on: a side has slept. Where messages
// have due times, those say how dense they are to be.
func (w *writerSide) sampleOften(count uint64) {
	if w.dueAt == 0 {
		w.sampler.denser(count)
	}
}
