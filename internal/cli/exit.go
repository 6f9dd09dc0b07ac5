package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/format"
	"sluice/shm"
)

// Exit codes.
const (
	ExitOK        = 0 // completed, or stopped cleanly
	ExitFailed    = 1 // failed while running
	ExitUsage     = 2
	ExitFault     = 3 // --verify found a fault
	ExitRoleTaken = 4 // a live process holds the role
	ExitLimit     = 5 // a limit was reached
	ExitCorrupt   = 6 // the segment or the peer is corrupt or of another version
	// ExitIncomplete: the producer failed, or stopped before the end of its input, or
	// messages were lost while this consumer held the role.
	ExitIncomplete = 7
)

var errUsage = errors.New("wrong usage")

// usageError is a mistake on the command line or in the environment.
type usageError struct{ error }

func (u usageError) Unwrap() error        { return u.error }
func (u usageError) Is(target error) bool { return target == errUsage }

// UsageError returns an error of wrong usage, for exit code 2.
func UsageError(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// hintedError is an error with a hint that depends on more than the error.
type hintedError struct {
	error
	hint string
}

func (h hintedError) Unwrap() error { return h.error }

// WithHint returns err with a hint that replaces the one from errorRules; nil for a nil err.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hintedError{err, fmt.Sprintf(format, args...)}
}

// WithSegment returns err with the name of the segment that it is about, "" if it is about no
// single one; nil for a clean stop. It is for what the commands find wrong, with an input for
// example: errors of the library have the name, and stay as they are, also when they are joined
// with others.
func WithSegment(segment string, err error) error {
	err = IgnoreStop(err)
	if segment == "" {
		return err
	}
	if h, ok := err.(hintedError); ok {
		return hintedError{WithSegment(segment, h.error), h.hint}
	}
	if many := JoinedErrors(err); many != nil {
		var all []error
		for _, e := range many {
			all = append(all, WithSegment(segment, e))
		}
		return errors.Join(all...)
	}
	return shm.InSegment("", segment, err)
}

// Exit prints the error and its hint, a line each, and returns the exit code. command is the
// name of the process, with a subcommand after a space ("gauge rm"). With asJSON it prints
// one object.
func Exit(command string, asJSON bool, err error) int {
	if err == nil {
		return ExitOK
	}
	m := messageFor(command, err)
	m.print(asJSON)
	return m.code
}

// messageFor returns the message that Exit prints for an error.
func messageFor(command string, err error) message {
	parts := deduplicate(splitError(err))
	code, hint := codeAndHint(command, parts)
	parts, more := firstParts(parts)
	text, segment := joinParts(parts)
	if more > 0 {
		text += fmt.Sprintf("; and %s", format.Number(more, "more error"))
	}
	name, _, _ := strings.Cut(command, " ")
	return message{name, "error", text, hint, segment, code}
}

// maxParts is how many of many joined errors are printed: a consumer may have one for each ring.
const maxParts = 8

// firstParts returns the first maxParts parts, and how many it has left out. The part that decides
// the exit code and the hint is among them.
func firstParts(parts []part) (shown []part, more int) {
	more = len(parts) - maxParts
	if more <= 0 {
		return parts, 0
	}
	shown = slices.Clone(parts[:maxParts])
	if best := mostImportant(parts); best >= maxParts {
		shown[maxParts-1] = parts[best]
	}
	return shown, more
}

// part is one of several joined errors.
type part struct {
	err         error
	op, segment string // from its shm.SegmentError, "" without one
	text        string // without op and segment
	hint        string // from WithHint
}

