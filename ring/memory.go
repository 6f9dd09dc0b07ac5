package ring

import (
	"sluice/layout"
	"sluice/shm"
)

// Memory is a ring's memory: a header and a data region. With records that is 2*Capacity bytes.
// In a segment the second half of Data is the first again; in plain memory
// it need not be, because a record is written and read at the same offset.
// Messages begin at addresses that are multiples of 8 if Data does, as that of a
// segment does. With fixed slots it is Capacity bytes, aligned for the type that lies in them.
type Memory struct {
	Header   *layout.Header
	Data     []byte
	Geometry layout.Geometry
}

// memory is that of a mapped segment.
func memory(seg *shm.Segment) Memory {
	return Memory{Header: seg.Header(), Data: seg.Data(), Geometry: seg.Geometry()}
}
