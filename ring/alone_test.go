package ring

import (
	"context"
	"encoding/binary"
	"testing"
	"time"
)

// BenchmarkAlone is the cost of the calls themselves: one goroutine fills a
// small ring and empties it, so no cache line changes hands.
func BenchmarkAlone(b *testing.B) {
	const batch = 1 << 10
	ctx := context.Background()
	var buf [8]byte
	forms := []struct {
		name string
		send func(w *Writer, i uint64) error
		take func(r *Reader) ([]byte, error)
	}{
		{"zero-copy", func(w *Writer, i uint64) error {
			buf, err := w.Reserve(ctx, 8)
			if err != nil {
				return err
			}
			binary.LittleEndian.PutUint64(buf, i)
			w.Commit(8)
			w.Publish()
			return nil
		}, func(r *Reader) ([]byte, error) {
			msg, err := r.Next(ctx)
			return msg, err
		}},
		{"one-call", func(w *Writer, i uint64) error {
			binary.LittleEndian.PutUint64(buf[:], i)
			return w.Send(ctx, buf[:])
		}, func(r *Reader) ([]byte, error) {
			return r.Take(ctx)
		}},
	}
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) {
			mem := heapMemory(b, 1<<16, 0)
			w, err := NewWriter(mem, WriterOptions{})
			if err != nil {
				b.Fatal(err)
			}
			r, err := NewReader(mem, ReaderOptions{})
			if err != nil {
				b.Fatal(err)
			}
			var writing, reading time.Duration
			for done := 0; done < b.N; done += batch {
				began := time.Now()
				for i := range uint64(batch) {
					if err := form.send(w, i+1<<40); err != nil {
						b.Fatal(err)
					}
				}
				between := time.Now()
				for range batch {
					if _, err := form.take(r); err != nil {
						b.Fatal(err)
					}
				}
				r.Release()
				writing += between.Sub(began)
				reading += time.Since(between)
			}
			b.ReportMetric(float64(writing.Nanoseconds())/float64(b.N), "write-ns/op")
			b.ReportMetric(float64(reading.Nanoseconds())/float64(b.N), "read-ns/op")
		})
	}
}
