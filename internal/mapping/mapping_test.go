package mapping

import (
	"os"
	"path/filepath"
	"testing"
)

// newFile returns a file of a page, and what it holds at any time.
func newFile(t *testing.T) (f *os.File, content func() []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, func() []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func mirror(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := Mirror(f, 0, int64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Unmap(b); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestMirror_ShowsFileTwice(t *testing.T) {
	f, content := newFile(t)
	b, size := mirror(t, f), os.Getpagesize()
	if len(b) != 2*size {
		t.Fatalf("%d bytes for two times %d", len(b), size)
	}
	b[size-1], b[size] = 1, 2
	if b[2*size-1] != 1 || b[0] != 2 || content()[0] != 2 {
		t.Errorf("%d and %d in the other half, %d in the file", b[2*size-1], b[0], content()[0])
	}
}

func TestPrivate_StoresDoNotReachFile(t *testing.T) {
	f, content := newFile(t)
	b, size := mirror(t, f), os.Getpagesize()
	b[0] = 1
	if err := MakePrivate(b[:size], f, 0); err != nil {
		t.Fatal(err)
	}
	b[1] = 2
	if got := content(); b[0] != 1 || got[0] != 1 || got[1] != 0 {
		t.Errorf("%d in memory, % x in the file", b[0], got[:2])
	}
}

// A private page shows what others write to the file until it has a page of its own.
func TestPrivate_KeepsContent(t *testing.T) {
	for name, copyPages := range map[string]func([]byte) error{
		"Populate": Populate,
		"Touch":    func(b []byte) error { Touch(b); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newFile(t)
			b, size := mirror(t, f), os.Getpagesize()
			if err := MakePrivate(b[:size], f, 0); err != nil {
				t.Fatal(err)
			}
			b[size] = 1 // through the half that is shared
			if b[0] != 1 {
				t.Fatal("a private page does not show the file")
			}
			if err := copyPages(b[100:101]); err != nil {
				t.Skipf("NOT TESTED: %v", err) // before Linux 5.14
			}
			b[size] = 2
			if b[0] != 1 {
				t.Errorf("the content has changed to %d", b[0])
			}
		})
	}
	if err := Populate(nil); err != nil {
		t.Error(err)
	}
	Touch(nil)
}

func TestMap_ClosedFile_Error(t *testing.T) {
	f, _ := newFile(t)
	b := mirror(t, f)
	f.Close()
	if _, err := Mirror(f, 0, int64(os.Getpagesize())); err == nil {
		t.Error("mapped")
	}
	if err := MakePrivate(b, f, 0); err == nil {
		t.Error("mapped privately")
	}
}
