// Package trial has what programs in scripts/ share that start processes, measure them and kill
// them: the processes, the segments between them, and figures of several rounds.
package trial
