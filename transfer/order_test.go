package transfer

import (
	"strings"
	"testing"
	"time"
)

// stepped is a Sender whose send loop does not run.
func stepped(t *testing.T, opt endOptions) *Sender {
	t.Helper()
	name, at := place(t)
	opt.Socket = at.Socket
	s, err := newSender(t.Context(), name, opt.sender())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.loop.disconnect()
		close(s.loop.done)
		s.Close()
	})
	return s
}

// Many descriptors in a packet are what makes small messages fast; of large ones no
// more than a cache holds.
func TestPacket_FilledToBatchAndBytes(t *testing.T) {
	for _, c := range []struct{ size, queued, batch, want int }{
		{10, 5, 0, 5},
		{10, 100, 0, DefaultBatch},
		{10, 100, 7, 7},
		{10, 300, MaxBatch, MaxBatch},
		{maxPacketBytes / 4, 10, 0, 4},
		{maxPacketBytes/4 + 1, 10, 0, 3},
		{maxPacketBytes, 3, 0, 1},
		{2 * maxPacketBytes, 3, 0, 1}, // a buffer goes, whatever its size
	} {
		for _, recycle := range []bool{false, true} {
			s := stepped(t, endOptions{Batch: c.batch, Recycle: recycle})
			msg := strings.Repeat("x", c.size)
			for range c.queued {
				send(t, s, msg)
			}
			batch, err := s.queue.nextBatch(s.loop.batch)
			if err != nil {
				t.Fatal(err)
			}
			conn := sendConn{number: 1} // to which no recycled buffer was sent so far
			conn.encode(batch)
			if len(batch) != c.want || len(conn.packet) != headSize+c.want*entrySize || len(conn.fds) != c.want {
				t.Errorf("%d of %d buffers of %d bytes in a packet of at most %d, want %d: %d bytes, %d descriptors",
					len(batch), c.queued, c.size, c.batch, c.want, len(conn.packet), len(conn.fds))
			}
		}
	}
}

// What the last one used holds may still be in a cache.
func TestRecycledPool_LastReturnedFirst(t *testing.T) {
	p := &stepped(t, endOptions{Recycle: true}).queue.memory.recycled
	var all []*recycledBuffer
	for range 3 {
		b, err := p.get(10, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	for _, b := range all {
		p.put(b)
	}
	for i := range all {
		b, err := p.get(10, 0)
		if want := all[len(all)-1-i]; err != nil || b != want {
			t.Fatalf("buffer %d comes, want %d; %v", b.number, want.number, err)
		}
	}
}

// The pool counts those that nobody uses: without one it need not look at every size.
func TestRecycledPool_EvictsAllThatAreUnused(t *testing.T) {
	p := &stepped(t, endOptions{Recycle: true}).queue.memory.recycled
	var all []*recycledBuffer
	for i := range uint64(6) {
		b, err := p.get((1+i%3)*pageSize, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if p.evict() {
		t.Error("one that is in use is given up")
	}
	for _, b := range all[:5] {
		p.put(b)
	}
	if _, err := p.get(pageSize, 0); err != nil { // one of those again
		t.Fatal(err)
	}
	n := 0
	for p.evict() {
		n++
	}
	if n != 4 || len(p.all) != 2 || p.idle() != 0 {
		t.Errorf("%d are given up, %d are left, and %d bytes idle; want 4, 2 and 0", n, len(p.all), p.idle())
	}
}

func TestRecycledPool_RoundedByOneEighthAtMost(t *testing.T) {
	for n := uint64(1); n < 1<<31; n += n/3 + 1 {
		size, need := recycledSize(n), pages(n)
		if size < n || size%pageSize != 0 || size-need > need/8 || recycledSize(size) != size {
			t.Errorf("%d bytes for %d", size, n)
		}
	}
}

// The send loop asks less and less often whether something has changed, and at once again
// when something did.
func TestSendLoop_Backoff_ResetsOnProgress(t *testing.T) {
	var b backoff
	last := time.Duration(0)
	for range 20 {
		next := b.next()
		if next < last || next > pollInterval/2 || last == 0 && next != time.Millisecond {
			t.Errorf("%v after %v", next, last)
		}
		last = next
	}
	if last != pollInterval/2 {
		t.Errorf("it ends at %v", last)
	}
	b.reset()
	if next := b.next(); next != time.Millisecond {
		t.Errorf("%v after a reset", next)
	}
	for what, change := range map[string]func(s *Sender, r *Receiver){
		"a packet":     func(s *Sender, _ *Receiver) { send(t, s, "a") },
		"a wake":       func(s *Sender, _ *Receiver) { nudge(s.queue.wake) },
		"a connection": func(s *Sender, r *Receiver) { s.loop.disconnect() },
	} {
		s := stepped(t, endOptions{})
		r := open(t, s.segment.Name(), endOptions{Socket: s.loop.dialer.path})
		step := func() {
			if _, err := s.loop.step(); err != nil {
				t.Fatal(err)
			}
		}
		for s.loop.wait.last < 8*time.Millisecond {
			step()
		}
		change(s, r)
		if step(); s.loop.wait.last > time.Millisecond {
			t.Errorf("%s: it waits %v", what, s.loop.wait.last)
		}
	}
}
