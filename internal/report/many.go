package report

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Many is a Reporter of a side that has several segments at a time: a consumer of many rings, or a
// producer of many. Each segment has its own figures and its own verdict, and there is a sum. Its
// methods never wait for who reads the reports, except the last one, Finish or Abandon, and then
// not for long. One goroutine at a time may use it.
type Many struct {
	opt           Options
	began         time.Time
	print         manyPrinter
	stop, stopped chan struct{}

	// mu is held while reports are made and segments come and go, and not while they are printed.
	mu         sync.Mutex
	live       []*Reporter       // of the segments that there are, by name
	finals     []Report          // of segments that have left, not yet printed
	outcomes   map[string]*tally // of segments that have left, of maxOutcomes at most
	left       tally             // of all that have left
	others     map[string]bool   // names of those that were too many for it, maxOthers at most
	notes      notes
	outputWait func() time.Duration // nil = the output never waits
	verified   []verified
	discarded  *int64 // for the last report

	lastTotal tally // of all segments at the last report
	lastAt    time.Time
	lastWait  time.Duration
}

// maxOutcomes is how many of the segments that have left are named in the last report: a pattern
// may match any number in the life of a process.
const maxOutcomes = 64

// maxOthers is how many more of them are counted.
const maxOthers = 10_000

// manyPrinter prints reports on several segments.
type manyPrinter interface {
	interval(o *Options, s *sum, rings []Report)
	left(o *Options, r *Report) // the last report on a segment that has left
	final(o *Options, s *sum, rings []Report, ended []named, more int)
	notes(o *Options, lines, grouped []noteLine, leftOut int)
}

// tally is what has happened in one or more segments since this side joined them.
type tally struct {
	produced, consumed, producedBytes, consumedBytes uint64
	dropped, refused, refusedMessages, lost          uint64
	producerWaits, consumerWaits                     uint64
	times                                            pressure.Interval // of it Latency, Response and Lateness; see addTimes
	partly                                           bool              // a segment could not be read at the end: only this side's own count is known

	// Of one segment.
	run                              time.Duration
	producerBlocked, consumerBlocked float64 // shares of the time, of the last time that it was there
	verdict                          pressure.Verdict
	advice                           string
}

// named is a tally of the segment with that name.
type named struct {
	name string
	*tally
}

// sum is the figures of all segments.
type sum struct {
	Role      layout.Role
	Elapsed   time.Duration
	Interval  time.Duration // that throughput and the waits are of
	Final     bool
	Rings     int // that there are; in the last report, that there were
	Depth     uint64
	Bytes     uint64
	Fill      float64 // of what all may hold, NaN without a bound
	Now       tally   // of the interval
	Run       tally   // since the start
	Producers float64 // average share of the time that a producer was blocked
	Consumers float64
	OutWait   time.Duration // of the interval: how long the output waited for its reader
	Discarded *int64        // bytes read from the input and not sent; nil = unknown
}

// verified is the outcome of --verify on one segment.
type verified struct {
	name             string
	n, dropped, lost uint64
}

// StartMany begins to report on the segments that join. opt.Name and opt.Total are not used.
func StartMany(opt Options) *Many {
	m := &Many{
		opt: opt, began: time.Now(), lastAt: time.Now(), outcomes: map[string]*tally{}, others: map[string]bool{},
		stop: make(chan struct{}), stopped: make(chan struct{}), print: &manyText{},
	}
	m.notes.wake = make(chan struct{}, 1)
	if opt.JSON {
		m.print, m.notes.each = manyJSON{}, true
	}
	go func() {
		defer close(m.stopped)
		run(opt.Interval, false, m.stop, m.notes.wake, m)
	}()
	return m
}

// Join starts to read the metrics of seg, and prints that. own is as for [Reporter.Attach]. The
// error is shm.ErrTruncated.
//
// Preconditions: no segment of that name is there.
func (m *Many) Join(name string, seg *shm.Segment, own func() uint64) error {
	opt := m.opt
	opt.Name = name
	r := newReporter(opt)
	r.began = m.began
	if err := r.Attach(seg, own); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, _ := m.find(name)
	m.live = slices.Insert(m.live, at, r)
	m.notes.add(noteLine{Note: "joined", Segment: name})
	return nil
}

// find returns where the segment is in live, or would be. m.mu is held.
func (m *Many) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(m.live, name, func(r *Reporter, name string) int { return cmp.Compare(r.opt.Name, name) })
}

// Leave reads the metrics of a segment for the last time, and prints that it has left and the last
// report on it. The segment may be closed after it. end is how its stream has ended, if it has:
// layout.EndNone. why is for people, such as "the stream is complete".
func (m *Many) Leave(name string, end layout.End, why string) {
	m.leave(name, end.String(), end != layout.EndNone, why)
}

