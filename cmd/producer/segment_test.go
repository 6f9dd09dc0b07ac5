package main_test

import (
	"sluice/internal/testenv"
	"sluice/layout"
	"testing"
)

// A full /dev/shm must be an error before the first message, not a SIGBUS at
// some later one.
func TestSegment_NoRoom(t *testing.T) {
	t.Parallel()
	const script = `mount -t tmpfs -o size=1m none /dev/shm && "$0" --name space --capacity 4MiB --report 0; code=$?; ls /dev/shm; exit $code`
	testenv.StartWithMounts(t, "producer", script).WantError(1, "no room in /dev/shm", "--capacity", `"space"`)
}

func TestSegment_ReadOnlyDevShm(t *testing.T) {
	t.Parallel()
	testenv.StartWithMounts(t, "producer", `mount -t tmpfs -o ro,mode=1777 tmpfs /dev/shm && exec "$0" --name readonly`).
		WantError(1, `"readonly"`, "read-only file system", "mount -o remount,rw /dev/shm", "gauge doctor")
}

func TestFresh_WrongSize_DiscardsNothing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "100").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--fresh", "--size", "2MiB").WantError(2, "--capacity")
	if h := testenv.Header(name); h == nil || h.Count(layout.Producer) != 100 {
		t.Error("the messages are gone")
	}
}

func TestOnFull_FailAndDrop(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--on-full", "fail", "--slots", "3").WantError(5, "full", name)
	testenv.Start(t, "producer", "--name", name, "--on-full", "drop", "--count", "10").WantExit(0)
	if h := testenv.Header(name); h.ProducerStats.Dropped.Load() != 10 {
		t.Errorf("dropped %d, want 10", h.ProducerStats.Dropped.Load())
	}
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json")
	c.WantExit(7) // the first producer failed
	if f := c.Final(); f.Num("consumedCount") != 3 || f.Num("droppedCount") != 10 || f.Num("refusedCount") != 1 {
		t.Errorf("final report %v", f)
	}
}
