package compare

import (
	"fmt"
	"math"
	"time"

	"sluice/internal/compare/chart"
)

// Picture is a chart of the report. Each answers one question.
type Picture struct {
	File  string // its name
	Title string
	Load  string // ID of the load that it belongs to, "sizes", "bounds", or "" for one of all loads
	SVG   []byte
}

// Pictures draws the pictures of the report.
func (rep *Report) Pictures() (all []Picture) {
	add := func(file, load string, c chart.Chart, ok bool) {
		if ok {
			all = append(all, Picture{file + ".svg", c.Title, load, c.SVG})
		}
	}
	timesChart, ok := rep.timesChart()
	add("times", "", timesChart, ok)
	waitedChart, ok := rep.waitedChart()
	add("waited", "", waitedChart, ok)
	memoryChart, ok := rep.memoryChart()
	add("memory", "", memoryChart, ok)
	for _, l := range rep.openLoads() {
		if c, ok := rep.responseChart(&l); ok {
			all = append(all, responsePicture(&l, c.SVG))
		}
	}
	sizes, ok := rep.sizesChart()
	add("sizes", "sizes", sizes, ok)
	bounds, ok := rep.boundsChart()
	add("bounds", "bounds", bounds, ok)
	return all
}

// responsePicture returns the picture of the response in the course of a load.
func responsePicture(l *Load, svg []byte) Picture {
	return Picture{"response-" + l.ID + ".svg", responseTitle(l), l.ID, svg}
}

func responseTitle(l *Load) string { return l.Title + ": response" }

// timesChart: how much of the response does latency show?
func (rep *Report) timesChart() (chart.Chart, bool) {
	d := chart.Dots{
		Title: "What latency shows, and what it hides", Notes: []string{"99 % of the messages were taken within this time: since they were published (latency), since they were due (response)"},
		X:          chart.Axis{Label: "p99", Log: true, Format: axisTime},
		HollowName: "latency", SolidName: "response",
	}
	for _, l := range rep.openLoads() {
		g := chart.Group[chart.DotRow]{Title: l.Title, Note: l.About()}
		for _, r := range rep.of(l.ID) {
			row := chart.DotRow{
				Name: r.Model.Name, Class: chart.Class(r.Model.class()),
				Hollow: seconds(r.Latency, r.Latency.P99), Solid: seconds(r.Response, r.Response.P99),
			}
			if row.Solid > 0 {
				row.Label = r.mark(0.99, span(r.Response.P99))
			}
			if row.Solid > 1.5*row.Hollow { // else one label is enough
				row.HollowLabel = span(r.Latency.P99)
			}
			g.Rows = append(g.Rows, row)
		}
		d.Groups = append(d.Groups, g)
	}
	return d.Draw()
}

// seconds returns one of t's times, or no number if nothing was measured.
func seconds(t Times, d time.Duration) float64 {
	if t.Count == 0 || d <= 0 {
		return math.NaN()
	}
	return d.Seconds()
}

// axisTime writes a power of ten of a second.
func axisTime(x float64) string { return span(time.Duration(math.Round(x * 1e9))) }

// queues returns the loads under which messages have to wait.
func (rep *Report) queues() (loads []Load) {
	for _, l := range rep.openLoads() {
		if l.Work > 0 {
			loads = append(loads, l)
		}
	}
	return loads
}

// waitedChart: where did messages wait?
func (rep *Report) waitedChart() (chart.Chart, bool) {
	b := chart.Bars{
		Title: "Where the messages waited", Notes: []string{"Messages that waited when most did: in front of the producer (due, and not sent) + in the queue. Each load has its own scale"},
		FirstName: "in front of the producer", SecondName: "in the queue",
	}
	for _, l := range rep.queues() {
		g := chart.Group[chart.BarRow]{Title: l.Title, Note: l.About()}
		for _, r := range rep.of(l.ID) {
			g.Rows = append(g.Rows, chart.BarRow{
				Name: r.Model.Name, Class: chart.Class(r.Model.class()),
				First: float64(r.WorstUnsent), Second: float64(r.WorstQueued),
				Label: fmt.Sprintf("%s + %s", count(r.WorstUnsent), count(r.WorstQueued)),
			})
		}
		b.Groups = append(b.Groups, g)
	}
	return b.Draw()
}

// memoryChart: what did it cost in memory?
func (rep *Report) memoryChart() (chart.Chart, bool) {
	d := chart.Dots{
		Title: "Memory, at most", Notes: []string{"of the segment and of messages in flight"},
		X: chart.Axis{Label: "bytes", Log: true, Min: 64 << 10, Max: 128 << 20, Ticks: byteTicks(64<<10, 128<<20)},
	}
	for _, l := range rep.queues() {
		g := chart.Group[chart.DotRow]{Title: l.Title, Note: l.About()}
		for _, r := range rep.of(l.ID) {
			g.Rows = append(g.Rows, chart.DotRow{Name: r.Model.Name, Class: chart.Class(r.Model.class()), Hollow: math.NaN(), Solid: float64(r.Memory), Label: memory(r.Memory)})
		}
		d.Groups = append(d.Groups, g)
	}
	return d.Draw()
}

