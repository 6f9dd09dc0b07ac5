package bridge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
)

// outChild runs a bridge from a ring in another process, which can be killed. The arguments are the
// URL, the ring, the stream and the name in the subject. It prints "ready" when it is connected,
// and "done" when the bridge has returned without an error.
func outChild(args []string) error {
	return bridgeChild(args[0], "out", func(ctx context.Context, nc *nats.Conn) error {
		return bridge.Out(ctx, nc, args[1], bridge.OutOptions{Stream: args[2], Subject: args[3], MaxBytes: 64 << 20})
	})
}

// inChild is outChild into a ring.
func inChild(args []string) error {
	return bridgeChild(args[0], "in", func(ctx context.Context, nc *nats.Conn) error {
		return bridge.In(ctx, nc, args[1], bridge.InOptions{Stream: args[2], Subject: args[3]})
	})
}

func bridgeChild(url, name string, run func(context.Context, *nats.Conn) error) error {
	nc, err := connectBridge(url, name)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if err := run(context.Background(), nc); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

// childArgs returns the arguments of outChild and inChild.
func (p *path) childArgs(ring string) []string { return []string{p.url, ring, p.stream, p.subject} }

// Both bridges are killed at random moments, many times, while a producer sends and a consumer
// receives: none is lost, none comes twice, none out of order.
func TestBridge_KilledAtAnyMoment(t *testing.T) {
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
			rounds := 20
			if testing.Short() {
				rounds = 6
			}
			p := newPath(t, startServer(t).url())
			tr := p.traffic(c.l, c.opt)
			var out, in *testenv.Child
			for round := range rounds {
				if out == nil {
					out = testenv.StartChild(t, "out", p.childArgs(p.near)...)
				}
				if in == nil {
					in = testenv.StartChild(t, "in", p.childArgs(p.far)...)
				}
				if round == 0 { // the first ones may take their time
					tr.more(1)
				}
				time.Sleep(rand.N(60 * time.Millisecond))
				switch rand.N(3) {
				case 0:
					out.Kill()
					out = nil
				case 1:
					in.Kill()
					in = nil
				case 2:
					out.Kill()
					in.Kill()
					out, in = nil, nil
				}
			}
			if out == nil {
				out = testenv.StartChild(t, "out", p.childArgs(p.near)...)
			}
			if in == nil {
				in = testenv.StartChild(t, "in", p.childArgs(p.far)...)
			}
			tr.more(10)
			tr.finish()
			for _, child := range []*testenv.Child{out, in} {
				child.WantLine(t, "ready")
				child.WantLine(t, "done")
			}
			p.eventuallyEmpty()
		})
	}
}
