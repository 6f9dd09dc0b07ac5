package ofdlock

import (
	"os"
	"path/filepath"
	"testing"
)

// open returns a new open file description of the file.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLock_BelongsToFileDescription(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	a, b := open(t, path), open(t, path)
	take := func(f *os.File, at int64, want bool) {
		t.Helper()
		if ok, err := TryLock(f, at); ok != want || err != nil {
			t.Errorf("lock byte %d: %v, %v; want %v", at, ok, err, want)
		}
	}
	held := func(f *os.File, at int64, want bool) {
		t.Helper()
		if is, err := Held(f, at); is != want || err != nil {
			t.Errorf("byte %d is held by another: %v, %v; want %v", at, is, err, want)
		}
	}
	take(a, 1, true)
	take(a, 1, true) // its own already
	take(b, 1, false)
	take(b, 2, true)
	held(a, 1, false)
	held(b, 1, true)
	held(a, 2, true)
	if err := Unlock(a, 1); err != nil {
		t.Error(err)
	}
	held(b, 1, false)
	b.Close()
	held(a, 2, false)
}

func TestLock_ClosedFile_Error(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "file"))
	f.Close()
	if ok, err := TryLock(f, 0); ok || err == nil {
		t.Errorf("lock: %v, %v", ok, err)
	}
	if is, err := Held(f, 0); is || err == nil {
		t.Errorf("query: %v, %v", is, err)
	}
}
