package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sluice/internal/format"
	"sluice/layout"
)

func encode(o *Options, object any) {
	json.NewEncoder(o.Out).Encode(object) // an error has nowhere to go but stderr itself
}

// manyText prints a line for each of the busiest segments at an interval, and one of the sum.
type manyText struct {
	lines   int  // since the last heading
	bridges bool // the last lines were of a bridge
}

// maxRows is how many segments have a line, so that an interval of a second can be read on a small
// terminal.
const maxRows = 10

// Names stand where reports on one segment have role and time.
const (
	manyHeadings = "%-16s %6s %-8s %6s %11s %11s %s\n"
	manyColumns  = "%-16s %6s %s %6s %6s %4s %6s %4s %s\n"
)

func (t *manyText) interval(o *Options, s *sum, rings []Report) {
	var b strings.Builder
	shown := busiest(rings)
	if o.Journal {
		t.entries(&b, s, shown, len(rings))
	} else {
		t.rows(&b, s, shown, rings)
	}
	io.WriteString(o.Out, b.String())
}

func (t *manyText) rows(b *strings.Builder, s *sum, shown []*Report, rings []Report) {
	bridges := slices.ContainsFunc(shown, isBridge)
	if heading := t.lines == 0 || t.lines >= headingEvery || bridges != t.bridges; heading && bridges {
		fmt.Fprintf(b, "%-16s %s", "", bridgeHeadings)
		t.lines = 0
	} else if heading {
		fmt.Fprintf(b, manyHeadings, "", "msg/s", "queue", "depth", "prod. waits", "cons. waits", "verdict")
		t.lines = 0
	}
	t.lines += len(shown) + 1
	t.bridges = bridges
	for _, r := range shown {
		if r.Now == nil {
			fmt.Fprintf(b, "%-16s %s\n", shortName(r.Name), kind(&r.Verdict))
			continue
		}
		if bridges {
			fmt.Fprintf(b, "%-16s %s", shortName(r.Name), bridgeCells(r))
			continue
		}
		i := &r.Interval
		fmt.Fprintf(b, manyColumns, shortName(r.Name), format.Rate(i.Throughput), gauge(r.Now), format.ShortCount(r.Now.Depth()),
			format.ShortCount(i.ProducerWaits), format.NarrowPercent(i.ProducerBlocked),
			format.ShortCount(i.ConsumerWaits), format.NarrowPercent(i.ConsumerBlocked), r.Verdict.Kind)
	}
	if more := len(rings) - len(shown); more > 0 {
		fmt.Fprintf(b, "and %s more\n", format.Count(more))
	}
	if bridges {
		fmt.Fprintf(b, "%-8s %7s "+bridgeColumns, direction(s.Role), format.Seconds(s.Elapsed), format.Rate(s.throughput()), fillBar(s.Fill), sumOfLags(rings), "", "", format.Number(s.Rings, "ring"))
		return
	}
	fmt.Fprintf(b, manyColumns, fmt.Sprintf("%-8s %7s", s.Role, format.Seconds(s.Elapsed)), format.Rate(s.throughput()), fillBar(s.Fill), format.ShortCount(s.Depth),
		format.ShortCount(s.Now.producerWaits), format.NarrowPercent(s.Producers),
		format.ShortCount(s.Now.consumerWaits), format.NarrowPercent(s.Consumers), format.Number(s.Rings, "ring"))
	if s.OutWait > s.Interval/2 {
		fmt.Fprintf(b, remark, s.Role, "", "the consumer waits for the reader of its output")
	}
}

// entries are lines of a journal.
func (t *manyText) entries(b *strings.Builder, s *sum, shown []*Report, all int) {
	for _, r := range shown {
		if r.Now == nil {
			fmt.Fprintf(b, "%s: %s\n", r.Name, kind(&r.Verdict))
		} else {
			fmt.Fprintf(b, "%s: %s\n", r.Name, r.sentence())
		}
	}
	if more := all - len(shown); more > 0 {
		fmt.Fprintf(b, "and %s more\n", format.Count(more))
	}
	fmt.Fprintf(b, "%s: %s msg/s, %s queued\n", format.Number(s.Rings, "ring"), format.Rate(s.throughput()), format.Messages(s.Depth))
}

// busiest returns the reports that have a line, by name.
func busiest(rings []Report) []*Report {
	shown := make([]*Report, len(rings))
	for i := range rings {
		shown[i] = &rings[i]
	}
	if len(shown) > maxRows {
		slices.SortStableFunc(shown, func(a, b *Report) int {
			return cmp.Or(cmp.Compare(b.Interval.Throughput, a.Interval.Throughput), cmp.Compare(depthOf(b), depthOf(a)))
		})
		shown = shown[:maxRows]
		slices.SortFunc(shown, func(a, b *Report) int { return cmp.Compare(a.Name, b.Name) })
	}
	return shown
}

func depthOf(r *Report) uint64 {
	if r.Now == nil {
		return 0
	}
	return r.Now.Depth()
}

// shortName returns a name in at most 16 characters. What tells names apart is often at the end.
func shortName(name string) string {
	const width, end = 16, 7
	if len(name) <= width {
		return name
	}
	return name[:width-end-2] + ".." + name[len(name)-end:]
}

// left prints nothing: the note says that it has left, and the last report has its figures.
func (t *manyText) left(*Options, *Report) {}

