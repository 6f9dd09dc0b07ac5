package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// Some hints depend on the state of the segment: a consumer can only be sped up if it is
// running, and messages that it holds cannot be discarded.

// hasConsumer reports whether a consumer is alive and, as far as the segment shows, connected
// to this producer.
func hasConsumer(seg pressure.Segment) bool {
	s, err := pressure.Observe(seg)
	return err == nil && s.Consumer.Alive && (s.Consumed > 0 || !s.Disconnected())
}

// pendingEnd returns the end of the stream that the next consumer is to receive. It is EndNone
// if a consumer has received this end, or if an endless stream was stopped after its consumer
// had left and no earlier end is pending.
func pendingEnd(seg pressure.Segment, end layout.End, endlessStopped bool) layout.End {
	s, err := pressure.Observe(seg)
	switch {
	case err != nil, s.Consumer.EndSeen == s.Producer.Generation:
		return layout.EndNone
	case end == layout.EndComplete && endlessStopped && s.Consumer.Generation > 0 && s.UntoldEnds == 0:
		return layout.EndNone
	}
	return end
}

// withRunHint adds a hint to the error that ended the loop or the delivery, from the state of
// the segment.
func withRunHint(err error, seg pressure.Segment, common cli.Common, opt options) error {
	limit, full := errors.Is(err, transfer.ErrLimit), errors.Is(err, ring.ErrFull)
	s, lookErr := pressure.Observe(seg)
	switch {
	case lookErr != nil || !limit && !full && !errors.Is(err, transfer.ErrUndelivered):
		return err
	case !s.Consumer.Alive && errors.Is(socketError(common), transfer.ErrNoDirectory):
		return cli.WithHint(err, "there is no directory for the socket %s: %s, and start a consumer", common.Socket, cli.NoDirectoryHint)
	case s.Disconnected() && !hasConsumer(seg):
		return cli.WithHint(err, "give both sides the same --socket, or the same XDG_RUNTIME_DIR")
	case limit && !s.Consumer.Alive:
		return cli.WithHint(err, "start a consumer first, allow more (--limit), or let the producer wait for one (--on-limit block, or --mode ring)%s", paddingHint(err, &s, opt))
	case limit:
		return cli.WithHint(err, "%s%s", cli.LimitHint, paddingHint(err, &s, opt))
	case full && !s.Consumer.Alive:
		return cli.WithHint(err, "start a consumer, or let the producer wait for one with --on-full block")
	case full && s.Geometry.Slots > 0 && s.Depth() >= s.Geometry.Slots:
		return cli.WithHint(err, "speed the consumer up, choose more --slots, or let the producer wait with --on-full block")
	}
	return err
}

// packedBuffer is a usual --buffer for small messages, in bytes.
const packedBuffer = 64 << 10

// paddingHint explains why the messages in flight use more than twice as much memory as they
// have bytes; "" if they do not.
func paddingHint(err error, s *pressure.Snapshot, opt options) string {
	var limit *transfer.LimitError
	if !errors.As(err, &limit) || s.Produced == 0 {
		return ""
	}
	size := float64(s.ProducedBytes) / float64(s.Produced)
	switch {
	case size*float64(limit.Waiting) >= float64(limit.Limit)/2:
		return ""
	case opt.buffer > 0 && opt.recycle:
		return "; a recycled buffer counts with its full size, however little it holds: choose a smaller --buffer, or omit --recycle"
	case opt.buffer > 0:
		return "; a buffer counts in whole pages, however little it holds"
	}
	text := "; a message counts in whole pages: --buffer packs small ones together"
	if limit.Limit < transfer.MinLimit+packedBuffer {
		text += fmt.Sprintf(", with a --limit that is %s larger than the buffer", format.FlagSize(transfer.MinLimit))
	}
	return text
}

// withOpenHint adds a hint to an error of open, from the state of the existing segment.
func withOpenHint(err error, common cli.Common, opt options) error {
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
		return cli.WithHint(err, "omit --fresh to reuse the segment, or stop that process first")
	case errors.Is(err, ring.ErrType) && s.Consumer.Alive && s.Depth() > 0:
		return cli.WithHint(err, "wait until its consumer has received them, or choose another --name")
	case errors.Is(err, ring.ErrType) && s.Consumer.Alive:
		return cli.WithHint(err, "choose another --name, or stop its consumer first")
	case errors.Is(err, ring.ErrGeometry) && s.Consumer.Alive && s.Depth() > 0:
		return cli.WithHint(err, "omit --capacity and --slots to reuse it, or wait until its consumer has received them")
	case errors.Is(err, ring.ErrGeometry) && s.Consumer.Alive:
		return cli.WithHint(err, "omit --capacity and --slots to reuse it, or stop its consumer first")
	case errors.Is(err, ring.ErrFraming):
		return cli.WithHint(err, "%s", framingHint(v.Header(), s.Consumer.Alive, opt))
	case errors.Is(err, layout.ErrMode) && s.Consumer.Alive:
		return cli.WithHint(err, "reuse it with --mode %v, choose another --name, or stop its consumer first", s.Geometry.Mode)
	case errors.Is(err, layout.ErrMode):
		return cli.WithHint(err, "reuse it with --mode %v, let a consumer drain it, discard it with --fresh, or choose another --name", s.Geometry.Mode)
	}
	return err
}

// framingHint is the hint for a producer whose framing differs from that of the unread messages.
func framingHint(h *layout.Header, consumer bool, opt options) string {
	text := "wait until its consumer has received them, or choose another --name"
	if !consumer {
		text = "let a consumer receive them first, discard them with --fresh, or choose another --name"
	}
	var left layout.Framing
	_ = shm.Guard(func() error { left = h.ProducerStats.LoadFraming(); return nil })
	if opt.input != "" && left != layout.FramingNone {
		text = fmt.Sprintf("use --framing %v if it fits the input, or ", left) + text
	}
	return text
}
