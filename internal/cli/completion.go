package cli

import (
	"fmt"
	"io"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice/shm"
)

// generateCompletion as the last argument makes a command print its completions, for
// scripts/completion.*. It is not in --help.
const generateCompletion = "--generate-completion"

// printCompletions writes a line for each word that may follow args: the word, the kind of its
// value, and its description, separated by a space.
//
//	--fresh none discard a segment left by a dead pair
//	--mode ring|transfer MODE: ring or transfer
//	--count value stop cleanly after N messages
//	--input file read messages from FILE
//	--name segment NAME of the segment
//	NAME segment                                           an argument
//	demo name                                              an existing segment
//	stat command show everything about a segment, once
func (a *App) printCompletions(out io.Writer, args []string) error {
	var b strings.Builder
	of := a
	if len(args) > 0 {
		for i := range a.Commands {
			if a.Commands[i].Name == args[0] {
				of = &a.Commands[i]
			}
		}
	}
	for _, sub := range of.Commands {
		fmt.Fprintf(&b, "%s command %s\n", sub.Name, sub.Usage)
	}
	if len(of.Commands) > 0 {
		b.WriteString("help command print the flags of a command\n")
	}
	if len(args) > 0 && args[0] == "help" {
		_, err := io.WriteString(out, b.String())
		return err
	}
	named := of.Argument == "name"
	if named {
		b.WriteString("NAME segment\n")
	}
	for _, f := range of.Flags {
		takes := valueKind(f)
		named = named || takes == "segment"
		_, text := describe(f)
		for _, n := range f.Names() {
			fmt.Fprintf(&b, "%s %s %s\n", withDashes(n), takes, text)
		}
	}
	b.WriteString("--help none print the flags\n")
	if named {
		names, err := shm.List()
		if err != nil {
			return err
		}
		for _, name := range names {
			fmt.Fprintf(&b, "%s name\n", name)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// valueKind returns the kind of a flag's value: see printCompletions.
func valueKind(f urfave.Flag) string {
	if generic, ok := f.(*urfave.GenericFlag); ok {
		switch v := generic.Value.(type) {
		case *choice:
			return strings.Join(v.words, "|")
		case *segmentName, *segmentNames:
			return "segment"
		}
	}
	switch value, takes := metavar(f); {
	case !takes:
		return "none"
	case value == "FILE", value == "PATH":
		return "file"
	}
	return "value"
}
