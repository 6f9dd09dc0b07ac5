package transfer

import (
	"encoding/binary"
	"io"
	"testing"
)

// transfers is how many messages the accounts are kept over.
const transfers = 100_000

// A file, a descriptor or a mapping that is forgotten once in a thousand times
// shows after so many; a count that is wrong by one does too.
func TestAccounts_AddUp_NothingLeftOpen(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		before := opened()
		s, r := pair(t, opt)
		var payload uint64
		buf := make([]byte, 64)
		taken := uint64(0)
		take := func(upTo uint64) {
			for ; taken < upTo; taken++ {
				msg, err := r.Next(t.Context())
				if err != nil || binary.LittleEndian.Uint64(msg) != taken {
					t.Fatalf("message %d: % x, %v", taken, msg, err)
				}
			}
			r.Release()
		}
		for i := range uint64(transfers) {
			msg := buf[:8+i%57]
			payload += uint64(len(msg))
			binary.LittleEndian.PutUint64(msg, i)
			if err := s.Send(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
			if i%250 == 249 { // some are in flight, and never many
				s.Flush()
				take(i + 1 - i/250%100)
			}
		}
		s.Flush()
		take(transfers)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		fails(t, r, io.EOF)
		if n := s.Unread(); n != 0 {
			t.Errorf("%d messages are queued", n)
		}
		if _, err := finish(t.Context(), s); err != nil {
			t.Error(err)
		}

		h := r.Segment().Header()
		buffers := h.ProducerStats.Buffers.Load()
		switch {
		case opt.Buffer == 0 && buffers != transfers:
			t.Errorf("%d buffers for %d messages", buffers, transfers)
		case opt.Buffer > 0 && (buffers < payload/4096 || buffers > transfers/40):
			t.Errorf("%d buffers for %d bytes", buffers, payload)
		}
		for _, c := range []struct {
			what      string
			got, want uint64
		}{
			{"messages sent", h.Producer.Count.Load(), transfers},
			{"messages taken", h.Consumer.Count.Load(), transfers},
			{"bytes sent", h.Producer.Bytes.Load(), payload},
			{"bytes taken", h.Consumer.Bytes.Load(), payload},
			{"memory sent", h.Producer.Index.Load(), buffers * pageSize},
			{"memory taken", h.Consumer.Index.Load(), buffers * pageSize},
			{"buffers taken", h.ConsumerStats.Buffers.Load(), buffers},
			{"latencies", h.Latency.Count.Load(), transfers},
			{"messages lost", h.ConsumerStats.Lost.Load(), 0},
			{"descriptors held", h.ProducerStats.Descriptors.Load(), 0},
			{"memory held", h.ProducerStats.Memory.Load(), 0},
			{"of the account", s.queue.memory.bytes.taken.Load(), 0},
			{"of the fdBudget", uint64(s.queue.memory.fds.held.Load()), 0},
			{"without a buffer", uint64(s.queue.unbacked.Load()), 0},
		} {
			if c.got != c.want {
				t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
			}
		}

		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if now := opened(); now != before {
			t.Errorf("%d descriptors are open, there were %d: %q", now, before, openFiles())
		}
		stillMapped(t, 0)
	})
}
