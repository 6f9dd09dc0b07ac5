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

// page is an open segment file with its header mapped: what those who take part
// and those who only look on have in common.
type page struct {
	name     string
	file     *os.File
	geometry layout.Geometry
	header   mmap.MMap
	fields   *layout.Header
}

// Name returns the segment's name.
func (p *page) Name() string { return p.name }

// Geometry returns what was fixed at creation, as it was validated when the
// segment was opened.
func (p *page) Geometry() layout.Geometry { return p.geometry }

// Header returns the mapped header. Peers write to it at any time.
func (p *page) Header() *layout.Header { return p.fields }

// linked reports whether the segment's name still stands for this file.
func (p *page) linked() (bool, error) {
	mine, err := p.file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(Path(p.name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, named), err
}

// Private reports whether the file belongs to this user, and nobody else may write to
// it.
func (p *page) Private() bool {
	var st unix.Stat_t
	return unix.Fstat(int(p.file.Fd()), &st) == nil && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}

// mine reports whether the file belongs to this user.
func (p *page) mine() bool {
	var st unix.Stat_t
	return unix.Fstat(int(p.file.Fd()), &st) == nil && int(st.Uid) == os.Geteuid()
}

// How a header is mapped; these are not the constants of mmap(2).
const (
	readable = mmap.RDONLY
	writable = mmap.RDWR
)

// mapHeader maps the header, readable or writable.
func (p *page) mapHeader(prot int) (err error) {
	if p.header, err = mmap.MapRegion(p.file, layout.HeaderSize, prot, 0, 0); err != nil {
		return fmt.Errorf("map header: %w", os.NewSyscallError("mmap", err))
	}
	if p.fields, err = layout.At(p.header); err != nil {
		return err
	}
	return nil
}

// check maps and validates the header of an existing file of size bytes.
func (p *page) check(size int64, prot int) error {
	if size < layout.HeaderSize {
		return p.tooShort(size)
	}
	if err := p.mapHeader(prot); err != nil {
		return err
	}
	// The file may shrink between the fstat and the look at the header.
	return Guard(func() (err error) {
		p.geometry, err = p.fields.Geometry(size, uint64(os.Getpagesize()))
		return err
	})
}

// tooShort says what a file without room for a header is: of another version, whose
// header was shorter, or no segment.
func (p *page) tooShort(size int64) error {
	var start [16]byte
	if _, err := p.file.ReadAt(start[:], 0); err == nil && binary.LittleEndian.Uint64(start[:]) == layout.Magic {
		if err := layout.CheckVersion(binary.LittleEndian.Uint64(start[8:])); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the file has %d bytes, a header has %d", layout.ErrNotSegment, size, layout.HeaderSize)
}

// unmap also closes the file, and with it drops every lock.
func (p *page) unmap() error {
	var errs []error
	if p.header != nil {
		errs = append(errs, os.NewSyscallError("munmap", p.header.Unmap()))
		p.header, p.fields = nil, nil
	}
	return errors.Join(append(errs, p.file.Close())...)
}
