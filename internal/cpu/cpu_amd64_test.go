package cpu

import (
	"testing"
	"time"
)

// Elsewhere PrefetchWrite does nothing.
func TestPrefetchWrite_EveryLine(t *testing.T) {
	const lines = 1_000_000
	began := time.Now()
	PrefetchWrite(nil, lines)
	if took := time.Since(began); took < lines*time.Nanosecond/10 {
		t.Errorf("%d lines took %v", lines, took)
	}
}
