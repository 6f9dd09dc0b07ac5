// Package shm maps segments: files in /dev/shm with a header that package layout describes.
// It makes, opens and removes them (Create, Open, Remove), holds one of their two roles by a
// lock that the kernel drops at any death (Segment), shows them to observers (View), lets a
// group share them (Access), and turns the fault of a truncated file into an error (Guard).
// It moves no message; ring and transfer do.
package shm
