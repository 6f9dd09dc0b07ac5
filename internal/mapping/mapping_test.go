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

func TestShared_FitsHugePages(t *testing.T) {
	size := HugePageSize()
	if size == 0 {
		t.Skip("NOT TESTED: this kernel has no huge pages")
	}
	f, err := os.CreateTemp("/dev/shm", "mapping-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	os.Remove(f.Name())
	page := int64(os.Getpagesize())
	if err := f.Truncate(4*size + page); err != nil {
		t.Fatal(err)
	}
	for name, mapFile := range map[string]func(*os.File, int64, int64) ([]byte, error){"twice": Mirror, "once": Shared} {
		for _, row := range []struct{ offset, bytes, huge int64 }{
			{page, size, 0}, {page, 2*size - 2*page, 0}, {page, 2*size - page, size}, {page, 4 * size, 3 * size}, {0, 2 * size, 2 * size},
		} {
			b, err := mapFile(f, row.offset, row.bytes)
			if err != nil {
				t.Fatal(err)
			}
			huge, before := HugePart(b[:row.bytes])
			if int64(len(huge)) != row.huge || row.huge > 0 && ((row.offset+int64(before))%size != 0 || &huge[0] != &b[before]) {
				t.Errorf("%s, %d bytes from %d: %d bytes from %d fit, want %d", name, row.bytes, row.offset, len(huge), before, row.huge)
			}
			b[row.bytes-1] = 1
			if err := Unmap(b); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCollapse_KeepsContent(t *testing.T) {
	size := HugePageSize()
	f, err := os.CreateTemp("/dev/shm", "mapping-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	os.Remove(f.Name())
	if err := f.Truncate(2 * size); err != nil || size == 0 {
		t.Skipf("NOT TESTED: no huge pages, %v", err)
	}
	b, err := Shared(f, 0, 2*size)
	if err != nil {
		t.Fatal(err)
	}
	defer Unmap(b)
	b[7], b[size] = 1, 2
	if err := Collapse(b); err != nil {
		t.Skipf("NOT TESTED: %v", err) // before Linux 6.1, or shmem_enabled is deny
	}
	if b[7] != 1 || b[size] != 2 || b[8] != 0 {
		t.Errorf("% x and % x", b[7:9], b[size])
	}
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
