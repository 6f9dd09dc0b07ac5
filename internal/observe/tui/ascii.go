package tui

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// textWidth returns how many columns a text takes.
func textWidth(text string) int { return ansi.StringWidth(text) }

// asciiReplacer has an ASCII character for each other one that the screen uses.
var asciiReplacer = strings.NewReplacer(
	ellipsis, "~", "µ", "u", "█", "#", "░", "-",
	"▁", ".", "▂", ":", "▃", "-", "▄", "=", "▅", "+", "▆", "*", "▇", "%",
)

// toASCII returns text for terminals that do not show UTF-8, in as many columns.
func toASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, asciiReplacer.Replace(text))
}

// UTF8 reports whether the locale of an environment uses UTF-8: the first of LC_ALL, LC_CTYPE and
// LANG that is not empty names the locale.
func UTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := getenv(name); value != "" {
			value = strings.ToLower(strings.ReplaceAll(value, "-", ""))
			return strings.Contains(value, "utf8")
		}
	}
	return false
}
