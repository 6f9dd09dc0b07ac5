package shm

import (
	"errors"
	"os"

	"sluice/internal/mapping"
)

// Detach disconnects the memory of the segment from its file, for a caller that releases the
// role while other goroutines may still use what Header and Data have returned. That memory
// stays where it is and becomes a private copy: what is stored there no longer reaches the
// file, and nothing faults at any moment of the change. From here on Header returns another,
// shared mapping, for what the caller has yet to tell the peer, and Data returns nil.
//
// As with any MAP_PRIVATE, a page of the copy shows the file until it is written to: when the
// successor overwrites those bytes, they change. The slices of Data in keep are copied now and
// do not change.
//
// Leave then keeps the private memory mapped, until Unmap. After an error the caller must keep
// the role as long as the memory may be in use.
func (s *Segment) Detach(keep ...[]byte) error {
	s.mu.Lock() // Header changes
	defer s.mu.Unlock()
	if s.detached != nil {
		return s.detachErr
	}
	old := s.segmentFile
	if err := s.mapHeader(writable); err != nil {
		s.segmentFile = old
		return InSegment("detach", s.name, err)
	}
	s.detached = [][]byte{old.header}
	if s.data != nil {
		s.detached = append(s.detached, s.data)
	}
	// The header first: from then on nothing is published, so a payload that is stored to a
	// page that is already private is not missed.
	err := mapping.MakePrivate(old.header, s.file, 0)
	size := int64(s.geometry.Capacity)
	for rest := s.data; len(rest) > 0 && err == nil; rest = rest[size:] { // once, or twice
		err = mapping.MakePrivate(rest[:size], s.file, int64(s.geometry.DataOffset))
	}
	s.data = nil
	if err != nil {
		s.detachErr = InSegment("detach", s.name, err)
		return s.detachErr
	}
	for _, b := range keep {
		populatePages(b) // of a truncated file there is nothing to keep
	}
	return nil
}

// Clear releases the file from the memory that Detach has made private, but for the pages of the
// slices of Data in keep: all other bytes of it are zero from here on. Else a file that was removed
// would take its memory until Unmap. It is for a caller that relies on nothing that is there.
func (s *Segment) Clear(keep ...[]byte) error {
	var errs []error
	page := os.Getpagesize()
	for _, b := range s.detached {
		kept := make([]bool, (len(b)+page-1)/page)
		for _, k := range keep {
			if at, ok := mapping.Offset(b, k); ok && len(k) > 0 {
				for i := at / page; i <= (at+len(k)-1)/page; i++ {
					kept[i] = true
				}
			}
		}
		for from := 0; from < len(kept); {
			to := from + 1
			for to < len(kept) && kept[to] == kept[from] {
				to++
			}
			if !kept[from] {
				errs = append(errs, mapping.Clear(b[from*page:min(to*page, len(b))]))
			}
			from = to
		}
	}
	return errors.Join(errs...)
}

// Unmap unmaps the memory that Detach has made private, once nobody uses it. It does nothing
// when there is none.
func (s *Segment) Unmap() error {
	var errs []error
	for _, b := range s.detached {
		errs = append(errs, mapping.Unmap(b))
	}
	s.detached = nil
	return errors.Join(errs...)
}