// LeaveEnded is Leave for a consumer: incomplete is nil when the stream was complete.
func (m *Many) LeaveEnded(name string, incomplete error, why string) {
	m.leave(name, endOf(incomplete), true, why)
}

func (m *Many) leave(name, end string, ended bool, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, found := m.find(name)
	note := noteLine{Note: why, Segment: name}
	if ended {
		note.StreamEnd = &end
	}
	m.notes.add(note)
	if !found {
		return
	}
	r := m.live[at]
	m.live = slices.Delete(m.live, at, at+1)
	if ended {
		r.end = end
	}
	rep := m.finish(r)
	switch {
	case !m.opt.JSON: // the note and the last report of all say it
	case len(m.finals) < maxNotes:
		m.finals = append(m.finals, rep)
	default:
		m.notes.leftOut++
	}
	m.account(name, tallyOf(&rep))
}

// finish returns the last report of a segment.
func (m *Many) finish(r *Reporter) Report {
	r.Detach()
	rep, _ := r.make(r.first, true)
	return rep
}

// account adds a segment that has left to the outcomes. m.mu is held.
func (m *Many) account(name string, t tally) {
	m.left.add(&t)
	m.left.addTimes(&t)
	switch before := m.outcomes[name]; {
	case before != nil:
		t.add(before)
		t.addTimes(before)
		m.outcomes[name] = &t
	case len(m.outcomes) < maxOutcomes:
		m.outcomes[name] = &t
	case len(m.others) < maxOthers:
		m.others[name] = true
	}
}

// Note prints that text is so for the segment called name. Lines of one text are joined.
func (m *Many) Note(name, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes.add(noteLine{Note: text, Segment: name})
}

// Missed is [Reporter.Missed] for one of the segments.
func (m *Many) Missed(name string, n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes.add(noteLine{Note: MissedText(n), Segment: name, MissedCount: &n})
}

// OutputWait is [Reporter.OutputWait].
func (m *Many) OutputWait(waited func() time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outputWait = waited
}

// Discarded is [Reporter.Discarded]: no segment was sent these bytes.
func (m *Many) Discarded(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.discarded = &n
}

// Verified is [Reporter.Verified] for one of the segments. It is printed with the last report.
func (m *Many) Verified(name string, n, dropped, lost uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.verified = append(m.verified, verified{name, n, dropped, lost})
}

// Finish prints the last report on each segment that is still there and on the sum, and returns
// when that is printed or has timed out. The segments may be closed after it.
func (m *Many) Finish() { m.end(m.lastReports) }

// Abandon is Finish without the last reports: it prints what waits.
func (m *Many) Abandon() { m.end(func() func() { return func() {} }) }

// end stops the reports, and prints what waits and what last returns then. m.mu is held while last
// is called.
func (m *Many) end(last func() (print func())) {
	close(m.stop)
	printing := inTime(m.stopped)
	m.mu.Lock()
	defer m.mu.Unlock()
	print := last()
	if m.live = nil; !printing {
		return
	}
	waiting := m.take()
	done := make(chan struct{})
	go func() {
		defer close(done)
		waiting()
		print()
	}()
	inTime(done)
}

// lastReports returns what prints the last report on each segment that is still there and on the
// sum. m.mu is held.
func (m *Many) lastReports() (print func()) {
	var rings []Report
	for _, r := range m.live {
		rings = append(rings, m.finish(r))
	}
	s := m.total(rings, time.Since(m.began))
	for i := range rings {
		t := tallyOf(&rings[i])
		s.Run.addTimes(&t)
	}
	s.Final, s.Rings = true, len(m.outcomes)+len(m.others)+len(rings)
	for i := range rings {
		name := rings[i].Name
		if m.outcomes[name] != nil || m.others[name] {
			s.Rings-- // it came again
		}
		delete(m.others, name) // it is named
	}
	s.Now, s.Discarded = s.Run, m.discarded
	var ended []named
	for name, t := range m.outcomes {
		ended = append(ended, named{name, t})
	}
	slices.SortFunc(ended, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	more, verified := len(m.others), verifiedLines(m.verified, m.opt.JSON)
	return func() {
		m.print.final(&m.opt, &s, rings, ended, more)
		for _, n := range verified {
			m.print.notes(&m.opt, []noteLine{n}, []noteLine{n}, 0)
		}
	}
}

func (m *Many) reporters() []*Reporter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.live)
}

func (m *Many) asked() <-chan struct{} { return m.opt.Stopping }

func (m *Many) redraw() {}

func (m *Many) observe() {
	for _, r := range m.reporters() {
		r.observe()
	}
}

// untilNext returns the time that the busiest segment needs.
func (m *Many) untilNext() time.Duration {
	next, all := maxObserveInterval, m.reporters()
	for _, r := range all {
		next = min(next, r.untilNext())
	}
	for _, r := range all {
		r.observeEvery = next
	}
	return next
}

