package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice/ring"
	"sluice/shm"
)

// WeightsFlag returns the flag that GetWeights reads.
func WeightsFlag() urfave.Flag {
	return ListFlag("weight", "1 for each", "several rings: `NAME=N` gives the ring, or those that match a pattern, N times the bytes of one of weight 1 while all have messages; N is 1 to 1000; several: the first that matches counts", func(s string) error {
		_, err := parseWeight(s)
		return err
	})
}

// Weights are the weights of rings, by name or pattern.
type Weights []weight

type weight struct {
	pattern string
	n       integer
}

// Of returns the weight of the ring with that name: the first that matches, else 1.
func (w Weights) Of(name string) int {
	for _, x := range w {
		if shm.Match(x.pattern, name) {
			return int(x.n.n)
		}
	}
	return 1
}

// GetWeights returns the value of a WeightsFlag.
func GetWeights(c *urfave.Context) (all Weights, err error) {
	for _, s := range GetList(c, "weight") {
		w, err := parseWeight(s)
		if err != nil {
			return nil, err
		}
		for _, before := range all {
			switch {
			case before.pattern == w.pattern:
				return nil, UsageError("%s: %q has two weights", FlagSource(c, "weight"), w.pattern)
			case covers(before.pattern, w.pattern):
				err := UsageError("%s: %q has no effect: %q is before it and matches the same rings", FlagSource(c, "weight"), w.pattern, before.pattern)
				return nil, WithHint(err, "the first that matches counts: give %s=%d first", w.pattern, w.n.n)
			}
		}
		all = append(all, w)
	}
	return all, nil
}

// CheckNames returns the error for a weight on the command line that is for none of the rings of
// the given names and patterns.
func (w Weights) CheckNames(c *urfave.Context, names []string) error {
	if !SetOnCommandLine(c, "weight") {
		return nil // a variable may be meant for another command
	}
	for _, x := range w {
		if !slices.ContainsFunc(names, func(name string) bool { return overlap(x.pattern, name) }) {
			return WithHint(UsageError("--weight: no --name matches %q", x.pattern), "the names are %s", shorten(names, 0))
		}
	}
	return nil
}

// covers reports whether every name that the pattern q matches is matched by p too.
func covers(p, q string) bool {
	matched, err := path.Match(p, q) // a * of q is a character that only a * of p matches
	return matched && err == nil
}

// overlap reports whether there may be a name that both patterns match.
func overlap(p, q string) bool {
	if !shm.IsPattern(p) || !shm.IsPattern(q) {
		return covers(p, q) || covers(q, p)
	}
	// What is between the ends can always be put in a row.
	begins := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
	ends := func(a, b string) bool { return strings.HasSuffix(a, b) || strings.HasSuffix(b, a) }
	return begins(p[:strings.Index(p, "*")], q[:strings.Index(q, "*")]) &&
		ends(p[strings.LastIndex(p, "*")+1:], q[strings.LastIndex(q, "*")+1:])
}

func parseWeight(s string) (weight, error) {
	name, number, found := strings.Cut(s, "=")
	if !found {
		return weight{}, fmt.Errorf("invalid weight %q (examples: orders=2, 'sensor-*=10')", s)
	}
	w := weight{name, integer{1, 1, ring.MaxWeight}}
	if err := shm.CheckPattern(name); err != nil {
		return w, err
	}
	if err := w.n.Set(number); err != nil {
		return w, fmt.Errorf("weight of %q: %w", name, err)
	}
	return w, nil
}
