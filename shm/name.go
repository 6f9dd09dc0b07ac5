package shm

import (
	"cmp"
	"errors"
	"fmt"

	"sluice/internal/monotonic"
)

// Dir is where segments live: a tmpfs on every Linux.
const Dir = "/dev/shm"

const prefix = "sluice."

// ErrName is for a segment name that is not allowed.
var ErrName = errors.New("bad segment name")

// checkUsable is CheckName for whoever is about to map a segment.
func checkUsable(name string) error {
	return cmp.Or(CheckName(name), InSegment("", name, monotonic.Err()))
}

// CheckName accepts 1 to 64 of A-Z a-z 0-9 . _ - with no dot in front, and
// returns ErrName for everything else.
func CheckName(name string) error {
	if len(name) < 1 || len(name) > 64 {
		return fmt.Errorf("%w %.80q: it has %d characters, 1 to 64 are allowed", ErrName, name, len(name))
	}
	if name[0] == '.' {
		return fmt.Errorf("%w %q: it may not start with a dot", ErrName, name)
	}
	for i := range len(name) {
		if !inNames(name[i]) {
			return fmt.Errorf("%w %q: only A-Z a-z 0-9 . _ - are allowed", ErrName, name)
		}
	}
	return nil
}

// inNames reports whether names may have the character c.
func inNames(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		return true
	}
	return false
}

// Path returns the file of the segment called name.
func Path(name string) string { return Dir + "/" + prefix + name }
