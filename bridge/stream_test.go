package bridge

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestCheckStream_SaysWhatIsWrong(t *testing.T) {
	fit := newStream(&OutOptions{Stream: "S"})
	if err := checkStream(fit, subjectOf("S", "x")); err != nil {
		t.Fatalf("a new stream: %v", err)
	}
	for word, change := range map[string]func(*jetstream.StreamConfig){
		"retention is limits":          func(c *jetstream.StreamConfig) { c.Retention = jetstream.LimitsPolicy },
		"discards old":                 func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"no limit":                     func(c *jetstream.StreamConfig) { c.MaxBytes = -1 },
		"limits of bytes and messages": func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"limits of bytes and age":      func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"a limit of age":               func(c *jetstream.StreamConfig) { c.MaxBytes, c.MaxAge = -1, time.Hour },
		"messages of a subject":        func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 },
		"does not acknowledge":         func(c *jetstream.StreamConfig) { c.NoAck = true },
		"sealed":                       func(c *jetstream.StreamConfig) { c.Sealed = true },
		"want sluice.S.x among":        func(c *jetstream.StreamConfig) { c.Subjects = []string{"orders.*", "sluice.S.y"} },
	} {
		c := fit
		change(&c)
		err := checkStream(c, subjectOf("S", "x"))
		if !errors.Is(err, ErrStream) || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), `"S"`) {
			t.Errorf("%v, want ErrStream of stream S with %q", err, word)
		}
	}
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"interest":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"a limit of messages": func(c *jetstream.StreamConfig) { c.MaxBytes, c.MaxMsgs = -1, 100 },
		"all subjects":        func(c *jetstream.StreamConfig) { c.Subjects = []string{"x", "sluice.>"} },
	} {
		c := fit
		change(&c)
		if err := checkStream(c, subjectOf("S", "x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{"sluice.S.x", true}, {"sluice.S.*", true}, {"sluice.>", true}, {">", true}, {"*.*.*", true}, {"*.S.>", true},
		{"sluice.S.y", false}, {"sluice.S", false}, {"sluice.S.x.*", false}, {"sluice.S.x.>", false}, {"*.*", false}, {"", false},
	} {
		if got := covers(c.pattern, "sluice.S.x"); got != c.want {
			t.Errorf("%q covers: %v", c.pattern, got)
		}
	}
}
