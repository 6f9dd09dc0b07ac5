// Package pollctx waits for a file until a context is done: poll(2) with a second descriptor
// that becomes readable then. A context cannot interrupt a blocking read or write.
package pollctx

import (
	"context"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/liveness"
)

// Poller waits for descriptors until its context is done. It is for one goroutine.
type Poller struct {
	ctx             context.Context
	stop            *os.File // an eventfd, readable when ctx is done
	cancelAfterFunc func() bool
	doneSince       time.Time // when Wait first found that ctx is done
}

// New returns a Poller for ctx. The caller must close it.
func New(ctx context.Context) (*Poller, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	p := &Poller{ctx: ctx, stop: os.NewFile(uintptr(fd), "stop")}
	p.cancelAfterFunc = context.AfterFunc(ctx, func() { p.stop.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) })
	return p, nil
}

// Wait returns nil when fd has one of the poll(2) events, an error or a hang-up. When the
// context is done, it returns the cause of the context, after up to grace more: that is the
// total for all calls.
func (p *Poller) Wait(fd int, events int16, grace time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(p.stop.Fd()), Events: unix.POLLIN}}
	for {
		left, stopping := maxPoll(), p.ctx.Err() != nil
		if stopping {
			if p.doneSince.IsZero() {
				p.doneSince = time.Now()
			}
			fds, left = fds[:1], int(max(0, grace-time.Since(p.doneSince)).Milliseconds())
		}
		n, err := unix.Poll(fds, left)
		switch {
		case err == unix.EINTR: // a signal, such as the runtime's for preemption
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

// maxPoll returns the longest that a poll may take, ms. Without a watchdog that is 24 days: what is
// waited for wakes it, and so does the end of the context.
func maxPoll() int {
	return int(min(liveness.Bound(math.MaxInt64).Milliseconds(), math.MaxInt32))
}

// Retry calls open every 20 ms until it returns an error other than retryOn, or the context is
// done.
func (p *Poller) Retry(retryOn error, open func() error) error {
	const pause = 20 * time.Millisecond
	for {
		if err := open(); err != retryOn {
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

// Close closes the Poller. It does not affect the context.
func (p *Poller) Close() error {
	p.cancelAfterFunc()
	return p.stop.Close()
}
