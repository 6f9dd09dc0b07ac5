package shm

import "testing"

func TestHintsReturnAndFaultOnNothing(t *testing.T) {
	Pause(1)
	Pause(1000)
	PrefetchWrite(nil, 1)
	b := make([]byte, 64)
	PrefetchWrite(&b[63], 64)
	for _, c := range b {
		if c != 0 {
			t.Error("PrefetchWrite wrote")
		}
	}
}
