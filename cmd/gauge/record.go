package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/metrics"
	"sluice/internal/observe/monitor"
	"sluice/internal/sink"
	"sluice/internal/stdio"
	"sluice/layout"
)

func recordCommand() cli.App {
	return cli.App{
		Name:  "record",
		Usage: "write a row of metrics every interval until the pair ends",
		About: "Waits for the segment if there is none yet, and for a side if no process is in it. If the\npair has ended already, it waits a second for another run and writes two rows. The last row\nis written when the pair ends, whatever the interval.\n\nThe output is CSV with a header line. timeSec is seconds since the first row; the other\ncolumns are keys of the reports (docs/metrics.md). Latency is in nanoseconds. Values of\nan interval are for the time since the previous row; an unknown value is an empty field.",
		Examples: []string{
			"gauge record --name demo --output demo.csv",
			"gauge record --interval 1s --output - | column -ts,",
		},
		Flags: []urfave.Flag{
			cli.NameFlag("demo"),
			cli.TimeFlag("interval", 10*time.Millisecond, 1, "`TIME` between two rows, more than 0"),
			&urfave.DurationFlag{Name: "duration", Usage: "stop after `TIME`; 0 = no limit"},
			&urfave.StringFlag{Name: "output", Value: "-", Usage: "write to `FILE`, which is replaced; - for standard output"},
		},
		Argument: "name",
		File:     "output",
		Run:      record,
	}
}

func record(ctx context.Context, c *urfave.Context) error {
	name := cli.GetName(c)
	var err error
	interval, duration := c.Duration("interval"), c.Duration("duration")
	ctx, _, stop := cli.WithDuration(ctx, duration)
	defer stop()
	path := c.String("output")
	if path == "" {
		return cli.UsageError("--output: want the name of a file, or - for standard output")
	}
	if path == "-" {
		err = stdio.Check(1)
	} else {
		err = stdio.CheckPath(path)
	}
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	stopNote := cli.NoteNoReader("gauge", "", path)
	out, err := sink.OpenOutput(ctx, path, func() layout.Framing { return layout.FramingRaw }, new(sink.WaitTime))
	stopNote()
	if err != nil {
		if cli.IgnoreStop(err) == nil {
			err = cli.WithHint(fmt.Errorf("output: no process has %s open for reading; nothing was recorded", sink.NameOf(path)), "start the reader first, or record to a file: --output FILE")
		}
		return err
	}
	w := csv.NewWriter(output{out})
	err = cli.IgnoreStop(rows(ctx, name, interval, w))
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return errors.Join(err, out.Close())
}

// output writes rows. A blocked write ends when the command is stopped.
type output struct{ *sink.Output }

// Write implements io.Writer.
func (o output) Write(rows []byte) (int, error) {
	switch err := o.Output.Write([][]byte{rows}); {
	case err == nil:
		return len(rows), nil
	case cli.IgnoreStop(err) == nil, errors.Is(err, sink.ErrNotRead):
		return 0, cli.WithHint(errors.New("the reader of the output does not read: the last rows were not written"), "keep the reader running until gauge has exited, or record to a file: --output FILE")
	default:
		return 0, err
	}
}

// noticeDelay is how long record waits for its segment, or for a side, before it prints a notice:
// it is long enough for a side that is started together with it.
const noticeDelay = time.Second

// rows writes a row at each tick until the pair has ended or ctx is done, and then a last one.
func rows(ctx context.Context, name string, interval time.Duration, w *csv.Writer) error {
	head := append([]string{"timeSec"}, metrics.Columns()...)
	if err := w.Write(head); err != nil {
		return err
	}
	r := &recorder{w: w}
	f := monitor.New([]string{name}, 1)
	defer f.Close()
	f.Ended = r.removed
	tick := time.NewTicker(interval)
	defer tick.Stop()
	notice := time.NewTimer(noticeDelay)
	defer notice.Stop()
	for waited := false; ; {
		found, over := r.found, r.over
		if err := r.poll(f, false); err != nil || r.ended {
			return err
		}
		switch {
		case r.occupied:
			notice.Stop()
		case r.found && !found, r.over && !over:
			notice.Reset(noticeDelay)
		case waited && !r.found:
			cli.Note("gauge", name, fmt.Sprintf("waiting for segment %q", name), cli.SimilarSegments(name))
		case waited && r.over:
			cli.Note("gauge", name, fmt.Sprintf("the pair in segment %q has ended already", name), "to record another run in it, start a side within a second, or before")
			return r.poll(f, true)
		case waited:
			cli.Note("gauge", name, fmt.Sprintf("waiting for a producer or a consumer: no process is in segment %q", name), "gauge stat shows its state")
		}
		waited = false
		select {
		case <-ctx.Done():
			err := r.poll(f, true)
			if r.firstAt == 0 && err == nil {
				cli.Note("gauge", name, fmt.Sprintf("nothing was recorded: there was no segment %q", name), "")
			}
			return errors.Join(err, context.Cause(ctx))
		case <-notice.C:
			waited = true
		case <-tick.C:
		}
	}
}

// recorder writes the rows of one segment.
type recorder struct {
	w        *csv.Writer
	firstAt  uint64 // time of the first row, monotonic ns
	lastAt   uint64 // of the last one
	found    bool   // there is a segment
	occupied bool   // a side was alive in it
	over     bool   // no side was alive since it was found, but both roles had been held before
	overAt   uint64 // while over: how often the roles had been taken
	ended    bool   // the last row is written
	err      error  // of the output
}

// poll writes a row if there is a segment. For a pair that is over it writes only the first and
// the last row.
func (r *recorder) poll(f *monitor.Monitor, last bool) error {
	pairs, err := f.Poll()
	switch {
	case err != nil:
		return err
	case r.ended || len(pairs) == 0:
	case pairs[0].Err != nil:
		return pairs[0].Err
	default:
		p := pairs[0]
		r.found = true
		alive := p.Now.Producer.Alive || p.Now.Consumer.Alive
		over := !r.occupied && !alive && hadBothSides(p)
		if !over || !r.over || last {
			r.row(p)
		}
		r.over, r.overAt = over, generations(p)
		r.ended = r.occupied && !alive
		r.occupied = r.occupied || alive
	}
	if r.w.Flush(); r.err == nil {
		r.err = r.w.Error()
	}
	return r.err
}

// removed writes the last row of a pair whose segment was removed.
func (r *recorder) removed(p *monitor.Pair) {
	if r.over && r.overAt == generations(p) { // no role was taken again: the next run is in another segment
		r.over, r.found = false, false
		return
	}
	r.row(p)
	r.ended = r.ended || r.occupied || hadBothSides(p)
}

// generations is how often the roles were taken.
func generations(p *monitor.Pair) uint64 {
	return p.Now.Producer.Generation + p.Now.Consumer.Generation
}

// hadBothSides reports whether each role was held at least once.
func hadBothSides(p *monitor.Pair) bool {
	return p.Now.Producer.Generation > 0 && p.Now.Consumer.Generation > 0
}

// row writes a row, unless it would be of the same time as the one before.
func (r *recorder) row(p *monitor.Pair) {
	if r.firstAt == 0 {
		r.firstAt = p.Now.At
	}
	if r.err != nil || p.Now.At == r.lastAt {
		return
	}
	r.lastAt = p.Now.At
	sample := metrics.Sample{Name: p.Name, Mode: p.Now.Geometry.Mode, Now: &p.Now, Interval: p.Step, Verdict: p.Verdict}
	since := metrics.Duration(time.Duration(p.Now.At - r.firstAt))
	r.err = r.w.Write(append([]string{since.CSV()}, sample.Row()...))
}
