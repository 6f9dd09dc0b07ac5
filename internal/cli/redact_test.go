package cli

import (
	"strings"
	"testing"
)

func TestRedact_URLs(t *testing.T) {
	for text, want := range map[string]string{
		"connect to nats://host:4222: no":                     "connect to nats://host:4222: no",
		`bad name "nats://user:secret@host": it has`:          `bad name "nats://xxxxx@host": it has`,
		"tls://secret@host, and nats://user:sec@ret/@b/path":  "tls://xxxxx@host, and nats://xxxxx@b/path",
		"nats://user:secret@a,nats://user:secret@b: no":       "nats://xxxxx@b: no",
		"see https://docs.nats.io/a/b and mail someone@there": "see https://docs.nats.io/a/b and mail someone@there",
	} {
		if got := redact(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestMessage_Redacted(t *testing.T) {
	m := message{name: "x", kind: "error", text: "nats://user:secret@host", hint: "nats://user:secret@host", segment: ""}
	for _, asJSON := range []bool{false, true} {
		if lines := strings.Join(m.lines(asJSON), "\n"); strings.Contains(lines, "secret") || !strings.Contains(lines, "@host") {
			t.Errorf("JSON %v: %s", asJSON, lines)
		}
	}
}
