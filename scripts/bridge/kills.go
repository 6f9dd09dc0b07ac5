package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/trial"
	"sluice/layout"
)

var killsCommand = &urfave.Command{
	Name: "kills", Usage: "kills and stops of bridges, server, producer and consumer: the far ring gets each message once, in order",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "kills", Value: 100, Usage: "kills and stops together"},
		&urfave.Uint64Flag{Name: "seed", Usage: "of the random choices; 0 = a different one each time"},
		&urfave.Uint64Flag{Name: "max-bytes", Value: 4 << 20, Usage: "limit of the stream"},
	},
	Action: kills,
}

// part is a process that is killed and started again.
type part struct {
	title        string
	begin        func() error // sets process
	process      **trial.Process
	gone         func() // waits until the kernel has given up what a killed process held
	kills, stops int
	over         bool // it is not started again
}

// storm is a run of kills.
type storm struct {
	*route
	rand     *rand.Rand
	diary    string // see checkNumbers
	parts    []*part
	producer *trial.Process
	consumer *trial.Process
}

// kills kills or stops one random process after the other, and starts it again. The far consumer
// checks what the far ring has; see checkNumbers.
func kills(c *urfave.Context) (err error) {
	x, clean := newCommands(c, &err)
	defer clean()
	seed := c.Uint64("seed")
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("seed %d: %w", seed, err)
		}
	}()
	srv, err := x.newServer(c.Context)
	if err != nil {
		return err
	}
	r, remove := newRoute(srv)
	defer remove()
	defer srv.end()
	r.outArgs = []any{"--keep", "--follow", "--max-bytes", c.Uint64("max-bytes")}
	r.inArgs = []any{"--keep", "--follow"}
	s := &storm{route: r, rand: rand.New(rand.NewPCG(seed, 0)), diary: filepath.Join(x.dir, "diary")}
	if err := os.WriteFile(s.diary, make([]byte, 8*diaryWords), 0o600); err != nil {
		return err
	}
	s.parts = []*part{
		{title: "bridge out", begin: r.beginOut, process: &r.out, gone: func() { trial.WaitGone(r.near, layout.Consumer) }},
		{title: "bridge in", begin: r.beginIn, process: &r.in, gone: func() { trial.WaitGone(r.far, layout.Producer) }},
		{title: "server", begin: srv.begin, process: &srv.Process, gone: func() {}},
		{title: "producer", begin: s.beginProducer, process: &s.producer, gone: func() { trial.WaitGone(r.near, layout.Producer) }},
		{title: "consumer", begin: s.beginConsumer, process: &s.consumer, gone: func() { trial.WaitGone(r.far, layout.Consumer) }},
	}
	defer func() {
		for _, p := range s.parts {
			if *p.process != nil {
				(*p.process).Kill()
			}
		}
	}()
	for _, p := range s.parts {
		if p.title != "server" {
			if err := p.begin(); err != nil {
				return err
			}
		}
	}
	if err := r.ready(c.Context); err != nil {
		return err
	}
	for n := 1; s.strikes() < c.Int("kills"); n++ {
		if err := pause(c.Context, time.Duration(s.rand.IntN(200))*time.Millisecond); err != nil {
			return err
		}
		if err := s.strike(c.Context); err != nil {
			return err
		}
		if n%5 == 0 {
			if err := s.progress(c.Context); err != nil {
				return err
			}
		}
	}
	return s.finish(c)
}

// strikes returns how many kills and stops there were.
func (s *storm) strikes() (n int) {
	for _, p := range s.parts {
		n += p.kills + p.stops
	}
	return n
}

// strike kills or stops one part, or two that are then missing at the same time, and starts them
// again.
func (s *storm) strike(ctx context.Context) error {
	if err := s.running(); err != nil {
		return err
	}
	victims := s.rand.Perm(len(s.parts))[:1+s.rand.IntN(4)/3]
	for _, i := range victims {
		p := s.parts[i]
		if s.rand.IntN(4) > 0 {
			p.kills++
			(*p.process).Kill()
		} else {
			p.stops++
			if err := (*p.process).Stop(20 * time.Second); err != nil {
				return fmt.Errorf("stop of the %s: %w", p.title, err)
			}
		}
		p.gone()
	}
	if s.rand.IntN(4) == 0 { // meanwhile the rings and the stream fill up, or run empty
		if err := pause(ctx, time.Duration(s.rand.IntN(500))*time.Millisecond); err != nil {
			return err
		}
	}
	for _, i := range victims {
		if err := s.parts[i].begin(); err != nil {
			return err
		}
	}
	return nil
}

// running returns an error if a part has ended that was not killed.
func (s *storm) running() error {
	for _, p := range s.parts {
		if p.over {
			continue
		}
		select {
		case <-(*p.process).Ended():
			return fmt.Errorf("the %s has ended by itself: %w", p.title, (*p.process).Wait(time.Second))
		default:
		}
	}
	return nil
}

// progress waits until the far consumer has more messages.
func (s *storm) progress(ctx context.Context) error {
	before, err := trial.Observe(s.far)
	if err != nil {
		return err
	}
	return s.until(ctx, "messages move again", func() (bool, error) {
		now, err := trial.Observe(s.far)
		return now.Consumed > before.Consumed, err
	})
}

// until waits at most a minute, in which every part has to run.
func (s *storm) until(ctx context.Context, what string, is func() (bool, error)) error {
	for began := time.Now(); ; {
		yes, err := is()
		if yes || err != nil {
			return err
		}
		if err := s.running(); err != nil {
			return err
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("after a minute it is not so: %s", what)
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// finish stops the producer, waits until everything is through, and prints what came.
func (s *storm) finish(c *urfave.Context) error {
	for _, p := range s.parts {
		if p.title == "producer" {
			(*p.process).Kill()
			p.gone()
			p.over = true
		}
	}
	near, err := trial.Observe(s.near)
	if err != nil {
		return err
	}
	err = s.until(c.Context, fmt.Sprintf("all %d messages of the near ring are through", near.Produced), func() (bool, error) {
		far, err := trial.Observe(s.far)
		if err == nil && far.Produced > near.Produced {
			err = fmt.Errorf("the near ring had %d messages, the far one %d", near.Produced, far.Produced)
		}
		return far.Produced == near.Produced && far.Consumed == far.Produced, err
	})
	if err != nil {
		return err
	}
	s.consumer.Kill()
	diary, err := os.ReadFile(s.diary)
	if err != nil {
		return err
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(diary[8*i:]) }
	if word(diarySeen) != near.Produced {
		return fmt.Errorf("%d messages sent, seen up to %d", near.Produced, word(diarySeen))
	}
	var kills, stops int
	var each []string
	for _, p := range s.parts {
		kills, stops = kills+p.kills, stops+p.stops
		each = append(each, fmt.Sprintf("%s %d and %d", p.title, p.kills, p.stops))
	}
	fmt.Printf("%d kills and %d stops (%s): %d messages into the near ring; the far ring had each once, in that order. "+
		"Killed consumers of the far ring got %d of them again. %d streams ended meanwhile.\n",
		kills, stops, strings.Join(each, ", "), near.Produced, word(diaryAgain), word(diaryEnds))
	return nil
}
