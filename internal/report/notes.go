package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/layout"
	"sluice/shm"
)

// Lines between the reports, and after the last one.

// Resumed prints that n messages of an earlier producer are still unread; consumer says whether
// there is a consumer that receives them.
func (r *Reporter) Resumed(n uint64, consumer bool) {
	then := "--fresh discards them"
	if consumer {
		then = "the consumer receives them first"
	}
	if n > 0 {
		r.note("continuing after %s left unread in %s; %s", format.Messages(n), shm.Path(r.opt.Name), then)
	}
}

// note prints a line for people. Programs find the same in the metrics.
func (r *Reporter) note(format string, args ...any) {
	if !r.opt.JSON {
		r.write(noteLine{Note: fmt.Sprintf(format, args...)})
	}
}

// write prints a line, or with Options.JSON an object.
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

// Verified prints that n messages were checked and none was missing, except those that a producer
// dropped and those that were lost with one.
func (r *Reporter) Verified(n, dropped, lost uint64) {
	r.write(noteLine{Note: verifiedText(n, dropped, lost, ""), VerifiedCount: &n})
}

// discardedText says that n bytes were read and not sent.
func discardedText(n int64) string {
	return fmt.Sprintf("discarded %s read from the input and not sent", format.Number(n, "byte"))
}

// Delivering prints that the producer sends no more and ends when the n messages in its queue are
// delivered; consumer says whether there is a consumer, and sooner what ends it before that.
func (r *Reporter) Delivering(n uint64, consumer bool, sooner string) {
	doing := "waiting for a consumer of"
	if consumer {
		doing = "delivering"
	}
	if n > 0 {
		r.note("sending has ended; %s %s (%s)", doing, format.Number(n, "queued message"), sooner)
	}
}

// Missed prints that n messages were dropped while no consumer was there, or it was disconnected.
func (r *Reporter) Missed(n uint64) {
	r.write(noteLine{Note: MissedText(n), MissedCount: &n})
}

// MissedText says that.
func MissedText(n uint64) string {
	were := "were"
	if n == 1 {
		were = "was"
	}
	return fmt.Sprintf("%s %s dropped while no consumer was there, or it was disconnected", format.Messages(n), were)
}

// Ended prints that a stream has ended, and the consumer waits for the next producer. incomplete is
// nil when the stream was complete.
func (r *Reporter) Ended(incomplete error) {
	text := "the stream is complete"
	if incomplete != nil {
		text = incomplete.Error()
		if in := (*shm.SegmentError)(nil); errors.As(incomplete, &in) {
			text = in.Cause() // the report is about one segment
		}
	}
	next := "producer"
	if endpoint.EndOf(incomplete) == layout.EndDisconnected {
		next = "stream" // of the same one
	}
	r.write(noteLine{Note: text + "; waiting for the next " + next, StreamEnd: new(endOf(incomplete))})
}

// WaitingToTell prints that everything was delivered, and that the producer waits for a consumer to
// tell it the end of the stream, until the given --duration is over; 0 = without a limit.
func (r *Reporter) WaitingToTell(most time.Duration) {
	until := "stop it to keep that for the next one"
	if most > 0 {
		until = fmt.Sprintf("until --duration %v is over; then that is kept for the next one", most)
	}
	r.note("sending has ended and everything was delivered; waiting for a consumer to report the end to (%s)", until)
}

// Following sets for the final report of a consumer that the segment was removed, and that it goes
// on in the next one of this name.
func (r *Reporter) Following() { r.following = true }

// Left prints what the last side leaves in the segment: n unread messages, or else the end of a
// stream that no consumer was told of (layout.EndNone: there is none). Call it after Finish.
func (r *Reporter) Left(n uint64, end layout.End) {
	switch {
	case r.following:
		r.note("the segment was replaced or removed; waiting for the next one")
	case r.removed:
	case n > 0:
		r.note("%s unread in %s, kept for the next consumer", format.Messages(n), shm.Path(r.opt.Name))
	case end != layout.EndNone:
		was := map[layout.End]string{layout.EndComplete: "is complete", layout.EndStopped: "was stopped before its end", layout.EndFailed: "failed before its end", layout.EndDisconnected: "was disconnected"}
		if end == layout.EndComplete && r.last.UntoldEnds > 0 {
			was[end] = "is complete, and an earlier one was not"
		}
		r.note("no consumer has received the end of the stream, which %s; %s is kept for the next consumer", was[end], shm.Path(r.opt.Name))
	}
}

// Lost returns "1 message was lost" or "2 messages were lost".
func Lost(n uint64) string {
	if n == 1 {
		return "1 message was lost"
	}
	return format.Messages(n) + " were lost"
}
