package cmd_test

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAConsumerThatWaitsSaysWhatThereIs(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	mistyped := name + "x"
	c := start(t, "consumer", "--name", mistyped, "--report", "0")
	j := start(t, "consumer", "--name", mistyped, "--report", "0", "--format", "json")
	within(t, "word of the wait", func() bool {
		return strings.Contains(c.stderr.String(), "hint: ") && strings.Contains(j.stderr.String(), "\n")
	})
	want := "consumer: note: waiting for segment \"" + mistyped + "\"\nconsumer: hint: gauge ls shows " + name
	if said := c.stderr.String(); !strings.HasPrefix(said, want) {
		t.Errorf("%s", said)
	}
	var object struct{ Note, Hint, Segment string }
	if err := json.Unmarshal([]byte(j.stderr.String()), &object); err != nil || object.Segment != mistyped || !strings.Contains(object.Hint, name) {
		t.Errorf("%v: %s", err, j.stderr.String())
	}
	for _, p := range []*proc{c, j} {
		p.signal(unix.SIGTERM)
		p.ends(0)
	}
	// Who finds it says nothing.
	c = start(t, "consumer", "--name", name)
	c.ends(0)
	if said := c.stderr.String(); strings.Contains(said, "waiting for segment") {
		t.Errorf("%s", said)
	}
}
