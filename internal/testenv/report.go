package testenv

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Report is an object that a command prints with --format json.
type Report map[string]any

// Num returns the number with that key; -1 where there is none.
func (r Report) Num(key string) float64 {
	n, ok := r[key].(float64)
	if !ok {
		return -1
	}
	return n
}

// HasVerdict reports whether the report has that verdict, with all those words in its
// reason and advice.
func (r Report) HasVerdict(verdict string, words ...string) bool {
	text := fmt.Sprint(r["verdictWhy"], "; ", r["verdictAdvice"])
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return r["verdict"] == verdict
}

// Reports returns all reports that the process has printed so far.
func (p *Process) Reports() (all []Report) {
	for line := range strings.Lines(p.Stderr.String()) {
		var r Report
		if json.Unmarshal([]byte(line), &r) == nil && r["role"] != nil { // and not an error
			all = append(all, r)
		}
	}
	return all
}

// Final returns the last report and expects that it says so.
func (p *Process) Final() Report {
	p.t.Helper()
	all := p.Reports()
	if len(all) == 0 || all[len(all)-1]["final"] != true {
		p.t.Fatalf("%v printed no final report; stderr:\n%s", p.Cmd.Args, p.Stderr.String())
	}
	return all[len(all)-1]
}

// WantError waits for the end of the process and expects that exit code, one error on
// standard error, perhaps with a hint (of wrong usage always), with the words in the two
// together, nothing on standard output, and no stack trace.
func (p *Process) WantError(code int, words ...string) {
	p.t.Helper()
	p.WantExit(code)
	if err := checkError(code, p.Stdout.String(), p.Stderr.String()); err != nil {
		p.t.Errorf("%v: %v", p.Cmd.Args, err)
	}
	text, _, _ := ErrorAndHint(p.Stderr.String())
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.t.Errorf("%v: error %q does not contain %q", p.Cmd.Args, text, w)
		}
	}
}

// WantHint is [Process.WantError] with words that are joined by |, and others that must not
// be there: what they advise does not help where the sides are in this state.
func (p *Process) WantHint(code int, words, not string) {
	p.t.Helper()
	p.WantError(code, strings.Split(words, "|")...)
	text, _, _ := ErrorAndHint(p.Stderr.String())
	for w := range strings.SplitSeq(not, "|") {
		if w != "" && strings.Contains(text, w) {
			p.t.Errorf("%v: %q does not fit this state:\n%s", p.Cmd.Args, w, text)
		}
	}
}

// ErrorAndHint returns the errors and hints in what a command has printed on standard
// error, in either format, and how many there are of each.
func ErrorAndHint(stderr string) (text string, errors, hints int) {
	for l := range strings.Lines(stderr) {
		var object struct{ Error, Hint string }
		switch err := json.Unmarshal([]byte(l), &object); {
		case err == nil && object.Error != "":
			text += object.Error + "\n" + object.Hint + "\n"
			errors++
			if object.Hint != "" {
				hints++
			}
		case strings.Contains(l, ": error: "):
			text += l
			errors++
		case strings.Contains(l, ": hint: "):
			text += l
			hints++
		}
	}
	return text, errors, hints
}

// ReportKeys are the keys that each object of --format json has, which users' programs
// hold on to.
var ReportKeys = strings.Fields(`role name mode elapsedSec final producedCount consumedCount producerWaits consumerWaits
	producerWaitSec consumerWaitSec queueDepth queueBytes capacityBytes fill throughputPerSec refusedCount droppedCount
	lostCount refuseReason highWater memoryBytes verdict latency response lateness offeredCount unsentCount refusedMessages producedBytes consumedBytes streamEnd run producer consumer`)
