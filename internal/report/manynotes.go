package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/format"
	"sluice/layout"
	"sluice/pressure"
)

// notes are lines that wait to be printed: at most maxLines a second for people, however many
// segments come and go. Programs get each, and how many were left out when they did not read.
type notes struct {
	each    bool          // for programs
	wake    chan struct{} // gets a value when they are to be printed
	waiting []noteLine
	leftOut int       // more than maxNotes were waiting
	due     bool      // wake will get a value
	last    time.Time // when they were last printed
}

const (
	maxNotes      = 1000 // that wait: nobody may be reading the reports
	maxLines      = 4
	maxNamesShown = 4

	noteDelay    = 50 * time.Millisecond // for what happens together
	noteInterval = time.Second
)

// add adds a note.
func (n *notes) add(l noteLine) {
	if len(n.waiting) >= maxNotes {
		n.leftOut++
		return
	}
	n.waiting = append(n.waiting, l)
	if n.each && len(n.waiting) == maxNotes/2 {
		n.print()
	}
	if n.due {
		return
	}
	n.due = true
	delay := noteDelay
	if !n.each {
		delay = max(delay, noteInterval-time.Since(n.last))
	}
	time.AfterFunc(delay, n.print)
}

// print makes the notes be printed.
func (n *notes) print() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take returns the notes that wait: one by one, and as a few lines, each of which has one text and
// the segments that it is about. leftOut is how many more there were.
func (n *notes) take() (all, grouped []noteLine, leftOut int) {
	all = n.waiting
	names := map[string][]string{}
	var texts []string
	for i := range all {
		text := all[i].Note
		if names[text] == nil {
			texts = append(texts, text)
		}
		if !slices.Contains(names[text], all[i].Segment) { // it may come and go several times
			names[text] = append(names[text], all[i].Segment)
		}
	}
	for i, text := range texts {
		if i == maxLines {
			grouped = append(grouped, noteLine{Note: "and " + format.Number(len(texts)-i, "more line")})
			break
		}
		grouped = append(grouped, noteLine{Note: text + ": " + list(names[text])})
	}
	leftOut = n.leftOut
	n.waiting, n.leftOut, n.due, n.last = nil, 0, false, time.Now()
	return all, grouped, leftOut
}

// list returns the first few names and how many more there are.
func list(names []string) string {
	if len(names) <= maxNamesShown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %s more", strings.Join(names[:maxNamesShown], ", "), format.Count(len(names)-maxNamesShown))
}

// verifiedLines returns what was verified: one line for people, and one for each segment for
// programs.
func verifiedLines(all []verified, each bool) (lines []noteLine) {
	var n, dropped, lost uint64
	names := map[string]bool{} // of rings, which may have come again
	for i := range all {
		v := &all[i]
		n, dropped, lost, names[v.name] = n+v.n, dropped+v.dropped, lost+v.lost, true
		if each {
			lines = append(lines, noteLine{Note: verifiedText(v.n, v.dropped, v.lost, ""), Segment: v.name, VerifiedCount: &v.n})
		}
	}
	if len(all) > 0 && !each {
		lines = append(lines, noteLine{Note: verifiedText(n, dropped, lost, " of "+format.Number(len(names), "ring"))})
	}
	return lines
}

// verifiedText says that n messages were checked and none was missing, except those that a
// producer dropped and those that were lost with one.
func verifiedText(n, dropped, lost uint64, of string) string {
	text := "none missing, repeated or damaged"
	switch {
	case dropped > 0 && lost > 0:
		text = fmt.Sprintf("none missing except %s that the producer dropped and %s that were lost, none repeated or damaged", format.Count(dropped), format.Count(lost))
	case dropped > 0:
		text = fmt.Sprintf("none missing except %s that the producer dropped, none repeated or damaged", format.Count(dropped))
	case lost > 0:
		text = fmt.Sprintf("none missing except %s that were lost with a producer, none repeated or damaged", format.Count(lost))
	}
	return fmt.Sprintf("verified %s%s: %s", format.Messages(n), of, text)
}

