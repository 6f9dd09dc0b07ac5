package shm

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/ofdlock"
	"sluice/layout"
)

// View is a segment as somebody sees it who takes no part: its header, mapped
// read-only. Nothing that a View does can be noticed by either side. Any number of
// goroutines may use a View until Close.
type View struct{ page }

// OpenView maps the header of the segment called name, whoever it belongs to, as long
// as it may be read. Errors: ErrName, fs.ErrNotExist, fs.ErrPermission, ErrUntrusted,
// and those of layout.Header.Geometry.
func OpenView(name string) (*View, error) {
	if err := usable(name); err != nil {
		return nil, err
	}
	file, size, err := openFile(name, unix.O_RDONLY, Access{})
	if err == nil {
		v := &View{page{name: name, file: file}}
		if err = v.check(size, readable); err == nil {
			return v, nil
		}
		v.unmap()
	}
	return nil, InSegment("look at", name, err)
}

// Alive reports whether a process holds role r. The error says that the kernel does
// not tell: then nobody knows.
func (v *View) Alive(r layout.Role) (bool, error) { return ofdlock.Held(v.file, int64(r)) }

// Gone reports whether the segment's name stands for this file no more: it was
// removed, and there may be another one.
func (v *View) Gone() bool {
	ok, err := v.linked()
	return err == nil && !ok
}

// Close unmaps the header, which is invalid from here on.
func (v *View) Close() error { return v.unmap() }

// List returns the names of what stands in Dir under a segment's name, sorted. Not
// all of it need be segments, or readable: OpenView tells.
func List() ([]string, error) {
	entries, err := os.ReadDir(Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), prefix)
		if ok && CheckName(name) == nil && e.Type()&fs.ModeDir == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
