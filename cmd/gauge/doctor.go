package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/observe/doctor"
)

func doctorCommand() cli.App {
	return cli.App{
		Name:   "doctor",
		Prints: true,
		Usage:  "check this machine for problems and print fixes",
		About: "Tries what producer and consumer need, as this user and with the limits of this\n" +
			"shell, and cleans up after itself. Each line is ok, a note (it works, but there is\n" +
			"something to know) or FIX (it must be fixed), with the fix. The exit code is 1 if\n" +
			"there is something to fix.",
		Examples: []string{
			"gauge doctor",
			"gauge doctor --json | jq -r 'select(.state != \"ok\") | .fix'",
			"docker run ... gauge doctor      as in the container",
		},
		Flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "print one object per line, with name, state (ok, note or problem), text and fix"}},
		Run: func(_ context.Context, c *urfave.Context) error {
			findings := doctor.Examine()
			print := printFindings
			if c.Bool("json") {
				print = encodeFindings
			}
			if err := print(os.Stdout, findings); err != nil {
				return err
			}
			return problemsError(findings)
		},
	}
}

// problemsError names the problems; it is nil when there are none.
func problemsError(findings []doctor.Finding) error {
	var names []string
	for _, f := range findings {
		if f.State == doctor.Problem {
			names = append(names, f.Name)
		}
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 problem found: %s", names[0])
	}
	return fmt.Errorf("%d problems found: %s", len(names), strings.Join(names, ", "))
}

func encodeFindings(w io.Writer, findings []doctor.Finding) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // keep < and & readable
	for _, f := range findings {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

const (
	stateColumn = 6  // width of "note" and a gap
	nameColumn  = 16 // width of "unnamed files" and a gap
)

func printFindings(w io.Writer, findings []doctor.Finding) error {
	width := textWidth()
	words := map[doctor.State]string{doctor.OK: "ok", doctor.Note: "note", doctor.Problem: "FIX"}
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-*s%-*s", stateColumn, words[f.State], nameColumn, f.Name)
		wrap(&b, f.Text, stateColumn+nameColumn, width)
		if f.Fix != "" {
			fmt.Fprintf(&b, "%*s", stateColumn+nameColumn, "")
			wrap(&b, "-> "+f.Fix, stateColumn+nameColumn+len("-> "), width)
		}
	}
	if problemsError(findings) == nil {
		b.WriteString("no problems found\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// textWidth returns the width of the terminal, but at least 60 and at most 120; 100 without one.
func textWidth() int {
	size, err := unix.IoctlGetWinsize(unix.Stdout, unix.TIOCGWINSZ)
	if err != nil {
		return 100
	}
	return min(max(int(size.Col), 60), 120)
}

// wrap writes text that begins in column indent, in lines of at most width columns.
func wrap(b *strings.Builder, text string, indent, width int) {
	at := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			fmt.Fprintf(b, "\n%*s", indent, "")
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	b.WriteByte('\n')
}
