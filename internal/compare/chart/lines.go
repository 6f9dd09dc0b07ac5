package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Point is a place in a chart. A curve has a gap where Y is not a number.
type Point struct{ X, Y float64 }

// Line is a curve.
type Line struct {
	Name   string // its label
	Class  Class
	Points []Point
	Dots   bool // the points are marked
	// Hollow are the points that hold only with a restriction, which a note names.
	Hollow []Point
}

// Band is a part of the x axis that stands out.
type Band struct {
	From, To float64
	Label    string
}

// Lines is a chart of curves.
type Lines struct {
	Title string
	Notes []string // below the title: what was done
	X, Y  Axis
	Lines []Line
	Bands []Band
}

const plotHeight = 190.0

// Draw draws the chart. ok is false if it has no points.
func (l *Lines) Draw() (_ Chart, ok bool) {
	var xs, ys []float64
	right := margin
	for _, one := range l.Lines {
		for _, p := range one.Points {
			if !math.IsNaN(p.Y) {
				xs, ys, ok = append(xs, p.X), append(ys, p.Y), true
			}
		}
		right = max(right, textWidth(one.Name, labelSize, true)+16)
	}
	if !ok {
		return Chart{}, false
	}
	l.X.fit(xs)
	l.Y.fit(ys)
	c := newCanvas(l.Title, l.Notes...)
	c.y += 1.6 * noteSize
	c.text(margin, c.y, start, noteSize, "sc-soft", l.Y.Label)
	left := margin
	for _, t := range l.Y.ticks() {
		left = max(left, margin+textWidth(t.Label, noteSize, false)+5)
	}
	top := c.y + 8
	x := span{l.X, left, Width - right}
	y := span{l.Y, top + plotHeight, top}
	for _, b := range l.Bands {
		from, to := x.at(b.From), x.at(b.To)
		c.add(`<rect x="%s" y="%s" width="%s" height="%s" class="sc-band"/>`, num(from), num(top), num(to-from), num(plotHeight))
		// In lines, because the band may be narrow.
		at := top + 2
		for _, line := range wrap(b.Label, noteSize, to-from-4) {
			at += 1.15 * noteSize
			c.text((from+to)/2, at, middle, noteSize, "sc-soft", line)
		}
	}
	for _, t := range l.Y.ticks() {
		c.line(x.from, y.at(t.At), x.to, y.at(t.At), "sc-grid", 1)
		c.text(left-5, y.at(t.At)+4, end, noteSize, "sc-soft", t.Label)
	}
	c.line(x.from, y.from, x.to, y.from, "sc-axis", 1)
	var edge float64 // right end of the label before
	for _, t := range l.X.ticks() {
		c.line(x.at(t.At), y.from, x.at(t.At), y.from+4, "sc-axis", 1)
		w := textWidth(t.Label, noteSize, false)
		at := math.Min(math.Max(x.at(t.At), margin+w/2), Width-margin-w/2)
		if at-w/2 < edge+4 {
			continue
		}
		edge = at + w/2
		c.text(at, y.from+5+noteSize, middle, noteSize, "sc-soft", t.Label)
	}
	c.text(x.to, y.from+8+2.2*noteSize, end, noteSize, "sc-soft", l.X.Label)
	for _, one := range l.Lines {
		c.curve(&one, x, y)
	}
	c.endLabels(l.Lines, x, y)
	return c.done(y.from + 14 + 2.2*noteSize), true
}

