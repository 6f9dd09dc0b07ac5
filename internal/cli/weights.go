package cli

import (
	"fmt"
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
			if before.pattern == w.pattern {
				return nil, UsageError("%s: %q has two weights", FlagSource(c, "weight"), w.pattern)
			}
		}
		all = append(all, w)
	}
	return all, nil
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
