package cpu

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The shortest PAUSE known takes some 10 cycles. A load on the machine only makes it
// longer.
func TestPause_TakesItsTime(t *testing.T) {
	const turns = 100_000
	Pause(1)
	began := time.Now()
	Pause(turns)
	if took := time.Since(began); took < turns*time.Nanosecond {
		t.Errorf("%d turns took %v", turns, took)
	}
}

// That the hint goes out for each line is to be seen only by the time it takes; that the
// lines then come early is no matter of tests but of measurements, in docs/protocol.md.
func TestPrefetchWrite_NoFaultNoWrite(t *testing.T) {
	b, err := unix.Mmap(-1, 0, 8192, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	PrefetchWrite(&b[0], 8192/64) // may not be written to
	if err := unix.Munmap(b); err != nil {
		t.Fatal(err)
	}
	PrefetchWrite(nil, 1) // is not there

	own := make([]byte, 64)
	PrefetchWrite(&own[63], 64)
	for _, c := range own {
		if c != 0 {
			t.Error("it wrote")
		}
	}
}
