package ring

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/layout"
)

// queue is what a ring should be: messages in order, in four stages.
type queue struct {
	k     kind
	mem   Memory
	w     writerEnd
	r     readerEnd
	start uint64 // messages before the first of the test

	staged, published [][]byte
	held, contents    [][]byte // as the ring gave them, as they should be
	released          uint64
	made              int // messages made so far, to give each a content of its own
}

func TestRing_BehavesAsQueue(t *testing.T) {
	for name, k := range map[string]kind{
		"records":               records,
		"slots of a byte":       slotsOfBytes(1),
		"slots of 24 bytes":     slotsOfBytes(24),
		"values of a byte":      slotsOf[uint8](),
		"values of 4 bytes":     slotsOf[int32](),
		"values of 24 bytes":    slotsOf[[3]uint64](),
		"values of 5,000 bytes": slotsOf[[5000]byte](),
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { behavesAsQueue(t, k) })
		})
	}
}

func behavesAsQueue(t *rapid.T, k kind) {
	q := &queue{k: k}
	steps := map[string]func(*rapid.T){
		"stage":        q.stage,
		"send":         q.send,
		"send batch":   q.sendBatch,
		"due":          q.due,
		"no samples":   func(*rapid.T) { samplerOf(q.w).next += 1 << 40 }, // then calls take the fast path
		"publish":      func(*rapid.T) { q.w.Publish(); q.publish() },
		"drain":        q.drain,
		"next":         q.next,
		"nextBatch":    q.nextBatch,
		"take":         q.take,
		"receive":      q.receive,
		"messages":     q.messages,
		"release":      func(*rapid.T) { q.r.Release(); q.release(len(q.held)) },
		"release some": q.releaseSome,
		"kill writer":  q.killWriter,
		"kill reader":  q.killReader,
		"end writer":   q.endWriter,
		"abort writer": q.abortWriter,
		"close reader": q.closeReader,
		"":             q.check,
	}
	if k.slotSize == 0 {
		capacity := rapid.SampledFrom([]uint64{4096, 8192}).Draw(t, "capacity")
		q.mem = k.memory(t, capacity, rapid.SampledFrom([]uint64{0, 1, 2, 3, 8}).Draw(t, "slots"))
	} else {
		number := rapid.SampledFrom([]uint64{1, 2, 8, 16}).Draw(t, "number of slots")
		q.mem = k.memory(t, number*k.slotSize, rapid.SampledFrom([]uint64{0, 1, 6, 8}).Draw(t, "most"))
		q.start = rapid.SampledFrom([]uint64{0, 3, 1<<32 - 5, 1<<63 - 5}).Draw(t, "messages before")
		q.mem.Header.Producer.Index.Store(q.start)
		q.mem.Header.Consumer.Index.Store(q.start)
		steps["write window"], steps["read window"] = q.writeWindow, q.readWindow
	}
	q.w, q.r = k.writerOn(t, q.mem, WriterOptions{}), k.readerOn(t, q.mem, ReaderOptions{})
	if _, ok := q.r.(valuesEnd); ok {
		steps["values"] = q.values
	}
	t.Repeat(steps)
}

// size draws sizes from everywhere, and often from where a ring is full or a
// record ends at its edge.
func (q *queue) size(t *rapid.T) int {
	top := q.w.MaxMessage()
	return rapid.OneOf(rapid.IntRange(0, min(top, 40)), rapid.IntRange(0, top), rapid.IntRange(max(0, top-20), top)).Draw(t, "size")
}

// message makes one that does not end with a 0.
func (q *queue) message(n int) []byte {
	q.made++
	msg := bytes.Repeat([]byte{byte(q.made) | 1}, n)
	copy(msg, fmt.Sprint(q.made))
	return msg
}

func (q *queue) inFlight() uint64 {
	return uint64(len(q.staged) + len(q.published) + len(q.held))
}

