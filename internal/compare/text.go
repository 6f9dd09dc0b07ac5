package compare

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"sluice/internal/format"
)

// Head are the headings of the table, separated by tabs.
const Head = "scenario\tmodel\tmsg/s\tblocked\tdepth\tmemory\tp50\tp99\tCPU s/M\tverdict\t"

// cells returns the figures of a result, in the order of Head.
func (r *Result) cells() []string {
	end := r.Verdict()
	if r.LimitAfter > 0 {
		end = "limit after " + seconds(r.LimitAfter)
	}
	return []string{
		r.Scenario.Title, r.Model.Name, si(r.Throughput()), format.Percent(r.ProducerBlocked()), si(r.PeakDepth()), memory(r.PeakMemory()),
		latency(r, 0.5), latency(r, 0.99), digits(r.CPUPerMillion()), end,
	}
}

// Table returns all results as text for a terminal.
func (rep *Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, Head)
	last := ""
	for _, r := range rep.Results {
		cells := r.cells()
		if cells[0] == last {
			cells[0] = ""
		} else {
			last = cells[0]
		}
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	w.Flush()
	return b.String()
}

// Markdown returns the report, with links to the pictures.
func (rep *Report) Markdown(pictures []Picture) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Hard against soft back-pressure, measured\n\n%s. %s%s.\n\n", rep.Machine, rep.Began.Format("2 January 2006, 15:04"), map[bool]string{true: "; a quick run, whose figures are rough", false: ""}[rep.Quick])
	b.WriteString(intro + "\n\n")
	b.WriteString("## Loads\n\n")
	for _, l := range rep.Loads() {
		fmt.Fprintf(&b, "- **%s**: %s.\n", l.Title, l.About)
	}
	b.WriteString("\n")
	for _, part := range rep.parts() {
		fmt.Fprintf(&b, "## %s\n\n", part.title)
		for _, s := range part.sentences {
			fmt.Fprintf(&b, "- %s\n", s)
		}
		b.WriteString("\n")
	}
	b.WriteString("## What should I use\n\n| when | use | because |\n|---|---|---|\n")
	for _, c := range rep.Choices() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Case, c.Use, c.Because)
	}
	b.WriteString("\n## All figures\n\n" + legend + "\n\n| " + strings.ReplaceAll(strings.TrimSuffix(Head, "\t"), "\t", " | ") + " |\n|" + strings.Repeat("---|", strings.Count(Head, "\t")) + "\n")
	for _, r := range rep.Results {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.cells(), " | "))
	}
	b.WriteString("\n| scenario | model | producer CPU | peak | switches | consumer CPU | peak | switches |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rep.Results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Scenario.Title, r.Model.Name, r.Producer, r.Consumer)
	}
	b.WriteString("\n## Pictures\n\n")
	for _, p := range pictures {
		fmt.Fprintf(&b, "![%s](%s)\n", p.Title, p.File)
	}
	return b.String()
}

// String returns cells of a table: seconds of processor time, peak memory, voluntary and
// involuntary context switches.
func (u Usage) String() string {
	return fmt.Sprintf("%.2f s | %s | %s + %s", u.CPU.Seconds(), memory(float64(u.PeakRSS)), count(float64(u.Voluntary)), count(float64(u.Involuntary)))
}

type part struct {
	title     string
	sentences []string
}

func (rep *Report) parts() []part {
	hard, soft, both := rep.Findings()
	return []part{
		{"When does the hard model break", hard},
		{"When does the soft model break", soft},
		{"What else came out", both},
	}
}

const intro = "Two processes, one of which sends messages to the other. The *ring* is bounded: a full one makes the producer wait. " +
	"A *transfer* passes buffers on and never waits: one sealed buffer a message, messages *packed* into buffers of 64 KiB, or *recycled* buffers, which are used again. " +
	"Every sentence below is computed from this run's measurements."

const legend = "msg/s: received a second, while there were any. Blocked: share of the time that the producer waited for room. Depth, memory: the highest. " +
	"p50, p99: from publish to receipt. CPU s/M: seconds of processor of both sides for a million messages. Verdict: the one that held longest; a run that reached its " +
	"memory limit says when, and its msg/s are those until then."
