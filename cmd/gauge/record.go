package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/metrics"
	"sluice/internal/observe/monitor"
	"sluice/internal/sink"
	"sluice/internal/stdio"
	"sluice/layout"
	"sluice/shm"
)

func recordCommand() cli.App {
	return cli.App{
		Name:  "record",
		Usage: "write a row of metrics every interval until the pair ends",
		About: "Waits for the segment if there is none yet, and for a side if no process is in it. If the\npair has ended already, it waits a second for another run and writes two rows. The last row\nis written when the pair ends, whatever the interval. Of several segments, or those that match\na pattern, each row has the name after the time; segments that come later join, and it ends\nwhen all pairs have ended.\n\nThe output is CSV with a header line. timeSec is seconds since the first row; the other\ncolumns are keys of the reports (docs/metrics.md). Latency is in nanoseconds. Values of\nan interval are for the time since the previous row; an unknown value is an empty field.",
		Examples: []string{
			"gauge record --name demo --output demo.csv",
			"gauge record --interval 1s --output - | column -ts,",
			"gauge record --output sensors.csv 'sensor-*'   rows of several segments, with their names",
		},
		Flags: []urfave.Flag{
			cli.NamesFlag("demo"),
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
	names, err := cli.GetNames(c)
	if err != nil {
		return err
	}
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
	err = cli.IgnoreStop(rows(ctx, names, interval, w))
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

// rows writes a row of each segment at each tick until the pairs have ended or ctx is done, and
// then a last one.
func rows(ctx context.Context, names []string, interval time.Duration, w *csv.Writer) error {
	r := &recorder{w: w, names: names, segments: map[string]*recorded{}, unreadable: map[string]bool{}}
	r.named = len(names) > 1 || shm.IsPattern(names[0])
	if err := w.Write(r.head()); err != nil {
		return err
	}
	f := monitor.New(names, 1)
	defer f.Close()
	f.Ended = func(p *monitor.Pair) { r.of(p).removed(p) }
	tick := time.NewTicker(interval)
	defer tick.Stop()
	notice := time.NewTimer(noticeDelay)
	defer notice.Stop()
	what := what(names)
	for waited := false; ; {
		found, over := r.found(), r.over()
		if err := r.poll(f, false); err != nil || r.ended() {
			return err
		}
		switch {
		case r.occupied():
			notice.Stop()
		case r.found() && !found, r.over() && !over:
			notice.Reset(noticeDelay)
		case waited && !r.found():
			cli.Note("gauge", only(names), "waiting for "+what, cli.SimilarSegments(names[0]))
		case waited && r.over():
			cli.Note("gauge", only(names), fmt.Sprintf("the pair in %s has ended already", what), "to record another run in it, start a side within a second, or before")
			return r.poll(f, true)
		case waited:
			cli.Note("gauge", only(names), fmt.Sprintf("waiting for a producer or a consumer: no process is in %s", what), "gauge stat shows its state")
		}
		waited = false
		select {
		case <-ctx.Done():
			err := r.poll(f, true)
			if r.firstAt == 0 && err == nil {
				cli.Note("gauge", only(names), "nothing was recorded: there was no "+what, "")
			}
			return errors.Join(err, context.Cause(ctx))
		case <-notice.C:
			waited = true
		case <-tick.C:
		}
	}
}

// what names the segments that are recorded.
func what(names []string) string {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	return "segment " + strings.Join(quoted, " or ")
}

// recorder writes the rows of the segments.
type recorder struct {
	w        *csv.Writer
	names    []string
	named    bool                 // the rows have the names of their segments
	segments map[string]*recorded // that were found, by name
	firstAt  uint64               // time of the first row, monotonic ns
	err      error                // of the output

	unreadable map[string]bool // segments that cannot be read, and were reported
}

// recorded is a segment whose rows are written.
type recorded struct {
	*recorder
	lastAt   uint64 // time of the last row, monotonic ns
	found    bool   // there is such a segment
	occupied bool   // a side was alive in it
	over     bool   // no side was alive since it was found, but both roles had been held before
	overAt   uint64 // while over: how often the roles had been taken
	ended    bool   // the last row is written
}

// head returns the names of the columns.
func (r *recorder) head() []string {
	head := []string{"timeSec"}
	if r.named {
		head = append(head, "name")
	}
	return append(head, metrics.Columns()...)
}

// of returns the state of the pair's segment.
func (r *recorder) of(p *monitor.Pair) *recorded {
	s := r.segments[p.Name]
	if s == nil {
		s = &recorded{recorder: r}
		r.segments[p.Name] = s
	}
	return s
}

// any reports whether is is true of a segment.
func (r *recorder) any(is func(s *recorded) bool) bool {
	for _, s := range r.segments {
		if is(s) {
			return true
		}
	}
	return false
}

// found reports whether there is a segment of each name, and one that matches each pattern.
func (r *recorder) found() bool {
	for _, name := range r.names {
		matches := false
		for n, s := range r.segments {
			matches = matches || s.found && shm.Match(name, n)
		}
		if !matches {
			return false
		}
	}
	return true
}

func (r *recorder) occupied() bool { return r.any(func(s *recorded) bool { return s.occupied }) }

// over reports whether all segments are.
func (r *recorder) over() bool {
	return r.found() && !r.any(func(s *recorded) bool { return s.found && !s.over })
}

// ended reports whether all segments of which a side was alive have ended, one at least, and each
// name and pattern has come.
func (r *recorder) ended() bool {
	for _, name := range r.names {
		came := false
		for n, s := range r.segments {
			came = came || (s.ended || s.over) && shm.Match(name, n)
		}
		if !came {
			return false
		}
	}
	return r.any(func(s *recorded) bool { return s.ended }) && !r.any(func(s *recorded) bool { return s.occupied && !s.ended })
}

// poll writes a row of each segment.
func (r *recorder) poll(f *monitor.Monitor, last bool) error {
	pairs, err := f.Poll()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		switch {
		case p.Err == nil:
			r.of(p).step(p, last)
		case slices.Contains(r.names, p.Name):
			return p.Err
		case !r.unreadable[p.Name]: // it matches a pattern, and may not be meant
			r.unreadable[p.Name] = true
			cli.Note("gauge", p.Name, p.Err.Error(), "it is not recorded")
		}
	}
	if r.w.Flush(); r.err == nil {
		r.err = r.w.Error()
	}
	return r.err
}

// step writes a row of the segment. For a pair that is over it writes only the first and the last
// row.
func (r *recorded) step(p *monitor.Pair, last bool) {
	if r.ended {
		return
	}
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

// removed writes the last row of a pair whose segment was removed.
func (r *recorded) removed(p *monitor.Pair) {
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
func (r *recorded) row(p *monitor.Pair) {
	if r.firstAt == 0 {
		r.firstAt = p.Now.At
	}
	if r.err != nil || p.Now.At == r.lastAt {
		return
	}
	r.lastAt = p.Now.At
	sample := metrics.Sample{Name: p.Name, Mode: p.Now.Geometry.Mode, Now: &p.Now, Interval: p.Step, Verdict: p.Verdict}
	since := metrics.Duration(time.Duration(p.Now.At - r.firstAt))
	fields := []string{since.CSV()}
	if r.named {
		fields = append(fields, p.Name)
	}
	r.err = r.w.Write(append(fields, sample.Row()...))
}
