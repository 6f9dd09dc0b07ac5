package transfer

import (
	"math/rand/v2"
	"testing"
)

// First in, first out, wherever in the ring they begin, and when it grows there.
func TestBufferQueue_KeepsOrder(t *testing.T) {
	var q bufferQueue
	random := rand.New(rand.NewPCG(1, 2))
	pushed, popped := 0, 0
	for round := range 1000 {
		for range random.IntN(2 + round/2) {
			q.push(&outBuffer{length: pushed})
			pushed++
		}
		for range min(random.IntN(2+round/2), q.len()) {
			if got := q.at(0).length; got != popped {
				t.Fatalf("round %d: buffer %d comes first, want %d", round, got, popped)
			}
			q.pop()
			popped++
		}
		if q.len() != pushed-popped {
			t.Fatalf("round %d: %d buffers, want %d", round, q.len(), pushed-popped)
		}
		for i := range q.len() {
			if got := q.at(i).length; got != popped+i {
				t.Fatalf("round %d: buffer %d has place %d of those from %d on", round, got, i, popped)
			}
		}
	}
	if pushed < 10_000 || len(q.items) < 1024 {
		t.Errorf("only %d buffers, and room for %d: it has hardly grown", pushed, len(q.items))
	}
}

// What a buffer points to is the collector's, or used again, once it has left the queue.
func TestBufferQueue_ForgetsWhatHasLeft(t *testing.T) {
	var q bufferQueue
	for range 100 {
		q.push(&outBuffer{data: make([]byte, 1), recycled: new(recycledBuffer)})
	}
	for range 100 {
		q.pop()
	}
	for i := range q.items {
		if b := &q.items[i]; b.data != nil || b.recycled != nil {
			t.Fatalf("item %d still points to its memory", i)
		}
	}
}
