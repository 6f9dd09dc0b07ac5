package trial

import "slices"

// Median returns the median of values, at least one, of an even number the upper one. It sorts
// them.
func Median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