// CompleteText and the text of an incomplete stream say how the stream of a segment has ended.
const CompleteText = "the stream is complete"

// manyJSON prints an object for each segment, with its name, and one for the sum.
type manyJSON struct{}

func (manyJSON) notes(o *Options, lines, _ []noteLine, leftOut int) {
	for i := range lines {
		encode(o, &lines[i])
	}
	if leftOut > 0 {
		encode(o, leftOutObject{Note: leftOutText(leftOut), Count: leftOut})
	}
}

// leftOutObject says that a program which does not read has missed objects.
type leftOutObject struct {
	Note    string  `json:"note"`
	Hint    *string `json:"hint"`    // null
	Segment *string `json:"segment"` // null
	Count   int     `json:"leftOutCount"`
}

func leftOutText(n int) string { return format.Number(n, "more line") + " left out" }

func (manyJSON) left(o *Options, r *Report) { JSON(o.Out, r) }

func (p manyJSON) interval(o *Options, s *sum, rings []Report) {
	for i := range rings {
		JSON(o.Out, &rings[i])
	}
	encode(o, s.object())
}

func (p manyJSON) final(o *Options, s *sum, rings []Report, _ []named, _ int) {
	p.interval(o, s, rings)
}

// sumObject is the sum of several segments. Its keys mean what they mean in the table of package
// metrics; "rings" is in no other object.
type sumObject struct {
	Role       string    `json:"role"`
	Name       *string   `json:"name"` // null
	Rings      int       `json:"rings"`
	ElapsedSec float64   `json:"elapsedSec"`
	Final      bool      `json:"final"`
	Throughput float64   `json:"throughputPerSec"`
	QueueDepth uint64    `json:"queueDepth"`
	QueueBytes uint64    `json:"queueBytes"`
	Discarded  *int64    `json:"discardedBytes"`
	Run        runObject `json:"run"`
}

type runObject struct {
	Produced        uint64 `json:"producedCount"`
	Consumed        uint64 `json:"consumedCount"`
	ProducedBytes   uint64 `json:"producedBytes"`
	ConsumedBytes   uint64 `json:"consumedBytes"`
	ProducerWaits   uint64 `json:"producerWaits"`
	ConsumerWaits   uint64 `json:"consumerWaits"`
	Refused         uint64 `json:"refusedCount"`
	Dropped         uint64 `json:"droppedCount"`
	RefusedMessages uint64 `json:"refusedMessages"`
	Lost            uint64 `json:"lostCount"`

	// Of the messages of all segments; null before the last report, and when none was timed.
	Latency  *timesObject `json:"latency"`
	Response *timesObject `json:"response"`
	Lateness *timesObject `json:"lateness"`
}

// timesObject is a time in nanoseconds.
type timesObject struct {
	Mean int64 `json:"mean"`
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

func (s *sum) times(h *pressure.Histogram) *timesObject {
	if !s.Final || h.Count == 0 {
		return nil
	}
	return &timesObject{int64(h.Mean()), int64(h.Quantile(0.5)), int64(h.Quantile(0.9)), int64(h.Quantile(0.99)), int64(h.Quantile(0.999)), int64(h.Max)}
}

func (s *sum) object() *sumObject {
	t := &s.Run
	return &sumObject{
		Role: s.Role.String(), Rings: s.Rings, ElapsedSec: s.Elapsed.Seconds(), Final: s.Final,
		Throughput: s.throughput(), QueueDepth: s.Depth, QueueBytes: s.Bytes, Discarded: s.Discarded,
		Run: runObject{
			t.produced, t.consumed, t.producedBytes, t.consumedBytes, t.producerWaits, t.consumerWaits,
			t.refused, t.dropped, t.refusedMessages, t.lost,
			s.times(&t.times.Latency), s.times(&t.times.Response), s.times(&t.times.Lateness),
		},
	}
}

// throughput returns the messages a second that this side has moved in the interval.
func (s *sum) throughput() float64 {
	n := s.Now.consumed
	if s.Role == layout.Producer {
		n = s.Now.produced
	}
	return perSecond(n, s.Interval)
}
