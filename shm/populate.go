package shm

import (
	"context"
	"os"

	"sluice/internal/mapping"
	"sluice/layout"
)

// Populate is an Option that maps the whole data region when a side takes its role, instead of
// each page at the first access to it. A new segment gets huge pages where the kernel has them.
// Regions of up to PopulateAlways bytes are mapped at once in any case.
type Populate bool

// PopulateAlways is the size of a data region, in bytes, up to which Populate makes no difference.
const PopulateAlways = 16 << 20

// populateStep is how many bytes are reserved or mapped in one call to the kernel, which ctx does
// not interrupt.
const populateStep = 32 << 20

func (p Populate) includes(g layout.Geometry) bool { return bool(p) || g.Capacity <= PopulateAlways }

// allocateHuge allocates the memory of a new file in huge pages as far as possible, and maps them.
// Whatever stands in the way, it leaves the rest for allocate and Populate. It costs a quarter
// of what allocate costs for the same memory.
//
// The error is the cause of ctx.
func (s *Segment) allocateHuge(ctx context.Context) error {
	if s.data == nil {
		return nil
	}
	data := s.data[:s.geometry.Capacity] // without the mirror, which is another mapping
	huge, skip := mapping.HugePart(data)
	size := int(mapping.HugePageSize())
	offset := int64(s.geometry.DataOffset) + int64(skip)
	for at := 0; at < len(huge); at += size {
		if at > 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// The kernel makes a huge page only where there is a page.
		if fallocate(s.file, offset+int64(at), int64(os.Getpagesize())) != nil || mapping.Collapse(huge[at:at+size]) != nil {
			return nil
		}
	}
	return nil
}

// Populate maps the pages of the data region, as the Option does, of a segment that was opened
// without it. Errors: the cause of ctx, and ErrTruncated.
func (s *Segment) Populate(ctx context.Context) error {
	for at := 0; at < len(s.data); at += populateStep {
		if at > 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := populatePages(s.data[at:min(at+populateStep, len(s.data))]); err != nil {
			return err
		}
	}
	return nil
}

// populate is mapping.Populate, and another function in a test.
var populate = mapping.Populate

// populatePages maps the pages that b lies in. Where b is private, that gives them memory of their
// own. The error is ErrTruncated.
func populatePages(b []byte) error {
	if populate(b) == nil {
		return nil
	}
	return Guard(func() error { mapping.Touch(b); return nil })
}
