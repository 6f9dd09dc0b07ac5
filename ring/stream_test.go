package ring

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// sends and receives are the forms in which a message can be given and taken.
var sends = map[string]func(w writerEnd, msg []byte) error{
	"send": func(w writerEnd, msg []byte) error { return w.Send(context.Background(), msg) },
	"reserve": func(w writerEnd, msg []byte) error {
		buf, err := w.Reserve(context.Background(), len(msg))
		if err != nil {
			return err
		}
		w.Commit(copy(buf, msg))
		w.Publish()
		return nil
	},
	"batch": func(w writerEnd, msg []byte) error {
		buf, err := w.Reserve(context.Background(), min(len(msg)+5, w.MaxMessage()))
		if err != nil {
			return err
		}
		w.Commit(copy(buf, msg))
		if msg[0]%7 == 0 {
			w.Publish()
		}
		return nil
	},
	"sendbatch": func(w writerEnd, msg []byte) error {
		_, err := w.SendBatch(context.Background(), [][]byte{msg})
		return err
	},
}

var receives = map[string]func(r readerEnd) ([]byte, error){
	"take":    func(r readerEnd) ([]byte, error) { return r.Take(context.Background()) },
	"receive": func(r readerEnd) ([]byte, error) { return r.Receive(context.Background(), nil) },
	"next": func(r readerEnd) ([]byte, error) {
		r.Release()
		return r.Next(context.Background())
	},
	"hold": func(r readerEnd) ([]byte, error) { // releases when it would wait, or holds many
		if !r.Buffered() || r.Held() > 20 {
			r.Release()
		}
		return r.Next(context.Background())
	},
}

// message makes message number i of a stream in buf, whose size is that of the largest: its number,
// then bytes that follow from it, and are not 0.
func message(buf []byte, i uint64) []byte {
	buf = buf[:9+i%uint64(len(buf)-8)]
	for j := range buf {
		buf[j] = (byte(i) + byte(j)) | 1
	}
	binary.LittleEndian.PutUint64(buf, i)
	return buf
}

// stream moves n messages from one goroutine to another and checks each.
func stream(w writerEnd, r readerEnd, n uint64, give func(writerEnd, []byte) error, take func(readerEnd) ([]byte, error)) error {
	size := min(64, w.MaxMessage())
	writing := testenv.Background(func() error {
		buf := make([]byte, size)
		for i := range n {
			if err := give(w, message(buf, i)); err != nil {
				return err
			}
		}
		err := w.Close()
		return err
	})
	buf := make([]byte, size)
	for i := range n {
		msg, err := take(r)
		if err != nil {
			return err
		}
		if want := message(buf, i); !bytes.Equal(msg, want) {
			return fmt.Errorf("message %d is % x, want % x", i, msg, want)
		}
	}
	if msg, err := take(r); err != io.EOF {
		return fmt.Errorf("after the last: % x, %w", msg, err)
	}
	return writing()
}

func TestStream_InOrderAndIntact(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		n, numbers := uint64(5_000), []uint64{0, 1, 2, 8} // more than twenty times around the ring
		if k.slotSize > 0 {
			n, numbers = 2_500, []uint64{0, 1, 6}
		}
		for send, give := range sends {
			for receive, take := range receives {
				for _, slots := range numbers {
					if slots == 1 && receive == "hold" {
						continue // holding one of one is ErrUnreleased; see the reader's tests
					}
					t.Run(fmt.Sprintf("%s-%s,slots=%d", send, receive, slots), func(t *testing.T) {
						w, r, mem := k.pair(t, 4096, slots, WriterOptions{}, ReaderOptions{})
						if err := stream(w, r, n, give, take); err != nil {
							t.Fatal(err)
						}
						countsAgree(t, mem.Header, n)
					})
				}
			}
		}
	})
}

func TestStream_NoSpin(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, slots := range []uint64{0, 1, 8} {
			t.Run(fmt.Sprintf("slots=%d", slots), func(t *testing.T) {
				w, r, mem := k.pair(t, 4096, slots, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
				if err := stream(w, r, 20_000, sends["send"], receives["take"]); err != nil {
					t.Fatal(err)
				}
				countsAgree(t, mem.Header, 20_000)
				p, c := &mem.Header.ProducerStats, &mem.Header.ConsumerStats
				if p.Waits.Load()+c.Waits.Load() == 0 || p.Spins.Load()+c.Spins.Load() != 0 {
					t.Errorf("producer slept %d times, consumer %d; spins %d and %d", p.Waits.Load(), c.Waits.Load(), p.Spins.Load(), c.Spins.Load())
				}
			})
		}
	})
}

// The writer publishes and closes at the very moment in which the reader looks
// for a message, and then for the end.
func TestStream_EndAfterLastMessage(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for range 1500 {
			w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
			writing := testenv.Background(func() error {
				err := w.Send(context.Background(), []byte("last"))
				w.Close()
				return err
			})
			taken := 0
			for {
				_, err := r.TryNext()
				if err == io.EOF {
					break
				}
				if err == nil {
					taken++
				}
			}
			if err := writing(); err != nil || taken != 1 {
				t.Fatalf("%d messages before the end, %v", taken, err)
			}
		}
	})
}

// countsAgree looks at the counters after n messages and a good end.
func countsAgree(t *testing.T, h *layout.Header, n uint64) {
	t.Helper()
	p, c := &h.Producer, &h.Consumer
	if h.Count(layout.Producer) != n || h.Count(layout.Consumer) != n || p.Index.Load() != c.Index.Load() || p.Bytes.Load() != c.Bytes.Load() {
		t.Errorf("producer: %d messages, index %d, %d bytes; consumer: %d, %d, %d",
			h.Count(layout.Producer), p.Index.Load(), p.Bytes.Load(), h.Count(layout.Consumer), c.Index.Load(), c.Bytes.Load())
	}
	var sampled uint64
	for i := range h.Latency.Buckets {
		sampled += h.Latency.Buckets[i].Load()
	}
	if sampled == 0 || sampled > n || sampled != h.Latency.Count.Load() {
		t.Errorf("%d of %d messages in the latency buckets, Latency.Count %d", sampled, n, h.Latency.Count.Load())
	}
	// One wake a sleep: a waker that does not clear the flag first would wake
	// for every message until the sleeper runs.
	for _, role := range []layout.Role{layout.Producer, layout.Consumer} {
		if wakes, sleeps := h.Stats(role.Peer()).WakesSent.Load(), h.Stats(role).Waits.Load()+h.Stats(role).Spurious.Load(); wakes > sleeps+1 {
			t.Errorf("%d wakes for %d sleeps of the %v", wakes, sleeps, role)
		}
		if left := int64(h.Stats(role).Blocked.Load()); left < 0 {
			t.Errorf("the %v is still counted as blocked", role)
		}
	}
}
