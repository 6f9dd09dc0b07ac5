package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/trial"
)

var readyCommand = &urfave.Command{
	Name: "ready", Usage: "cycles of an event that is set by a message of another process and cleared, without a lost one",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "cycles", Value: 1e7},
	},
	Action: ready,
}

// ready sends a message to a process that sends it back, and waits for that by the event alone: by
// the channel, the descriptor, and both of a FanIn in turn.
func ready(c *urfave.Context) error {
	all := trial.Names("many", 5)
	defer trial.Remove(all)
	out, err := sluice.Create(c.Context, all[0], sluice.ProducerOptions{})
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := trial.StartChild(c.Int("cpu-producers"), "child-echo", all[0], all[1], all[2], all[3], all[4])
	if err != nil {
		return err
	}
	defer p.Kill()
	if _, err := p.Line(); err != nil {
		return err
	}
	single, err := sluice.Open(c.Context, all[1], sluice.ConsumerOptions{})
	if err != nil {
		return err
	}
	defer single.Close()
	one := single.(sluice.ReadyConsumer)
	many, err := sluice.OpenFanIn(c.Context, all[2:], sluice.FanInOptions{})
	if err != nil {
		return err
	}
	defer many.Close()
	cycles, began := c.Int("cycles"), time.Now()
	type waiter interface {
		Ready() <-chan struct{}
		ReadyFD() (int, error)
	}
	for i := range cycles {
		if c.Context.Err() != nil {
			return context.Cause(c.Context)
		}
		if err := out.Send(c.Context, []byte(strconv.Itoa(i))); err != nil {
			return err
		}
		for spin := i % 997; spin > 0; spin-- { // the event comes before, while and after it is waited for
		}
		w, try := waiter(one), func() error {
			_, err := one.TryNext()
			one.Release()
			return err
		}
		if i%4 > 0 {
			w, try = many, func() error {
				_, _, err := many.TryNext()
				many.Release()
				return err
			}
		}
		for took := false; !took; {
			if err := waitEvent(w, i/4%2 == 0); err != nil {
				return fmt.Errorf("cycle %d: %w", i, err)
			}
			for {
				err := try()
				if err == sluice.ErrEmpty {
					break
				}
				if err != nil {
					return err
				}
				took = true
			}
		}
		if i > 0 && i%max(1, cycles/10) == 0 {
			fmt.Printf("%d cycles, %.1f us each\n", i, float64(time.Since(began).Microseconds())/float64(i))
		}
	}
	fmt.Printf("%d cycles without a lost event, %.1f us each\n", cycles, float64(time.Since(began).Microseconds())/float64(cycles))
	return nil
}

const lost = 5 * time.Second

func waitEvent(w interface {
	Ready() <-chan struct{}
	ReadyFD() (int, error)
}, byChannel bool) error {
	if byChannel {
		select {
		case <-w.Ready():
			return nil
		default:
		}
		timer := time.NewTimer(lost)
		defer timer.Stop()
		select {
		case <-w.Ready():
			return nil
		case <-timer.C:
			return fmt.Errorf("the channel was not closed")
		}
	}
	fd, err := w.ReadyFD()
	if err != nil {
		return err
	}
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		switch n, err := unix.Poll(fds, int(lost.Milliseconds())); {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("the descriptor was not readable")
		default:
			return nil
		}
	}
}

// echo sends each message back: every fourth to the first of the rings, the others to the other
// ones.
func echo(ctx context.Context, args []string) error {
	from, err := sluice.Open(ctx, args[0], sluice.ConsumerOptions{Spin: time.Millisecond}) // only the other side sleeps
	if err != nil {
		return err
	}
	var to []sluice.Producer
	for _, name := range args[1:] {
		p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
		if err != nil {
			return err
		}
		to = append(to, p)
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		msg, err := from.Next(ctx)
		if err != nil {
			return nil
		}
		if err := to[i%4].Send(ctx, msg); err != nil {
			return err
		}
		from.Release()
	}
}
