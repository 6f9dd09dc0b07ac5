package ring

import (
	"context"
	"encoding/binary"
	"testing"
)

func TestStreamOnHeap(t *testing.T) {
	for _, slots := range []uint64{0, 1, 2, 8} {
		mem := heapMemory(t, 4096, slots)
		w, err := NewWriter(mem, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(mem, Options{})
		if err != nil {
			t.Fatal(err)
		}
		const n = 200000
		ctx := context.Background()
		done := make(chan error, 1)
		go func() {
			for i := range uint64(n) {
				b, err := w.Reserve(ctx, 8+int(i%50))
				if err != nil {
					done <- err
					return
				}
				binary.LittleEndian.PutUint64(b, i)
				w.Commit(len(b))
				w.Publish()
			}
			_, err := w.Close()
			done <- err
		}()
		var i uint64
		for msg, err := range r.Messages(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if len(msg) != 8+int(i%50) || binary.LittleEndian.Uint64(msg) != i {
				t.Fatalf("message %d: %d bytes, %d", i, len(msg), binary.LittleEndian.Uint64(msg))
			}
			i++
		}
		if err := <-done; err != nil || i != n {
			t.Fatal(err, i)
		}
		t.Logf("slots %d: pw %d cw %d ps %d cs %d wakes %d %d lat %d", slots, w.own.Waits.Load(), r.own.Waits.Load(), w.own.Spins.Load(), r.own.Spins.Load(), w.own.WakesSent.Load(), r.own.WakesSent.Load(), mem.Header.LatencyCount.Load())
	}
}
