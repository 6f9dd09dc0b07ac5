package compare

import "time"

// Table is figures side by side: a row of cells for each of Rows, a column for each of Columns.
type Table struct {
	Columns []string
	Rows    []Row
}

// Row is a row of a table.
type Row struct {
	Name  string
	Cells []string
}

// figureRows are the rows of a load's table: what is compared stands side by side in a row.
var figureRows = []struct {
	name string
	cell func(r *Run) string
}{
	{"offered", func(r *Run) string { return count(r.Offered) }},
	{"sent", func(r *Run) string { return count(r.Sent) }},
	{"taken", func(r *Run) string { return count(r.Taken) }},
	{"taken a second", func(r *Run) string { return rate(r.TakenPerSec) }},
	{"lasted", func(r *Run) string { return span(r.Elapsed) }},
	{"unsent at the end", func(r *Run) string { return count(r.Unsent) }},
	{"unsent, at most", func(r *Run) string { return count(r.MostUnsent) }},
	{"queued, at most", func(r *Run) string { return count(r.Deepest) }},
	{"waiting, at most", func(r *Run) string { return count(r.worst()) }},
	{"latency p50", func(r *Run) string { return timed(r.Latency, r.Latency.P50) }},
	{"response p50", func(r *Run) string { return r.mark(0.5, timed(r.Response, r.Response.P50)) }},
	{"latency p99", func(r *Run) string { return timed(r.Latency, r.Latency.P99) }},
	{"response p99", func(r *Run) string { return r.mark(0.99, timed(r.Response, r.Response.P99)) }},
	{"latency mean", func(r *Run) string { return timed(r.Latency, r.Latency.Mean) }},
	{"response mean", func(r *Run) string { return timed(r.Response, r.Response.Mean) }},
	{"response max", func(r *Run) string { return timed(r.Response, r.Response.Max) }},
	{"generator late p50", func(r *Run) string { return timed(r.Lateness, r.Lateness.P50) }},
	{"generator late p99", func(r *Run) string { return timed(r.Lateness, r.Lateness.P99) }},
	{"memory, at most", func(r *Run) string { return memory(r.Memory) }},
	{"producer blocked", func(r *Run) string { return percent(r.ProducerBlockedShare()) }},
	{"consumer blocked", func(r *Run) string { return percent(r.ConsumerBlockedShare()) }},
	{"producer CPU", func(r *Run) string { return span(r.Producer.CPU) }},
	{"consumer CPU", func(r *Run) string { return span(r.Consumer.CPU) }},
	{"CPU a message", func(r *Run) string { return span(r.CPUPerMessage()) }},
	{"other work", func(r *Run) string { return percent(r.Others) }},
	{"limit after", func(r *Run) string { return limitAfter(r.LimitAfter) }},
}

// timed writes one of t's times, or - if nothing was measured.
func timed(t Times, d time.Duration) string {
	if t.Count == 0 {
		return "-"
	}
	return span(d)
}

func limitAfter(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return span(d)
}

// mark marks a quantile of the response that the generator's own lateness could explain.
func (r *Run) mark(quantile float64, s string) string {
	if r.LateAt(quantile) {
		return s + "*"
	}
	return s
}

// FigureTable returns the figures of a load.
func (rep *Report) FigureTable(load string) (t Table) {
	runs := rep.of(load)
	for _, r := range runs {
		t.Columns = append(t.Columns, r.Model.Name)
	}
	limited := which(runs, func(r *Run) bool { return r.LimitAfter > 0 })
	for _, row := range figureRows {
		if row.name == "limit after" && len(limited) == 0 {
			continue
		}
		var cells []string
		for _, r := range runs {
			cells = append(cells, row.cell(r))
		}
		t.Rows = append(t.Rows, Row{row.name, cells})
	}
	return t
}

// SizeTable returns the figures of the sweep of sizes: what is moved, and processor time.
func (rep *Report) SizeTable() (t Table) {
	for _, m := range Models {
		t.Columns = append(t.Columns, m.Name)
	}
	for _, of := range []struct {
		name string
		cell func(r *Run) string
	}{
		{"messages/s", func(r *Run) string { return limited(r, rate(r.TakenPerSec)) }},
		{"payload", func(r *Run) string { return limited(r, perSecond(r.TakenPerSec*float64(r.Load.Size))) }},
		{"CPU a message", func(r *Run) string { return span(r.CPUPerMessage()) }},
		{"memory", func(r *Run) string { return memory(r.Memory) }},
	} {
		for _, size := range Sizes {
			row := Row{Name: memory(uint64(size)) + ", " + of.name}
			for _, m := range Models {
				cell := "-"
				if r := rep.find(sizeLoad(size, 0).ID, m.ID); r != nil {
					cell = of.cell(r)
				}
				row.Cells = append(row.Cells, cell)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// limited marks a rate that holds only as long as memory lasts.
func limited(r *Run, s string) string {
	if r.LimitAfter > 0 {
		return s + "+"
	}
	return s
}

// BoundTable returns the figures of the sweep of bounds.
func (rep *Report) BoundTable() (t Table) {
	t.Columns = []string{"messages/s", "memory", "CPU a message", "producer blocked", "consumer blocked"}
	for i, b := range Bounds {
		if r := rep.find(boundLoad(i, 0).ID, "hard"); r != nil {
			t.Rows = append(t.Rows, Row{b.String(), []string{
				rate(r.TakenPerSec), memory(r.Memory), span(r.CPUPerMessage()), percent(r.ProducerBlockedShare()), percent(r.ConsumerBlockedShare()),
			}})
		}
	}
	return t
}
