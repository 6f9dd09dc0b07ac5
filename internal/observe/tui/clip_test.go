package tui

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

func TestClip_Names_CutInMiddle(t *testing.T) {
	for _, c := range []struct {
		width int
		names map[string]string // and what is shown
	}{
		{12, map[string]string{"short": "short", "twelve-chars": "twelve-chars", "a-name-of-18-chars": "a-nam…-chars"}},
		{10, map[string]string{"pair-with-a-long-name-1": "pair…ame-1", "pair-with-a-long-name-10": "pair…me-10"}},
		// They differ where the cut is.
		{16, map[string]string{"orders-of-eu-west-1-incoming": "…ers-of-eu-west…", "orders-of-us-west-1-incoming": "…s-west-1-incom…", "orders-of-us-west-2-incoming": "…s-west-2-incom…"}},
		{6, map[string]string{"aaaaaaaaaa": "aa…aaa", "bbbbbbbbbb": "bb…bbb"}},
		{1, map[string]string{"abc": "a", "abd": "#2"}}, // nothing sensible can be done
	} {
		for name, got := range clipNames(slices.Sorted(maps.Keys(c.names)), c.width) {
			if got != c.names[name] {
				t.Errorf("%d columns for %q: %q, want %q", c.width, name, got, c.names[name])
			}
		}
	}
}

func TestClip_Names_StayDistinct(t *testing.T) {
	var names []string
	for _, region := range []string{"eu", "us", "eu-west", "us-west", ""} {
		for i := range 12 {
			for _, queue := range []string{"", "-incoming", "-incoming-of-the-whole-company", "-incoming-of-the-whole-group"} {
				names = append(names, fmt.Sprintf("orders-of-the-region-%s-%d%s", region, i, queue))
			}
		}
	}
	for width := 14; width < 64; width++ {
		seen := map[string]string{}
		for name, text := range clipNames(names, width) {
			if other, ok := seen[text]; ok {
				t.Errorf("%d columns: %q and %q are both %q", width, name, other, text)
			}
			if n := utf8.RuneCountInString(text); n > width {
				t.Errorf("%d columns: %q has %d", width, text, n)
			}
			seen[text] = name
		}
		if len(seen) != len(names) {
			t.Errorf("%d columns: %d names of %d", width, len(seen), len(names))
		}
	}
}
