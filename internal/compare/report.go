package compare

import (
	"slices"
	"strings"
	"time"

	"sluice/pressure"
)

// Report is the runs of a comparison, and where and when they were made.
type Report struct {
	Machine Machine
	Began   time.Time
	Quick   bool
	Runs    []*Run
}

// find returns the run of a load with a model, nil if there is none.
func (rep *Report) find(load, model string) *Run {
	i := slices.IndexFunc(rep.Runs, func(r *Run) bool { return r.Load.ID == load && r.Model.ID == model })
	if i < 0 {
		return nil
	}
	return rep.Runs[i]
}

// of returns the runs of a load, in the order of Models.
func (rep *Report) of(load string) (all []*Run) {
	for _, m := range Models {
		if r := rep.find(load, m.ID); r != nil {
			all = append(all, r)
		}
	}
	return all
}

// all returns the runs of a load if there is one for each model, else nil.
func (rep *Report) all(load string) []*Run {
	if runs := rep.of(load); len(runs) == len(Models) {
		return runs
	}
	return nil
}

// kind returns the runs with a kind of model.
func kind(runs []*Run, k pressure.BackPressure) (out []*Run) {
	for _, r := range runs {
		if r.Model.Kind == k {
			out = append(out, r)
		}
	}
	return out
}

// which returns the runs of which something is true.
func which(runs []*Run, is func(*Run) bool) (out []*Run) {
	for _, r := range runs {
		if is(r) {
			out = append(out, r)
		}
	}
	return out
}

// every reports whether it is true of all runs, of which there is at least one.
func every(runs []*Run, is func(*Run) bool) bool {
	return len(runs) > 0 && len(which(runs, is)) == len(runs)
}

// openLoads returns the open-loop loads that were run, in their order.
func (rep *Report) openLoads() (loads []Load) {
	for _, r := range rep.Runs {
		if r.Load.Rate > 0 && !slices.ContainsFunc(loads, func(l Load) bool { return l.ID == r.Load.ID }) {
			loads = append(loads, r.Load)
		}
	}
	return loads
}

// swept reports whether loads of a sweep were run, whose IDs begin with a prefix.
func (rep *Report) swept(prefix string) bool {
	return slices.ContainsFunc(rep.Runs, func(r *Run) bool { return strings.HasPrefix(r.Load.ID, prefix) })
}
