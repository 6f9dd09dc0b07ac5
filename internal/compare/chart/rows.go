package chart

import (
	"math"
	"strings"
)

// Group is rows of a chart that belong together.
type Group[R any] struct {
	Title string
	Note  string // what was done
	Rows  []R
}

// DotRow is a row of a chart of dots.
type DotRow struct {
	Name  string
	Class Class
	// Hollow is where a hollow dot stands, Solid where a solid one does, and a line connects
	// the two; one that is not a number is left out.
	Hollow, Solid float64
	// Labels of the two, to the left of the hollow dot and to the right of the solid one.
	HollowLabel, Label string
}

// Dots is a chart of rows with one or two dots each.
type Dots struct {
	Title  string
	Notes  []string
	X      Axis
	Groups []Group[DotRow]
	// HollowName and SolidName are the labels of the two kinds of dots, which are written once,
	// where there is most room between them.
	HollowName, SolidName string
}

const (
	rowHeight = 16.0
	nameWidth = 86.0
)

// Draw draws the chart. ok is false if it has no dots.
func (d *Dots) Draw() (_ Chart, ok bool) {
	var xs []float64
	right := margin
	for _, g := range d.Groups {
		for _, r := range g.Rows {
			for _, v := range []float64{r.Hollow, r.Solid} {
				if !math.IsNaN(v) {
					xs, ok = append(xs, v), true
				}
			}
			right = max(right, textWidth(strings.TrimSpace(d.SolidName+" "+r.Label), noteSize, false)+14)
		}
	}
	if !ok {
		return Chart{}, false
	}
	d.X.fit(xs)
	x := span{d.X, nameWidth, Width - right}
	names := d.names(x)
	c := newCanvas(d.Title, d.Notes...)
	for _, g := range d.Groups {
		c.y += 6
		c.paragraph(labelSize, true, "sc-ink", g.Title)
		c.paragraph(noteSize, false, "sc-soft", g.Note)
		c.y += 3
		for _, t := range d.X.ticks() {
			c.line(x.at(t.At), c.y, x.at(t.At), c.y+rowHeight*float64(len(g.Rows)), "sc-grid", 1)
		}
		for i := range g.Rows {
			r := &g.Rows[i]
			mid := c.y + rowHeight/2
			c.text(nameWidth-8, mid+4, end, noteSize, fill(r.Class), r.Name)
			c.dots(r, x, mid)
			left, right := r.HollowLabel, r.Label
			if r == names {
				left, right = strings.TrimSpace(d.HollowName+" "+left), strings.TrimSpace(d.SolidName+" "+right)
			}
			if roomLeft(r, x, left) {
				c.text(x.at(r.Hollow)-9, mid+4, end, noteSize, "sc-ink", left)
			}
			c.text(furthest(r, x)+9, mid+4, start, noteSize, "sc-ink", right)
			c.y += rowHeight
		}
	}
	bottom := c.y + 4
	c.line(x.from, bottom, x.to, bottom, "sc-axis", 1)
	edge := 0.0
	for _, t := range d.X.ticks() {
		w := textWidth(t.Label, noteSize, false)
		if at := x.at(t.At); t.Label != "" && at-w/2 > edge+4 {
			c.text(at, bottom+4+noteSize, middle, noteSize, "sc-soft", t.Label)
			edge = at + w/2
		}
	}
	c.text(x.to, bottom+7+2.2*noteSize, end, noteSize, "sc-soft", d.X.Label)
	return c.done(bottom + 13 + 2.2*noteSize), true
}

// names returns the row at which the kinds of dots are named: that with most distance between its
// dots, and room for the names.
func (d *Dots) names(x span) (names *DotRow) {
	if d.HollowName == "" {
		return nil
	}
	for _, g := range d.Groups {
		for i := range g.Rows {
			r := &g.Rows[i]
			if r.Hollow < r.Solid && roomLeft(r, x, d.HollowName+" "+r.HollowLabel) && (names == nil || x.at(r.Solid)-x.at(r.Hollow) > x.at(names.Solid)-x.at(names.Hollow)) {
				names = r
			}
		}
	}
	return names
}

