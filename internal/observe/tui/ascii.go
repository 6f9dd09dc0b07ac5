package tui

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// textWidth is how many columns a text takes.
func textWidth(text string) int { return ansi.StringWidth(text) }

// asciiReplacer has an ASCII letter for each that a screen draws with.
var asciiReplacer = strings.NewReplacer(
	ellipsis, "~", "µ", "u", "█", "#", "░", "-",
	"▁", ".", "▂", ":", "▃", "-", "▄", "=", "▅", "+", "▆", "*", "▇", "%",
)

// toASCII returns text in as many columns for terminals that do not know UTF-8.
func toASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, asciiReplacer.Replace(text))
}

// UTF8 reports whether text may be other than ASCII in the locale of an environment:
// the first of LC_ALL, LC_CTYPE and LANG that is not empty names it.
func UTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := getenv(name); value != "" {
			value = strings.ToLower(strings.ReplaceAll(value, "-", ""))
			return strings.Contains(value, "utf8")
		}
	}
	return false
}
