package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"sluice/bridge"
	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/membarrier"
	"sluice/internal/report"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/shm"
)

// several is a run with several rings, each of which has a goroutine of its bridge that calls the
// methods.
type several struct {
	*side
	mu    sync.Mutex
	rep   *report.Many
	rings map[string]*shm.Segment // that have joined
	seen  map[string]bool         // that have joined at some time
}

// runSeveral connects, and passes messages of several rings until their streams have ended or ctx
// is done.
func (s *side) runSeveral(ctx context.Context, pass func(context.Context, *nats.Conn, bridge.RingEvents) error) error {
	membarrier.Prepare()
	r := &several{side: s, rings: map[string]*shm.Segment{}, seen: map[string]bool{}}
	notifier := systemd.New(ctx, layout.Consumer, r.status())
	ctx, _, stop := cli.WithDuration(ctx, s.Duration)
	defer stop()
	nc, ctx, err := s.server.connect(ctx, s.command+" "+strings.Join(s.Names, ","))
	if err != nil {
		return err
	}
	defer nc.Close()
	notifier.ReadyWith(r.status, r.progress)
	r.rep = report.StartMany(report.Options{
		Role: layout.Consumer, Mode: layout.ModeRing, Interval: s.Report, JSON: s.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: ctx.Done(),
	})
	stopNote := cli.NoteWaitingFor("bridge", s.Names, r.joined)
	err = pass(ctx, nc.Conn, bridge.RingEvents{
		Of:      func(name string) bridge.Events { return r.events(nc, name) },
		OnLeave: r.left, OnSkip: r.skipped,
	})
	stopNote()
	notifier.Detach()
	err = cli.IgnoreStop(nc.explain(ctx, err))
	if err == nil || s.JSON || len(r.seen) > 0 {
		r.rep.Finish()
	} else {
		r.rep.Abandon()
	}
	cli.SetLossReport(nil)
	return err
}

// events returns the calls for a ring.
func (r *several) events(nc *connection, name string) bridge.Events {
	return bridge.Events{
		OnAttach: func(seg *shm.Segment, moved func() uint64) { r.join(name, seg, moved) },
		OnDetach: func() { r.leave(name) },
		OnEnd:    func(err error) { r.left(name, err) },
		OnNote: func(text string) {
			if nc.IsConnected() { // else the connection has said what it waits for, and where
				r.note(name, text)
			}
		},
	}
}

func (r *several) join(name string, seg *shm.Segment, moved func() uint64) {
	r.mu.Lock()
	if r.rep.Join(name, seg, moved) != nil {
		r.mu.Unlock()
		return // it was truncated: the bridge says so
	}
	r.rings[name], r.seen[name] = seg, true
	r.mu.Unlock()
	cli.SetLossReport(func() string { return "messages that were not acknowledged are sent again by the next bridge" })
}

// leave is called before the bridge of a ring leaves its segment.
func (r *several) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rings[name] != nil {
		r.rep.Leave(name, layout.EndNone, "left")
		delete(r.rings, name)
	}
}

// left is called when a stream of a ring has ended.
func (r *several) left(name string, err error) {
	why := report.CompleteText
	if err != nil {
		why = cause(err)
	}
	if r.follow {
		why += "; waiting for the next producer"
	}
	r.note(name, why)
}

// skipped is called when a ring cannot be joined now.
func (r *several) skipped(name string, err error) { r.note(name, "skipped for now: "+cause(err)) }

// note prints a line about a ring.
func (r *several) note(name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rep.Note(name, text)
}

// cause returns an error of a line that names the segment.
func cause(err error) string {
	if in := (*shm.SegmentError)(nil); errors.As(err, &in) {
		return in.Cause()
	}
	return err.Error()
}

// joined reports whether a ring of that name, or one that a pattern matches, has joined.
func (r *several) joined(nameOrPattern string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(slices.Collect(maps.Keys(r.seen)), func(name string) bool { return shm.Match(nameOrPattern, name) })
}

// status returns a line for the service manager.
func (r *several) status() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rings) == 0 {
		return "waiting for a producer to create a ring"
	}
	return "sending from " + format.Number(len(r.rings), "ring")
}

// progress calls see with each segment that there is.
func (r *several) progress(see func(*shm.Segment)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, seg := range r.rings {
		see(seg)
	}
}