// splitError splits joined errors, and separates the segment from the text of each.
func splitError(err error) []part {
	switch e := err.(type) {
	case nil:
		return nil
	case hintedError:
		parts := splitError(e.error)
		for i := range parts {
			parts[i].hint = e.hint
		}
		return parts
	case usageError:
		parts := splitError(e.error)
		for i := range parts {
			parts[i].err = usageError{parts[i].err}
		}
		return parts
	case *shm.SegmentError:
		var parts []part
		for _, p := range splitError(e.Err) {
			if p.segment == "" {
				p.op, p.segment = e.Op, e.Name
			}
			parts = append(parts, p)
		}
		if len(parts) == 1 && parts[0].op == e.Op {
			parts[0].text = e.Cause()
		}
		return parts
	}
	if many := JoinedErrors(err); many != nil {
		var parts []part
		for _, e := range many {
			parts = append(parts, splitError(e)...)
		}
		return parts
	}
	p := part{err: err, text: err.Error()}
	if inner := (*shm.SegmentError)(nil); errors.As(err, &inner) {
		p.op, p.segment = inner.Op, inner.Name
		p.text = strings.Replace(p.text, inner.Error(), inner.Cause(), 1)
	}
	if inner := (hintedError{}); errors.As(err, &inner) {
		p.hint = inner.hint
	}
	p.text = strings.ReplaceAll(p.text, "\n", "; ")
	return []part{p}
}

// JoinedErrors returns the arguments of errors.Join if err is its result, else nil. An error
// of fmt.Errorf can wrap several errors too, but its text is one sentence that stays whole.
func JoinedErrors(err error) []error {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var lines []string
	for _, e := range many.Unwrap() {
		lines = append(lines, e.Error())
	}
	if strings.Join(lines, "\n") != err.Error() {
		return nil
	}
	return many.Unwrap()
}

// deduplicate drops parts about one segment with the same text, and keeps only the longest text for
// a rule with printOnce: several steps of a shutdown find out that a segment was truncated, for
// example.
func deduplicate(parts []part) (once []part) {
	for _, p := range parts {
		m := p.rule()
		at := slices.IndexFunc(once, func(q part) bool {
			if q.segment != p.segment && q.segment != "" && p.segment != "" {
				return false
			}
			return q.text == p.text || m < len(errorRules) && errorRules[m].printOnce && q.rule() == m
		})
		switch {
		case at < 0:
			once = append(once, p)
		case len(p.text) > len(once[at].text):
			once[at] = p
		}
	}
	return once
}

// joinParts joins the parts into one line. Consecutive parts about one segment name it once.
func joinParts(parts []part) (text, segment string) {
	var b strings.Builder
	at := ""
	for i, p := range parts {
		if i > 0 {
			b.WriteString("; ")
		}
		if p.segment != "" && p.segment != at {
			at = p.segment
			b.WriteString((&shm.SegmentError{Op: p.op, Name: p.segment, Err: errors.New("")}).Error())
		}
		if segment == "" {
			segment = p.segment
		}
		b.WriteString(p.text)
	}
	return b.String(), segment
}

// codeAndHint returns the exit code and the hint of the part whose rule comes first in
// errorRules.
func codeAndHint(command string, parts []part) (code int, hint string) {
	best := parts[mostImportant(parts)]
	at := best.rule()
	if at == len(errorRules) {
		return ExitFailed, best.hint
	}
	m := errorRules[at]
	if best.hint == "" && m.hint != nil {
		return m.code, m.hint(command, best)
	}
	return m.code, best.hint
}

// mostImportant returns the index of the part whose rule comes first in errorRules.
func mostImportant(parts []part) (best int) {
	for i := range parts {
		if parts[i].rule() < parts[best].rule() {
			best = i
		}
	}
	return best
}

// asJSON reports whether --format json or gauge's --json was given, even if the flags could
// not be parsed. format and json are the values of their environment variables.
func asJSON(args []string, format, json string) bool {
	want := format == "json" || isTrue(json)
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "--":
			return want
		case !strings.HasPrefix(arg, "-"):
		case name == "json":
			want = !given || isTrue(value)
		case name == "format" && given:
			want = value == "json"
		case name == "format" && i+1 < len(args):
			want = args[i+1] == "json"
		}
	}
	return want
}

// isTrue parses a boolean as the flag parser does; false if it is none.
func isTrue(value string) bool {
	is, err := strconv.ParseBool(value)
	return is && err == nil
}

// hasJSON reports whether a command of this process has the flag --json, and so SLUICE_JSON.
var hasJSON bool

func wantsJSON() bool {
	variable := ""
	if hasJSON {
		variable = os.Getenv("SLUICE_JSON")
	}
	return asJSON(os.Args[1:], os.Getenv("SLUICE_FORMAT"), variable)
}
