package main

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/trial"
	"sluice/layout"
)

// route is a near ring, a stream and a far ring with the two bridges between them. Both rings are
// on this machine, so the far one has another name.
type route struct {
	*server
	near, far string
	out, in   *trial.Process

	outArgs, inArgs []any // flags
}

// newRoute returns a route without a process, and what removes its rings.
func newRoute(s *server) (*route, func()) {
	names := trial.Names("bridge", 2)
	return &route{server: s, near: names[0], far: names[1]}, func() { trial.Remove(names) }
}

func (r *route) beginOut() (err error) {
	r.out, err = r.start("out", "bridge", append([]any{"out", "--name", r.near, "--nats", r.url(), "--stream", stream, "--report", 0}, r.outArgs...)...)
	return err
}

func (r *route) beginIn() (err error) {
	r.in, err = r.start("in", "bridge", append([]any{"in", "--name", r.far, "--subject", r.near, "--nats", r.url(), "--stream", stream, "--report", 0}, r.inArgs...)...)
	return err
}

// begin starts the bridges. Something makes the near ring, and waits for the far one.
func (r *route) begin() error {
	if err := r.beginOut(); err != nil {
		return err
	}
	return r.beginIn()
}

// end kills the bridges that were started.
func (r *route) end() {
	for _, p := range []*trial.Process{r.out, r.in} {
		if p != nil {
			p.Kill()
		}
	}
}

// ready waits until each ring has both of its sides.
func (r *route) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, fmt.Errorf("waited for 20 s"))
	defer cancel()
	for _, ring := range []string{r.near, r.far} {
		for _, role := range []layout.Role{layout.Producer, layout.Consumer} {
			if err := trial.AwaitHolder(ctx, ring, role); err != nil {
				return err
			}
		}
	}
	return nil
}
