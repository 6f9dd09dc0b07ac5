// Command image writes a container image of the commands into a file, which docker, podman,
// containerd and skopeo load without a registry:
//
//	image -bin DIR -out FILE [-doc FILE]...
//
// DIR has the built commands. Version, commit, time and architecture are those that Go has recorded
// in them. The same commands give the same file.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	bin := flag.String("bin", "", "directory of the built commands")
	out := flag.String("out", "", "file to write")
	var docs []string
	flag.Func("doc", "a file for /usr/share/doc/sluice, several times", func(path string) error {
		docs = append(docs, path)
		return nil
	})
	flag.Parse()
	if *bin == "" || *out == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "image: error: want -bin DIR and -out FILE, and no arguments\nimage: hint: see -help")
		os.Exit(2)
	}
	if err := write(*bin, docs, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image: error:", err)
		os.Exit(1)
	}
}

func write(bin string, docs []string, out string) error {
	build, err := readBuild(bin)
	if err != nil {
		return err
	}
	root, err := rootFiles(bin, docs)
	if err != nil {
		return err
	}
	img, err := newImage(build, root)
	if err != nil {
		return fmt.Errorf("make the image: %w", err)
	}
	return writeArchive(out, img, build)
}
