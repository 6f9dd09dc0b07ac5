// Package pressure reads the counters of a segment and says what they mean: which side is slower,
// how full the queue is, how long messages wait.
//
//   - [Observe] takes a [Snapshot] of a segment. [Read] does so for a header alone, without the
//     kernel.
//   - [Between] subtracts two snapshots: an [Interval].
//   - [Judge] draws a [Verdict] from an interval. A [Trend] does so for a series of snapshots,
//     without flicker, and for a whole run.
//
// A verdict is data: a [Kind], a [Cause], [Figures] and [Advice] that a program can switch on.
// What the commands print is made from it elsewhere.
//
// Read, Between and Judge are functions of their arguments. Observe also asks the kernel which
// roles are held, and /proc whether the processes run. Nothing is written to the segment, and any
// number of goroutines and processes may observe one at the same time. Taking a snapshot waits only
// for a side that is just ending a sleep: nanoseconds, or some 50 ms if that side was killed there.
package pressure
