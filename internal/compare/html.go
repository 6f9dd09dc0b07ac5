package compare

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// HTML writes the report as one page that loads nothing else.
func (rep *Report) HTML(out io.Writer, pictures []Picture) error {
	type figure struct {
		Title, Load string
		SVG         template.HTML
	}
	var figures []figure
	for _, p := range pictures {
		_, svg, _ := strings.Cut(string(p.SVG), "<svg") // without the XML head; drawn by this program
		figures = append(figures, figure{p.Title, p.Load, template.HTML("<svg" + svg)})
	}
	type section struct {
		Title     string
		Sentences []string
	}
	var sections []section
	for _, p := range rep.parts() {
		sections = append(sections, section{p.title, p.sentences})
	}
	var rows [][]string
	for _, r := range rep.Results {
		rows = append(rows, r.cells())
	}
	return pageTemplate.Execute(out, map[string]any{
		"Report": rep, "When": rep.Began.Format("2 January 2006, 15:04"), "Intro": intro, "Legend": legend,
		"Sections": sections, "Choices": rep.Choices(), "Head": strings.Split(strings.TrimSuffix(Head, "\t"), "\t"), "Rows": rows, "Figures": figures,
	})
}
