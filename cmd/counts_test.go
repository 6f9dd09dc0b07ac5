package cmd_test

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

// Whatever is counted, and whoever says it.
func TestText_CountsHaveSeparators(t *testing.T) {
	t.Parallel()
	ring, soft, junk := testenv.SegmentName(t), testenv.SegmentName(t), testenv.SegmentName(t)
	var said strings.Builder
	run := func(code int, command string, args ...string) {
		p := testenv.Start(t, command, args...)
		p.WantExit(code)
		said.WriteString(p.Stderr.String() + p.Stdout.String())
	}
	alone := testenv.Start(t, "producer", "--mode", "transfer", "--name", soft, "--count", "2048")
	alone.EventuallyPrints("waiting for a consumer of 2,048 queued messages")
	alone.Signal(unix.SIGTERM)
	alone.WantExit(1)
	said.WriteString(alone.Stderr.String())
	run(0, "producer", "--name", ring, "--count", "1500", "--slots", "4096")
	run(2, "producer", "--name", ring, "--slots", "8")
	run(0, "gauge", "stat", ring)
	run(0, "gauge", "ls")
	run(2, "gauge", "rm", ring)
	run(0, "gauge", "rm", "--yes", ring)
	run(0, "producer", "--name", junk, "--input", testenv.WriteFile(t, []byte(strings.Repeat("no number\n", 1200))), "--framing", "lines")
	run(3, "consumer", "--name", junk, "--verify")

	text := said.String()
	for _, want := range []string{
		"messages were lost: 2,048", "produced   2,048 messages", "4,096 slots", "1,500 unread messages", "1,500 messages unread would be lost",
		"with 1,500 messages unread", "in 1,200 messages", "1,200 damaged",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	plain := regexp.MustCompile(`\b[0-9]{4,} (?:more |unread )?(?:messages?|unread|missing|repeated|damaged|times|sends|slots|that|waits|bytes read)\b`)
	if found := plain.FindAllString(text, -1); found != nil {
		t.Errorf("%q", found)
	}
	if t.Failed() {
		t.Log(text)
	}
}
