// Package pressure reads the counters of a segment and says what they mean: who
// is slower, how full the queue is, how long messages wait.
//
// Read and Judge are functions of their arguments. Observe also asks the kernel
// who holds the roles, and /proc whether they run; a Trend remembers what it was
// given. Nothing is written to the segment, and any number of goroutines and
// processes may look at the same segment at once. A look waits at most for a side that
// is just ending a sleep: nanoseconds, some 50 ms where that side was killed there.
package pressure
