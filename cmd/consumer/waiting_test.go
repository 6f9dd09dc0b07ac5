package main_test

import (
	"encoding/json"
	"sluice/internal/testenv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWaiting_NoSegment_ListsSimilarNames(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	mistyped := name + "x"
	c := testenv.Start(t, "consumer", "--name", mistyped, "--report", "0")
	j := testenv.Start(t, "consumer", "--name", mistyped, "--report", "0", "--format", "json")
	testenv.Eventually(t, "word of the wait", func() bool {
		return strings.Contains(c.Stderr.String(), "hint: ") && strings.Contains(j.Stderr.String(), "\n")
	})
	want := "consumer: note: waiting for segment \"" + mistyped + "\"\nconsumer: hint: gauge ls shows " + name
	if said := c.Stderr.String(); !strings.HasPrefix(said, want) {
		t.Errorf("%s", said)
	}
	var object struct{ Note, Hint, Segment string }
	if err := json.Unmarshal([]byte(j.Stderr.String()), &object); err != nil || object.Segment != mistyped || !strings.Contains(object.Hint, name) {
		t.Errorf("%v: %s", err, j.Stderr.String())
	}
	for _, p := range []*testenv.Process{c, j} {
		p.Signal(unix.SIGTERM)
		p.WantExit(0)
	}
	// Who finds it says nothing.
	c = testenv.Start(t, "consumer", "--name", name)
	c.WantExit(0)
	if said := c.Stderr.String(); strings.Contains(said, "waiting for segment") {
		t.Errorf("%s", said)
	}
}
