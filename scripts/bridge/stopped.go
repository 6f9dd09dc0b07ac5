package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/trial"
	"sluice/layout"
	"sluice/shm"
)

var stoppedCommand = &urfave.Command{
	Name: "stopped", Usage: "time until the near producer is blocked when the far consumer is stopped, and until it goes on after that",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rounds", Value: 5},
		&urfave.Uint64Flag{Name: "max-bytes", Value: 64 << 20, Usage: "limit of the stream"},
		&urfave.Uint64Flag{Name: "capacity", Value: 1 << 20, Usage: "bytes of each of the two rings"},
		&urfave.IntFlag{Name: "size", Value: 1024, Usage: "bytes of a message"},
		&urfave.Float64Flag{Name: "rate", Value: 20_000, Usage: "messages a second"},
	},
	Action: stopped,
}

// allowance is what the issue of the two times allows beyond what the room between the two takes.
const allowance = time.Second

// stopped uses the commands producer and consumer as sides.
func stopped(c *urfave.Context) (err error) {
	x, clean := newCommands(c, &err)
	defer clean()
	var blocked, on []float64
	for range c.Int("rounds") {
		b, o, err := stopOnce(c, x)
		if err != nil {
			return err
		}
		blocked, on = append(blocked, b.Seconds()), append(on, o.Seconds())
	}
	room := c.Uint64("max-bytes") + 2*c.Uint64("capacity")
	most := float64(room)/(c.Float64("rate")*float64(c.Int("size"))) + allowance.Seconds()
	fmt.Printf("%.0f messages a second of %d B, a stream of %s and two rings of %s: %s of room.\n\n", c.Float64("rate"), c.Int("size"),
		humanize.IBytes(c.Uint64("max-bytes")), humanize.IBytes(c.Uint64("capacity")), humanize.IBytes(room))
	fmt.Println("| | median, s | longest, s | asked, s |\n|---|---|---|---|")
	fmt.Printf("| consumer stopped, until the producer is blocked | %.2f | %.2f | %.2f |\n", trial.Median(blocked), slices.Max(blocked), most)
	fmt.Printf("| consumer goes on, until the producer does | %.3f | %.3f | %.2f |\n", trial.Median(on), slices.Max(on), allowance.Seconds())
	return nil
}

// stopOnce stops a far consumer until the near producer is blocked, and lets it go on.
func stopOnce(c *urfave.Context, x commands) (blocked, on time.Duration, err error) {
	s, err := x.newServer(c.Context)
	if err != nil {
		return 0, 0, err
	}
	defer s.end()
	r, remove := newRoute(s)
	defer remove()
	r.outArgs = []any{"--max-bytes", c.Uint64("max-bytes")}
	producer, err := x.start("producer", "producer", "--name", r.near, "--size", c.Int("size"), "--rate", c.Float64("rate"), "--capacity", c.Uint64("capacity"), "--report", 0)
	if err != nil {
		return 0, 0, err
	}
	defer producer.Kill()
	consumer, err := x.start("consumer", "consumer", "--name", r.far, "--report", 0)
	if err != nil {
		return 0, 0, err
	}
	defer consumer.Kill()
	defer r.end()
	if err := r.begin(); err != nil {
		return 0, 0, err
	}
	if err := r.ready(c.Context); err != nil {
		return 0, 0, err
	}
	// What waited for the bridges to start is through.
	if err := settled(c.Context, r.near, c.Float64("rate")); err != nil {
		return 0, 0, err
	}

	consumer.Signal(unix.SIGSTOP)
	began := time.Now()
	count, last := uint64(0), began
	for {
		near, err := trial.Observe(r.near)
		if err != nil {
			return 0, 0, err
		}
		if near.Produced != count {
			count, last = near.Produced, time.Now()
		} else if time.Since(last) > time.Second && near.Producer.State == layout.StateBlocked {
			break
		}
		if time.Since(began) > time.Minute {
			return 0, 0, fmt.Errorf("the producer is not blocked a minute after its consumer was stopped")
		}
		if err := pause(c.Context, time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
	if state, err := linkState(r.near); err != nil || state != layout.LinkFull {
		return 0, 0, fmt.Errorf("the producer is blocked and its bridge says %q, want %q: %w", state, layout.LinkFull, err)
	}
	blocked = last.Sub(began)

	consumer.Signal(unix.SIGCONT)
	for began = time.Now(); ; {
		near, err := trial.Observe(r.near)
		if err != nil {
			return 0, 0, err
		}
		if near.Produced != count {
			return blocked, time.Since(began), nil
		}
		if time.Since(began) > time.Minute {
			return 0, 0, fmt.Errorf("the producer does not go on a minute after its consumer did")
		}
		if err := pause(c.Context, time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
}

// settled waits until a ring has had a rate for half a second.
func settled(ctx context.Context, name string, rate float64) error {
	for range 40 {
		before, err := trial.Observe(name)
		if err != nil {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		after, err := trial.Observe(name)
		if err != nil {
			return err
		}
		is := float64(after.Produced-before.Produced) / (float64(after.At-before.At) / 1e9)
		if is > 0.95*rate && is < 1.05*rate && after.Depth() < uint64(rate/10) {
			return nil
		}
	}
	return fmt.Errorf("segment %q does not get %.0f messages a second through within 20 s", name, rate)
}

// linkState returns what the bridge says that takes from a ring.
func linkState(name string) (state layout.LinkState, err error) {
	view, err := shm.OpenView(name)
	if err != nil {
		return 0, err
	}
	defer view.Close()
	err = view.WhileMapped(func() error {
		state = layout.LinkState(view.Header().ConsumerLink.State.Load())
		return nil
	})
	return state, err
}

// pause sleeps, and returns the cause of a context that is done.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
