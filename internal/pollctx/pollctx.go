// Package pollctx lets a context end what waits for a file: poll(2) with a
// descriptor that becomes readable when the context is done. A read or a write
// that sleeps in the kernel can be interrupted by no context.
package pollctx

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/liveness"
)

// Poller waits for descriptors as long as its context allows. It is for one
// goroutine.
type Poller struct {
	ctx    context.Context
	stop   *os.File // an eventfd, readable when ctx is done
	unstop func() bool
	since  time.Time // when Wait has first seen that ctx is done
}

// New returns a Poller for ctx. Close it.
func New(ctx context.Context) (*Poller, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	p := &Poller{ctx: ctx, stop: os.NewFile(uintptr(fd), "stop")}
	p.unstop = context.AfterFunc(ctx, func() { p.stop.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) })
	return p, nil
}

// Wait returns nil when one of the poll(2) events, or an error or hang-up, is
// there on fd, and the cause of the context when that is done first. grace is
// how much longer all calls together wait then.
func (p *Poller) Wait(fd int, events int16, grace time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(p.stop.Fd()), Events: unix.POLLIN}}
	for {
		left, stopping := int(liveness.Every.Milliseconds()), p.ctx.Err() != nil
		if stopping {
			if p.since.IsZero() {
				p.since = time.Now()
			}
			fds, left = fds[:1], int(max(0, grace-time.Since(p.since)).Milliseconds())
		}
		n, err := unix.Poll(fds, left)
		switch {
		case err == unix.EINTR: // a signal that is somebody else's
		case err != nil:
			return os.NewSyscallError("poll", err)
		case fds[0].Revents != 0:
			return nil
		case n == 0 && stopping:
			return context.Cause(p.ctx)
		}
		liveness.Beat()
	}
}

// Retry calls open until it returns another error than again, or the context is
// done.
func (p *Poller) Retry(again error, open func() error) error {
	const pause = 20 * time.Millisecond
	for {
		if err := open(); err != again {
			return err
		}
		liveness.Beat()
		select {
		case <-p.ctx.Done():
			return context.Cause(p.ctx)
		case <-time.After(pause):
		}
	}
}

// Close ends the Poller. The context may go on.
func (p *Poller) Close() error {
	p.unstop()
	return p.stop.Close()
}