// curve draws a line, without its label.
func (c *canvas) curve(l *Line, x, y span) {
	var d strings.Builder
	pen := false
	for i, p := range l.Points {
		if math.IsNaN(p.Y) || y.Log && p.Y <= 0 {
			pen = false
			continue
		}
		verb := "L"
		if !pen {
			verb = "M"
		}
		fmt.Fprintf(&d, "%s%s %s", verb, num(x.at(p.X)), num(y.at(p.Y)))
		if alone := !pen && (i+1 == len(l.Points) || math.IsNaN(l.Points[i+1].Y)); alone {
			d.WriteString("h0.1") // a dot
		}
		pen = true
	}
	if d.Len() == 0 {
		return
	}
	dash := ""
	if dashes[l.Class] != "" {
		dash = fmt.Sprintf(` stroke-dasharray="%s"`, dashes[l.Class])
	}
	c.add(`<path d="%s" class="sc-line %s" stroke-width="%s"%s/>`, d.String(), stroke(l.Class), num(widths[l.Class]), dash)
	if !l.Dots {
		return
	}
	for _, p := range l.Points {
		if math.IsNaN(p.Y) {
			continue
		}
		if slices.Contains(l.Hollow, p) {
			c.add(`<circle cx="%s" cy="%s" r="4" class="sc-paper"/>`, num(x.at(p.X)), num(y.at(p.Y)))
			c.add(`<circle cx="%s" cy="%s" r="4" class="sc-line %s" stroke-width="1.6"/>`, num(x.at(p.X)), num(y.at(p.Y)), stroke(l.Class))
			continue
		}
		c.add(`<circle cx="%s" cy="%s" r="3" class="%s"/>`, num(x.at(p.X)), num(y.at(p.Y)), fill(l.Class))
	}
}

// label is the name of a line, beside its end.
type label struct {
	line   Line
	px, py float64 // the line's end
	at     float64 // where the label stands
	placed bool
}

const labelHeight = labelSize + 2

// endLabels writes each line's name beside its end, as near as the others let it. Names of lines
// that end at one place stand below each other, behind a bar. A line that ends before the others
// has a dot there.
func (c *canvas) endLabels(lines []Line, x, y span) {
	var labels []label
	for _, l := range lines {
		for i := len(l.Points) - 1; i >= 0; i-- {
			if p := l.Points[i]; !math.IsNaN(p.Y) && (!y.Log || p.Y > 0) {
				labels = append(labels, label{line: l, px: x.at(p.X), py: y.at(p.Y)})
				break
			}
		}
	}
	// By height; in the order of the lines where that is about the same.
	slices.SortStableFunc(labels, func(a, b label) int {
		return cmp.Compare(math.Round(a.py/labelHeight), math.Round(b.py/labelHeight))
	})
	for i := range labels {
		labels[i].place(c, labels, i, x, y)
	}
	for i := range labels {
		l := &labels[i]
		if !l.placed {
			continue // more labels than there is room for; Draw leaves room for Classes
		}
		if l.px < x.to-30 {
			c.add(`<circle cx="%s" cy="%s" r="3.5" class="%s"/>`, num(l.px), num(l.py), fill(l.line.Class))
		} else if math.Abs(l.at-l.py) > 3 {
			c.add(`<path d="M%s %sH%sV%s" class="sc-axis" stroke-width="1"/>`, num(l.px+2), num(l.py), num(l.px+5), num(l.at))
		}
	}
}

// place finds a place for label i, and writes it.
func (l *label) place(c *canvas, labels []label, i int, x, y span) {
	together, before := 0, 0
	for j, o := range labels {
		if math.Abs(o.py-l.py) < labelHeight && math.Abs(o.px-l.px) < 80 {
			together++
			if j < i {
				before++
			}
		}
	}
	ideal := l.py + (float64(before)-float64(together-1)/2)*labelHeight
	if l.px < x.to-30 { // among the lines: below them, as they mostly rise
		ideal = l.py + (float64(before)+0.8)*labelHeight
	}
	for step := 0.0; step < plotHeight; step += 2 {
		for _, at := range []float64{ideal + step, ideal - step} {
			b := textBox(l.px+9, at+4, start, labelSize, true, l.line.Name)
			free := b.top >= y.to-6 && b.bottom <= y.from+4 && b.right <= Width-2
			for _, o := range c.texts {
				free = free && !b.overlaps(o)
			}
			if free {
				l.at, l.placed = at, true
				c.styledText(l.px+9, at+4, start, labelSize, true, fill(l.line.Class), l.line.Name)
				return
			}
		}
	}
}
