package compare

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"sluice/internal/format"
)

// maxPoints is the most points of a curve in a picture.
const maxPoints = 160

// Pictures draws the plots of the report.
func (rep *Report) Pictures() (all []Picture, err error) {
	load := "" // of the pictures that are added next
	add := func(p Picture, drawErr error) {
		if drawErr != nil && err == nil {
			err = drawErr
		}
		p.Load = load
		if p.SVG != nil {
			all = append(all, p)
		}
	}
	for _, id := range rep.loads() {
		results := rep.of(id)
		title := results[0].Scenario.Title
		load = results[0].Scenario.About
		over := func(file, what, unit string, yTicks plot.Ticker, figure func(*Series) []float64) {
			add(draw(id+"-"+file, axes{title: title + ": " + what, x: "time, s", y: unit, yTicks: yTicks}, curves(results, figure)))
		}
		over("depth", "queue depth", "messages", nil, func(s *Series) []float64 { return s.Depth })
		over("memory", "memory in flight", "segment and messages", byteTicks{}, func(s *Series) []float64 { return s.Memory })
		over("blocked", "producer blocked so far", "s", nil, func(s *Series) []float64 { return s.ProducerBlocked })
		add(draw(id+"-latency", axes{
			title: title + ": latency, publish to take", x: "percentile", y: "ms", logY: true, ticks: percentiles,
		}, latencies(results)))
	}
	load = sizesAbout
	add(draw("sizes-messages", axes{title: "Throughput against message size", x: "message size", y: "messages/s", logX: true, logY: true, ticks: sizeTicks()},
		rep.bySize(func(size int, perSecond float64) float64 { return perSecond })))
	add(draw("sizes-bytes", axes{title: "Throughput against message size", x: "message size", y: "payload a second", yUnit: "B/s", logX: true, logY: true, ticks: sizeTicks()},
		rep.bySize(func(size int, perSecond float64) float64 { return perSecond * float64(size) })))
	load = roomsAbout
	add(draw("rooms", axes{title: "The ring's throughput against its bound (64 B)", x: "bound", y: "messages/s", logY: true, ticks: roomTicks()}, rep.byRoom()))
	return all, err
}

// curves returns a figure over time for each model, until shortly after the end of the
// producer.
func curves(results []*Result, figure func(*Series) []float64) (lines []line) {
	until := 0.0
	for _, r := range results {
		until = max(until, 1.3*r.producing().Seconds())
	}
	for _, r := range results {
		var points plotter.XYs
		values := figure(&r.Series)
		for i, t := range r.Series.Time {
			if t <= until {
				points = append(points, plotter.XY{X: t, Y: values[i]})
			}
		}
		lines = append(lines, line{model: r.Model, points: decimate(points, maxPoints)})
	}
	return lines
}

var quantiles = []struct {
	name string
	q    float64
}{{"50", 0.5}, {"90", 0.9}, {"99", 0.99}, {"99.9", 0.999}, {"max", 1}}

var percentiles = func() (n namedTicks) {
	for i, q := range quantiles {
		n = append(n, plot.Tick{Value: float64(i), Label: q.name})
	}
	return n
}()

func latencies(results []*Result) (lines []line) {
	for _, r := range results {
		var points plotter.XYs
		for i, q := range quantiles {
			points = append(points, plotter.XY{X: float64(i), Y: float64(r.Final.Latency.Quantile(q.q)) / 1e6})
		}
		lines = append(lines, line{model: r.Model, points: points})
	}
	return lines
}

func sizeTicks() (n namedTicks) {
	for _, size := range Sizes {
		n = append(n, plot.Tick{Value: float64(size), Label: format.Size(size)})
	}
	return n
}

func roomTicks() (n namedTicks) {
	for i, r := range Rooms {
		n = append(n, plot.Tick{Value: float64(i), Label: r.Name})
	}
	return n
}

func (rep *Report) bySize(figure func(size int, perSecond float64) float64) (lines []line) {
	for _, m := range Models {
		l := line{model: m}
		for _, size := range Sizes {
			if r := rep.find(fmt.Sprintf("size-%d", size), m.ID); r != nil {
				at := plotter.XY{X: float64(size), Y: figure(size, r.Throughput())}
				l.points = append(l.points, at)
				if r.LimitAfter > 0 {
					l.limited = append(l.limited, at)
				}
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func (rep *Report) byRoom() []line {
	l := line{model: Models[0]}
	for i := range Rooms {
		if r := rep.find(fmt.Sprintf("room-%d", i), l.model.ID); r != nil {
			l.points = append(l.points, plotter.XY{X: float64(i), Y: r.Throughput()})
		}
	}
	return []line{l}
}
