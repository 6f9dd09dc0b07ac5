package compare

import (
	_ "embed"
	"html"
	"html/template"
	"io"
	"regexp"
	"strings"
)

//go:embed report.html
var reportPage string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"prose": prose,
	"text":  func(all []Sentence) template.HTML { return prose(text(all)) },
}).Parse(reportPage))

// emphasis is a word between stars, as the sentences have it.
var emphasis = regexp.MustCompile(`\*([A-Za-z][a-z ]*)\*`)

// unit is a unit behind a number, which stay in one line.
var unit = regexp.MustCompile(`([0-9]) (%|s|ms|µs|ns|min|h|[kMG]|[KMG]iB|[kMG]?B(?:/s)?)\b`)

// prose returns a sentence as HTML.
func prose(s string) template.HTML {
	s = emphasis.ReplaceAllString(html.EscapeString(s), "<em>$1</em>")
	return template.HTML(unit.ReplaceAllString(strings.ReplaceAll(s, " % ", "\u00a0% "), "$1\u00a0$2"))
}

// loadPart is what the page says of a load, or of a sweep.
type loadPart struct {
	Title, About string
	Figures      []figure
	Answers      []Answer
	Table        Table
	First, Note  string // name of the table's first column, and a note below it
}

type figure struct {
	Title string
	SVG   template.HTML
}

// HTML writes the report as one page that loads nothing else.
func (rep *Report) HTML(out io.Writer, pictures []Picture) error {
	figures := func(load string) (all []figure) {
		for _, p := range pictures {
			if p.Load == load {
				all = append(all, figure{p.Title, template.HTML(p.SVG)}) // drawn by this program
			}
		}
		return all
	}
	var parts []loadPart
	for _, l := range rep.openLoads() {
		parts = append(parts, loadPart{Title: l.Title, About: capital(l.About()) + ".", Figures: figures(l.ID), Answers: rep.Answers(l.ID), Table: rep.FigureTable(l.ID)})
	}
	if rep.swept("size-") {
		parts = append(parts, loadPart{Title: "Message sizes", About: capital(sizesAbout) + ".", Figures: figures("sizes"), Table: rep.SizeTable(), Note: sizesLegend})
	}
	if rep.swept("bound-") {
		parts = append(parts, loadPart{Title: "Bounds of a ring", About: capital(boundsAbout) + ".", Figures: figures("bounds"), Table: rep.BoundTable(), First: "bound"})
	}
	var findings []Section
	for _, s := range rep.Findings() {
		if len(s.Sentences) > 0 {
			findings = append(findings, s)
		}
	}
	return pageTemplate.Execute(out, map[string]any{
		"Heading": rep.heading(), "Intro": intro, "Legend": boundsNote + " " + legend,
		"TwoTimes": rep.TwoTimes(), "Overview": figures(""), "Findings": findings, "Choices": rep.Choices(), "Loads": parts,
	})
}

// plain returns a sentence without the stars of emphasis.
func plain(s string) string { return emphasis.ReplaceAllString(s, "$1") }

// escapeStars returns a sentence for Markdown, in which a single star is no emphasis.
func escapeStars(s string) string {
	const mark = "\x00"
	return strings.ReplaceAll(strings.ReplaceAll(emphasis.ReplaceAllString(s, mark+"$1"+mark), "*", `\*`), mark, "*")
}
