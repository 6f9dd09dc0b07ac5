package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/replace"
	"sluice/internal/report"
	"sluice/internal/sink"
	"sluice/layout"
	"sluice/shm"
)

// fanIn receives from several rings.
type fanIn struct {
	settings

	rep     *report.Many
	from    *sluice.FanIn
	out     *sink.Output   // nil without --output
	framing layout.Framing // of the output; FramingNone until the first message
	waits   sink.WaitTime  // of out
	fault   error          // what --verify has found in rings that have left
	ready   bool           // the notifier was told of a ring

	early []*sluice.Source // that have joined while open runs, which closes them if it fails

	mu    sync.Mutex // for other goroutines that read rings
	rings map[*sluice.Source]*joined
	seen  map[string]bool // names of rings that have joined
}

// joined is a ring that is there.
type joined struct {
	check   *sink.Verify // nil without --verify
	written bool         // some of its messages are in the output
}

// receiveSeveral receives from all rings that there are until their streams have ended.
func receiveSeveral(ctx context.Context, s settings) (err error) {
	f := &fanIn{settings: s, rings: map[*sluice.Source]*joined{}, seen: map[string]bool{}}
	f.rep = report.StartMany(report.Options{
		Role: layout.Consumer, Mode: layout.ModeRing, Interval: s.common.Report, JSON: s.common.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: ctx.Done(),
	})
	if f.from, err = f.open(ctx); err != nil {
		if s.common.JSON { // there is always a last line
			f.rep.Finish()
		} else {
			f.rep.Abandon()
		}
		return cli.IgnoreStop(f.explain(err))
	}
	for _, ring := range f.early {
		f.join(ring)
	}
	cli.SetLossReport(func() string { return "unreleased messages are delivered to the next consumer" })
	stopNote := cli.NoteWaitingFor("consumer", s.common.Names, f.joined)
	err = f.receive(ctx)
	stopNote()
	return f.close(f.explain(err))
}

// open joins the rings that are there.
func (f *fanIn) open(ctx context.Context) (*sluice.FanIn, error) {
	return sluice.OpenFanIn(ctx, f.common.Names, sluice.FanInOptions{
		Follow: f.opt.follow, Keep: f.common.Keep, Access: f.common.Access, Spin: f.common.Spin, Populate: f.common.Populate,
		Weight: f.opt.weights.Of, OnJoin: f.join, OnLeave: f.leave, OnSkip: f.skip,
		OnMissed: func(s *sluice.Source, n uint64) { f.rep.Missed(s.Name(), n) },
	})
}

// join is called when a ring has joined.
func (f *fanIn) join(s *sluice.Source) {
	if f.from == nil {
		f.early = append(f.early, s)
		return
	}
	ring := new(joined)
	err := f.rep.Join(s.Name(), s.Segment(), s.Released)
	if err == nil && f.opt.verify {
		ring.check, err = newCheck(s.Segment())
	}
	if err != nil {
		return // it was truncated: the next call for a message says so
	}
	f.mu.Lock()
	f.rings[s], f.seen[s.Name()] = ring, true
	f.mu.Unlock()
	if !f.ready {
		f.ready = true
		f.notifier.ReadyWith(f.status, f.progress)
	}
}

// leave is called when a ring leaves, before its segment is closed.
func (f *fanIn) leave(s *sluice.Source, err error) {
	f.mu.Lock()
	ring := f.rings[s]
	delete(f.rings, s)
	f.mu.Unlock()
	f.verified(s, ring)
	why := report.CompleteText
	replaced := errors.Is(err, shm.ErrRemoved) && replace.Done(s.Segment())
	switch in := (*shm.SegmentError)(nil); {
	case replaced:
		why = "the segment was replaced; waiting for the next one"
	case errors.As(err, &in):
		why = in.Cause() // the line names the segment
	case err != nil:
		why = err.Error()
	}
	if f.opt.follow && !replaced {
		next := "producer"
		if endpoint.EndOf(err) == layout.EndDisconnected {
			next = "stream" // of the same one
		}
		why += "; waiting for the next " + next
	}
	if err == nil || errors.Is(err, layout.ErrIncomplete) {
		f.rep.LeaveEnded(s.Name(), err, why)
	} else {
		f.rep.Leave(s.Name(), layout.EndNone, why)
	}
}

// skip is called when a segment cannot be joined now, and is tried again.
func (f *fanIn) skip(name string, err error) {
	why := err.Error()
	if in := (*shm.SegmentError)(nil); errors.As(err, &in) {
		why = in.Cause()
	}
	f.rep.Note(name, "skipped for now: "+why)
}

// verified takes what --verify has found in a ring, nil if it has failed as it joined.
func (f *fanIn) verified(s *sluice.Source, ring *joined) {
	if ring == nil || ring.check == nil {
		return
	}
	check := ring.check
	now, err := readCounts(s.Segment())
	if err != nil {
		return // the ring has failed: its error says so
	}
	if err := verdictOf(check, now); err != nil {
		f.fault = errors.Join(f.fault, cli.WithSegment(s.Name(), err))
		return
	}
	dropped, lost := check.DroppedAndLost(now)
	f.rep.Verified(s.Name(), check.Checked, dropped, lost)
}

