package compare

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Report is the results of all scenarios.
type Report struct {
	Machine Machine
	Began   time.Time
	Quick   bool
	Results []*Result
}

// All runs all scenarios with all models. It calls progress before each run, with its number
// and the number of all runs, and done after it.
func (r *Runner) All(ctx context.Context, quick bool, progress func(i, of int, s Scenario, m Model), done func(*Result)) (*Report, error) {
	unit, short := 8*time.Second, 2500*time.Millisecond
	if quick {
		unit, short = time.Second, 400*time.Millisecond
	}
	type job struct {
		s Scenario
		m Model
	}
	var jobs []job
	for _, s := range Loads(unit) {
		for _, m := range Models {
			jobs = append(jobs, job{s, m})
		}
	}
	for _, size := range Sizes {
		for _, m := range Models {
			jobs = append(jobs, job{sizeLoad(size, short), m})
		}
	}
	for i := range Rooms {
		jobs = append(jobs, job{roomLoad(i, short), Models[0]})
	}
	rep := &Report{Machine: ThisMachine(), Began: time.Now(), Quick: quick}
	for i, j := range jobs {
		progress(i+1, len(jobs), j.s, j.m)
		res, err := r.Run(ctx, j.s, j.m)
		if err != nil {
			return nil, err
		}
		rep.Results = append(rep.Results, res)
		done(res)
	}
	return rep, nil
}

// find returns the result of a scenario with a model, nil if there is none.
func (rep *Report) find(scenario, model string) *Result {
	i := slices.IndexFunc(rep.Results, func(r *Result) bool { return r.Scenario.ID == scenario && r.Model.ID == model })
	if i < 0 {
		return nil
	}
	return rep.Results[i]
}

// of returns the results of a scenario, in the order of Models.
func (rep *Report) of(scenario string) (all []*Result) {
	for _, m := range Models {
		if r := rep.find(scenario, m.ID); r != nil {
			all = append(all, r)
		}
	}
	return all
}

// loads returns the scenarios that are not part of a sweep.
func (rep *Report) loads() (ids []string) {
	for _, r := range rep.Results {
		if id := r.Scenario.ID; !strings.HasPrefix(id, "size-") && !strings.HasPrefix(id, "room-") && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Load describes a scenario, or a sweep of them.
type Load struct{ Title, About string }

// Loads describes all scenarios, and each sweep once.
func (rep *Report) Loads() (all []Load) {
	for _, id := range rep.loads() {
		s := rep.of(id)[0].Scenario
		all = append(all, Load{s.Title, s.About})
	}
	for _, sweep := range []Load{{"Message sizes", sizesAbout}, {"Bounds of a ring", roomsAbout}} {
		if slices.ContainsFunc(rep.Results, func(r *Result) bool { return r.Scenario.About == sweep.About }) {
			all = append(all, sweep)
		}
	}
	return all
}

// FindingLines returns the findings as lines of text.
func (rep *Report) FindingLines() (lines []string) {
	for _, p := range rep.parts() {
		lines = append(lines, "", p.title)
		for _, s := range p.sentences {
			lines = append(lines, "  - "+s)
		}
	}
	return lines
}

// Files returns the contents of all files of the report by their names.
func (rep *Report) Files() (map[string][]byte, error) {
	pictures, err := rep.Pictures()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"report.md": []byte(rep.Markdown(pictures))}
	var html bytes.Buffer
	if err := rep.HTML(&html, pictures); err != nil {
		return nil, err
	}
	files["report.html"] = html.Bytes()
	for _, p := range pictures {
		files[p.File] = p.SVG
	}
	for _, r := range rep.Results {
		if files[filepath.Base(r.CSV)], err = os.ReadFile(r.CSV); err != nil {
			return nil, err
		}
	}
	return files, nil
}
