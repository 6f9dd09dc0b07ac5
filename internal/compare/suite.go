package compare

import (
	"context"
	"time"
)

// Job is a run that is to be made.
type Job struct {
	Load  Load
	Model Model
}

// Jobs returns the runs of a comparison, in their order.
func Jobs(quick bool) (jobs []Job) {
	unit, short := 8*time.Second, 2500*time.Millisecond
	if quick {
		unit, short = time.Second, 300*time.Millisecond
	}
	loads := Loads(unit)
	for _, size := range Sizes {
		loads = append(loads, sizeLoad(size, short))
	}
	for _, l := range loads {
		for _, m := range Models {
			jobs = append(jobs, Job{l, m})
		}
	}
	for i := range Bounds {
		jobs = append(jobs, Job{boundLoad(i, short), Models[0]})
	}
	return jobs
}

// startUp is about how long the processes of a run take to start and to end.
const startUp = 250 * time.Millisecond

// Left returns about how long the jobs take.
func Left(jobs []Job) (left time.Duration) {
	for _, j := range jobs {
		left += j.Load.Length + startUp
	}
	return left
}

// All runs all loads with all models. It calls progress before each run, with the number of runs
// that are done and the jobs.
func (r *Runner) All(ctx context.Context, quick bool, progress func(done int, jobs []Job)) (*Report, error) {
	jobs := Jobs(quick)
	rep := &Report{Machine: ThisMachine(), Began: time.Now(), Quick: quick}
	for i, j := range jobs {
		progress(i, jobs)
		run, err := r.Run(ctx, j.Load, j.Model)
		if err != nil {
			return nil, err
		}
		rep.Runs = append(rep.Runs, run)
	}
	return rep, nil
}
