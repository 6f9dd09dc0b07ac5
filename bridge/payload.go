package bridge

import "sync"

// payloads are buffers for the payload of blocks, of which a fast bridge needs thousands a second.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// newPayload returns an empty buffer with room for some bytes.
func newPayload(room int) []byte {
	b := *payloads.Get().(*[]byte)
	if cap(b) < room {
		b = make([]byte, 0, room)
	}
	return b[:0]
}

// recycle takes a payload back that nobody uses any more.
func recycle(b []byte) {
	if cap(b) > 0 && cap(b) <= 2*targetBlock {
		payloads.Put(&b)
	}
}
