package transfer

import "sync"

// bufpool keeps ordinary memory that messages were in, so that the next ones need not be
// allocated, cleared and collected. Any goroutine may use it. The zero value is empty.
type bufpool struct {
	budget *memBudget // in which what it keeps counts; nil = in none
	mu     sync.Mutex
	bufs   [][]byte
	bytes  int // their capacity
}

// maxPooledBytes is how many bytes a bufpool keeps at most.
const maxPooledBytes = 4 << 20

// get returns n bytes of any content, which begin at a multiple of 8.
func (p *bufpool) get(n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.bufs) - 1; last >= 0 {
		buf := p.bufs[last]
		p.bufs[last] = nil
		p.bufs = p.bufs[:last]
		p.bytes -= cap(buf)
		p.uncount(cap(buf))
		if cap(buf) >= n {
			return buf[:n]
		}
	}
	const minSize = 64 // smaller ones need not begin at a multiple of 8
	return make([]byte, n, max(n, minSize))
}

// put keeps buf, which its owner does not need any more, or leaves it to the collector: where the
// budget has no room for it.
func (p *bufpool) put(buf []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes+cap(buf) <= maxPooledBytes && (p.budget == nil || p.budget.take(uint64(cap(buf)))) {
		p.bufs = append(p.bufs, buf)
		p.bytes += cap(buf)
	}
}

// clear leaves all of it to the collector, and reports whether there was something.
func (p *bufpool) clear() (some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	some = len(p.bufs) > 0
	for _, buf := range p.bufs {
		p.uncount(cap(buf))
	}
	p.bufs, p.bytes = nil, 0
	return some
}

func (p *bufpool) uncount(n int) {
	if p.budget != nil {
		p.budget.give(uint64(n))
	}
}
