package compare

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"github.com/dustin/go-humanize"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"

	"sluice/internal/format"
)

// Picture is a plot as SVG.
type Picture struct {
	File  string // its name
	Title string
	Load  string // what was done, in a sentence
	SVG   []byte
}

// line is the curve of one model in a plot.
type line struct {
	model  Model
	points plotter.XYs
	// limited are the points whose run ended at the memory limit: their rate holds only as
	// long as the queue can grow.
	limited plotter.XYs
}

// styles distinguish the models by colour, and by dashes for readers who do not see colours.
var styles = map[string]struct {
	color  color.Color
	dashes []vg.Length
	width  vg.Length
}{
	"ring":     {color.RGBA{0x1f, 0x5f, 0xbf, 0xff}, nil, vg.Points(2.2)},
	"transfer": {color.RGBA{0xc0, 0x39, 0x2b, 0xff}, nil, vg.Points(1.4)},
	"packed":   {color.RGBA{0xd6, 0x8a, 0x00, 0xff}, []vg.Length{vg.Points(6), vg.Points(3)}, vg.Points(1.4)},
	"recycled": {color.RGBA{0x7d, 0x3c, 0x98, 0xff}, []vg.Length{vg.Points(2), vg.Points(2)}, vg.Points(1.4)},
}

const (
	width  = 5.4 * vg.Inch
	height = 3.1 * vg.Inch
)

// axes are the names of a plot's axes, with units.
type axes struct {
	title, x, y string
	logX, logY  bool
	ticks       plot.Ticker // of x, nil = decimal
	yTicks      plot.Ticker
	yUnit       string // behind the numbers of y
}

// draw plots the lines. Without points it returns an empty Picture.
func draw(file string, a axes, lines []line) (Picture, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = a.title, a.x, a.y
	p.Title.Padding = vg.Points(6)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	p.Add(plotter.NewGrid())
	if a.logX {
		p.X.Scale = plot.LogScale{}
	}
	if a.logY {
		p.Y.Scale = plot.LogScale{}
	} else {
		p.Y.Min = 0
	}
	if a.ticks != nil {
		p.X.Tick.Marker = a.ticks
	}
	p.Y.Tick.Marker = siTicks{a.logY, a.yUnit}
	if a.yTicks != nil {
		p.Y.Tick.Marker = a.yTicks
	}
	top, drawn := 0.0, false
	for _, l := range lines {
		points := l.points
		if a.logY {
			points = positive(points)
		}
		if len(points) == 0 {
			continue
		}
		curve, err := plotter.NewLine(points)
		if err != nil {
			return Picture{}, fmt.Errorf("plot %s: %w", file, err)
		}
		style := styles[l.model.ID]
		curve.Color, curve.Dashes, curve.Width = style.color, style.dashes, style.width
		drawn = true
		p.Add(curve)
		p.Legend.Add(l.model.Name, curve)
		if len(l.limited) > 0 {
			marks, err := plotter.NewScatter(l.limited)
			if err != nil {
				return Picture{}, fmt.Errorf("plot %s: %w", file, err)
			}
			marks.Color, marks.Shape, marks.Radius = style.color, vgdraw.RingGlyph{}, vg.Points(4)
			p.Add(marks)
			p.Legend.Add("until its limit was reached", marks)
		}
		for _, xy := range points {
			top = max(top, xy.Y)
		}
	}
	switch {
	case !drawn:
		return Picture{}, nil
	case top == 0:
		top = 1
	}
	if a.logY {
		p.Y.Min, p.Y.Max = logBelow(p.Y.Min), top*20 // room for the legend
	} else {
		p.Y.Max = top * 1.45
	}
	w, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return Picture{}, fmt.Errorf("plot %s: %w", file, err)
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		return Picture{}, fmt.Errorf("plot %s: %w", file, err)
	}
	return Picture{File: file + ".svg", Title: a.title, SVG: []byte(fitText(b.String()))}, nil
}

// positive returns the points that a logarithmic axis can show.
func positive(points plotter.XYs) (out plotter.XYs) {
	for _, xy := range points {
		if xy.Y > 0 {
			out = append(out, xy)
		}
	}
	return out
}

// logBelow returns the power of ten at or below x.
func logBelow(x float64) float64 {
	if x <= 0 || math.IsInf(x, 0) {
		return 1
	}
	return math.Pow(10, math.Floor(math.Log10(x)))
}

// siTicks labels numbers as 10 k and 2.5 M.
type siTicks struct {
	log  bool
	unit string
}

// Ticks implements plot.Ticker.
func (t siTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	if t.log {
		ticks = plot.LogTicks{Prec: -1}.Ticks(low, high)
	} else {
		ticks = plot.DefaultTicks{}.Ticks(low, high)
	}
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = si(ticks[i].Value)
			if t.unit != "" {
				ticks[i].Label = format.SI(ticks[i].Value, t.unit)
			}
		}
	}
	return ticks
}

// perSecond writes bytes a second: 640 MB/s, 11.1 GB/s.
func perSecond(bytes float64) string { return format.SI(bytes, "B/s") }

func si(x float64) string {
	if x < 10 {
		return humanize.FtoaWithDigits(x, 2)
	}
	return format.SI(x, "")
}

// namedTicks are labels at given places.
type namedTicks []plot.Tick

// Ticks implements plot.Ticker.
func (n namedTicks) Ticks(low, high float64) []plot.Tick { return n }

// byteTicks labels an axis of bytes in powers of two.
type byteTicks struct{}

// Ticks implements plot.Ticker.
func (byteTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	step := math.Exp2(math.Ceil(math.Log2(max(high, 1) / 5)))
	for x := 0.0; x <= high; x += step {
		ticks = append(ticks, plot.Tick{Value: x, Label: format.Size(int(x))})
	}
	return ticks
}

// decimate returns at most that many points: of each group the one with the highest y.
func decimate(points plotter.XYs, most int) plotter.XYs {
	if len(points) <= most {
		return points
	}
	var out plotter.XYs
	for i := range most {
		group := points[i*len(points)/most : (i+1)*len(points)/most]
		best := group[0]
		for _, xy := range group {
			if xy.Y > best.Y {
				best = xy
			}
		}
		out = append(out, best)
	}
	return out
}
