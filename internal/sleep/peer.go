package sleep

import (
	"errors"

	"sluice/layout"
	"sluice/shm"
)

// SegmentStatus is what only the operating system knows of a segment; *shm.Segment is one.
type SegmentStatus interface {
	Absent(layout.Role) bool // nobody holds the role; false where that is unknown
	Check() error            // shm.ErrRemoved, shm.ErrTruncated
}

// PeerOf returns the PeerStatus of the peer of a role in a segment. Its error is that of a side
// that is alone and that nobody can come to any more.
func PeerOf(role layout.Role, in SegmentStatus) PeerStatus { return peerOf{role, in} }

type peerOf struct {
	role layout.Role
	in   SegmentStatus
}

// Status asks for the peer.
func (p peerOf) Status() (absent bool, err error) {
	err = p.in.Check()
	absent = p.in.Absent(p.role.Peer())
	if !absent && errors.Is(err, shm.ErrRemoved) {
		err = nil // the two that are in it need no name
	}
	return absent, err
}
