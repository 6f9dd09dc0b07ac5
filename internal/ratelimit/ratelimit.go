// Package ratelimit slows a loop down: to a rate, or by a time of work for each
// message.
package ratelimit

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"sluice/internal/liveness"
)

// Pace lets bursts of messages through at a steady average rate. A nil *Pace
// lets everything through.
type Pace struct {
	limiter *rate.Limiter
	burst   int
	left    int // messages of this tick
	idle    func()
}

// BeforeSleep makes Wait call fn before it waits.
func (p *Pace) BeforeSleep(fn func()) {
	if p != nil {
		p.idle = fn
	}
}

// New returns a Pace of perSecond messages a second, burst of them at a time;
// nil when perSecond is 0. After a delay it catches up by 10 ms worth at most,
// so that a short stall does not lower the average and a long one brings no
// flood.
func New(perSecond float64, burst int) *Pace {
	if perSecond <= 0 {
		return nil
	}
	spare := max(burst, int(perSecond/100))
	l := rate.NewLimiter(rate.Limit(perSecond), spare)
	l.AllowN(time.Now(), spare-burst) // nothing to catch up with at the start
	return &Pace{limiter: l, burst: burst}
}

// Wait returns when the next message may go, or with the cause of ctx.
func (p *Pace) Wait(ctx context.Context) error {
	if p == nil {
		return nil
	}
	if p.left == 0 {
		if delay := p.limiter.ReserveN(time.Now(), p.burst).Delay(); delay > 0 {
			if p.idle != nil {
				p.idle()
			}
			sleep(ctx, delay)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.left = p.burst
	}
	p.left--
	return nil
}

// Work takes d of time, or less when ctx is done. Below a millisecond it keeps
// the processor busy: a timer would be late by more than that.
func Work(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	if d < time.Millisecond {
		for began := time.Now(); time.Since(began) < d; {
		}
		return
	}
	sleep(ctx, d)
}

// sleep takes d of time, or less when ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(min(d, liveness.Every))
	defer t.Stop()
	for until := time.Now().Add(d); ; t.Reset(min(time.Until(until), liveness.Every)) {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if liveness.Beat(); !now.Before(until) {
				return
			}
		}
	}
}
