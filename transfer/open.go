package transfer

import (
	"context"
	"errors"

	"sluice/internal/endpoint"
	"sluice/internal/gate"
	"sluice/internal/monotonic"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// Open takes the consumer role in the segment called name, waits for that to appear
// if there is none, and listens for its producer.
//
// Errors: shm.ErrName, fs.ErrPermission, ErrRoleTaken when a consumer is alive,
// layout.ErrMode when the segment is a ring, layout.ErrNotSegment, ErrVersion,
// ErrCorrupt and shm.ErrUntrusted for a file that is no healthy segment, ErrPeer for a
// place where no socket of one's own can be, ErrNoDirectory, and the cause of ctx.
func Open(ctx context.Context, name string, opt ReceiverOptions) (*Receiver, error) {
	seg, err := shm.OpenWait(ctx, name, layout.Consumer, opt.Access)
	if err != nil {
		closeListener(opt.Listener)
		return nil, err
	}
	return OpenSegment(seg, opt)
}

// OpenSegment is Open for a segment in which the consumer role is taken already. It
// owns seg from here on, also when it fails.
func OpenSegment(seg *shm.Segment, opt ReceiverOptions) (r *Receiver, err error) {
	err = shm.Guard(func() error { r, err = newReceiver(seg, opt); return err })
	if err != nil {
		closeListener(opt.Listener)
		_, leaveErr := seg.Leave(never)
		return nil, shm.InSegment(endpoint.OpOpen, seg.Name(), err, leaveErr)
	}
	return r, nil
}

func newReceiver(seg *shm.Segment, opt ReceiverOptions) (*Receiver, error) {
	if err := checkMode(seg); err != nil {
		return nil, err
	}
	path, err := resolve(opt.Socket, seg.Name())
	if err != nil && opt.Listener == nil {
		return nil, err
	}
	if err := probeReceive(); err != nil {
		return nil, err
	}
	h := seg.Header()
	r := &Receiver{
		segment: seg, peer: &h.ProducerStats, follow: opt.Follow, onEnd: opt.OnEnd,
		progress: progress{
			own: &h.ConsumerStats, cursor: &h.Consumer, times: newTakeTimes(h),
			sleeper: sleep.NewFenced(sleep.WordsOf(h, layout.Consumer), sleep.SpinNever, nil),
		},
		stopped: make(chan struct{}), closeTimeout: gate.CloseTimeout, deferred: &deferredUnmap{},
	}
	// Before anything is written: a consumer that is refused here was none.
	var socket *listenSocket
	if opt.Listener != nil {
		socket = inherited(opt.Listener)
	} else if socket, err = listen(path, opt.Access, path == SocketPath(seg.Name())); err != nil {
		return nil, err
	}
	if err := shm.Guard(func() error { r.attach(socket.path, opt); return nil }); err != nil {
		return nil, errors.Join(err, socket.close())
	}
	r.accept = newAcceptor(socket, opt.Access, h.Identity.CreatedAt.Load())
	return r, nil
}

// attach goes on where the last consumer has released.
func (r *Receiver) attach(socketPath string, opt ReceiverOptions) {
	r.resume()
	h := r.segment.Header()
	r.lostBefore = r.lost - endpoint.LostUnreported(h)
	r.ends = endpoint.WatchEnds(h)
	h.ConsumerSocket.Store(socketPath)
	r.blocked = endpoint.TakeOver(r.own, endpoint.Self(), monotonic.Now, opt.Keep)
	r.own.Replace.Store(uint64(opt.Replaceable))
	r.sleeper.Attach(r.blocked)
	endpoint.Begin(r.own)
}
