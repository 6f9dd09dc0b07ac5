package bridge_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
)

// Bridges in this process are stopped at any moment, while messages pass and while the far ring is
// full: each returns soon, and nothing is lost.
func TestBridge_CanceledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		l    load
		opt  sluice.ProducerOptions
	}{
		{"records", records, sluice.ProducerOptions{Capacity: 1 << 15}},
		{"fixed slots", load{seed: 6, size: 40}, sluice.ProducerOptions{SlotSize: 40, Slots: 256}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			tr := p.traffic(c.l, c.opt)
			out, in := p.out(), p.in()
			tr.more(1)
			for i := range 40 {
				if i%10 == 5 {
					tr.hold()
				}
				time.Sleep(rand.N(15 * time.Millisecond))
				switch rand.N(3) {
				case 0:
					out.stop()
					out = p.out()
				case 1:
					in.stop()
					in = p.in()
				case 2:
					out.cancel(errStopped)
					in.stop()
					out.stop()
					out, in = p.out(), p.in()
				}
				if i%10 == 7 {
					tr.resume()
				}
			}
			tr.more(10)
			tr.finish()
			out.want(nil)
			in.want(nil)
			p.eventuallyEmpty()
		})
	}
}

// Nothing that a bridge waits for keeps it from returning when its context is done.
func TestBridge_Canceled_WhileItWaits(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	down := startServer(t)
	down.stop()
	for _, c := range []struct {
		what string
		run  func(t *testing.T, p *path) []*bridging
	}{
		{"for a server", func(t *testing.T, p *path) []*bridging {
			p.url = down.url()
			p.create(sluice.ProducerOptions{})
			b := []*bridging{p.out(), p.in()}
			time.Sleep(100 * time.Millisecond)
			return b
		}},
		{"for a server that does not answer", func(t *testing.T, p *path) []*bridging {
			x := startProxy(t, s.addr())
			p.url = x.url()
			tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 14})
			b := []*bridging{p.out(), p.in()}
			tr.more(10)
			x.pause()
			tr.stuck()
			return b
		}},
		{"for a ring", func(t *testing.T, p *path) []*bridging {
			b := []*bridging{p.out()}
			time.Sleep(100 * time.Millisecond)
			return b
		}},
		{"for messages", func(t *testing.T, p *path) []*bridging {
			p.create(sluice.ProducerOptions{})
			b := []*bridging{p.out(), p.in()}
			p.eventuallyNear(layout.LinkRunning)
			return b
		}},
		{"for a stream", func(t *testing.T, p *path) []*bridging {
			b := []*bridging{p.in()}
			time.Sleep(100 * time.Millisecond)
			return b
		}},
		{"for room in the stream", func(t *testing.T, p *path) []*bridging {
			p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 14})
			b := []*bridging{p.out(func(o *bridge.OutOptions) { o.MaxBytes = 100 << 10 })}
			p.eventuallyNear(layout.LinkFull)
			return b
		}},
		{"for room in the far ring", func(t *testing.T, p *path) []*bridging {
			tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 14})
			tr.hold()
			t.Cleanup(tr.resume)
			b := []*bridging{p.out(func(o *bridge.OutOptions) { o.MaxBytes = 100 << 10 }), p.in()}
			p.eventuallyNear(layout.LinkFull)
			return b
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			for _, b := range c.run(t, newPath(t, s.url())) {
				b.wantRunning()
				b.stop()
			}
		})
	}
}

// A context that is done from the beginning.
func TestBridge_CanceledBefore(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{})
	if err := records.send(within(t), w, 0, 10); err != nil {
		t.Fatal(err)
	}
	nc := connect(t, p.url)
	ctx := testenv.Canceled()
	testenv.WantErr(t, bridge.Out(ctx, nc, p.near, bridge.OutOptions{Stream: p.stream, Subject: p.subject}), context.Canceled)
	testenv.WantErr(t, bridge.In(ctx, nc, p.far, bridge.InOptions{Stream: p.stream, Subject: p.subject}), context.Canceled)
	if n := w.Unread(); n != 10 {
		t.Errorf("%d messages are left in the near ring, want 10", n)
	}
}
