package bridge_test

import (
	"errors"
	"io"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"sluice"
	"sluice/bridge"
	"sluice/internal/natsserver"
)

func maxPayload(n int) func(*natsserver.Options) {
	return func(o *natsserver.Options) { o.MaxPayload = n }
}

// A message that is larger than the server takes is an error with both figures. Those before it
// arrive.
func TestBridge_MaxPayload_Exceeded(t *testing.T) {
	t.Parallel()
	const limit, size = 64 << 10, 100 << 10
	for _, c := range []struct {
		what     string
		slot     uint64
		of       *testServer
		ofStream int32
	}{
		{"records, of the server", 0, startServer(t, maxPayload(limit)), 0},
		{"slots, of the server", size, startServer(t, maxPayload(limit)), 0},
		{"records, of the stream", 0, startServer(t), limit},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, c.of.url())
			if c.ofStream != 0 {
				p.makeStream(func(s *jetstream.StreamConfig) { s.MaxMsgSize = c.ofStream })
			}
			n := uint64(20)
			w := p.create(sluice.ProducerOptions{Capacity: 1 << 20, SlotSize: c.slot})
			if c.slot == 0 {
				if err := records.send(within(t), w, 0, n); err != nil {
					t.Fatal(err)
				}
			} else {
				n = 0
			}
			large := load{seed: 1, size: size}
			if err := large.send(within(t), w, n, n+1); err != nil {
				t.Fatal(err)
			}
			out, in := p.out(), p.in()
			out.want(bridge.ErrMaxPayload)
			if e := (*bridge.PayloadError)(nil); !errors.As(out.err, &e) || e.Size != size || e.Max >= size || e.Max < limit*9/10 {
				t.Errorf("%v (%+v), want the figures %d and nearly %d", out.err, e, size, limit)
			}
			if is := w.Unread(); is != 1 {
				t.Errorf("%d messages are left in the near ring, want the large one", is)
			}
			if n > 0 {
				wantMessages(t, p.consumer(sluice.ConsumerOptions{}), records, 0, n)
			}
			in.wantRunning()
			// A larger limit, and it goes on.
			if c.ofStream == 0 {
				return
			}
			s, err := p.admin().Stream(within(t), p.stream)
			if err != nil {
				t.Fatal(err)
			}
			config := s.CachedInfo().Config
			config.MaxMsgSize = -1
			if _, err := p.admin().UpdateStream(within(t), config); err != nil {
				t.Fatal(err)
			}
			out = p.out()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			out.want(nil)
			in.want(nil)
		})
	}
}

// Blocks fit into what the server takes, however little.
func TestBridge_SmallMaxPayload(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		l    load
		slot uint64
	}{
		{"records", records, 0},
		{"slots", load{seed: 8, size: 1500}, 1500},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			const n = 2000
			p := newPath(t, startServer(t, maxPayload(16<<10)).url())
			produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 18, SlotSize: c.slot}, c.l, 0, n)
			out, in := p.out(), p.in()
			wantAll(t, p.consumer(sluice.ConsumerOptions{}), c.l, n)
			produced()
			out.want(nil)
			in.want(nil)
		})
	}
}

// The largest messages that fit: the block around them takes some bytes too.
func TestBridge_AboutMaxPayload(t *testing.T) {
	t.Parallel()
	const limit = 32 << 10
	s := startServer(t, maxPayload(limit))
	for _, less := range []int{2048, 1100, 1024, 512, 200, 50, 0} {
		p := newPath(t, s.url())
		l := load{seed: 1, size: limit - less}
		w := p.create(sluice.ProducerOptions{Capacity: 1 << 17})
		if err := l.send(within(t), w, 0, 3); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		out, in := p.out(), p.in()
		// Either all of it arrives, or nothing and it is said why.
		switch err := out.wait(); {
		case err == nil:
			wantAll(t, p.consumer(sluice.ConsumerOptions{}), l, 3)
			in.want(nil)
		default:
			out.want(bridge.ErrMaxPayload)
			if less >= 1100 {
				t.Errorf("messages of %d bytes are refused where %d are allowed: %v", l.size, limit, err)
			}
			in.stop()
		}
	}
}

// Large messages, each of which is a block of its own.
func TestBridge_LargeMessages(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	l := load{seed: 1, size: 3 << 20}
	produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 24}, l, 0, 12)
	out, in := p.out(), p.in()
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, l, 0, 12)
	wantEnd(t, r, io.EOF)
	produced()
	out.want(nil)
	in.want(nil)
}
