// Package pressure reads the counters of a segment and says what they mean: who
// is slower, how full the queue is, how long messages wait.
//
// Everything here is a pure function of what package layout exposes. Nothing
// blocks, nothing is written to the segment, and any number of goroutines and
// processes may look at the same segment at once.
package pressure
