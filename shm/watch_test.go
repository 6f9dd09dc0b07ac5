package shm

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestWatch_SegmentsThatAppear(t *testing.T) {
	names := make(chan string, 100)
	w, err := Watch(func(name string) { names <- name })
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	defer w.Close()
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	testenv.WantErr(t, err, nil)
	created, moved, other := testenv.SegmentName(t), testenv.SegmentName(t), Dir+"/other."+testenv.SegmentName(t)
	s, err := CreateOrOpen(context.Background(), created, g, layout.Producer, Access{})
	testenv.WantErr(t, err, nil)
	defer s.Leave(func() bool { return true })
	testenv.WantErr(t, os.WriteFile(other, nil, 0o600), nil)
	testenv.WantErr(t, os.Rename(other, Path(moved)), nil)
	var got []string
	for deadline := time.After(testenv.Timeout); !slices.Contains(got, created) || !slices.Contains(got, moved); {
		select {
		case name := <-names:
			if name == "" || CheckName(name) != nil {
				t.Errorf("%q", name)
			}
			got = append(got, name)
		case <-deadline:
			t.Fatalf("got %v, want %s and %s", got, created, moved)
		}
	}
}
