package bridge_test

import (
	"testing"
	"time"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
)

// apart are the proxies of a path each of whose bridges has one of its own.
type apart struct{ near, far *proxy }

// proxied starts traffic over a path whose bridges connect through proxies.
func proxied(t *testing.T, s *testServer, l load, opt sluice.ProducerOptions) (p *path, x apart, out, in *bridging, tr *traffic) {
	t.Helper()
	p, x = newPath(t, s.url()), apart{startProxy(t, s.addr()), startProxy(t, s.addr())}
	p.admin() // over a connection without a proxy
	tr = p.traffic(l, opt)
	p.url = x.near.url()
	out = p.out()
	p.url = x.far.url()
	in = p.in()
	p.url = s.url()
	tr.more(100)
	return p, x, out, in, tr
}

func TestBridge_NetworkCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		cut  func(x apart) []*proxy
	}{
		{"at the near side", func(x apart) []*proxy { return []*proxy{x.near} }},
		{"at the far side", func(x apart) []*proxy { return []*proxy{x.far} }},
		{"at both sides", func(x apart) []*proxy { return []*proxy{x.near, x.far} }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			_, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
			for range 5 {
				for _, cut := range c.cut(x) {
					cut.cut()
				}
				time.Sleep(30 * time.Millisecond)
				for _, cut := range c.cut(x) {
					cut.heal()
				}
				tr.crossed()
			}
			tr.finish()
			out.want(nil)
			in.want(nil)
		})
	}
}

// While it is cut off, out holds the producer back, and says so.
func TestBridge_NearCutOff_HoldsTheProducer(t *testing.T) {
	t.Parallel()
	p, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
	x.near.cut()
	tr.stuck()
	p.eventuallyNear(layout.LinkConnecting)
	x.near.heal()
	p.eventuallyNear(layout.LinkRunning)
	tr.more(1000)
	tr.finish()
	out.want(nil)
	in.want(nil)
}

func TestBridge_FarCutOff_IsSaid(t *testing.T) {
	t.Parallel()
	p, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
	x.far.cut()
	p.eventuallyFar(layout.LinkConnecting)
	x.far.heal()
	p.eventuallyFar(layout.LinkRunning)
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// Connections that break again and again, each after some bytes: what was sent has no
// acknowledgement often, and is sent again.
func TestBridge_ConnectionsDropped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		l    load
		opt  sluice.ProducerOptions
	}{
		{"records", records, sluice.ProducerOptions{Capacity: 1 << 17}},
		{"fixed slots", load{seed: 3, size: 32}, sluice.ProducerOptions{SlotSize: 32}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			_, x, out, in, tr := proxied(t, startServer(t), c.l, c.opt)
			for i := range 30 {
				time.Sleep(time.Duration(i*7%40) * time.Millisecond)
				if i%3 != 0 {
					x.near.drop()
				}
				if i%3 != 1 {
					x.far.drop()
				}
			}
			tr.crossed()
			tr.finish()
			out.want(nil)
			in.want(nil)
		})
	}
}

func TestBridge_SlowNetwork(t *testing.T) {
	t.Parallel()
	l := load{seed: 2, size: 500}
	p := newPath(t, startServer(t).url())
	p.admin()
	slow := startProxy(t, p.url[len("nats://"):])
	slow.slow(200 << 10)
	p.url = slow.url()
	produced := p.produce(sluice.ProducerOptions{}, l, 0, 800) // two seconds each way
	out, in := p.out(), p.in()
	wantAll(t, p.consumer(sluice.ConsumerOptions{}), l, 800)
	produced()
	out.want(nil)
	in.want(nil)
}

// A connection that stays open and passes nothing: out says so after three seconds, the producer is
// held back, and all goes on when bytes pass again.
func TestBridge_NearHalfOpen(t *testing.T) {
	t.Parallel()
	p, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
	x.near.pause()
	p.eventuallyNear(layout.LinkNoAck)
	tr.stuck()
	x.near.heal()
	p.eventuallyNear(layout.LinkRunning)
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// The same connection, and then it breaks: what was sent is sent again over another one.
func TestBridge_NearHalfOpen_ThenBroken(t *testing.T) {
	t.Parallel()
	p, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
	x.near.pause()
	p.eventuallyNear(layout.LinkNoAck)
	x.near.cut()
	x.near.heal()
	p.eventuallyNear(layout.LinkRunning)
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

func TestBridge_FarHalfOpen(t *testing.T) {
	t.Parallel()
	_, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
	x.far.pause()
	time.Sleep(time.Second)
	x.far.heal()
	tr.crossed()
	x.far.pause()
	time.Sleep(time.Second)
	x.far.drop()
	x.far.heal()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// The server sends everything again that in has not acknowledged after some time (AckWait).
func TestBridge_FarCutOff_LongerThanAckWait(t *testing.T) {
	testenv.NotShort(t)
	t.Parallel()
	for _, c := range []struct {
		what string
		stop func(x *proxy)
	}{{"paused", (*proxy).pause}, {"cut", (*proxy).cut}} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p, x, out, in, tr := proxied(t, startServer(t), records, sluice.ProducerOptions{Capacity: 1 << 16})
			wait := p.ackWait()
			c.stop(x.far)
			time.Sleep(wait + 2*time.Second)
			x.far.heal()
			tr.crossed()
			tr.finish()
			out.want(nil)
			in.want(nil)
		})
	}
}

// A far ring that is full for longer than that.
func TestBridge_FarRingFull_LongerThanAckWait(t *testing.T) {
	testenv.NotShort(t)
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(func(o *bridge.OutOptions) { o.MaxBytes = 256 << 10 }), p.in()
	tr.more(100)
	tr.hold()
	time.Sleep(p.ackWait() + 2*time.Second)
	tr.resume()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// ackWait returns the AckWait of the far bridge's consumer.
func (p *path) ackWait() (wait time.Duration) {
	p.t.Helper()
	testenv.Eventually(p.t, "a consumer of the stream", func() bool {
		s, err := p.admin().Stream(within(p.t), p.stream)
		if err != nil {
			return false
		}
		for c := range s.ListConsumers(within(p.t)).Info() {
			wait = c.Config.AckWait
		}
		return wait != 0
	})
	return wait
}
