package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotices_OfThisRepository(t *testing.T) {
	modules, err := linked("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := notices(modules)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Go standard library go1.", "Copyright 2009 The Go Authors",
		"github.com/nats-io/nats-server/v2 v2.", ": s2/LICENSE", // of a package within klauspost/compress
		"github.com/prometheus/client_golang v1.", ": NOTICE",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, unwanted := range []string{"rogpeppe/go-internal", "pgregory.net/rapid", "\nsluice"} { // of tests; our own
		if strings.Contains(string(text), unwanted) {
			t.Errorf("%q is there, which is not linked", unwanted)
		}
	}
}

func TestLicences_OfPackagesAndAbove(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"LICENSE.md", "a/COPYING", "a/license.go", "a/b/x.go", "other/LICENSE", "a/notice-of-x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := licences(module{"m v1", dir, []string{filepath.Join(dir, "a/b")}})
	got := strings.ReplaceAll(strings.Join(files, " "), dir+"/", "")
	if want := "LICENSE.md a/COPYING a/notice-of-x"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if files, err := licences(module{"m v1", filepath.Join(dir, "a/b"), []string{filepath.Join(dir, "a/b")}}); err == nil {
		t.Errorf("a module without a licence: %q, want an error", files)
	}
}
