package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// message is something to tell the user besides the reports.
type message struct {
	name    string // of the command
	kind    string // error, warning or note
	text    string
	hint    string // "" = none
	segment string // "" = it is about none
	code    int    // exit code of an error
}

// Note tells the user of the command called name something that is no error, and what to do
// about it, if anything. segment is the one that it is about, "" for none.
func Note(name, segment, text, hint string) {
	message{name: name, kind: "note", text: text, hint: hint, segment: segment}.print(wantsJSON())
}

// print prints the message on standard error.
func (m message) print(asJSON bool) { logLines(m.priority(), m.lines(asJSON)...) }

// lines is the message, and its hint on a line of its own; as JSON both in one object.
func (m message) lines(asJSON bool) []string {
	if !asJSON {
		lines := []string{fmt.Sprintf("%s: %s: %s", m.name, m.kind, m.text)}
		if m.hint != "" {
			lines = append(lines, fmt.Sprintf("%s: hint: %s", m.name, m.hint))
		}
		return lines
	}
	object := map[string]any{m.kind: m.text, "hint": orNull(m.hint), "segment": orNull(m.segment)}
	if m.kind == "error" {
		object["exitCode"] = m.code
	}
	line, err := json.Marshal(object)
	if err != nil {
		panic(err) // strings and numbers
	}
	return []string{string(line)}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// priority is that of the message in the journal, as in sd-daemon(3).
func (m message) priority() string {
	return map[string]string{"error": "<3>", "warning": "<4>", "note": "<5>"}[m.kind]
}

// InJournal reports whether standard error is the systemd journal, which notes time
// and program by itself.
var InJournal = sync.OnceValue(func() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
})

// logLines prints to standard error, in the journal with the priority on each line. It
// does not wait for ever where that is a pipe that nobody reads.
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
