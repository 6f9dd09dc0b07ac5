package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stayStart is how long terminals that stay have to start before the next block.
const stayStart = 2 * time.Second

// runner runs the blocks of a page.
type runner struct {
	out     io.Writer
	page    *page
	shell   *session
	outside bool // whether shell is in the network outside
	staying []*terminal
}

// printPlan prints a line for each block: "run" or "not run", where, and the reason.
func printPlan(out io.Writer, p *page) {
	for _, b := range p.blocks {
		if b.not != "" {
			fmt.Fprintf(out, "not run\t%s:%d\t%s\n", p.path, b.line, b.not)
		} else {
			fmt.Fprintf(out, "run\t%s:%d\t\n", p.path, b.line)
		}
	}
}

// runPage runs a page in the working directory, up to the first statement that fails, and prints
// each statement before it starts.
func runPage(out io.Writer, p *page) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	r := &runner{out: out, page: p}
	if r.shell, err = startSession(place{dir, os.Environ()}, false); err != nil {
		return err
	}
	defer func() { r.shell.end() }()
	for _, b := range p.blocks {
		if err := r.runBlock(b); err != nil {
			return err
		}
	}
	return r.endTerminals(r.staying)
}

func (r *runner) runBlock(b block) error {
	switch {
	case b.not != "":
		fmt.Fprintf(r.out, "%s:%d: not run: %s\n", r.page.path, b.line, b.not)
		return nil
	case b.file != "":
		return r.writeFile(b)
	}
	statements, err := b.statements(r.page.path)
	if err != nil {
		return err
	}
	if b.terminals {
		return r.runTerminals(b, statements)
	}
	if err := r.enterNetwork(b.network); err != nil {
		return err
	}
	for i, st := range statements {
		want := 0
		if i == len(statements)-1 {
			want = b.exit
		}
		r.announce(st)
		code, err := r.shell.run(st.text)
		switch output := r.shell.newOutput(); {
		case err != nil:
			return r.failure(st, err.Error(), output)
		case code != want:
			return r.failure(st, fmt.Sprintf("exit code %d, want %d", code, want), output)
		}
	}
	return nil
}

func (r *runner) writeFile(b block) error {
	file := b.file
	if !filepath.IsAbs(file) {
		file = filepath.Join(r.shell.dir, file)
	}
	fmt.Fprintf(r.out, "%s:%d: into %s\n", r.page.path, b.line, b.file)
	return os.WriteFile(file, []byte(b.text), 0o644)
}

// enterNetwork continues in another shell if the present one is not in the right network.
func (r *runner) enterNetwork(outside bool) error {
	if outside == r.outside {
		return nil
	}
	at, err := r.shell.where()
	if err != nil {
		return err
	}
	r.shell.end()
	r.shell, err = startSession(at, outside)
	r.outside = outside
	return err
}

func (r *runner) runTerminals(b block, statements []statement) error {
	at, err := r.shell.where()
	if err != nil {
		return err
	}
	var all []*terminal
	for _, st := range statements {
		r.announce(st)
		t, err := openTerminal(at, st)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	if b.after > 0 {
		time.Sleep(b.after)
		return r.endTerminals(all)
	}
	time.Sleep(stayStart)
	r.staying = append(r.staying, all...)
	for _, t := range all {
		if t.failed() {
			return r.failure(t.statement, t.err.Error(), t.screen.String())
		}
	}
	return nil
}

// endTerminals presses Ctrl-C in all terminals and waits for their commands.
func (r *runner) endTerminals(all []*terminal) error {
	for _, t := range all {
		t.interrupt()
	}
	var errs []error
	for _, t := range all {
		if err := t.wait(); err != nil {
			errs = append(errs, r.failure(t.statement, err.Error(), t.screen.String()))
		}
	}
	return errors.Join(errs...)
}

func (r *runner) announce(st statement) {
	fmt.Fprintf(r.out, "%s:%d: %s\n", r.page.path, st.line, st)
}

// failure returns an error that shows a statement and what it has printed.
func (r *runner) failure(st statement, what, output string) error {
	const most = 4096 // bytes of output
	if len(output) > most {
		output = "..." + output[len(output)-most:]
	}
	output = strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(output, "\r\n", "\n")), "\n", "\n    ")
	return fmt.Errorf("%s:%d: %s: %s\n    %s", r.page.path, st.line, st, what, output)
}
