package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"sluice/internal/command"
	"sluice/internal/follow"
	"sluice/internal/screen"
)

func watchCommand() command.App {
	return command.App{
		Name:  "watch",
		Usage: "see segments live, in the terminal",
		About: "Shows every segment there is, and the chosen one in full: throughput, depth and the\n" +
			"share of the time that each side slept, over the last minutes. Without a terminal it\n" +
			"prints what there is, once.\n\n" +
			"Keys: up and down choose, space pauses, q quits.",
		Flags: []cli.Flag{
			command.NameFlag(""),
			&cli.DurationFlag{Name: "interval", Value: glance, Usage: "`TIME` between two looks"},
		},
		File: "name",
		Run:  watch,
	}
}

// span is how far back the sparklines go.
const span = 2 * time.Minute

func watch(ctx context.Context, c *cli.Context) error {
	name, err := command.GetName(c)
	if err != nil {
		return err
	}
	interval := c.Duration("interval")
	if interval < 10*time.Millisecond {
		return command.Usage("--interval %v: at least 10ms", interval)
	}
	f := follow.New(name, int(span/interval))
	defer f.Close()
	s := screen.Screen{Name: name, Width: 80, Interval: interval, Span: span, Now: time.Now()}
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		s.Plain = true
		if s.Pairs, err = twice(ctx, f, interval); err != nil {
			return command.Orderly(err)
		}
		if name != "" && len(s.Pairs) == 0 {
			return noSegment(name)
		}
		_, err = fmt.Println(s.Draw())
		return err
	}
	m := &watcher{follower: f, screen: s}
	_, err = tea.NewProgram(m, tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithFPS(20)).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil // a signal
	}
	return errors.Join(err, m.err)
}

// watcher is the screen, and what keys do to it.
type watcher struct {
	follower *follow.Follower
	screen   screen.Screen
	chosen   string // name of the pair that is shown in full
	err      error
}

type tick struct{}

// Init implements tea.Model.
func (w *watcher) Init() tea.Cmd { return w.look() }

// look takes the next look and asks for the one after it.
func (w *watcher) look() tea.Cmd {
	if !w.screen.Paused {
		if w.screen.Pairs, w.err = w.follower.Look(); w.err != nil {
			return tea.Quit
		}
		w.screen.Now = time.Now()
		w.screen.Chosen = 0
		for i, p := range w.screen.Pairs {
			if p.Name == w.chosen {
				w.screen.Chosen = i
			}
		}
	}
	return tea.Tick(w.screen.Interval, func(time.Time) tea.Msg { return tick{} })
}

// Update implements tea.Model.
func (w *watcher) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		return w, w.look()
	case tea.WindowSizeMsg:
		w.screen.Width, w.screen.Height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return w, tea.Quit
		case "space", "p":
			w.screen.Paused = !w.screen.Paused
		case "up", "k":
			w.choose(-1)
		case "down", "j":
			w.choose(1)
		}
	}
	return w, nil
}

// choose moves the choice by so many pairs.
func (w *watcher) choose(by int) {
	if n := len(w.screen.Pairs); n > 0 {
		w.screen.Chosen = min(max(0, w.screen.Chosen+by), n-1)
		w.chosen = w.screen.Pairs[w.screen.Chosen].Name
	}
}

// View implements tea.Model.
func (w *watcher) View() tea.View {
	v := tea.NewView(w.screen.Draw())
	v.AltScreen = true
	v.WindowTitle = "sluice"
	return v
}
