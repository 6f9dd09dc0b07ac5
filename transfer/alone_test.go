package transfer

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"sluice/shm"
)

// BenchmarkAlone is the cost of the calls themselves: one goroutine fills a packed buffer
// and empties it, and the time in which the buffer goes to the other end is left out.
func BenchmarkAlone(b *testing.B) {
	const batch = 1 << 12
	ctx := context.Background()
	var buf [8]byte
	for _, form := range []struct {
		name string
		send func(s *Sender, i uint64) error
		take func(r *Receiver) ([]byte, error)
	}{
		{"zero-copy", func(s *Sender, i uint64) error {
			room, err := s.Reserve(ctx, 8)
			if err != nil {
				return err
			}
			binary.LittleEndian.PutUint64(room, i)
			s.Commit(8)
			s.Publish()
			return nil
		}, func(r *Receiver) ([]byte, error) { return r.Next(ctx) }},
		{"one-call", func(s *Sender, i uint64) error {
			binary.LittleEndian.PutUint64(buf[:], i)
			return s.Send(ctx, buf[:])
		}, func(r *Receiver) ([]byte, error) { return r.TryNext() }},
	} {
		b.Run(form.name, func(b *testing.B) {
			name := fmt.Sprintf("transferbench.%d", os.Getpid())
			b.Cleanup(func() { os.Remove(shm.Path(name)) })
			s, err := Create(ctx, name, SenderOptions{Buffer: 1 << 20, Recycle: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Abort()
			r, err := Open(ctx, name, ReceiverOptions{})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			var writing, reading time.Duration
			for done := 0; done < b.N; done += batch {
				began := time.Now()
				for i := range uint64(batch) {
					if err := form.send(s, i+1<<40); err != nil {
						b.Fatal(err)
					}
				}
				writing += time.Since(began)
				s.Flush()
				if _, err := r.Next(ctx); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				for range batch - 1 {
					if _, err := form.take(r); err != nil {
						b.Fatal(err)
					}
				}
				reading += time.Since(between)
				r.Release()
			}
			b.ReportMetric(float64(writing.Nanoseconds())/float64(b.N), "write-ns/op")
			b.ReportMetric(float64(reading.Nanoseconds())/float64(b.N), "read-ns/op")
		})
	}
}