// roomLeft reports whether there is room for a label to the left of the hollow dot.
func roomLeft(r *DotRow, x span, label string) bool {
	return !math.IsNaN(r.Hollow) && textBox(x.at(r.Hollow)-9, 0, end, noteSize, false, label).left > nameWidth
}

func furthest(r *DotRow, x span) float64 {
	at := x.from
	for _, v := range []float64{r.Hollow, r.Solid} {
		if !math.IsNaN(v) {
			at = max(at, x.at(v))
		}
	}
	return at
}

// dots draws the dots of a row.
func (c *canvas) dots(r *DotRow, x span, y float64) {
	if !math.IsNaN(r.Hollow) && !math.IsNaN(r.Solid) {
		if from, to := x.at(r.Hollow)+5, x.at(r.Solid); from < to {
			c.line(from, y, to, y, "sc-line "+stroke(r.Class), 2)
		}
	}
	if !math.IsNaN(r.Solid) {
		c.add(`<circle cx="%s" cy="%s" r="3" class="%s"/>`, num(x.at(r.Solid)), num(y), fill(r.Class))
	}
	if !math.IsNaN(r.Hollow) { // around the solid one where both are at one place
		c.add(`<circle cx="%s" cy="%s" r="5" class="sc-line %s" stroke-width="1.8"/>`, num(x.at(r.Hollow)), num(y), stroke(r.Class))
	}
}

// BarRow is a row of a chart of bars with two parts.
type BarRow struct {
	Name          string
	Class         Class
	First, Second float64
	Label         string // behind the bar
}

// Bars is a chart of bars with two parts. The bars of a group have one scale.
type Bars struct {
	Title                 string
	Notes                 []string
	Groups                []Group[BarRow]
	FirstName, SecondName string // what the two parts are: named at a bar that has room for it
}

// Draw draws the chart. ok is false if every bar is empty.
func (b *Bars) Draw() (_ Chart, ok bool) {
	right := margin
	for _, g := range b.Groups {
		for _, r := range g.Rows {
			right = max(right, textWidth(r.Label, noteSize, false)+12)
		}
	}
	c := newCanvas(b.Title, b.Notes...)
	width := Width - right - nameWidth
	firstNamed, secondNamed := false, false
	for _, g := range b.Groups {
		most := 0.0
		for _, r := range g.Rows {
			most = max(most, r.First+r.Second)
		}
		if most == 0 {
			continue
		}
		ok = true
		c.y += 6
		c.paragraph(labelSize, true, "sc-ink", g.Title)
		c.paragraph(noteSize, false, "sc-soft", g.Note)
		c.y += 3
		for _, r := range g.Rows {
			mid := c.y + rowHeight/2
			c.text(nameWidth-8, mid+4, end, noteSize, fill(r.Class), r.Name)
			first, second := width*r.First/most, width*r.Second/most
			c.add(`<rect x="%s" y="%s" width="%s" height="12" class="%s"/>`, num(nameWidth), num(mid-6), num(first), fill(r.Class))
			c.add(`<rect x="%s" y="%s" width="%s" height="12" class="%s" fill-opacity="0.35"/>`, num(nameWidth+first), num(mid-6), num(second), fill(r.Class))
			if !firstNamed && textWidth(b.FirstName, noteSize, false)+8 < first {
				c.text(nameWidth+4, mid+4, start, noteSize, "sc-paper", b.FirstName)
				firstNamed = true
			}
			if !secondNamed && textWidth(b.SecondName, noteSize, false)+8 < second {
				c.text(nameWidth+first+4, mid+4, start, noteSize, "sc-ink", b.SecondName)
				secondNamed = true
			}
			c.text(nameWidth+first+second+5, mid+4, start, noteSize, "sc-ink", r.Label)
			c.y += rowHeight
		}
	}
	return c.done(c.y + 8), ok
}
