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

// OtherSegments says which segments there are, those with the most similar names first:
// for the user of a name that nothing stands for.
func OtherSegments(name string) string {
	names, omitted, err := segments.Names()
	n := len(names) + omitted
	switch {
	case err != nil:
		return err.Error()
	case n == 0:
		return "gauge ls shows none at all; producer creates one"
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(distance(a, name), distance(b, name)) })
	const few = 4
	if n > few {
		return fmt.Sprintf("gauge ls shows %s and %s more", strings.Join(names[:few], ", "), format.Count(n-few))
	}
	return "gauge ls shows " + strings.Join(names, ", ")
}

// distance is how many letters have to be changed to make one name of the other.
func distance(a, b string) int { return smetrics.WagnerFischer(a, b, 1, 1, 1) }

// patience is how long a command waits for its segment before it says so.
const patience = time.Second

// SayWaiting says after a second that the command waits for the segment, and which ones
// there are; not when it is there by then, or stop was called.
func SayWaiting(command, segment string) (stop func()) {
	t := time.AfterFunc(patience, func() {
		if _, err := os.Lstat(shm.Path(segment)); err == nil {
			return
		}
		Note(command, segment, fmt.Sprintf("waiting for segment %q", segment), OtherSegments(segment))
	})
	return func() { t.Stop() }
}

// SayNoReader says after a second that the command waits for somebody to open its output,
// a FIFO, for reading; not when stop was called by then. segment is "" where it is not yet
// known whether there is one.
func SayNoReader(command, segment, output string) (stop func()) {
	t := time.AfterFunc(patience, func() {
		Note(command, segment, fmt.Sprintf("waiting for somebody to read %s: it is a FIFO that nobody has open", sink.NameOf(output)), "start its reader")
	})
	return func() { t.Stop() }
}
