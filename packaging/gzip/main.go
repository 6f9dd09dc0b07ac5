// Command gzip compresses as gzip -9n does, with the same result wherever it runs: that of another
// gzip depends on its implementation and version, that of this one only on the version of Go.
//
//	gzip FILE...    replaces each FILE by FILE.gz, with the mode of FILE
//	gzip            from the standard input to the standard output
package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gzip: error:", err)
		os.Exit(1)
	}
}

func run(paths []string) error {
	if len(paths) == 0 {
		return compress(os.Stdout, os.Stdin)
	}
	for _, path := range paths {
		if err := replace(path); err != nil {
			return err
		}
	}
	return nil
}

// replace writes path.gz, which must not exist, and removes path. On an error path remains.
func replace(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	out, err := os.OpenFile(path+".gz", os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return fmt.Errorf("create the file: %w", err)
	}
	err = compress(out, in)
	if closed := out.Close(); err == nil && closed != nil {
		err = fmt.Errorf("write the file: %w", closed)
	}
	if err != nil {
		os.Remove(out.Name())
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the file: %w", err)
	}
	return nil
}

// compress writes a header without name and time.
func compress(out io.Writer, in io.Reader) error {
	w, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if _, err := io.Copy(w, in); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}
