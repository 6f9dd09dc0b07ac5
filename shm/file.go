package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"sluice/layout"
)

// segmentFile is an open segment file with its header mapped: what a Segment and a View have
// in common.
type segmentFile struct {
	name     string
	file     *os.File
	geometry layout.Geometry
	header   mmap.MMap
	fields   *layout.Header
}

// Name returns the segment's name.
func (f *segmentFile) Name() string { return f.name }

// Geometry returns what was fixed at creation, as it was validated when the
// segment was opened.
func (f *segmentFile) Geometry() layout.Geometry { return f.geometry }

// Header returns the mapped header. Peers write to it at any time.
func (f *segmentFile) Header() *layout.Header { return f.fields }

// Inode returns the number of the file, which tells it from another one of the same name; 0 if that
// is not known.
func (f *segmentFile) Inode() uint64 {
	var st unix.Stat_t
	if unix.Fstat(int(f.file.Fd()), &st) != nil {
		return 0
	}
	return st.Ino
}

// linked reports whether the segment's name still stands for this file.
func (f *segmentFile) linked() (bool, error) {
	mine, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(Path(f.name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, named), err
}

// Private reports whether the file belongs to this user and nobody else may write to it.
func (f *segmentFile) Private() bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.file.Fd()), &st) == nil && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}

// isMine reports whether the file belongs to this user.
func (f *segmentFile) isMine() bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.file.Fd()), &st) == nil && int(st.Uid) == os.Geteuid()
}

// How a header is mapped; these are not the constants of mmap(2).
const (
	readable = mmap.RDONLY
	writable = mmap.RDWR
)

// mapHeader maps the header, readable or writable.
func (f *segmentFile) mapHeader(prot int) (err error) {
	if f.header, err = mmap.MapRegion(f.file, layout.HeaderSize, prot, 0, 0); err != nil {
		return fmt.Errorf("map header: %w", os.NewSyscallError("mmap", err))
	}
	if f.fields, err = layout.At(f.header); err != nil {
		return err
	}
	return nil
}

// check maps and validates the header of an existing file of size bytes.
func (f *segmentFile) check(size int64, prot int) error {
	if size < layout.HeaderSize {
		return f.tooShort(size)
	}
	if err := f.mapHeader(prot); err != nil {
		return err
	}
	// The file may shrink between the fstat and the reads of the header.
	return Guard(func() (err error) {
		f.geometry, err = f.fields.Geometry(size, uint64(os.Getpagesize()))
		return err
	})
}

// tooShort returns the error for a file without room for a header: another version, whose
// header was shorter, or no segment.
func (f *segmentFile) tooShort(size int64) error {
	var start [16]byte
	if _, err := f.file.ReadAt(start[:], 0); err == nil && binary.LittleEndian.Uint64(start[:]) == layout.Magic {
		if err := layout.CheckVersion(binary.LittleEndian.Uint64(start[8:])); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the file has %d bytes, a header has %d", layout.ErrNotSegment, size, layout.HeaderSize)
}

// unmap unmaps the header and closes the file, which drops every lock.
func (f *segmentFile) unmap() error {
	var errs []error
	if f.header != nil {
		errs = append(errs, os.NewSyscallError("munmap", f.header.Unmap()))
		f.header, f.fields = nil, nil
	}
	return errors.Join(append(errs, f.file.Close())...)
}
