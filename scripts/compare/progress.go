package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"sluice/internal/compare"
)

// progress says what runs, and how long all that is left will take: on a terminal in one line that
// is renewed, else in a line for each load.
type progress struct {
	out   io.Writer
	live  bool
	began time.Time
	last  string // title of the load that was shown last
}

func newProgress(began time.Time) *progress {
	return &progress{out: os.Stderr, live: term.IsTerminal(int(os.Stderr.Fd())), began: began}
}

// show says that so many of the jobs are done, and the next one begins.
func (p *progress) show(done int, jobs []compare.Job) {
	j := jobs[done]
	passed := time.Since(p.began)
	left := compare.Left(jobs[done:])
	if done >= len(compare.Models) { // the machine may be slower than expected
		left = time.Duration(float64(left) * float64(passed) / float64(compare.Left(jobs[:done])))
	}
	where := fmt.Sprintf("%3.0f s, %3.0f s left: %d of %d, %s", passed.Seconds(), left.Seconds(), done+1, len(jobs), j.Load.Title)
	switch {
	case p.live:
		fmt.Fprintf(p.out, "\r\033[K%s, %s", where, j.Model.Name)
	case j.Load.Title != p.last:
		fmt.Fprintln(p.out, where)
	}
	p.last = j.Load.Title
}

// end removes the line.
func (p *progress) end() {
	if p.live {
		fmt.Fprint(p.out, "\r\033[K")
	}
}
