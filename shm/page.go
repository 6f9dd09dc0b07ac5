package shm

import (
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

// mine reports whether the file belongs to this user.
func (p *page) mine() bool {
	var st unix.Stat_t
	return unix.Fstat(int(p.file.Fd()), &st) == nil && int(st.Uid) == os.Geteuid()
}

// mapHeader maps the header, for mmap.RDWR or mmap.RDONLY.
func (p *page) mapHeader(prot int) (err error) {
	if p.header, err = mmap.MapRegion(p.file, layout.HeaderSize, prot, 0, 0); err != nil {
		return fmt.Errorf("map header: %w", err)
	}
	if p.fields, err = layout.At(p.header); err != nil {
		return err
	}
	return nil
}

// check maps and validates the header of an existing file of size bytes.
func (p *page) check(size int64, prot int) error {
	if size < layout.HeaderSize {
		return fmt.Errorf("%w: the file has %d bytes, a header has %d", layout.ErrNotSegment, size, layout.HeaderSize)
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

// unmap also closes the file, and with it drops every lock.
func (p *page) unmap() error {
	var errs []error
	if p.header != nil {
		errs = append(errs, p.header.Unmap())
		p.header, p.fields = nil, nil
	}
	return errors.Join(append(errs, p.file.Close())...)
}
