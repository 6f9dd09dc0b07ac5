package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"sluice/internal/cli"
	"sluice/internal/observe/monitor"
	"sluice/internal/observe/tui"
)

func watchCommand() cli.App {
	return cli.App{
		Name:   "watch",
		Prints: true,
		Usage:  "show segments live in the terminal",
		About: "Shows every segment, and the chosen one in full: throughput, depth and the share of the\n" +
			"time that each side was blocked, over the last minutes. Without a terminal, and on\n" +
			"one that cannot move the cursor (TERM=dumb), it prints the segments once. Segments with\n" +
			"a problem come first.\n\n" +
			"Keys: up and down choose, space pauses, Ctrl-Z suspends, q quits.",
		Flags: []urfave.Flag{
			cli.NamesFlag(""),
			cli.TimeFlag("interval", rateInterval, 10*time.Millisecond, "`TIME` between two samples, at least 10ms"),
		},
		Argument: "name",
		Run:      watch,
	}
}

// span is the time that the sparklines show.
const span = 2 * time.Minute

func watch(ctx context.Context, c *urfave.Context) error {
	names, err := cli.GetNames(c)
	if err != nil {
		return err
	}
	interval := c.Duration("interval")
	f := monitor.New(names, int(span/interval))
	f.Connect = true
	defer f.Close()
	s := tui.Screen{Names: names, Width: 80, Interval: interval, Span: span, Now: time.Now(), ASCII: !tui.UTF8(os.Getenv)}
	isTerminal, kind := term.IsTerminal(int(os.Stdout.Fd())), os.Getenv("TERM")
	if !isTerminal || !movesCursor(kind) {
		if isTerminal {
			cli.Note("gauge", only(names), fmt.Sprintf("a terminal with TERM=%s cannot move the cursor, so this is not live", kind), "set TERM to the kind of the terminal, such as xterm")
		}
		s.Plain = true
		if s.Pairs, err = sampleTwice(ctx, f, interval); err != nil {
			return cli.IgnoreStop(err)
		}
		s.Pairs, s.Omitted = monitor.TroubledFirst(s.Pairs), f.Omitted
		absent := missing(names, s.Pairs)
		if absent != nil && len(s.Pairs) == 0 {
			return absent
		}
		_, err = fmt.Println(s.Draw())
		return errors.Join(err, absent)
	}
	m := &watcher{monitor: f, screen: s, signals: make(stopSignals, 4)}
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithFPS(20))
	defer m.signals.forward(program)()
	_, err = program.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil // a signal
	}
	return errors.Join(err, m.err)
}

// only returns the name if there is one, "" for several.
func only(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return ""
}

// movesCursor reports whether a kind of terminal can be drawn on. The kind is "dumb" in a shell of
// Emacs and in some builds; there is none where nobody has set one up.
func movesCursor(kind string) bool { return kind != "" && kind != "dumb" }

// watcher is the bubbletea model: the screen and its keys.
type watcher struct {
	monitor *monitor.Monitor
	screen  tui.Screen
	chosen  string // name of the pair that is shown in full
	signals stopSignals
	err     error
}

type tick struct{}

// Init implements tea.Model.
func (w *watcher) Init() tea.Cmd { return w.poll() }

// poll reads the segments and schedules the next poll.
func (w *watcher) poll() tea.Cmd {
	if _, err := unix.IoctlGetTermios(unix.Stdout, unix.TCGETS); err != nil { // SIGHUP may be ignored
		w.err = fmt.Errorf("the terminal is gone: %w", err)
		return tea.Quit
	}
	if !w.screen.Paused {
		pairs, err := w.monitor.Poll()
		if w.err = err; err != nil {
			return tea.Quit
		}
		w.show(monitor.TroubledFirst(pairs))
		w.screen.Omitted, w.screen.Now = w.monitor.Omitted, time.Now()
	}
	return tea.Tick(w.screen.Interval, func(time.Time) tea.Msg { return tick{} })
}

// show sets the pairs. The chosen name stays chosen, wherever it is in the list now; if it is
// gone, the pair at its index is chosen.
func (w *watcher) show(pairs []*monitor.Pair) {
	w.screen.Pairs = pairs
	at := slices.IndexFunc(pairs, func(p *monitor.Pair) bool { return p.Name == w.chosen })
	if at < 0 {
		at = max(0, min(w.screen.Chosen, len(pairs)-1))
	}
	w.screen.Chosen, w.chosen = at, ""
	if len(pairs) > 0 {
		w.chosen = pairs[at].Name
	}
}

// Update implements tea.Model.
func (w *watcher) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		return w, w.poll()
	case suspend:
		return w, tea.Exec(stopProcess{signals: w.signals}, nil)
	case resumed:
		return w, tea.Exec(retakeTerminal{}, nil)
	case tea.WindowSizeMsg:
		w.screen.Width, w.screen.Height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return w, tea.Quit
		case "ctrl+z":
			return w, tea.Exec(stopProcess{signals: w.signals}, nil)
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

// choose moves the selection by that many pairs.
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
