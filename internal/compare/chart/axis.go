package chart

import (
	"fmt"
	"math"
)

// Tick is a labelled place on an axis.
type Tick struct {
	At    float64
	Label string
}

// Axis says what is measured along an axis, and how.
type Axis struct {
	Label string // what, and its unit
	Log   bool
	// Ticks are where the axis is labelled. Without them a linear axis has labels at round
	// numbers, and a logarithmic one at powers of ten that Format puts into words.
	Ticks    []Tick
	Format   func(x float64) string // nil = plain numbers
	Min, Max float64                // the range; Min 0 of a linear axis
}

// span is an axis that is laid over pixels.
type span struct {
	Axis
	from, to float64 // pixels of Min and Max
}

// at returns the pixel of x, which is kept within the axis.
func (s span) at(x float64) float64 {
	low, high := s.Min, s.Max
	if s.Log {
		x, low, high = math.Log(math.Max(x, math.SmallestNonzeroFloat64)), math.Log(low), math.Log(high)
	}
	if high <= low {
		return s.from
	}
	return s.from + (s.to-s.from)*math.Min(1, math.Max(0, (x-low)/(high-low)))
}

// fit sets the range of the axis, unless it is given, so that it shows the values.
func (a *Axis) fit(values []float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) || a.Log && x <= 0 {
			continue
		}
		low, high = math.Min(low, x), math.Max(high, x)
	}
	switch {
	case a.Max > a.Min:
	case high < low:
		a.Min, a.Max = 1, 10
		if !a.Log {
			a.Min = 0
		}
	case a.Log:
		a.Min, a.Max = math.Pow(10, math.Floor(math.Log10(low)+1e-9)), math.Pow(10, math.Ceil(math.Log10(high)-1e-9))
		if a.Min == a.Max {
			a.Max *= 10
		}
	default:
		a.Min, a.Max = 0, math.Max(high*1.05, math.SmallestNonzeroFloat64)
		if high <= 0 {
			a.Max = 1
		}
	}
}

func (a *Axis) label(x float64) string {
	if a.Format != nil {
		return a.Format(x)
	}
	return fmt.Sprintf("%.4g", x)
}

// ticks returns where the axis is labelled.
func (a *Axis) ticks() (all []Tick) {
	if a.Ticks != nil {
		return a.Ticks
	}
	if a.Log {
		decades := int(math.Round(math.Log10(a.Max / a.Min)))
		step := 1 + decades/6 // every second one when there are many
		for i := 0; i <= decades; i++ {
			x := a.Min * math.Pow(10, float64(i))
			t := Tick{At: x}
			if i%step == 0 {
				t.Label = a.label(x)
			}
			all = append(all, t)
		}
		return all
	}
	step := roundStep((a.Max - a.Min) / 4)
	for i := 0; ; i++ {
		x := a.Min + float64(i)*step
		if x > a.Max*(1+1e-9) {
			return all
		}
		all = append(all, Tick{x, a.label(x)})
	}
}

// roundStep returns 1, 2 or 5 times a power of ten that is near x.
func roundStep(x float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if x <= 1.2*m*base {
			return m * base
		}
	}
	return 10 * base
}
