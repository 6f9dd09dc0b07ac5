package pressure

import (
	"sluice/layout"
	"sluice/shm"
)

// Segment is what Observe needs of a *shm.Segment or a *shm.View.
type Segment interface {
	Header() *layout.Header
	Geometry() layout.Geometry
	Alive(layout.Role) bool
}

// Observe takes a snapshot of a mapped segment. It may be called from any
// goroutine until the segment is left or the view closed. The error is
// shm.ErrTruncated.
func Observe(seg Segment) (s Snapshot, err error) {
	err = shm.Guard(func() error {
		alive := Alive{Producer: seg.Alive(layout.Producer), Consumer: seg.Alive(layout.Consumer)}
		s = Read(seg.Header(), seg.Geometry(), alive, shm.Clock())
		return nil
	})
	return s, err
}
