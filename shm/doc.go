// Package shm is what sluice asks of the operating system: segments in
// /dev/shm and their mappings, role locks that the kernel drops at any death,
// futexes between processes, and the memory barriers that make sleeping cheap.
// It knows where the header of a segment lies (package layout) but moves no
// message; ring and transfer do.
//
// Futexes follow the shape of JavaScript's Atomics.wait and Atomics.notify.
package shm