func (m *Many) report(stopped bool) bool {
	m.mu.Lock()
	var rings []Report
	for _, r := range m.live {
		r.observe()
		r.markStopped(stopped)
		rep, now := r.make(r.before, false)
		r.before = now
		rings = append(rings, rep)
	}
	s := m.total(rings, time.Since(m.lastAt))
	s.Now, m.lastTotal, m.lastAt = s.Run.since(&m.lastTotal), s.Run, time.Now()
	if s.Rings = len(rings); m.outputWait != nil {
		waited := m.outputWait()
		s.OutWait, m.lastWait = waited-m.lastWait, waited
	}
	m.mu.Unlock()
	m.print.interval(&m.opt, &s, rings)
	return true
}

// total returns the sum of the reports on those that are there, and of those that have left. m.mu
// is held.
func (m *Many) total(rings []Report, interval time.Duration) sum {
	s := sum{Role: m.opt.Role, Elapsed: time.Since(m.began), Interval: interval, Run: m.left}
	bounds := uint64(0)
	for i := range rings {
		r := &rings[i]
		t := tallyOf(r)
		s.Run.add(&t)
		if r.Now == nil {
			continue
		}
		s.Depth += r.Now.Depth()
		s.Bytes += r.Now.QueueBytes
		if r.Now.Bounded() {
			bounds++
			s.Fill += r.Now.Fill()
		}
		s.Producers += r.Interval.ProducerBlocked / float64(len(rings))
		s.Consumers += r.Interval.ConsumerBlocked / float64(len(rings))
	}
	s.Fill /= float64(max(bounds, 1))
	return s
}

func (m *Many) flush() {
	m.mu.Lock()
	print := m.take()
	m.mu.Unlock()
	print()
}

// take returns what prints the notes and last reports that wait. m.mu is held.
func (m *Many) take() (print func()) {
	finals := m.finals
	lines, grouped, leftOut := m.notes.take()
	m.finals = nil
	return func() {
		m.print.notes(&m.opt, lines, grouped, leftOut)
		for i := range finals {
			m.print.left(&m.opt, &finals[i])
		}
	}
}

// tallyOf returns what a report says of the time since this side joined the segment.
func tallyOf(r *Report) tally {
	t := tally{verdict: r.Verdict, advice: r.Advice}
	if r.Own != nil { // the segment cannot be read any more
		if r.Role == layout.Consumer.String() {
			t.consumed = r.Own.Run
		} else {
			t.produced = r.Own.Run
		}
	}
	i := r.Run
	if t.partly = i == nil; t.partly {
		return t
	}
	t.produced, t.consumed, t.producedBytes, t.consumedBytes = i.Produced, i.Consumed, i.ProducedBytes, i.ConsumedBytes
	t.dropped, t.refused, t.refusedMessages, t.lost = i.Dropped, i.Refused, i.RefusedMessages, i.Lost
	t.producerWaits, t.consumerWaits = i.ProducerWaits, i.ConsumerWaits
	t.run = i.Elapsed
	t.times.Latency, t.times.Response, t.times.Lateness = i.Latency, i.Response, i.Lateness
	t.producerBlocked, t.consumerBlocked = i.ProducerBlocked, i.ConsumerBlocked
	return t
}

// add adds the counts of u.
func (t *tally) add(u *tally) {
	t.combine(u, func(a, b uint64) uint64 { return a + b })
	t.run += u.run
	t.partly = t.partly || u.partly
}

// addTimes adds the times of u. It is not part of add, which is called at each report: only the
// last one shows them.
func (t *tally) addTimes(u *tally) {
	t.times.Latency = t.times.Latency.Plus(&u.times.Latency)
	t.times.Response = t.times.Response.Plus(&u.times.Response)
	t.times.Lateness = t.times.Lateness.Plus(&u.times.Lateness)
}

// since returns the counts less those of before.
func (t tally) since(before *tally) tally {
	t.combine(before, func(a, b uint64) uint64 { return a - min(a, b) })
	return t
}

func (t *tally) combine(u *tally, f func(a, b uint64) uint64) {
	for _, c := range []struct{ to, from *uint64 }{
		{&t.produced, &u.produced},
		{&t.consumed, &u.consumed},
		{&t.producedBytes, &u.producedBytes},
		{&t.consumedBytes, &u.consumedBytes},
		{&t.dropped, &u.dropped},
		{&t.refused, &u.refused},
		{&t.refusedMessages, &u.refusedMessages},
		{&t.lost, &u.lost},
		{&t.producerWaits, &u.producerWaits},
		{&t.consumerWaits, &u.consumerWaits},
	} {
		*c.to = f(*c.to, *c.from)
	}
}
