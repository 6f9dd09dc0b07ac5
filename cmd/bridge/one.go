package main

import (
	"context"
	"errors"
	"os"

	"github.com/nats-io/nats.go"

	"sluice/bridge"
	"sluice/internal/cli"
	"sluice/internal/endpoint"
	"sluice/internal/membarrier"
	"sluice/internal/report"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/shm"
)

// one is a run with one ring. All its methods are called by one goroutine: that of the bridge.
type one struct {
	*side
	role     layout.Role
	ctx      context.Context
	notifier *systemd.Notifier
	rep      *report.Reporter // of the present segment, or of the next one
	attached bool             // rep has been attached to a segment
	waiting  func()           // stops the note that there is no segment yet
}

// runOne connects, and passes messages of one ring until the stream has ended or ctx is done.
func (s *side) runOne(ctx context.Context, role layout.Role, pass func(context.Context, *nats.Conn, bridge.Events) error) error {
	membarrier.Prepare()
	r := &one{side: s, role: role, waiting: func() {}}
	status := "waiting for a producer to create the segment"
	if role == layout.Producer {
		status = "waiting for the stream"
	}
	r.notifier = systemd.New(ctx, role, status)
	ctx, _, stop := cli.WithDuration(ctx, s.Duration)
	defer stop()
	nc, ctx, err := s.server.connect(ctx, s.command+" "+s.Name)
	if err != nil {
		return err
	}
	defer nc.Close()
	r.ctx = ctx
	r.notifier.ReadyToWait(status)
	r.start()
	if role == layout.Consumer {
		r.waiting = cli.NoteWaiting("bridge", s.Name)
	}
	err = pass(ctx, nc.Conn, bridge.Events{
		OnAttach: r.attach, OnDetach: r.detach, OnEnd: r.ended,
		OnNote: func(text string) { r.note(text, nc.IsConnected()) },
	})
	return r.finish(nc.explain(ctx, err))
}

// start begins to report on a segment that is not there yet.
func (r *one) start() {
	r.attached = false
	r.rep = report.Start(report.Options{
		Role: r.role, Name: r.Name, Mode: layout.ModeRing, Interval: r.Report, JSON: r.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: r.ctx.Done(), Total: -1,
	})
}

// note is called with what the bridge waits for, and when that is over.
func (r *one) note(text string, connected bool) {
	if connected { // else the connection has said what it waits for, and where
		cli.Note("bridge", r.Name, text, "")
	}
	if !r.attached { // else the header of the segment has it
		r.notifier.Wait(text)
	}
}

// attach is called when the bridge has joined a segment.
func (r *one) attach(seg *shm.Segment, moved func() uint64) {
	r.waiting()
	if r.attached { // another one has replaced it
		r.next()
	}
	if r.rep.Attach(seg, moved) != nil {
		return // it was truncated: the bridge says so
	}
	r.attached = true
	r.notifier.Ready(seg)
	cli.SetLossReport(func() string { return "messages that were not acknowledged are sent again by the next bridge" })
}

// detach is called before the bridge leaves the segment.
func (r *one) detach() {
	cli.SetLossReport(nil)
	r.rep.Detach()
	if r.attached {
		r.notifier.Wait("waiting for the next segment")
	}
	if r.attached && r.follow && r.ctx.Err() == nil {
		r.next()
	}
}

// next ends the reports on a segment, and begins those on the next one.
func (r *one) next() {
	r.rep.Following()
	r.rep.Finish()
	r.start()
}

// ended is called when a stream has ended and the bridge waits for the next one.
func (r *one) ended(err error) { r.rep.Ended(err) }

// finish ends the run, which has ended with err.
func (r *one) finish(err error) error {
	r.waiting()
	r.notifier.Detach()
	left := cli.IgnoreStop(err)
	switch {
	case err == nil:
		r.endedAs(nil)
	case errors.Is(err, layout.ErrIncomplete):
		r.endedAs(err)
	}
	if r.attached || r.JSON || left == nil {
		r.rep.Finish()
	} // else the error says it all
	if errors.As(left, new(refusal)) {
		return left
	}
	return cli.WithSegment(r.Name, left)
}

// endedAs tells the last report how the stream has ended.
func (r *one) endedAs(incomplete error) {
	switch {
	case r.role == layout.Consumer:
		r.rep.EndedAs(incomplete)
	case incomplete == nil:
		r.rep.EndingAs(layout.EndComplete)
	default:
		r.rep.EndingAs(endpoint.EndOf(incomplete))
	}
}
