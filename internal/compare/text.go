package compare

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const intro = "Two processes, one of which sends messages to the other, and three models of what happens when the consumer is the slower side. " +
	"*hard*: a ring in shared memory; when it is full the producer waits. *credit*: buffers are passed on; at a limit of memory the producer waits. " +
	"*soft*: buffers are passed on and queue in memory; a limit ends the producer. Soft comes in three forms: *plain*, one sealed buffer a message, as in credit; " +
	"*packed*, many messages in a buffer of 64 KiB; *recycled*, buffers that are mapped once and used again, and not sealed. " +
	"Every sentence below is computed from this comparison's figures."

var boundsNote = fmt.Sprintf("Hard and credit have room for %d messages under these loads (hard: --slots %d; credit: --limit %s, because a sealed buffer takes whole pages); "+
	"soft has its default limit, which is far away, but under overload.", boundMessages, boundMessages, memory(boundLimit))

const legend = "Latency: from publish to take. Response: from when a message was due to its take; with * the generator itself was late by at least half of it. " +
	"Unsent: due, and not sent. Waiting: unsent and queued at one time. Blocked: share of the time that a side waited because the queue was full (producer) or empty (consumer); a wait in which it was stopped counts for up to a second. " +
	"CPU: processor time; the producer's includes what the generator spins to be on time. Other work: of anything else on the machine, in percent of a processor. Memory: of the segment and of messages in flight."

const sizesLegend = "With + the rate held only until memory was at its limit."

// paragraph wraps s for a terminal, without the stars of emphasis.
func paragraph(s, indent string) string {
	const width = 79
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(plain(s)) {
		if strings.TrimSpace(line) != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", len(indent))
		}
		if line != "" && !strings.HasSuffix(line, " ") {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

// Text returns the report for a terminal: figures first, conclusions last.
func (rep *Report) Text() string {
	var b strings.Builder
	for _, l := range rep.openLoads() {
		fmt.Fprintf(&b, "\n%s", paragraph(l.Title+": "+l.About()+".", ""))
		t := rep.FigureTable(l.ID)
		b.WriteString(t.text())
		for _, a := range rep.Answers(l.ID) {
			b.WriteString(paragraph(a.Question+" "+text(a.Sentences), "  "))
		}
	}
	if rep.swept("size-") {
		t := rep.SizeTable()
		fmt.Fprintf(&b, "\n%s%s  %s\n", paragraph("Sizes, "+sizesAbout+".", ""), t.text(), sizesLegend)
	}
	if rep.swept("bound-") {
		t := rep.BoundTable()
		fmt.Fprintf(&b, "\n%s%s", paragraph("Bounds, "+boundsAbout+".", ""), t.text())
	}
	for _, s := range rep.Findings() {
		if len(s.Sentences) > 0 {
			fmt.Fprintf(&b, "\n%s\n", s.Title)
		}
		for _, one := range s.Sentences {
			b.WriteString(paragraph(one.Text, "- "))
		}
	}
	if choices := rep.Choices(); len(choices) > 0 {
		b.WriteString("\nWhat should I use\n")
		for _, c := range choices {
			b.WriteString(paragraph(c.Case+": "+c.Use+" ("+c.Because+")", "- "))
		}
	}
	return b.String()
}

// text returns a table in columns.
func (t *Table) text() string {
	first := 0
	for _, r := range t.Rows {
		first = max(first, utf8.RuneCountInString(r.Name))
	}
	widths := make([]int, len(t.Columns))
	for i, name := range t.Columns {
		widths[i] = utf8.RuneCountInString(name)
		for _, r := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r.Cells[i]))
		}
	}
	var b strings.Builder
	line := func(name string, cells []string) {
		s := "  " + name + strings.Repeat(" ", first-utf8.RuneCountInString(name))
		for i, c := range cells {
			s += "  " + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)) + c
		}
		b.WriteString(strings.TrimRight(s, " ") + "\n")
	}
	line("", t.Columns)
	for _, r := range t.Rows {
		line(r.Name, r.Cells)
	}
	return b.String()
}
