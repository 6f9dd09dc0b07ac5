package shm

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPattern(t *testing.T) {
	for _, pattern := range []string{"*", "**", "a", "sensor-*", "*.log", "a*b*c", "-*_*.", strings.Repeat("*", 64)} {
		if err := CheckPattern(pattern); err != nil {
			t.Error(err)
		}
	}
	for _, pattern := range []string{
		"", ".*", "../*", "a/*", "a?*", "[ab]*", `\**`, "a *", "*\x00", "*\n", "ä*", "*,*",
		strings.Repeat("*", 65), "?", "[a]", `a\b`,
	} {
		if err := CheckPattern(pattern); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a", true},
		{"*", "a.b-c_d", true},
		{"**", "a", true},
		{"a", "a", true},
		{"a", "A", false},
		{"a", "ab", false},
		{"sensor-*", "sensor-", true},
		{"sensor-*", "sensor-12", true},
		{"sensor-*", "sensor", false},
		{"sensor-*", "x-sensor-1", false},
		{"*-1", "sensor-1", true},
		{"*-1", "sensor-11", false},
		{"a*b*c", "abc", true},
		{"a*b*c", "axxbxxbc", true},
		{"a*b*c", "axxcxxb", false},
		{"a.c", "abc", false},
		{strings.Repeat("*a", 32), strings.Repeat("a", 64), true},
		{strings.Repeat("*a", 32), strings.Repeat("a", 63) + "b", false},
		{"*", "", false},
		{"*", ".hidden", false},
		{"*", "a/b", false},
		{"[ab]*", "a1", false},
		{"?", "a", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestIsPattern(t *testing.T) {
	if !IsPattern("a*") || IsPattern("a.b") {
		t.Error("only * makes a pattern")
	}
}
