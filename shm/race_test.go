//go:build race

package shm

// raceDetector: a fault in the detector's own code, which an atomic operation calls, ends
// the process, whatever Guard is to make of it.
const raceDetector = true
