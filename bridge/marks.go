package bridge

import "time"

// marks remember when messages were released to the stream, and how many bytes were before them, so
// that the position that the far ring has come to tells the lag in bytes and in time.
type marks struct {
	position uint64 // that the far ring has reached, at least
	bytes    uint64 // payload before it, since this bridge began
	total    uint64 // payload released to the stream, since this bridge began
	ahead    []mark // in order, behind position
}

type mark struct {
	position, bytes uint64 // at the end of some messages
	at              time.Time
}

const (
	// markInterval is the shortest time between two marks, so that few are enough: a minute's lag
	// has 6,000 of them.
	markInterval = 10 * time.Millisecond
	maxMarks     = 8192
)

// released notes that everything up to a position, and so many bytes of payload, are in the stream.
func (m *marks) released(position, bytes uint64) {
	m.total = bytes
	now := time.Now()
	if n := len(m.ahead); n > 0 && (now.Sub(m.ahead[n-1].at) < markInterval || n >= maxMarks) {
		m.ahead[n-1].position, m.ahead[n-1].bytes = position, bytes
		return
	}
	m.ahead = append(m.ahead, mark{position, bytes, now})
}

// reached notes that the far ring has everything up to a position.
func (m *marks) reached(position uint64) {
	done := 0
	for done < len(m.ahead) && m.ahead[done].position <= position {
		m.position, m.bytes = m.ahead[done].position, m.ahead[done].bytes
		done++
	}
	m.ahead = append(m.ahead[:0], m.ahead[done:]...)
}

// bytesBehind returns about how many bytes of payload are in the stream and not in the far ring.
func (m *marks) bytesBehind() uint64 { return m.total - m.bytes }

// age returns how long ago the oldest message that the far ring does not have was released to the
// stream, 0 when it has all that were.
func (m *marks) age() time.Duration {
	if len(m.ahead) == 0 {
		return 0
	}
	return time.Since(m.ahead[0].at)
}
