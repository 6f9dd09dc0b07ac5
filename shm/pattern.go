package shm

import (
	"fmt"
	"path"
	"strings"
)

// IsPattern reports whether s has a * in it, which no name of a segment has.
func IsPattern(s string) bool { return strings.Contains(s, "*") }

// CheckPattern accepts 1 to 64 of A-Z a-z 0-9 . _ - * with no dot in front, and returns ErrName for
// everything else. What [CheckName] accepts is a pattern too, of one name.
func CheckPattern(pattern string) error {
	if !IsPattern(pattern) {
		return CheckName(pattern)
	}
	switch {
	case len(pattern) > 64:
		return fmt.Errorf("%w %.80q: it has %d characters, 1 to 64 are allowed", ErrName, pattern, len(pattern))
	case pattern[0] == '.':
		return fmt.Errorf("%w %q: no name starts with a dot", ErrName, pattern)
	}
	for i := range len(pattern) {
		if c := pattern[i]; c != '*' && !inNames(c) {
			return fmt.Errorf("%w %q: only A-Z a-z 0-9 . _ - are allowed, and * for any of them", ErrName, pattern)
		}
	}
	return nil
}

// Match reports whether name matches a pattern that [CheckPattern] accepts: each * stands for any
// number of characters, also for none, and everything else for itself. It reports false for a
// pattern or a name that is not allowed.
func Match(pattern, name string) bool {
	if CheckPattern(pattern) != nil || CheckName(name) != nil {
		return false
	}
	matched, err := path.Match(pattern, name) // of its special characters, only * is allowed
	return matched && err == nil
}