// fits says whether a message of n bytes should find room: in bytes, and in slots.
func (q *queue) fits(n int) bool {
	g := q.mem.Geometry
	if w, ok := q.w.(*Writer); ok && layout.RecordSize(uint64(n)) > g.Capacity-(w.tail-q.mem.Header.Consumer.Index.Load()) {
		return false
	}
	return q.inFlight() < g.MaxMessages()
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
	if q.k.commitPublishes {
		q.publish()
	}
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

// sendBatch sends as many of a batch as there is room for.
func (q *queue) sendBatch(t *rapid.T) {
	msgs := make([][]byte, rapid.IntRange(0, 9).Draw(t, "messages"))
	for i := range msgs {
		msgs[i] = q.message(q.size(t))
	}
	n, err := q.w.SendBatch(canceled, msgs)
	wantErr(t, err, map[bool]error{true: nil, false: errWaited}[n == len(msgs)])
	q.staged = append(q.staged, msgs[:n]...)
	q.publish()
	if q.inFlight() > q.mem.Geometry.MaxMessages() || n < len(msgs) && q.k.slotSize > 0 && q.fits(0) {
		t.Fatalf("%d of %d messages were sent, %d are in flight", n, len(msgs), q.inFlight())
	}
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

func (q *queue) drain(t *rapid.T) {
	q.publish()
	wantErr(t, q.w.Drain(canceled), map[bool]error{true: nil, false: errWaited}[q.inFlight() == 0])
}

// inRow is how many slots there are from a message on up to the last.
func (q *queue) inRow(number uint64) int {
	slots := q.mem.Geometry.Capacity / q.mem.Geometry.SlotSize
	return int(slots - number%slots)
}

func (q *queue) writeWindow(t *rapid.T) {
	q.publish()
	most := rapid.IntRange(1, 20).Draw(t, "most")
	free := int(q.mem.Geometry.MaxMessages() - q.inFlight())
	window, err := q.w.(windowEnd).window(canceled, most)
	if free == 0 {
		wantErr(t, err, errWaited)
		return
	}
	if want := min(most, free, q.inRow(q.start+q.released+q.inFlight())); err != nil || len(window) != want {
		t.Fatalf("Window(%d): %d slots, %v; want %d", most, len(window), err, want)
	}
	for i := range window {
		fill(window[i], nil)
	}
	n := rapid.IntRange(0, len(window)).Draw(t, "written")
	for _, slot := range window[:n] {
		msg := q.message(q.size(t))
		fill(slot, msg)
		q.published = append(q.published, msg)
	}
	q.w.(interface{ PublishN(int) }).PublishN(n)
}

func (q *queue) readWindow(t *rapid.T) {
	most := rapid.IntRange(1, 20).Draw(t, "most")
	there, inRow := len(q.published), q.inRow(q.start+q.released+uint64(len(q.held)))
	window, err := q.r.(windowEnd).window(canceled, most)
	if there > 0 && (len(window) < 1 || len(window) > min(most, there, inRow)) {
		t.Fatalf("Window(%d): %d messages of %d, with %d slots in a row", most, len(window), there, inRow)
	}
	for _, slot := range window {
		msg, _ := taken(slot, nil)
		q.took(t, msg, err)
	}
	if there == 0 {
		wantErr(t, err, errWaited)
	}
}

func (q *queue) next(t *rapid.T) {
	msg, err := q.r.TryNext()
	q.took(t, msg, err)
}

func (q *queue) nextBatch(t *rapid.T) {
	msgs := make([][]byte, rapid.IntRange(0, 9).Draw(t, "messages"))
	most, there := rapid.IntRange(-1, 200).Draw(t, "most"), len(q.published)
	n, err := q.r.NextBatch(canceled, msgs, most)
	switch {
	case len(msgs) == 0:
		wantErr(t, err, nil)
	case there == 0:
		wantErr(t, err, errWaited)
	case n == 0 || n > there:
		t.Fatalf("NextBatch: %d messages of %d", n, there)
	}
	bytes := 0
	for i, msg := range msgs[:n] {
		if i > 0 && bytes >= most {
			t.Fatalf("NextBatch: %d messages, of which the first %d have the %d bytes asked for", n, i, most)
		}
		bytes += len(msg)
		if q.k.slotSize > 0 {
			bytes += int(q.k.slotSize) - len(msg)
		}
		q.took(t, msg, err)
	}
}

func (q *queue) take(t *rapid.T) {
	q.release(len(q.held))
	msg, err := q.r.Take(canceled)
	if err == errWaited {
		err = ErrEmpty
	}
	q.took(t, msg, err)
}

func (q *queue) receive(t *rapid.T) {
	msg, err := q.r.Receive(canceled, nil)
	if err == errWaited {
		err = ErrEmpty
	}
	if q.took(t, msg, err) {
		q.release(len(q.held))
	}
}

// messages leaves a loop after some messages, the last of which stays held.
func (q *queue) messages(t *rapid.T) {
	most := rapid.IntRange(1, 5).Draw(t, "most")
	for msg, err := range q.r.Messages(canceled) {
		if err == errWaited {
			err = ErrEmpty
		}
		if !q.took(t, msg, err) {
			return
		}
		if most--; most == 0 {
			return
		}
		q.release(len(q.held)) // when the body is done
	}
}

// valuesEnd is a reader with a loop over copies.
type valuesEnd interface {
	values(ctx context.Context, n int) ([][]byte, error)
}

// values leaves a loop after some values: with those, all that was held is released.
func (q *queue) values(t *rapid.T) {
	most := rapid.IntRange(1, 5).Draw(t, "most")
	all, err := q.r.(valuesEnd).values(canceled, most)
	if want := min(most, len(q.published)); len(all) != want {
		t.Fatalf("%d values, %v; want %d", len(all), err, want)
	}
	for _, msg := range all {
		q.took(t, msg, nil)
	}
	if len(all) > 0 {
		q.release(len(q.held))
	}
	if len(all) < most {
		wantErr(t, err, errWaited)
	}
}

func (q *queue) took(t *rapid.T, msg []byte, err error) bool {
	if len(q.published) == 0 {
		wantErr(t, err, ErrEmpty)
		return false
	}
	if err != nil || !bytes.Equal(msg, q.published[0]) {
		t.Fatalf("took %q, %v; want %q", msg, err, q.published[0])
	}
	q.held, q.contents = append(q.held, msg), append(q.contents, q.published[0])
	q.published = q.published[1:]
	return true
}

// release is that of the oldest n.
func (q *queue) release(n int) {
	q.released += uint64(n)
	q.held, q.contents = q.held[n:], q.contents[n:]
}

func (q *queue) releaseSome(t *rapid.T) {
	n := rapid.IntRange(0, len(q.held)).Draw(t, "released")
	q.r.ReleaseN(n)
	q.release(n)
}

// killWriter starts a successor without a word of goodbye: what was staged is
// gone, as it is after a kill -9.
func (q *queue) killWriter(t *rapid.T) {
	q.staged = nil
	q.w = q.k.writerOn(t, q.mem, WriterOptions{})
}

// endWriter closes in good order, and the next producer comes.
func (q *queue) endWriter(t *rapid.T) {
	wantErr(t, q.w.Close(), nil)
	q.publish()
	q.killWriter(t)
}

func (q *queue) abortWriter(t *rapid.T) {
	wantErr(t, q.w.Abort(), nil)
	q.killWriter(t)
}

// killReader gives what was held to a successor.
func (q *queue) killReader(t *rapid.T) {
	q.published = slices.Concat(q.contents, q.published)
	q.held, q.contents = nil, nil
	q.r = q.k.readerOn(t, q.mem, ReaderOptions{})
}

func (q *queue) closeReader(t *rapid.T) {
	wantErr(t, q.r.Close(), nil)
	q.killReader(t)
}

// check holds after every step.
func (q *queue) check(t *rapid.T) {
	h := q.mem.Header
	if n := h.Count(layout.Consumer) - q.start; n != q.released {
		t.Fatalf("consumedCount %d, want %d", n, q.released)
	}
	depth := h.Count(layout.Producer) - h.Count(layout.Consumer)
	if want := uint64(len(q.published) + len(q.held)); depth != want || q.w.Unread() != want || q.r.Held() != len(q.held) {
		t.Fatalf("queueDepth %d, the Writer says %d, the Reader holds %d; want %d published and %d held", depth, q.w.Unread(), q.r.Held(), len(q.published), len(q.held))
	}
	if used := h.Producer.Index.Load() - h.Consumer.Index.Load(); used > q.mem.Geometry.Capacity || q.k.slotSize == 0 && used%8 != 0 {
		t.Fatalf("%d bytes used of %d", used, q.mem.Geometry.Capacity)
	}
	// Redelivered messages are counted once.
	if l, r := h.Latency.Count.Load(), h.Response.Count.Load(); r > l || l > q.released {
		t.Fatalf("%d latencies and %d response times of %d messages", l, r, q.released)
	}
	for i, msg := range q.held { // ring memory, the caller's until Release
		if want := q.contents[i]; !bytes.Equal(msg, want) {
			t.Fatalf("held message %d became %q, was %q", i, msg, want)
		}
	}
}