// byteTicks labels every eighth multiple.
func byteTicks(low, high uint64) (ticks []chart.Tick) {
	for x := low; x <= high; x *= 8 {
		ticks = append(ticks, chart.Tick{At: float64(x), Label: memory(x)})
	}
	return ticks
}

// maxPoints is the most points of a curve over time.
const maxPoints = 100

// responseChart: how long did messages take, in the course of a load? Loads under which nothing
// waits have none.
func (rep *Report) responseChart(l *Load) (chart.Chart, bool) {
	if l.Work == 0 {
		return chart.Chart{}, false
	}
	runs := rep.of(l.ID)
	until := l.Length.Seconds()
	for _, r := range runs {
		if r.Recording == nil {
			return chart.Chart{}, false
		}
		if !l.Forever {
			until = max(until, r.Elapsed.Seconds())
		}
	}
	if l.Burst > 1 && !l.Forever { // the first bursts show what happens
		until = min(until, 4*float64(l.Burst)/l.Rate)
	}
	unit, name := 1.0, "s"
	if most(runs, responseP99) < time.Second {
		unit, name = 1e-3, "ms"
	}
	c := chart.Lines{
		Title: responseTitle(l), Notes: []string{l.About()},
		X: chart.Axis{Label: "seconds since the start", Max: until},
		Y: chart.Axis{Label: fmt.Sprintf("response, %s: p99 of the messages taken at that time", name)},
	}
	if l.StallEnd > 0 {
		c.Bands = []chart.Band{{From: l.StallAt * l.Length.Seconds(), To: l.StallEnd * l.Length.Seconds(), Label: "consumer stopped"}}
	}
	for _, r := range runs {
		name := r.Model.Name
		if r.LimitAfter > 0 {
			name += ": limit"
		}
		line := chart.Line{Name: name, Class: chart.Class(r.Model.class()), Points: slots(r.Recording.Time, r.Recording.ResponseP99, until, 1e-9/unit)}
		c.Lines = append(c.Lines, line)
	}
	return c.Draw()
}

// slots cuts the time until then into at most maxPoints slots, and returns the largest value of
// each, times scale; a slot in which no value is known is a gap.
func slots(at, values []float64, until, scale float64) (points []chart.Point) {
	width := until / maxPoints
	for i := range maxPoints {
		points = append(points, chart.Point{X: (float64(i) + 0.5) * width, Y: math.NaN()})
	}
	for i, t := range at {
		slot := int(math.Floor(t / width))
		if slot < 0 || slot >= maxPoints || math.IsNaN(values[i]) {
			continue
		}
		if p := &points[slot]; math.IsNaN(p.Y) || values[i]*scale > p.Y {
			p.Y = values[i] * scale
		}
	}
	return points
}

// sizesChart: how much can be moved?
func (rep *Report) sizesChart() (chart.Chart, bool) {
	c := chart.Lines{
		Title: "Full speed: payload against message size", Notes: []string{capital(sizesAbout) + "; a hollow dot: only until that limit"},
		X: chart.Axis{Label: "message size", Log: true, Min: float64(Sizes[0]), Max: float64(Sizes[len(Sizes)-1])},
		Y: chart.Axis{Label: "payload a second", Log: true, Format: perSecond},
	}
	for _, size := range Sizes {
		c.X.Ticks = append(c.X.Ticks, chart.Tick{At: float64(size), Label: memory(uint64(size))})
	}
	for _, m := range Models {
		line := chart.Line{Name: m.Name, Class: chart.Class(m.class()), Dots: true}
		for _, size := range Sizes {
			if r := rep.find(sizeLoad(size, 0).ID, m.ID); r != nil && r.TakenPerSec > 0 {
				p := chart.Point{X: float64(size), Y: r.TakenPerSec * float64(size)}
				line.Points = append(line.Points, p)
				if r.LimitAfter > 0 {
					line.Hollow = append(line.Hollow, p)
				}
			}
		}
		c.Lines = append(c.Lines, line)
	}
	return c.Draw()
}

// boundsChart: how much room does a ring need?
func (rep *Report) boundsChart() (chart.Chart, bool) {
	d := chart.Dots{Title: "Full speed: messages against the bound of a ring", X: chart.Axis{Label: "messages a second", Log: true, Format: rate}}
	g := chart.Group[chart.DotRow]{Note: capital(boundsAbout)}
	for i, b := range Bounds {
		if r := rep.find(boundLoad(i, 0).ID, "hard"); r != nil && r.TakenPerSec > 0 {
			g.Rows = append(g.Rows, chart.DotRow{Name: b.String(), Hollow: math.NaN(), Solid: r.TakenPerSec, Label: rate(r.TakenPerSec)})
		}
	}
	d.Groups = append(d.Groups, g)
	return d.Draw()
}
