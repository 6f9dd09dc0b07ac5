// Command docs runs the commands of Markdown pages as a reader pastes them.
//
//	docs PAGE         run the commands of a page; the working directory is the root of a clone
//	docs --list PAGE  print which blocks of a page are run and which are not, without running any
//
// The blocks of a page marked as sh run in order, in one shell. Each statement must end with exit
// code 0. A comment before a block can say otherwise ([annotation]).
//
// The commands of pages install packages, change files in /etc and listen on ports: run them on a
// machine that may be broken. test.sh makes one for each page.
package main

import (
	"fmt"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code: 0, 1 when a command of the page failed, or 2 for wrong usage.
func run(args []string) int {
	list := len(args) > 0 && args[0] == "--list"
	if list {
		args = args[1:]
	}
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "docs: error: want one page\ndocs: hint: docs [--list] PAGE")
		return 2
	}
	p, err := readPage(args[0])
	if err == nil && list {
		printPlan(os.Stdout, p)
	} else if err == nil {
		err = runPage(os.Stdout, p)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "docs: error: %v\n", err)
		return 1
	}
	return 0
}
