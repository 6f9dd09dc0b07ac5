// Package compare runs the three models of back-pressure under the same loads and reports the
// results.
//
// A run ends as [Figures]. Everything that the report says in words, in tables and in most
// pictures is a function of the figures of all runs, so that no sentence says what the columns
// beside it do not; findings_test.go checks each kind of sentence against them.
package compare

import (
	"slices"

	"sluice/pressure"
)

// Model is a way of passing messages. Its name is the one that the README uses, too: hard,
// credit, or soft in one of three forms.
type Model struct {
	ID   string // for file names
	Name string
	Kind pressure.BackPressure // pressure.Hard, pressure.Credit or pressure.Soft
}

// Models are the ones that are compared, in the order of columns and colours.
var Models = []Model{
	{"hard", "hard", pressure.Hard},
	{"credit", "credit", pressure.Credit},
	{"soft-plain", "soft plain", pressure.Soft},
	{"soft-packed", "soft packed", pressure.Soft},
	{"soft-recycled", "soft recycled", pressure.Soft},
}

// flags returns the producer's flags for a model; the consumer finds out.
func (m Model) flags() []string {
	transfer := []string{"--mode", "transfer"}
	switch m.ID {
	case "credit":
		return append(transfer, "--on-limit", "block")
	case "soft-plain":
		return transfer
	case "soft-packed":
		return append(transfer, "--buffer", "64KiB")
	case "soft-recycled":
		return append(transfer, "--recycle")
	}
	return nil
}

// class returns the place of a model in Models, which decides its colour.
func (m Model) class() int {
	return slices.IndexFunc(Models, func(o Model) bool { return o.ID == m.ID })
}
