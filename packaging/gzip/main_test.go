package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file of another time and name gives the same bytes.
func TestRun_Replaces(t *testing.T) {
	var results [][]byte
	for i, name := range []string{"a", "b"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("text\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1e9*i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if err := run([]string{path}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the file is still there: %v", err)
		}
		info, err := os.Stat(path + ".gz")
		if err != nil || info.Mode() != 0o640 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		data, err := os.ReadFile(path + ".gz")
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, data)
	}
	if !bytes.Equal(results[0], results[1]) {
		t.Errorf("two results of the same content:\n%x\n%x", results[0], results[1])
	}
	r, err := gzip.NewReader(bytes.NewReader(results[0]))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "text\n" || r.Name != "" || !r.ModTime.IsZero() {
		t.Errorf("content %q, name %q, time %v, error %v", text, r.Name, r.ModTime, err)
	}
}

func TestRun_KeepsTheFileOnAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, p := range []string{path, path + ".gz"} {
		if err := os.WriteFile(p, []byte("text\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run([]string{path}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want that of a file that exists", err)
	}
	for _, p := range []string{path, path + ".gz"} {
		if text, err := os.ReadFile(p); err != nil || string(text) != "text\n" {
			t.Errorf("%s: %q, %v", p, text, err)
		}
	}
}
