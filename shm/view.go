package shm

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/ofdlock"
	"sluice/layout"
)

// View is a segment as an observer sees it: its header, mapped read-only. Neither side can
// notice it. Any number of goroutines may use a View until Close,
// and WhileMapped at any time.
type View struct {
	segmentFile
	mapped
}

// OpenView maps the header of the segment called name, of any user that lets this one read
// it. Errors: ErrName, fs.ErrNotExist, fs.ErrPermission, ErrUntrusted,
// and those of layout.Header.Geometry.
func OpenView(name string) (*View, error) {
	if err := checkUsable(name); err != nil {
		return nil, err
	}
	file, size, err := openFile(name, unix.O_RDONLY, Access{})
	if err == nil {
		v := &View{segmentFile: segmentFile{name: name, file: file}}
		if err = v.check(size, readable); err == nil {
			return v, nil
		}
		v.unmap()
	}
	return nil, InSegment("look at", name, err)
}

// Alive reports whether a process holds role r. The error says that the kernel refuses to tell:
// then it is unknown.
func (v *View) Alive(r layout.Role) (bool, error) { return ofdlock.Held(v.file, int64(r)) }

// CheckTrust returns the error that Open has for a file that is not safe to use: ErrUntrusted.
func (v *View) CheckTrust(access Access) error {
	var st unix.Stat_t
	err := os.NewSyscallError("fstat", unix.Fstat(int(v.file.Fd()), &st))
	if err == nil {
		err = checkTrust(v.file, &st, access)
	}
	return InSegment("look at", v.name, err)
}

// Gone reports whether the segment's name no longer stands for this file: it was removed, and
// there may be another one.
func (v *View) Gone() bool {
	ok, err := v.linked()
	return err == nil && !ok
}

// ReadData copies bytes of the ring to p, from that byte of it on, with read(2) and not through a
// mapping: so a file that is truncated meanwhile is an error. They are what both sides have stored
// there until then. Errors: ErrTruncated, and those of pread(2).
//
// Preconditions: the segment is a ring, and the bytes lie in it.
func (v *View) ReadData(p []byte, at uint64) error {
	_, err := v.file.ReadAt(p, int64(v.geometry.DataOffset+at))
	if errors.Is(err, io.EOF) {
		err = ErrTruncated
	}
	return InSegment("read", v.name, err)
}

// Close unmaps the header, which is invalid from here on.
func (v *View) Close() error { return v.close(v.unmap) }

// List returns the names of the files in Dir that are named as segments are, sorted. OpenView
// finds out which of them are segments that this user may read.
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
