package report

import (
	"encoding/json"
	"fmt"
	"time"

	"sluice/internal/format"
	"sluice/layout"
	"sluice/shm"
)

// Lines between the reports, for people, and what Reporter says after the last one.

// Resumed says that n messages of an earlier producer were still unread, and whether
// there is a consumer to take them.
func (r *Reporter) Resumed(n uint64, consumer bool) {
	then := "--fresh discards them"
	if consumer {
		then = "the consumer takes them first"
	}
	if n > 0 {
		r.note("going on after %s left unread in %s; %s", format.Messages(n), shm.Path(r.opt.Name), then)
	}
}

// note prints a line for people; programs find the same in the figures.
func (r *Reporter) note(format string, args ...any) {
	if !r.opt.JSON {
		r.write(noteLine{Note: fmt.Sprintf(format, args...)})
	}
}

// write prints a line for people, or for programs an object.
func (r *Reporter) write(n noteLine) {
	if r.silent {
		return
	}
	n.Segment = r.opt.Name
	r.withTimeout(func() {
		if r.opt.JSON {
			json.NewEncoder(r.opt.Out).Encode(n)
		} else {
			fmt.Fprintf(r.opt.Out, "%v: %s\n", r.opt.Role, n.Note)
		}
	})
}

// Verified says that n messages were checked, and all was well: none was missing but what
// the producer dropped, or was lost with one.
func (r *Reporter) Verified(n, dropped, lost uint64) {
	text := "none missing, repeated or damaged"
	switch {
	case dropped > 0 && lost > 0:
		text = fmt.Sprintf("none missing but %s that the producer dropped and %s that were lost, none repeated or damaged", format.Count(dropped), format.Count(lost))
	case dropped > 0:
		text = fmt.Sprintf("none missing but %s that the producer dropped, none repeated or damaged", format.Count(dropped))
	case lost > 0:
		text = fmt.Sprintf("none missing but %s that were lost with a producer, none repeated or damaged", format.Count(lost))
	}
	r.write(noteLine{Note: fmt.Sprintf("verified %s: %s", format.Messages(n), text), VerifiedCount: &n})
}

// Delivering says that n messages are still in the producer's queue, which ends
// when they are taken, whether there is a consumer that takes them, and what ends that
// sooner.
func (r *Reporter) Delivering(n uint64, consumer bool, sooner string) {
	doing := "waiting for a consumer of what is queued"
	if consumer {
		doing = "delivering what is queued"
	}
	if n > 0 {
		r.note("no more is sent; %s, %s (%s)", doing, format.Messages(n), sooner)
	}
}

// Ended says that a producer's stream has ended, and the consumer waits for the next:
// nil when the stream was complete.
func (r *Reporter) Ended(incomplete error) {
	text := "the stream is complete"
	if incomplete != nil {
		text = incomplete.Error()
	}
	r.write(noteLine{Note: text + "; waiting for the next producer", StreamEnd: new(endOf(incomplete))})
}

// WaitingToTell says that everything was taken, and the producer waits for a consumer to tell
// it the end of the stream, for as long as the given --duration; 0 = for ever.
func (r *Reporter) WaitingToTell(most time.Duration) {
	until := "stop it to keep that for the next one"
	if most > 0 {
		until = fmt.Sprintf("until --duration %v is over; then that is kept for the next one", most)
	}
	r.note("no more is sent, and all was taken; waiting for a consumer to tell it the end (%s)", until)
}

// Left says what the last side has left behind: n unread messages, or the end of a
// stream of none that nobody was told of; layout.EndNone is no such end. It is for
// after Finish.
func (r *Reporter) Left(n uint64, end layout.End) {
	switch {
	case r.removed:
	case n > 0:
		r.note("%s unread in %s, kept for the next consumer", format.Messages(n), shm.Path(r.opt.Name))
	case end != layout.EndNone:
		was := map[layout.End]string{layout.EndComplete: "is complete", layout.EndStopped: "was stopped before its end", layout.EndFailed: "failed before its end"}
		if end == layout.EndComplete && r.last.UntoldEnds > 0 {
			was[end] = "is complete, and an earlier one was not"
		}
		r.note("no consumer was told that the stream %s; %s is kept to tell the next one", was[end], shm.Path(r.opt.Name))
	}
}

// Lost is a number of messages that were lost, with its verb.
func Lost(n uint64) string {
	if n == 1 {
		return "1 message was lost"
	}
	return format.Messages(n) + " were lost"
}
