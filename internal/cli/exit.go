package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"sluice/shm"
)

// Exit codes.
const (
	ExitOK        = 0 // done in good order
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

// Usage returns an error of wrong usage, for exit code 2.
func UsageError(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// hintedError is an error with what to do about it, where that depends on more than
// the error.
type hintedError struct {
	error
	hint string
}

func (h hintedError) Unwrap() error { return h.error }

// WithHint returns err with what to do about it, in place of what the command would say
// by itself; nil for a nil err.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hintedError{err, fmt.Sprintf(format, args...)}
}

// Named says which segment an error is about. An orderly stop is no error.
func WithSegment(segment string, err error) error { return shm.InSegment("", segment, IgnoreStop(err)) }

// Exit prints what is wrong and what to do about it, a line each, and returns the exit
// code. command is the process's name, and after a space that of its command, as in
// "gauge rm". With asJSON it prints one object.
func Exit(command string, asJSON bool, err error) int {
	if err == nil {
		return ExitOK
	}
	m := meant(command, err)
	m.print(asJSON)
	return m.code
}

// meant is the message that an error comes to.
func meant(command string, err error) message {
	parts := onlyOnce(split(err))
	code, hint := judge(command, parts)
	text, segment := join(parts)
	name, _, _ := strings.Cut(command, " ")
	return message{name, "error", text, hint, segment, code}
}

// part is one of the errors that were joined: each is said for itself.
type part struct {
	err         error
	op, segment string // of its shm.SegmentError, "" without one
	text        string // without them
	hint        string // of WithHint
}

// split takes joined errors apart, and out of each the segment that it is about.
func split(err error) []part {
	switch e := err.(type) {
	case nil:
		return nil
	case hintedError:
		parts := split(e.error)
		for i := range parts {
			parts[i].hint = e.hint
		}
		return parts
	case usageError:
		parts := split(e.error)
		for i := range parts {
			parts[i].err = usageError{parts[i].err}
		}
		return parts
	case *shm.SegmentError:
		var parts []part
		for _, p := range split(e.Err) {
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
	if many := joined(err); many != nil {
		var parts []part
		for _, e := range many {
			parts = append(parts, split(e)...)
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

// joined returns what errors.Join has joined, nil if err is something else: fmt.Errorf
// also wraps several, in a sentence of its own.
func joined(err error) []error {
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

// onlyOnce leaves out what is said already: the same text, and what each step of an end
// finds again in other words (that the segment was truncated), of which the longest
// stays.
func onlyOnce(parts []part) (once []part) {
	for _, p := range parts {
		m := p.meaning()
		at := slices.IndexFunc(once, func(q part) bool {
			return q.text == p.text || m < len(meanings) && meanings[m].once && q.meaning() == m
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

// join puts the parts into one line. A segment is named once for all that follow it.
func join(parts []part) (text, segment string) {
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

// judge returns the exit code and the hint of the part whose meaning stands first in the
// table.
func judge(command string, parts []part) (code int, hint string) {
	best := slices.MinFunc(parts, func(a, b part) int { return a.meaning() - b.meaning() })
	at := best.meaning()
	if at == len(meanings) {
		return ExitFailed, best.hint
	}
	m := meanings[at]
	if best.hint == "" && m.hint != nil {
		return m.code, m.hint(command, best)
	}
	return m.code, best.hint
}

// asJSON reports whether the caller reads JSON, also where the flags could not be
// parsed: --format json, or --json of gauge. format and json are their variables in the
// environment.
func asJSON(args []string, format, json string) bool {
	is := format == "json" || isTrue(json)
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "--":
			return is
		case !strings.HasPrefix(arg, "-"):
		case name == "json":
			is = !given || isTrue(value)
		case name == "format" && given:
			is = value == "json"
		case name == "format" && i+1 < len(args):
			is = args[i+1] == "json"
		}
	}
	return is
}

// isTrue is how the flag parser reads a flag without a value of its own.
func isTrue(value string) bool {
	is, err := strconv.ParseBool(value)
	return is && err == nil
}

// hasJSON reports that the process's command has the flag --json, and so its variable.
var hasJSON bool

func wantsJSON() bool {
	variable := ""
	if hasJSON {
		variable = os.Getenv("SLUICE_JSON")
	}
	return asJSON(os.Args[1:], os.Getenv("SLUICE_FORMAT"), variable)
}
