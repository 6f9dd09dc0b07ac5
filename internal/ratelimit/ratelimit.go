// Package ratelimit slows down a loop: to a rate, or by a fixed time for each message.
package ratelimit

import (
	"context"
	"time"

	"sluice/internal/liveness"
	"sluice/internal/schedule"
)

// Limiter allows messages at the times of a schedule, which a delay shifts. A nil *Limiter allows
// all. One goroutine may use it.
type Limiter struct {
	times       *schedule.Times
	start       time.Time     // of the schedule, by the first Wait
	shift       time.Duration // by which delays have moved the schedule
	now         time.Duration // since start, as last read
	beforeSleep func()
}

// maxCatchUp is how much of a delay is caught up, so that a short one does not lower the average
// rate and a long one does not cause a large burst.
const maxCatchUp = 10 * time.Millisecond

// New returns a Limiter for the times of s; nil if the rate is 0.
func New(s schedule.Spec) *Limiter {
	if s.Rate <= 0 {
		return nil
	}
	return &Limiter{times: s.Times()}
}

// BeforeSleep sets a function that Wait calls before it sleeps.
func (p *Limiter) BeforeSleep(fn func()) {
	if p != nil {
		p.beforeSleep = fn
	}
}

// Unlimited reports whether all messages are allowed at all times.
func (p *Limiter) Unlimited() bool { return p == nil }

// Wait waits until the next message is allowed, or returns the cause of ctx. A message that was
// allowed when the last one was costs no reading of the clock, nor a look at ctx.
func (p *Limiter) Wait(ctx context.Context) error {
	if p == nil {
		return nil
	}
	due := p.times.Next() + p.shift
	if due < p.now {
		return nil
	}
	return p.wait(ctx, due)
}

func (p *Limiter) wait(ctx context.Context, due time.Duration) error {
	if p.start.IsZero() {
		p.start = time.Now()
	}
	p.now = time.Since(p.start)
	if late := p.now - due; late > maxCatchUp {
		p.shift += late - maxCatchUp
	} else if late < 0 {
		if p.beforeSleep != nil {
			p.beforeSleep()
		}
		Sleep(ctx, -late)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Work takes the time d, or less when ctx is done. Below a millisecond it spins: a timer could
// be late by more than d.
func Work(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	if d < time.Millisecond {
		for began := time.Now(); time.Since(began) < d; {
		}
		return
	}
	Sleep(ctx, d)
}

// Sleep sleeps for d, or less when ctx is done. It calls liveness.Beat for the watchdog.
func Sleep(ctx context.Context, d time.Duration) {
	until := time.Now().Add(d) // not later than the timer: one that fires a little early would need a second one
	t := time.NewTimer(liveness.Bound(d))
	defer t.Stop()
	for ; ; t.Reset(liveness.Bound(time.Until(until))) {
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
