package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// message is a line for the user that is not part of a report.
type message struct {
	name    string // of the command
	kind    string // error, warning or note
	text    string
	hint    string // "" = none
	segment string // "" = about no segment
	code    int    // exit code of an error
}

// Note prints a message of the command called name that is not an error. hint and segment may
// be "".
func Note(name, segment, text, hint string) {
	message{name: name, kind: "note", text: text, hint: hint, segment: segment}.print(wantsJSON())
}

// Warn is Note for something that is probably a mistake, although the command goes on.
func Warn(name, segment, text, hint string) {
	message{name: name, kind: "warning", text: text, hint: hint, segment: segment}.print(wantsJSON())
}

// print prints the message on standard error.
func (m message) print(asJSON bool) { logLines(m.priority(), m.lines(asJSON)...) }

// lines returns the message and its hint, a line each; as JSON both in one object.
func (m message) lines(asJSON bool) []string {
	m.text, m.hint = redact(m.text), redact(m.hint)
	if !asJSON {
		lines := []string{fmt.Sprintf("%s: %s: %s", m.name, m.kind, m.text)}
		if m.hint != "" {
			lines = append(lines, fmt.Sprintf("%s: hint: %s", m.name, m.hint))
		}
		return lines
	}
	object := map[string]any{m.kind: m.text, "hint": nullIfEmpty(m.hint), "segment": nullIfEmpty(m.segment)}
	if m.kind == "error" {
		object["exitCode"] = m.code
	}
	line, err := json.Marshal(object)
	if err != nil {
		panic(err) // cannot happen: it has only strings and numbers
	}
	return []string{string(line)}
}

func nullIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// priority returns the prefix for the priority in the journal, see sd-daemon(3).
func (m message) priority() string {
	return map[string]string{"error": "<3>", "warning": "<4>", "note": "<5>"}[m.kind]
}

// InJournal reports whether standard error is the systemd journal, which adds the time and
// the name of the program to each line.
var InJournal = sync.OnceValue(func() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
})

// logLines prints to standard error, in the journal with the priority before each line. It
// gives up after a second, because standard error may be a full pipe.
func logLines(priority string, lines ...string) {
	var text []byte
	for _, l := range lines {
		if InJournal() {
			text = append(text, priority...)
		}
		text = append(append(text, l...), '\n')
	}
	done := make(chan struct{})
	go func() {
		os.Stderr.Write(text)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}
