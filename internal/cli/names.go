package cli

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/xrash/smetrics"

	"sluice/internal/format"
	"sluice/internal/segments"
	"sluice/internal/sink"
	"sluice/shm"
)

// SimilarSegments returns the hint for a name without a segment: it lists the segments that
// exist, those with the most similar names first.
func SimilarSegments(name string) string {
	names, omitted, err := segments.Names()
	n := len(names) + omitted
	switch {
	case err != nil:
		return err.Error()
	case n == 0:
		return "gauge ls shows no segments; start a producer to create one"
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(distance(a, name), distance(b, name)) })
	return "gauge ls shows " + shorten(names, omitted)
}

// distance is the edit distance between two names.
func distance(a, b string) int { return smetrics.WagnerFischer(a, b, 1, 1, 1) }

// noticeDelay is how long a command waits before it prints what it waits for: less than the default
// of --report, so that the line stands before the first report.
const noticeDelay = 700 * time.Millisecond

// NoteWaiting prints after noticeDelay that the command waits for the segment, and which
// segments exist. It prints nothing if the segment exists by then or stop was called.
func NoteWaiting(command, segment string) (stop func()) {
	t := time.AfterFunc(noticeDelay, func() {
		if _, err := os.Lstat(shm.Path(segment)); err == nil {
			return
		}
		Note(command, segment, fmt.Sprintf("waiting for segment %q", segment), SimilarSegments(segment))
	})
	return func() { t.Stop() }
}

// NoteWaitingFor is NoteWaiting for several names and patterns. It is about those for which joined
// returns false by then.
func NoteWaitingFor(command string, names []string, joined func(nameOrPattern string) bool) (stop func()) {
	t := time.AfterFunc(noticeDelay, func() {
		var missing, unmatched []string
		for _, name := range names {
			switch {
			case joined(name):
			case shm.IsPattern(name):
				unmatched = append(unmatched, name)
			default:
				missing = append(missing, fmt.Sprintf("%q", name))
			}
		}
		if len(missing) > 0 {
			noun := "segment "
			if len(missing) > 1 {
				noun = "segments "
			}
			Note(command, "", "waiting for "+noun+shorten(missing, 0), SimilarSegments(strings.Trim(missing[0], `"`)))
		}
		if len(unmatched) > 0 {
			Note(command, "", fmt.Sprintf("no segment that can be joined matches %s yet; waiting for one", shorten(unmatched, 0)), SimilarSegments(unmatched[0]))
		}
	})
	return func() { t.Stop() }
}

// shorten lists the first few names and how many more there are, those omitted included.
func shorten(names []string, omitted int) string {
	const few = 4
	if n := len(names) + omitted; n > few {
		return fmt.Sprintf("%s and %s more", strings.Join(names[:few], ", "), format.Count(n-few))
	}
	return strings.Join(names, ", ")
}

// NoteNoReader prints after noticeDelay that the command waits for a process that opens its
// output, a FIFO, for reading. It prints nothing if stop was called by then. segment is ""
// if the command has no segment yet.
func NoteNoReader(command, segment, output string) (stop func()) {
	t := time.AfterFunc(noticeDelay, func() {
		Note(command, segment, fmt.Sprintf("waiting for a reader of %s: no process has this FIFO open for reading", sink.NameOf(output)), "start its reader")
	})
	return func() { t.Stop() }
}