func (t *manyText) notes(o *Options, _, grouped []noteLine, leftOut int) {
	for i := range grouped {
		fmt.Fprintf(o.Out, "%v: %s\n", o.Role, grouped[i].Note)
	}
	if leftOut > 0 {
		fmt.Fprintf(o.Out, "%v: %s\n", o.Role, leftOutText(leftOut))
	}
}

const (
	outcomeHeadings = "  %-16s %13s %9s %6s %11s %s\n"
	outcomeColumns  = "  %-16s %13s %9s %6s %5s %5s %s\n"
)

func (t *manyText) final(o *Options, s *sum, rings []Report, ended []named, more int) {
	var b strings.Builder
	who := s.Role.String()
	if t.bridges || slices.ContainsFunc(rings, func(r Report) bool { return isBridge(&r) }) {
		who = "bridge " + direction(s.Role)
	}
	fmt.Fprintf(&b, "%s of %s ran for %s\n", who, format.Number(s.Rings, "ring"), format.Duration(s.Elapsed))
	all := make(map[string]*tally, len(rings)+len(ended))
	for _, e := range ended {
		all[e.name] = e.tally
	}
	for i := range rings {
		t := tallyOf(&rings[i])
		if before := all[rings[i].Name]; before != nil {
			t.add(before)
			t.addTimes(before)
		}
		all[rings[i].Name] = &t
	}
	names := slices.Sorted(maps.Keys(all))
	if len(names) > maxOutcomes {
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(moved(s.Role, all[b]), moved(s.Role, all[a])) })
		more += len(names) - maxOutcomes
		names = names[:maxOutcomes]
		slices.Sort(names)
	}
	if len(names) > 0 {
		fmt.Fprintf(&b, outcomeHeadings, "", "messages", "bytes", "msg/s", "prod. cons.", "verdict")
	}
	advice := map[string][]string{}
	for _, name := range names {
		t := all[name]
		if t.partly {
			fmt.Fprintf(&b, outcomeColumns, shortName(name), format.Count(moved(s.Role, t)), "-", "-", "-", "-", kind(&t.verdict))
			continue
		}
		fmt.Fprintf(&b, outcomeColumns, shortName(name), format.Count(moved(s.Role, t)), format.Size(movedBytes(s.Role, t)), format.Rate(perSecond(moved(s.Role, t), t.run)),
			format.NarrowPercent(t.producerBlocked), format.NarrowPercent(t.consumerBlocked), kind(&t.verdict))
		if t.advice != "" {
			advice[t.advice] = append(advice[t.advice], name)
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "  and %s more\n", format.Count(more))
	}
	bytes := format.Size(movedBytes(s.Role, &s.Run))
	if s.Run.partly {
		bytes = "-"
	}
	fmt.Fprintf(&b, outcomeColumns, "in sum", format.Count(moved(s.Role, &s.Run)), bytes,
		format.Rate(perSecond(moved(s.Role, &s.Run), s.Elapsed)), "", "", format.ShortCount(s.Depth)+" queued")
	for _, c := range []struct {
		name string
		of   func(*tally) uint64
	}{
		{"dropped", func(t *tally) uint64 { return t.dropped }},
		{"refused", func(t *tally) uint64 { return t.refusedMessages }},
		{"lost", func(t *tally) uint64 { return t.lost }},
	} {
		if n := c.of(&s.Run); n > 0 {
			fmt.Fprintf(&b, "  %-10s %s: %s\n", c.name, format.Messages(n), shares(names, all, c.of))
		}
	}
	manyTimes(&b, s, names, all)
	for _, text := range slices.Sorted(maps.Keys(advice)) {
		names := "  " + list(advice[text]) + ":"
		if len(names)+len(" ")+len(text) <= maxColumns {
			fmt.Fprintln(&b, names, text)
			continue
		}
		fmt.Fprintln(&b, names)
		for _, line := range clauses(text, maxColumns-4) {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	if s.Discarded != nil && *s.Discarded > 0 {
		fmt.Fprintf(&b, "%v: %s\n", s.Role, discardedText(*s.Discarded))
	}
	io.WriteString(o.Out, b.String())
}

// manyTimes prints the times of the whole run: of each segment, unless there are too many of them,
// and of the messages of all.
func manyTimes(b *strings.Builder, s *sum, names []string, all map[string]*tally) {
	heading := true
	rows := func(name string, t *tally) {
		for _, of := range NamedTimes(&t.times) {
			if heading {
				fmt.Fprintf(b, timesOfMany, "", "", TimesHeading)
				heading = false
			}
			fmt.Fprintf(b, timesOfMany, shortName(name), of.Name, Times(of.Times))
			name = ""
		}
	}
	if len(names) <= maxRows {
		for _, name := range names {
			rows(name, all[name])
		}
	}
	if s.Rings != 1 {
		rows("all", &s.Run)
	}
}

const timesOfMany = "  %-16s %-9s %s\n"

// shares returns what each segment has of a count, as far as it has something.
func shares(names []string, all map[string]*tally, of func(*tally) uint64) string {
	var texts []string
	for _, name := range names {
		if n := of(all[name]); n > 0 {
			texts = append(texts, name+" "+format.Count(n))
		}
	}
	return list(texts)
}

// moved returns the messages that a side has moved.
func moved(role layout.Role, t *tally) uint64 {
	if role == layout.Producer {
		return t.produced
	}
	return t.consumed
}

func movedBytes(role layout.Role, t *tally) uint64 {
	if role == layout.Producer {
		return t.producedBytes
	}
	return t.consumedBytes
}
