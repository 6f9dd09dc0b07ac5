// Command notices writes the licences of all modules that are linked into the commands of this
// repository, and that of Go, as one text, which most of them ask for in a distribution:
//
//	notices -root DIR -out FILE
//
// DIR is the root of the repository. A licence is a file LICENSE, COPYING, NOTICE or the like in
// the directory of a linked package or above it, in the same module. It fails if a module has none.
// The text is the same for all architectures, and depends on go.sum and the version of Go only.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", ".", "root of the repository")
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "notices: error: want -out FILE, and no arguments\nnotices: hint: see -help")
		os.Exit(2)
	}
	if err := write(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "notices: error:", err)
		os.Exit(1)
	}
}

func write(root, out string) error {
	modules, err := linked(root)
	if err != nil {
		return err
	}
	text, err := notices(modules)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, text, 0o644); err != nil { //nolint:gosec // is to be given away
		return fmt.Errorf("write the notices: %w", err)
	}
	return nil
}
