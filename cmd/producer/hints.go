package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// What to do about some errors depends on who is there: a consumer that never came is not
// to be sped up, and what one holds cannot be discarded.

// meets reports whether a consumer is there, and as far as can be seen takes what this
// producer sends.
func meets(seg pressure.Segment) bool {
	s, err := pressure.Observe(seg)
	return err == nil && s.Consumer.Alive && (s.Consumed > 0 || !s.Disconnected())
}

// telling is the end that a consumer is to be told of when it comes later, EndNone for none:
// one was told already, or the load had no end of its own and went on until somebody
// stopped it, after its consumer had left, and nobody is to be told of an earlier one.
func telling(seg pressure.Segment, end layout.End, endlessStopped bool) layout.End {
	s, err := pressure.Observe(seg)
	switch {
	case err != nil, s.Consumer.EndSeen == s.Producer.Generation:
		return layout.EndNone
	case end == layout.EndComplete && endlessStopped && s.Consumer.Generation > 0 && s.UntoldEnds == 0:
		return layout.EndNone
	}
	return end
}

// advise returns what has ended a run with a hint for the state that the segment is in.
func advise(err error, seg pressure.Segment, opt options) error {
	limit, full := errors.Is(err, transfer.ErrLimit), errors.Is(err, ring.ErrFull)
	s, lookErr := pressure.Observe(seg)
	switch {
	case lookErr != nil || !limit && !full && !errors.Is(err, transfer.ErrUndelivered):
		return err
	case s.Disconnected() && !meets(seg):
		return cli.WithHint(err, "give both sides the same --socket, or the same XDG_RUNTIME_DIR")
	case limit && !s.Consumer.Alive:
		return cli.WithHint(err, "start a consumer, allow more (--limit), or use --mode ring, where the producer waits for one%s", padding(err, &s, opt))
	case limit:
		return cli.WithHint(err, "%s%s", cli.LimitHint, padding(err, &s, opt))
	case full && !s.Consumer.Alive:
		return cli.WithHint(err, "start a consumer, or let the producer wait for one with --on-full block")
	case full && s.Geometry.Slots > 0 && s.Depth() >= s.Geometry.Slots:
		return cli.WithHint(err, "speed the consumer up, choose more --slots, or let the producer wait with --on-full block")
	}
	return err
}

// padding says why the messages in flight take more than twice the memory that they have
// bytes; "" where they do not.
func padding(err error, s *pressure.Snapshot, opt options) string {
	var limit *transfer.LimitError
	if !errors.As(err, &limit) || s.Produced == 0 {
		return ""
	}
	size := float64(s.ProducedBytes) / float64(s.Produced)
	switch {
	case size*float64(limit.Waiting) >= float64(limit.Limit)/2:
		return ""
	case opt.buffer > 0 && opt.recycle:
		return "; a recycled buffer counts whole, however little is in it: choose a smaller --buffer, or leave --recycle out"
	case opt.buffer > 0:
		return "; a buffer counts for whole pages, however little is in it"
	}
	return "; a message counts for whole pages: --buffer packs small ones together"
}

// adviseOpening is advise for what has kept this producer from its role in a segment that
// is there.
func adviseOpening(err error, common cli.Common, opt options) error {
	if errors.Is(err, shm.ErrNoSpace) && common.Mode == layout.ModeTransfer {
		return cli.WithHint(err, "free space there, or enlarge it: mount -o remount,size=... /dev/shm")
	}
	if errors.Is(err, unix.EFBIG) && common.Mode == layout.ModeRing {
		return cli.WithHint(err, "allow larger files (ulimit -f), or choose a smaller --capacity")
	}
	v, lookErr := shm.OpenView(common.Name)
	if lookErr != nil {
		return err
	}
	defer v.Close()
	s, lookErr := pressure.Observe(v)
	if lookErr != nil {
		return err
	}
	switch {
	case errors.Is(err, shm.ErrRoleTaken) && opt.fresh && !s.Producer.Alive:
		return cli.WithHint(err, "leave --fresh out to go on with it, or stop that process first")
	case errors.Is(err, ring.ErrGeometry) && s.Consumer.Alive:
		return cli.WithHint(err, "leave --capacity and --slots out to go on with it, or stop its consumer first")
	case errors.Is(err, ring.ErrFraming):
		return cli.WithHint(err, "%s", otherFraming(v.Header(), s.Consumer.Alive, opt))
	case errors.Is(err, layout.ErrMode) && s.Consumer.Alive:
		return cli.WithHint(err, "go on with it in --mode %v, choose another --name, or stop its consumer first", s.Geometry.Mode)
	case errors.Is(err, layout.ErrMode):
		return cli.WithHint(err, "go on with it in --mode %v, let a consumer drain it, discard it with --fresh, or choose another --name", s.Geometry.Mode)
	}
	return err
}

// otherFraming says what helps a producer whose messages would have another framing than
// those that are unread.
func otherFraming(h *layout.Header, consumer bool, opt options) string {
	text := "wait until its consumer has taken them, or choose another --name"
	if !consumer {
		text = "let a consumer receive them first, discard them with --fresh, or choose another --name"
	}
	var left layout.Framing
	_ = shm.Guard(func() error { left = h.ProducerStats.LoadFraming(); return nil })
	if opt.input != "" && left != layout.FramingNone {
		text = fmt.Sprintf("go on with --framing %v if the input is cut so, or ", left) + text
	}
	return text
}
