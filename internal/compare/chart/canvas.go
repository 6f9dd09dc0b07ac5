// Package chart draws charts as SVG that are read at a glance: what is compared stands in one
// picture, each curve, dot and bar is labelled where it is, and axes have units. A chart follows
// the reader's light or dark mode, is legible at the width of a phone, and shows its text whole in
// any font.
//
// It knows nothing of what is measured. Its functions are pure, and may be called from any
// goroutine.
package chart

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Chart is a picture.
type Chart struct {
	Title string // for readers who do not see it
	SVG   []byte // a document of its own, without anything before <svg
	texts []box  // where its texts are
}

// Class is a style: what has the same class in two charts looks the same.
type Class int

// Classes are how many there are.
const Classes = 5

// A chart is Width units wide, and as wide as a phone's page where that is narrower. Text of the
// size of a label is 11 pixels high there.
const (
	Width     = 400.0
	margin    = 10.0
	titleSize = 15.0
	labelSize = 12.0
	noteSize  = 11.0
)

// style is the same in each chart, because the charts of a page share it.
const style = `<style>
.sc-paper{fill:#fff}.sc-ink{fill:#22262b}.sc-soft{fill:#59616b}.sc-grid{stroke:#dfe3e8;fill:none}.sc-axis{stroke:#9aa3ad;fill:none}.sc-band{fill:#eef1f4}
.sc-line{fill:none;stroke-linejoin:round;stroke-linecap:round}
.sc-f0{fill:#1d5fc4}.sc-f1{fill:#0a7d4f}.sc-f2{fill:#c22f2f}.sc-f3{fill:#a86200}.sc-f4{fill:#8038a8}
.sc-s0{stroke:#1d5fc4}.sc-s1{stroke:#0a7d4f}.sc-s2{stroke:#c22f2f}.sc-s3{stroke:#a86200}.sc-s4{stroke:#8038a8}
@media (prefers-color-scheme:dark){
.sc-paper{fill:#14171b}.sc-ink{fill:#e6eaee}.sc-soft{fill:#a3adb8}.sc-grid{stroke:#2c333b}.sc-axis{stroke:#69737e}.sc-band{fill:#20262d}
.sc-f0{fill:#74aaff}.sc-f1{fill:#45c98e}.sc-f2{fill:#ff8077}.sc-f3{fill:#eba63c}.sc-f4{fill:#cb9bee}
.sc-s0{stroke:#74aaff}.sc-s1{stroke:#45c98e}.sc-s2{stroke:#ff8077}.sc-s3{stroke:#eba63c}.sc-s4{stroke:#cb9bee}
}
</style>`

// dashes tell classes apart for readers who do not see colours.
var dashes = [Classes]string{"", "9 3", "", "5 3", "2 3"}

// widths of curves; a curve of a later class is drawn over one of an earlier class, which shows
// beside it where both are the same.
var widths = [Classes]float64{4.5, 3.4, 2.4, 1.8, 1.8}

func fill(c Class) string   { return fmt.Sprintf("sc-f%d", c) }
func stroke(c Class) string { return fmt.Sprintf("sc-s%d", c) }

// box is the space that a text takes.
type box struct {
	left, top, right, bottom float64
	text                     string
}

func (b box) overlaps(o box) bool {
	return b.left < o.right && o.left < b.right && b.top < o.bottom && o.top < b.bottom
}

// canvas collects the elements of a chart. y grows downwards.
type canvas struct {
	title string
	body  strings.Builder
	texts []box
	y     float64 // below what was drawn as text at the top
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.body, format+"\n", args...) }

// anchor is the point of a text that its x is.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// textBox returns the space of a text whose base line is at y.
func textBox(x, y float64, a anchor, size float64, bold bool, s string) box {
	w := textWidth(s, size, bold)
	left := x
	switch a {
	case middle:
		left -= w / 2
	case end:
		left -= w
	}
	return box{left, y - 0.75*size, left + w, y + 0.22*size, s}
}

// text draws s with its base line at y.
func (c *canvas) text(x, y float64, a anchor, size float64, class, s string) {
	c.styledText(x, y, a, size, false, class, s)
}

func (c *canvas) styledText(x, y float64, a anchor, size float64, bold bool, class, s string) {
	if s == "" {
		return
	}
	weight := ""
	if bold {
		weight = ` font-weight="700"`
	}
	b := textBox(x, y, a, size, bold, s)
	c.texts = append(c.texts, b)
	c.add(`<text x="%s" y="%s" text-anchor="%s" font-size="%s"%s class="%s" textLength="%s" lengthAdjust="spacingAndGlyphs">%s</text>`,
		num(x), num(y), a, num(size), weight, class, num(b.right-b.left), html.EscapeString(s))
}

// paragraph draws s in lines below what was drawn as text so far, and moves c.y.
func (c *canvas) paragraph(size float64, bold bool, class, s string) {
	for _, line := range wrap(s, size*boldFactor(bold), Width-2*margin) {
		c.y += 1.25 * size
		c.styledText(margin, c.y, start, size, bold, class, line)
	}
}

func boldFactor(bold bool) float64 {
	if bold {
		return 1.07
	}
	return 1
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string, width float64) {
	c.add(`<path d="M%s %sL%s %s" class="%s" stroke-width="%s"/>`, num(x1), num(y1), num(x2), num(y2), class, num(width))
}

// newCanvas returns a canvas with a title and, below it, notes.
func newCanvas(title string, notes ...string) *canvas {
	c := &canvas{title: title, y: margin - 2}
	c.paragraph(titleSize, true, "sc-ink", title)
	for _, n := range notes {
		c.y += 2
		c.paragraph(noteSize, false, "sc-soft", n)
	}
	return c
}

// done returns the chart, of that height.
func (c *canvas) done(height float64) Chart {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-label="%s" font-family="'Liberation Sans',Arial,Helvetica,Arimo,sans-serif">`+"\n",
		num(Width), num(height), num(1.4*Width), num(1.4*height), html.EscapeString(c.title))
	fmt.Fprintf(&b, "<title>%s</title>\n%s\n", html.EscapeString(c.title), style)
	fmt.Fprintf(&b, `<rect width="%s" height="%s" class="sc-paper"/>`+"\n", num(Width), num(height))
	b.WriteString(c.body.String())
	b.WriteString("</svg>\n")
	return Chart{Title: c.title, SVG: []byte(b.String()), texts: c.texts}
}

// num writes a coordinate with at most one digit after the point.
func num(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		x = 0
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}
