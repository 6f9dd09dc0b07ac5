package transfer

import "sync"

// bufpool keeps ordinary memory in which messages were made that have got a buffer
// since, so that the next ones need not be allocated, cleared and collected. Any
// goroutine may use it. The zero value is empty.
type bufpool struct {
	mu     sync.Mutex
	pieces [][]byte
	bytes  int
}

// mostScrap is how many bytes are kept at most.
const maxPooledBytes = 4 << 20

// take returns n bytes, of any content.
func (s *bufpool) take(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.pieces) - 1; last >= 0 {
		p := s.pieces[last]
		s.pieces[last] = nil
		s.pieces = s.pieces[:last]
		s.bytes -= cap(p)
		if cap(p) >= n {
			return p[:n]
		}
	}
	const least = 64 // smaller ones need not begin at a multiple of 8
	return make([]byte, n, max(n, least))
}

// give keeps p, which its owner does not need any more, or leaves it to the
// collector.
func (s *bufpool) give(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+cap(p) <= maxPooledBytes {
		s.pieces = append(s.pieces, p)
		s.bytes += cap(p)
	}
}

// clear leaves all of it to the collector.
func (s *bufpool) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pieces, s.bytes = nil, 0
}
