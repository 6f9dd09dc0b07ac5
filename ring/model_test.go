package ring

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/layout"
)

// queue is what a ring should be: messages in order, in four stages.
type queue struct {
	mem Memory
	w   *Writer
	r   *Reader

	staged, published [][]byte
	held, contents    [][]byte // as the ring gave them, as they should be
	released          uint64
	made              int // messages made so far, to give each a content of its own
}

func TestRing_BehavesAsQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.SampledFrom([]uint64{4096, 8192}).Draw(t, "capacity")
		slots := rapid.SampledFrom([]uint64{0, 1, 2, 3, 8}).Draw(t, "slots")
		q := &queue{mem: heapMemory(t, capacity, slots)}
		q.w, q.r = writerOn(t, q.mem, WriterOptions{}), readerOn(t, q.mem, ReaderOptions{})
		t.Repeat(map[string]func(*rapid.T){
			"stage":       q.stage,
			"send":        q.send,
			"due":         q.due,
			"publish":     func(*rapid.T) { q.w.Publish(); q.publish() },
			"next":        q.next,
			"take":        q.take,
			"release":     func(*rapid.T) { q.r.Release(); q.release() },
			"kill writer": q.killWriter,
			"kill reader": q.killReader,
			"end writer":  q.endWriter,
			"":            q.check,
		})
	})
}

// size draws sizes from everywhere, and often from where a ring is full or a
// record ends at its edge.
func (q *queue) size(t *rapid.T) int {
	top := q.w.MaxMessage()
	return rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, top), rapid.IntRange(top-20, top)).Draw(t, "size")
}

func (q *queue) message(n int) []byte {
	q.made++
	msg := bytes.Repeat([]byte{byte(q.made)}, n)
	copy(msg, fmt.Sprint(q.made))
	return msg
}

// fits says whether a message of n bytes should find room: in bytes, and in slots.
func (q *queue) fits(n int) bool {
	g := q.mem.Geometry
	bytes := layout.RecordSize(uint64(n)) <= g.Capacity-(q.w.tail-q.r.index)
	inFlight := uint64(len(q.staged) + len(q.published) + len(q.held))
	return bytes && (g.Slots == 0 || inFlight < g.Slots)
}

func (q *queue) stage(t *rapid.T) {
	n := q.size(t)
	fits := q.fits(n)
	buf, err := q.w.TryReserve(n)
	if !fits {
		wantErr(t, err, ErrFull)
		return
	}
	if err != nil || len(buf) != n {
		t.Fatalf("TryReserve(%d): %d bytes, %v", n, len(buf), err)
	}
	if rapid.IntRange(0, 9).Draw(t, "abandon") == 0 {
		return
	}
	msg := q.message(rapid.IntRange(0, n).Draw(t, "kept"))
	q.w.Commit(copy(buf, msg))
	q.staged = append(q.staged, msg)
}

func (q *queue) send(t *rapid.T) {
	msg := q.message(q.size(t))
	fits := q.fits(len(msg))
	err := q.w.Send(canceled, msg)
	if fits {
		if err != nil {
			t.Fatalf("Send of %d bytes: %v", len(msg), err)
		}
		q.staged = append(q.staged, msg)
	} else {
		wantErr(t, err, errWaited)
	}
	q.publish() // also when it failed: nothing staged outlives a wait
}

// due makes what follows due at some time, or at none.
func (q *queue) due(t *rapid.T) {
	at := time.Time{}
	if ms := rapid.IntRange(-100, 1000).Draw(t, "ms ago"); ms >= 0 {
		at = time.Now().Add(-time.Duration(ms) * time.Millisecond)
	}
	q.w.SetDue(at)
}

func (q *queue) publish() {
	q.published, q.staged = append(q.published, q.staged...), nil
}

func (q *queue) next(t *rapid.T) {
	msg, err := q.r.TryNext()
	q.took(t, msg, err)
}

func (q *queue) take(t *rapid.T) {
	q.release()
	msg, err := q.r.Take(canceled)
	if err == errWaited {
		err = ErrEmpty
	}
	q.took(t, msg, err)
}

func (q *queue) took(t *rapid.T, msg []byte, err error) {
	if len(q.published) == 0 {
		wantErr(t, err, ErrEmpty)
		return
	}
	if err != nil || !bytes.Equal(msg, q.published[0]) {
		t.Fatalf("took %q, %v; want %q", msg, err, q.published[0])
	}
	q.held, q.contents = append(q.held, msg), append(q.contents, q.published[0])
	q.published = q.published[1:]
}

func (q *queue) release() {
	q.released += uint64(len(q.held))
	q.held, q.contents = nil, nil
}

// killWriter starts a successor without a word of goodbye: what was staged is
// gone, as it is after a kill -9.
func (q *queue) killWriter(t *rapid.T) {
	q.staged = nil
	q.w = writerOn(t, q.mem, WriterOptions{})
}

// endWriter closes in good order, and the next producer comes.
func (q *queue) endWriter(t *rapid.T) {
	if err := q.w.Close(); err != nil {
		t.Fatal(err)
	}
	q.publish()
	q.w = writerOn(t, q.mem, WriterOptions{})
}

// killReader gives what was held to a successor.
func (q *queue) killReader(t *rapid.T) {
	q.published = slices.Concat(q.contents, q.published)
	q.held, q.contents = nil, nil
	q.r = readerOn(t, q.mem, ReaderOptions{})
}

// check holds after every step.
func (q *queue) check(t *rapid.T) {
	p, c := &q.mem.Header.Producer, &q.mem.Header.Consumer
	if c.Count.Load() != q.released {
		t.Fatalf("consumedCount %d, want %d", c.Count.Load(), q.released)
	}
	if depth := p.Count.Load() - c.Count.Load(); depth != uint64(len(q.published)+len(q.held)) {
		t.Fatalf("queueDepth %d, want %d published and %d held", depth, len(q.published), len(q.held))
	}
	if used := p.Index.Load() - c.Index.Load(); used > q.mem.Geometry.Capacity || used%8 != 0 {
		t.Fatalf("%d bytes used of %d", used, q.mem.Geometry.Capacity)
	}
	// Redelivered messages are counted once.
	if l, r := q.mem.Header.Latency.Count.Load(), q.mem.Header.Response.Count.Load(); r > l || l > q.released {
		t.Fatalf("%d latencies and %d response times of %d messages", l, r, q.released)
	}
	for i, msg := range q.held { // ring memory, the caller's until Release
		if want := q.contents[i]; !bytes.Equal(msg, want) {
			t.Fatalf("held message %d became %q, was %q", i, msg, want)
		}
	}
}
