// Package ratelimit slows down a loop: to a rate, or by a fixed time for each message.
package ratelimit

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"sluice/internal/liveness"
)

// Limiter allows bursts of messages at a steady average rate. A nil *Limiter allows all.
type Limiter struct {
	limiter     *rate.Limiter
	burst       int
	burstLeft   int // messages of the present burst that are still allowed
	beforeSleep func()
}

// BeforeSleep sets a function that Wait calls before it sleeps.
func (p *Limiter) BeforeSleep(fn func()) {
	if p != nil {
		p.beforeSleep = fn
	}
}

// New returns a Limiter for perSecond messages per second in bursts of burst; nil if perSecond is
// 0. After a delay it catches up by at most 10 ms of messages, so that a short stall does not
// lower the average and a long one does not cause a large burst.
func New(perSecond float64, burst int) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	maxBurst := max(burst, int(perSecond/100))
	l := rate.NewLimiter(rate.Limit(perSecond), maxBurst)
	l.AllowN(time.Now(), maxBurst-burst) // start with one burst
	return &Limiter{limiter: l, burst: burst}
}

// Wait waits until the next message is allowed, or returns the cause of ctx.
func (p *Limiter) Wait(ctx context.Context) error {
	if p == nil {
		return nil
	}
	if p.burstLeft == 0 {
		if delay := p.limiter.ReserveN(time.Now(), p.burst).Delay(); delay > 0 {
			if p.beforeSleep != nil {
				p.beforeSleep()
			}
			sleep(ctx, delay)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.burstLeft = p.burst
	}
	p.burstLeft--
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
	sleep(ctx, d)
}

// sleep sleeps for d, or less when ctx is done. It calls liveness.Beat for the watchdog.
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