// receive moves messages into the sinks until all streams have ended.
func (f *fanIn) receive(ctx context.Context) error {
	defer f.drain.watch(f.waiting)()
	drain := f.drain.ctx
	if f.opt.output != "" {
		f.rep.OutputWait(f.waits.Total)
		stopNote := cli.NoteNoReader("consumer", "", f.opt.output)
		var err error
		f.out, err = sink.OpenOutput(drain, f.opt.output, func() layout.Framing { return f.framing }, &f.waits)
		stopNote()
		if err != nil {
			return err
		}
	}
	lim := sink.Limits{Rate: f.rate, Work: f.opt.work, Count: f.common.Count, HoldBytes: 1 << 20, HoldMessages: 512}
	err := shm.Guard(func() error { return sink.DrainFrom(drain, f.from, f.write, lim) })
	if errors.Is(err, shm.ErrTruncated) {
		err = f.truncated(err)
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, layout.ErrIncomplete) {
		err = nil
	}
	return cli.IgnoreStop(err)
}

// truncated adds to err, of which a part may be a fault of an unknown segment, the segments that
// were truncated.
func (f *fanIn) truncated(err error) error {
	for _, s := range f.joinedNow() {
		if is := s.Segment().Check(); errors.Is(is, shm.ErrTruncated) {
			err = errors.Join(err, is)
		}
	}
	return err
}

// joinedNow returns the rings that are there, by name.
func (f *fanIn) joinedNow() []*sluice.Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Keys(f.rings), func(a, b *sluice.Source) int { return strings.Compare(a.Name(), b.Name()) })
}

// write passes messages of one ring to the sinks.
func (f *fanIn) write(s *sluice.Source, msgs [][]byte) error {
	ring := f.rings[s] // only this goroutine writes the map; nil if it has failed as it joined
	if ring != nil && ring.check != nil {
		if err := ring.check.Write(msgs); err != nil {
			return err
		}
	}
	if f.out == nil {
		return nil
	}
	if f.framing == layout.FramingNone { // that of the first ring is that of all
		if f.framing = cli.OutputFraming(f.opt.framing, s.Framing(), f.opt.output); f.opt.prefix && !sink.HasNames(f.framing) {
			return rawPrefixError("--source")
		}
	}
	if ring != nil && !ring.written {
		ring.written = true
		if is := s.Framing(); f.opt.framing == layout.FramingNone && is != layout.FramingNone && is != f.framing {
			f.rep.Note(s.Name(), fmt.Sprintf("%v framing is written as %v, that of the first message; --framing chooses one for all", is, f.framing))
		}
	}
	if f.opt.prefix {
		f.out.SetSource(s.Name())
	}
	return f.out.Write(msgs)
}

// waiting reports whether a ring has messages of a producer that has ended, and whether the
// producers of such rings may be alive: that is for the drainer.
func (f *fanIn) waiting() (alive, waiting bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	alive = true
	for s := range f.rings {
		if a, w := producerState(s.Segment()); w && !a {
			return false, true
		} else if w {
			waiting = true
		}
	}
	return alive, waiting
}

// joined reports whether a ring of that name, or one that a pattern matches, has joined.
func (f *fanIn) joined(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for seen := range f.seen {
		if shm.Match(name, seen) {
			return true
		}
	}
	return false
}

// status returns a line for the service manager.
func (f *fanIn) status() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "receiving from " + format.Number(len(f.rings), "ring")
}

// progress calls see with each segment that there is.
func (f *fanIn) progress(see func(*shm.Segment)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.rings {
		see(s.Segment())
	}
}

// close ends the run, of which err is the error so far.
func (f *fanIn) close(err error) error {
	f.notifier.Detach()
	rings := f.joinedNow()
	f.mu.Lock()
	joined := f.rings
	f.rings = nil // nobody else reads segments any more
	f.mu.Unlock()
	for _, s := range rings {
		f.verified(s, joined[s])
		unread := uint64(0)
		_ = shm.Guard(func() error { unread = s.Unread(); return nil }) // Close returns the error
		if unread > 0 && s.Segment().Absent(layout.Producer) && s.Segment().Check() == nil {
			f.rep.Note(s.Name(), "messages are unread and kept for the next consumer")
		}
	}
	f.rep.Finish()
	cli.SetLossReport(nil)
	err = errors.Join(err, f.fault, f.from.Close())
	if f.out != nil {
		err = errors.Join(err, f.out.Close())
	}
	return cli.IgnoreStop(err)
}

// explain adds hints that are for several rings.
func (f *fanIn) explain(err error) error {
	parts := []error{err}
	if joined := cli.JoinedErrors(err); joined != nil {
		parts = slices.Clone(joined)
	}
	for i, part := range parts {
		switch {
		case errors.Is(part, layout.ErrMode):
			parts[i] = cli.WithHint(part, "receive a transfer with a consumer that has only its --name")
		case endpoint.EndOf(part) == layout.EndDisconnected:
			parts[i] = cli.WithHint(part, disconnectedHint)
		case errors.Is(part, layout.ErrIncomplete) && f.opt.output == "":
			parts[i] = cli.WithHint(part, restartHint)
		}
	}
	return errors.Join(parts...)
}
