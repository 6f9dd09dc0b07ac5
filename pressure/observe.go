package pressure

import (
	"sluice/layout"
	"sluice/shm"
)

// Observe takes a snapshot of a mapped segment. It may be called from any
// goroutine until the segment is left. The error is shm.ErrTruncated.
func Observe(seg *shm.Segment) (s Snapshot, err error) {
	err = shm.Guard(func() error {
		alive := Alive{Producer: seg.Alive(layout.Producer), Consumer: seg.Alive(layout.Consumer)}
		s = Read(seg.Header(), seg.Geometry(), alive, shm.Clock())
		return nil
	})
	return s, err
}
