package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// annotation says how a block is run. It is a comment before the block, which a reader of the page
// does not see: <!-- run: WORDS --> with some of these, separated by commas:
//
//	terminals       each statement is started in a terminal of its own, all at once
//	3s              with terminals: Ctrl-C in all of them after 3 seconds
//	stay            with terminals: Ctrl-C at the end of the page
//	exit 4          the last statement ends with 4
//	network         with the network of this machine, in a shell of its own: cd has no effect later
//	file NAME       no commands: the block, of any language, is written to that file
//	not, REASON     the block is not run
//
// And <!-- run: hidden, then lines of commands, then -->: commands that a reader does not see.
type annotation struct {
	terminals bool
	after     time.Duration // of terminals; 0 = until the end of the page
	exit      int
	network   bool
	file      string // "" = none
	not       string // the reason, "" = it is run
}

const annotationStart = "run:"

// parseAnnotation parses the words of an annotation.
func parseAnnotation(words string) (annotation, error) {
	var a annotation
	stay := false
	for rest := words; rest != ""; {
		var word string
		word, rest, _ = strings.Cut(rest, ",")
		word, rest = strings.TrimSpace(word), strings.TrimSpace(rest)
		name, value, _ := strings.Cut(word, " ")
		var err error
		switch {
		case word == "not" && rest != "":
			a.not, rest = rest, ""
		case word == "not":
			err = errors.New("want a reason: not, REASON")
		case word == "terminals":
			a.terminals = true
		case word == "stay":
			stay = true
		case word == "network":
			a.network = true
		case name == "exit":
			a.exit, err = strconv.Atoi(value)
		case name == "file" && value != "":
			a.file = value
		default:
			a.after, err = time.ParseDuration(word)
		}
		if err != nil {
			return annotation{}, fmt.Errorf("%q: %w", word, err)
		}
	}
	switch {
	case a.terminals && stay == (a.after > 0):
		return annotation{}, errors.New("terminals: want a time or stay")
	case !a.terminals && (stay || a.after > 0):
		return annotation{}, errors.New("a time and stay are for terminals")
	case a.terminals && (a.exit != 0 || a.network):
		return annotation{}, errors.New("terminals have no exit and no network")
	case a.file != "" && a != (annotation{file: a.file}):
		return annotation{}, errors.New("file is not for commands")
	}
	return a, nil
}
