package compare

import (
	"fmt"
	"strings"
)

// Markdown returns the report with links to the pictures, in lines of at most 100 columns but for
// tables.
func (rep *Report) Markdown(pictures []Picture) string {
	var b strings.Builder
	write := func(s string) { b.WriteString(wrapMarkdown(s, "")) }
	show := func(load string) {
		for _, p := range pictures {
			if p.Load == load {
				fmt.Fprintf(&b, "\n![%s](%s)\n", p.Title, p.File)
			}
		}
	}
	b.WriteString("# Hard, credit and soft back-pressure, measured\n\n")
	write(rep.heading())
	b.WriteString("\n")
	write(intro)
	b.WriteString("\n## The two times\n\n")
	for i, s := range rep.TwoTimes() {
		b.WriteString(wrapMarkdown(fmt.Sprintf("%d. %s", i+1, escapeStars(s.Text)), "   "))
	}
	show("")
	for _, s := range rep.Findings() {
		if len(s.Sentences) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", s.Title)
		for _, one := range s.Sentences {
			b.WriteString(wrapMarkdown("- "+escapeStars(one.Text), "  "))
		}
	}
	if choices := rep.Choices(); len(choices) > 0 {
		b.WriteString("\n## What should I use\n\n| when | use | because |\n|---|---|---|\n")
		for _, c := range choices {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Case, c.Use, c.Because)
		}
	}
	b.WriteString("\n## Load by load\n\n")
	write(boundsNote + " " + escapeStars(legend))
	for _, l := range rep.openLoads() {
		fmt.Fprintf(&b, "\n### %s\n\n", l.Title)
		write(l.About() + ".")
		show(l.ID)
		b.WriteString("\n")
		for _, a := range rep.Answers(l.ID) {
			b.WriteString(wrapMarkdown(fmt.Sprintf("- **%s** %s", a.Question, text(a.Sentences)), "  "))
		}
		t := rep.FigureTable(l.ID)
		b.WriteString("\n" + t.markdown(""))
	}
	if rep.swept("size-") {
		b.WriteString("\n### Message sizes\n\n")
		write(capital(sizesAbout) + ".")
		show("sizes")
		t := rep.SizeTable()
		b.WriteString("\n" + t.markdown("") + "\n")
		write(sizesLegend)
	}
	if rep.swept("bound-") {
		b.WriteString("\n### Bounds of a ring\n\n")
		write(capital(boundsAbout) + ".")
		show("bounds")
		t := rep.BoundTable()
		b.WriteString("\n" + t.markdown("bound"))
	}
	return b.String()
}

// heading says where and when it was measured.
func (rep *Report) heading() string {
	s := fmt.Sprintf("%s. %s.", rep.Machine, rep.Began.Format("2 January 2006, 15:04"))
	if rep.Quick {
		s += " A quick run: its figures are rough."
	}
	if other := rep.otherWork(); len(other) > 0 && other[0].Kind == "others" {
		s += " " + other[0].Text
	}
	return s
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// wrapMarkdown wraps a paragraph or a list item, whose further lines are indented.
func wrapMarkdown(s, indent string) string {
	const width = 100
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(line + "\n")
			line = indent + word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

// markdown returns a table whose first column is called name.
func (t *Table) markdown(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", name)
	for _, c := range t.Columns {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(t.Columns)) + "\n")
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s | %s |\n", r.Name, strings.ReplaceAll(strings.Join(r.Cells, " | "), "*", `\*`))
	}
	return b.String()
}
