package bridge_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
)

func TestBridge_ServerRestarted(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newPath(t, s.url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	for range 3 {
		s.stop()
		time.Sleep(20 * time.Millisecond)
		s.start()
		tr.crossed()
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// The server is killed, and finds what it had acknowledged in its files.
func TestBridge_ServerKilled(t *testing.T) {
	t.Parallel()
	s := startServerProcess(t)
	p := newPath(t, s.url)
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	for i := range 5 {
		if i == 2 {
			in.stop() // the stream holds messages when the server is killed
			time.Sleep(50 * time.Millisecond)
		}
		s.Kill()
		s.start(t, nil, "")
		if i == 2 {
			in = p.in()
		}
		tr.crossed()
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// The stream's messages are there after a restart.
func TestBridge_ServerRestarted_FullStream(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newPath(t, s.url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out := p.out(func(o *bridge.OutOptions) { o.MaxBytes = 512 << 10 })
	p.eventuallyNear(layout.LinkFull)
	s.stop()
	p.eventuallyNear(layout.LinkConnecting)
	s.start()
	p.eventuallyNear(layout.LinkFull)
	in := p.in()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// Bridges that start before there is a server wait for it.
func TestBridge_ServerComesLast(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newPath(t, s.url())
	s.stop()
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.stuck()
	out.wantRunning()
	in.wantRunning()
	s.start()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

func TestBridge_MemoryStream(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{})
	out, in := p.out(func(o *bridge.OutOptions) { o.Storage = jetstream.MemoryStorage }), p.in()
	tr.more(1000)
	tr.finish()
	out.want(nil)
	in.want(nil)
	stream, err := p.admin().Stream(within(t), p.stream)
	if err != nil {
		t.Fatal(err)
	}
	if c := stream.CachedInfo().Config; c.Storage != jetstream.MemoryStorage {
		t.Errorf("storage %v, want memory", c.Storage)
	}
}

// Of three servers each is stopped once, the leader of the stream first.
func TestBridge_Cluster(t *testing.T) {
	t.Parallel()
	all := startCluster(t)
	p := newPath(t, urls(all))
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(func(o *bridge.OutOptions) { o.Replicas = 3 }), p.in()
	tr.more(100)
	leader := func() (name string) {
		testenv.Eventually(t, "a leader of the stream and two current replicas", func() bool {
			ctx := within(t)
			stream, err := p.admin().Stream(ctx, p.stream)
			if err != nil {
				return false
			}
			c := stream.CachedInfo().Cluster
			if c == nil || c.Leader == "" || len(c.Replicas) != 2 {
				return false
			}
			for _, r := range c.Replicas {
				if r.Offline || !r.Current {
					return false
				}
			}
			name = c.Leader
			return true
		})
		return name
	}
	for _, c := range []struct {
		what   string
		leader bool
	}{{"the leader", true}, {"a replica", false}} {
		name := leader()
		for _, s := range all {
			if (s.opt.Name == name) == c.leader {
				s.stop()
				t.Logf("%s, %s, is stopped", c.what, s.opt.Name)
				tr.crossed()
				s.start()
				tr.crossed()
				break
			}
		}
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// A stream in one place of a cluster: the other servers cannot help.
func TestBridge_Cluster_OneReplica_ServerRestarted(t *testing.T) {
	testenv.NotShort(t)
	t.Parallel()
	all := startCluster(t)
	p := newPath(t, urls(all))
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	stream, err := p.admin().Stream(within(t), p.stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.opt.Name == stream.CachedInfo().Cluster.Leader {
			s.stop()
			tr.stuck()
			s.start()
		}
	}
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// A disk that is full: the server disables JetStream. The producer is held back until it is
// enabled again, with room.
func TestBridge_DiskFull(t *testing.T) {
	t.Parallel()
	disk := startSmallDisk(t, 32<<20)
	p := newPath(t, disk.url)
	tr := p.traffic(load{seed: 1, size: 1000}, sluice.ProducerOptions{Capacity: 1 << 17})
	out, in := p.out(func(o *bridge.OutOptions) { o.MaxBytes = 8 << 20 }), p.in()
	tr.more(10)
	tr.hold()
	tr.stuck()
	out.wantRunning()
	in.wantRunning()
	testenv.EventuallyHeader(t, p.near, "a bridge that says what keeps it", func(h *layout.Header) bool {
		s := layout.LinkState(h.ConsumerLink.State.Load())
		return s != layout.LinkRunning && s != layout.LinkNone
	})
	t.Logf("the near bridge is %v", layout.LinkState(testenv.Header(p.near).ConsumerLink.State.Load()))
	disk.makeRoom(t)
	tr.resume()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// The connection is closed underneath, by whoever owns it.
func TestBridge_ConnectionClosed(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	for range 3 {
		out.nc.Close()
		out.want(nats.ErrConnectionClosed)
		out = p.out()
		tr.crossed()
		in.nc.Close()
		in.want(nats.ErrConnectionClosed)
		in = p.in()
		tr.crossed()
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}
