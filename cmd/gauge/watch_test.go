package main

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"sluice/internal/observe/monitor"
)

func pairs(names string) (all []*monitor.Pair) {
	for _, name := range strings.Fields(names) {
		all = append(all, &monitor.Pair{Name: name})
	}
	return all
}

// Which pair is shown in full is remembered by its name, also when nobody has chosen
// it, and whatever comes, goes or moves around it.
func TestWatch_SelectionFollowsPair(t *testing.T) {
	t.Parallel()
	w := &watcher{}
	for _, step := range []struct{ keys, names, want string }{
		{"", "", ""},
		{"", "m n", "m"},
		{"", "a m n", "m"}, // one that sorts earlier
		{"", "a b c m n", "m"},
		{"", "n m a b", "m"}, // trouble has come first
		{"down", "n m a b", "a"},
		{"", "a b m n", "a"},
		{"", "b m n", "b"}, // it is gone: what is in its place
		{"down down down", "b m n", "n"},
		{"", "b m", "m"},
		{"", "", ""},
		{"", "x y", "x"},
		{"up", "w x y", "x"},
	} {
		for _, key := range strings.Fields(step.keys) {
			code := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown}[key]
			w.Update(tea.KeyPressMsg{Code: code})
		}
		w.show(pairs(step.names))
		got := ""
		if len(w.screen.Pairs) > 0 {
			got = w.screen.Pairs[w.screen.Chosen].Name
		}
		if got != step.want {
			t.Errorf("%s of %q: %q is shown, want %q", step.keys, step.names, got, step.want)
		}
	}
}
