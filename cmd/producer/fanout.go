package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/report"
	"sluice/internal/source"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// fanOutRun sends messages to several rings.
type fanOutRun struct {
	common        cli.Common
	opt           options
	in            *source.Input // nil = generate
	notifier      *systemd.Notifier
	resetDuration func(time.Duration)

	to    *sluice.FanOut
	rings []sluice.FanOutRing // as they were at the start
	keeps []bool              // at the end: that ring keeps what is unread for the next consumer
}

// run creates or joins the segments, sends messages and closes them, and prints reports. signalled
// is done when the producer was asked to stop.
func (r *fanOutRun) run(ctx, signalled context.Context) (err error) {
	if err := r.open(ctx); err != nil {
		return err
	}
	cli.SetLossReport(r.lossReport)
	to := target{r.to, nil, r.to.MaxMessage(), r.to.Align}
	for _, ring := range r.rings {
		to.segments = append(to.segments, ring.Segment)
	}
	move, err := newLoop(to, r.in, r.opt, r.common, r.resetDuration)
	if err != nil {
		cli.SetLossReport(nil)
		r.to.EndAs(layout.EndFailed)
		closeErr := r.to.Close()
		return errors.Join(r.inSmallest(err), closeErr)
	}
	rep := report.StartMany(report.Options{
		Role: layout.Producer, Mode: layout.ModeRing, Interval: r.common.Report, JSON: r.common.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: ctx.Done(), Total: -1,
	})
	if err = r.join(rep); err == nil {
		r.ready()
		err = shm.Guard(func() error {
			err := move(ctx)
			_, last := r.to.SendBatch(ctx, nil) // what has kept the last message from a ring
			return errors.Join(err, last)
		})
	}
	if errors.Is(err, sluice.ErrTooLarge) {
		err = r.inSmallest(err)
	}
	endless := r.in == nil && r.common.Count == 0
	end := endOf(err, endless)
	r.to.EndAs(end)
	r.keepEnds(end, endless && signalled.Err() != nil)
	for i := range r.rings {
		r.leave(rep, i, end)
	}
	r.notifier.Detach()
	cli.SetLossReport(nil)
	closeErr := r.to.Close()
	for i, ring := range r.to.Rings() {
		if r.keeps[i] && ring.Unread > 0 {
			rep.Note(ring.Name, format.Messages(ring.Unread)+" unread, kept for the next consumer")
		}
	}
	if r.in != nil {
		rep.Discarded(r.in.Discarded())
	}
	rep.Finish()
	return errors.Join(cli.IgnoreStop(err), closeErr)
}

func (r *fanOutRun) open(ctx context.Context) (err error) {
	with := sluice.FanOutOptions{
		BlockTimeout: r.opt.blockTimeout,
		Capacity:     r.opt.capacity, Slots: r.opt.slots, Spin: r.common.Spin, Populate: r.common.Populate,
		Access: r.common.Access, Keep: r.common.Keep, Fresh: r.opt.fresh, Framing: r.opt.framing,
	}
	if r.in == nil {
		with.SlotSize = uint64(r.opt.size)
	}
	if r.to, err = sluice.CreateFanOut(ctx, r.opt.to, with); err != nil {
		common := r.common
		var in *shm.SegmentError
		if errors.As(err, &in) {
			common.Name = in.Name
		}
		return withOpenHint(cli.IgnoreStop(err), common, r.opt)
	}
	r.rings = r.to.Rings()
	for _, ring := range r.rings {
		warnFewSlots(ring.Name, ring.Segment.Geometry(), r.opt.slots)
	}
	return nil
}

// inSmallest returns an error about a message that is too large with the ring for which it is, if
// the rings differ.
func (r *fanOutRun) inSmallest(err error) error {
	bySize := func(a, b sluice.FanOutRing) int {
		return cmp.Compare(a.Segment.Geometry().Capacity, b.Segment.Geometry().Capacity)
	}
	smallest := slices.MinFunc(r.rings, bySize)
	if bySize(smallest, slices.MaxFunc(r.rings, bySize)) == 0 {
		return cli.WithSegment("", err)
	}
	return cli.WithSegment(smallest.Name, err)
}

// join adds the rings to the reports.
func (r *fanOutRun) join(rep *report.Many) error {
	for i := range r.rings {
		ring := &r.rings[i]
		if ring.Unread > 0 {
			rep.Note(ring.Name, fmt.Sprintf("continuing after %s left unread in %s", format.Messages(ring.Unread), shm.Path(ring.Name)))
		}
		if err := rep.Join(ring.Name, ring.Segment, func() uint64 { return r.to.Rings()[i].Published }); err != nil {
			return err
		}
	}
	return nil
}

// ready says to systemd that messages are sent.
func (r *fanOutRun) ready() {
	status := func() string { return "sending to " + format.Number(len(r.rings), "ring") }
	r.notifier.ReadyWith(status, func(see func(*shm.Segment)) {
		for _, ring := range r.rings {
			see(ring.Segment)
		}
	})
}

// keepEnds makes Close leave the segments whose next consumer is to receive the end of the stream.
func (r *fanOutRun) keepEnds(end layout.End, endlessStopped bool) {
	for _, ring := range r.rings {
		if pendingEnd(ring.Segment, end, endlessStopped) != layout.EndNone {
			r.to.KeepEnd(ring.Name)
		}
	}
}

// leave ends the reports on a ring, whose stream ends.
func (r *fanOutRun) leave(rep *report.Many, i int, end layout.End) {
	ring := &r.rings[i]
	now, err := pressure.Observe(ring.Segment)
	if err == nil && now.Producer.End == layout.EndDisconnected {
		end = now.Producer.End
	}
	rep.Leave(ring.Name, end, endText(end))
	r.keeps = append(r.keeps, ring.Segment.Absent(layout.Consumer) && ring.Segment.Check() == nil)
}

// endText says how the stream of a ring has ended.
func endText(end layout.End) string {
	switch end {
	case layout.EndComplete:
		return report.CompleteText
	case layout.EndStopped:
		return "the stream was stopped before its end"
	case layout.EndDisconnected:
		return "the consumer is disconnected"
	}
	return "the stream failed before its end"
}

// lossReport stops nothing, and says what is lost when the process exits at once. Any goroutine may
// call it, until the rings are closed.
func (r *fanOutRun) lossReport() string {
	var texts []string
	names := map[string][]string{} // of the rings that have a text
	for _, ring := range r.rings {
		text := lostFromRing(ring.Segment)
		if names[text] == nil {
			texts = append(texts, text)
		}
		names[text] = append(names[text], ring.Name)
	}
	if len(texts) > 1 {
		for i, text := range texts {
			texts[i] = strings.Join(names[text], ", ") + ": " + text
		}
	}
	if r.in != nil && r.in.Size() < 0 {
		texts = append(texts, "input that was read but not sent is lost")
	}
	return strings.Join(texts, "; ")
}
