package bridge_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"sluice"
	"sluice/bridge"
	"sluice/layout"
)

// What was not sent by a bridge is an error, never a panic, and none of it comes into the far ring.
func TestIn_Hostile(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	slotShape := ringShape{capacity: 24 * 64, slots: 64, slotSize: 24}
	l := load{seed: 4, size: 24}
	m := messages(source, records, 0, 10, 0, recordRing)
	slots := messages(source, l, 0, 10, 0, slotShape)
	cut := func(b block, n int) block { b.payload = b.payload[:len(b.payload)-n]; return b }
	lengths := func(at int, n uint32) block {
		b := m
		b.payload = append([]byte(nil), m.payload...)
		binary.LittleEndian.PutUint32(b.payload[at:], n)
		return b
	}
	type hostile struct {
		what  string
		slots bool
		b     block
	}
	cases := []hostile{
		{"no version", false, m.with("Sluice-Version", "-")},
		{"another version", false, m.with("Sluice-Version", "2")},
		{"another kind", false, m.with("Sluice-Kind", "letters")},
		{"no number", false, m.with("Sluice-First", "-1")},
		{"huge count", false, m.with("Sluice-Count", "9223372036854775807")},
		{"count too large", false, m.with("Sluice-Count", "11")},
		{"length beyond the payload", false, lengths(0, 1<<20)},
		{"length of all bits", false, lengths(0, 1<<32-1)},
		{"messages without payload", false, block{kind: "messages", source: source, count: 3, ring: recordRing}},
		{"bytes behind the last message", false, func() block { b := m; b.payload = append(append([]byte(nil), m.payload...), 0); return b }()},
		{"wrong slot size", true, slots.with("Sluice-Ring", "1536 64 23 0 0")},
		{"slot payload cut", true, cut(slots, 1)},
		{"count times size overflows", true, slots.with("Sluice-Count", fmt.Sprint(uint64(1<<61+10)))},
		{"ring of a huge capacity", false, m.with("Sluice-Ring", "18446744073709551615 0 0 0 0")},
		{"ring of capacity 0", false, m.with("Sluice-Ring", "0 0 0 0 0")},
		{"ring of no power of two", false, m.with("Sluice-Ring", "5000 0 0 0 0")},
		{"huge slots", false, m.with("Sluice-Ring", "65536 18446744073709551615 0 0 0")},
		{"huge slot size", true, slots.with("Sluice-Ring", "1536 64 9223372036854775808 0 0")},
		{"slot larger than the ring", true, slots.with("Sluice-Ring", "16 64 24 0 0")},
		{"end of no kind", false, end(source, 0, layout.EndComplete, 1, recordRing).with("Sluice-End", "tired")},
	}
	for i, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			shape := recordRing
			if c.slots {
				shape = slotShape
			}
			p := forged(t, s.url())
			if i%2 == 0 { // else the source is not known
				p.forge(open(source, 0, shape))
			}
			p.forge(c.b)
			in := p.in()
			in.want(bridge.ErrProtocol)
			wantUntouched(t, p.far)
		})
	}
}

// Messages that know nothing of bridges.
func TestIn_ForeignMessage(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, c := range []struct {
		what string
		make func(m *nats.Msg)
	}{
		{"empty", func(m *nats.Msg) {}},
		{"text", func(m *nats.Msg) { m.Data = []byte("hello") }},
		{"other headers", func(m *nats.Msg) { m.Header.Set("Content-Type", "text/plain") }},
		{"a header twice", func(m *nats.Msg) {
			*m = *open(source, 0, recordRing).message(m.Subject)
			m.Header.Add("Sluice-First", "5")
			m.Header.Set("Sluice-Kind", "none")
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, s.url())
			w := p.create(sluice.ProducerOptions{})
			if err := records.send(within(t), w, 0, 10); err != nil {
				t.Fatal(err)
			}
			out, in := p.out(), p.in()
			r := p.consumer(sluice.ConsumerOptions{})
			wantMessages(t, r, records, 0, 10)
			m := nats.NewMsg(p.wire())
			c.make(m)
			p.forgeMessage(m)
			in.want(bridge.ErrProtocol)
			if n := r.Unread(); n != 0 {
				t.Errorf("%d messages are in the far ring", n)
			}
			out.wantRunning()
			// When it is removed, all goes on.
			s, err := p.admin().Stream(within(t), p.stream)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(within(t)); err != nil {
				t.Fatal(err)
			}
			in = p.in()
			if err := records.send(within(t), w, 10, 20); err != nil {
				t.Fatal(err)
			}
			wantMessages(t, r, records, 10, 20)
			in.stop()
			out.stop()
		})
	}
}
