package bridge_test

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
)

// block is a NATS message as docs/bridge.md describes it. It is written from that description, and
// not with the code of the bridge.
type block struct {
	kind                string // open, messages, end
	source              uint64
	first, count, acked uint64
	ring                ringShape
	end                 string
	generation          uint64
	payload             []byte
	headers             map[string]string // instead of those that the fields above make; "-" = none
}

// ringShape is the header Sluice-Ring.
type ringShape struct{ capacity, slots, slotSize, fingerprint, framing uint64 }

func (r ringShape) String() string {
	return fmt.Sprintf("%d %d %d %d %d", r.capacity, r.slots, r.slotSize, r.fingerprint, r.framing)
}

var recordRing = ringShape{capacity: 1 << 16}

// open returns the block that a source begins with, at position first.
func open(source, first uint64, ring ringShape) block {
	return block{kind: "open", source: source, first: first, acked: first, ring: ring}
}

// messages returns a block with the messages from <= k < to of a load, which are at these positions
// of the source.
func messages(source uint64, l load, from, to, acked uint64, ring ringShape) block {
	b := block{kind: "messages", source: source, first: from, count: to - from, acked: acked, ring: ring}
	for k := from; k < to; k++ {
		if ring.slotSize == 0 {
			b.payload = binary.LittleEndian.AppendUint32(b.payload, uint32(l.length(k)))
		}
		b.payload = l.message(b.payload, k)
	}
	return b
}

// end returns the block of an end at a position.
func end(source, at uint64, how layout.End, generation uint64, ring ringShape) block {
	return block{kind: "end", source: source, first: at, acked: at, ring: ring, end: how.String(), generation: generation}
}

// with returns the block with another header.
func (b block) with(header, value string) block {
	all := map[string]string{header: value}
	for k, v := range b.headers {
		if k != header {
			all[k] = v
		}
	}
	b.headers = all
	return b
}

// message returns the block as a NATS message.
func (b block) message(subject string) *nats.Msg {
	m := nats.NewMsg(subject)
	set := func(name, value string) {
		if other, ok := b.headers[name]; ok {
			value = other
		}
		if value != "-" {
			m.Header.Set(name, value)
		}
	}
	set("Sluice-Version", "1")
	set("Sluice-Kind", b.kind)
	set("Sluice-Source", fmt.Sprint(b.source))
	set("Sluice-First", fmt.Sprint(b.first))
	set("Sluice-Count", fmt.Sprint(b.count))
	set("Sluice-Acked", fmt.Sprint(b.acked))
	set("Sluice-Ring", b.ring.String())
	if b.kind == "end" {
		set("Sluice-End", b.end)
		set("Sluice-Generation", fmt.Sprint(b.generation))
	}
	m.Data = b.payload
	return m
}

// parseBlock reads a message of the stream, and fails the test when it is not as described.
func parseBlock(t testing.TB, raw *jetstream.RawStreamMsg) (b block) {
	t.Helper()
	number := func(text string) uint64 {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("message %d of the stream: %v; headers %v", raw.Sequence, err, raw.Header)
		}
		return n
	}
	get := func(name string) uint64 { return number(raw.Header.Get(name)) }
	if v := raw.Header.Get("Sluice-Version"); v != "1" {
		t.Fatalf("message %d of the stream: version %q; headers %v", raw.Sequence, v, raw.Header)
	}
	b.kind, b.source = raw.Header.Get("Sluice-Kind"), get("Sluice-Source")
	b.first, b.count, b.acked = get("Sluice-First"), get("Sluice-Count"), get("Sluice-Acked")
	shape := strings.Fields(raw.Header.Get("Sluice-Ring"))
	if len(shape) != 5 {
		t.Fatalf("message %d of the stream: ring %q", raw.Sequence, shape)
	}
	b.ring = ringShape{number(shape[0]), number(shape[1]), number(shape[2]), number(shape[3]), number(shape[4])}
	if b.kind == "end" {
		b.end, b.generation = raw.Header.Get("Sluice-End"), get("Sluice-Generation")
	}
	b.payload = raw.Data
	return b
}

// checkPayload expects the messages of the load at the block's positions.
func (b block) checkPayload(t testing.TB, l load) {
	t.Helper()
	rest := b.payload
	for k := b.first; k < b.first+b.count; k++ {
		size := int(b.ring.slotSize)
		if size == 0 {
			if len(rest) < 4 {
				t.Fatalf("block [%d, %d): message %d has no length", b.first, b.first+b.count, k)
			}
			size, rest = int(binary.LittleEndian.Uint32(rest)), rest[4:]
		}
		if len(rest) < size {
			t.Fatalf("block [%d, %d): message %d of %d bytes is cut short", b.first, b.first+b.count, k, size)
		}
		if err := l.check(k, rest[:size]); err != nil {
			t.Fatalf("block [%d, %d): %v", b.first, b.first+b.count, err)
		}
		rest = rest[size:]
	}
	if len(rest) != 0 {
		t.Fatalf("block [%d, %d): %d bytes too many", b.first, b.first+b.count, len(rest))
	}
}

// What out sends is what docs/bridge.md says.
func TestOut_Blocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		l    load
		opt  sluice.ProducerOptions
	}{
		{"records", records, sluice.ProducerOptions{Capacity: 1 << 16, Slots: 100, Framing: layout.FramingLength}},
		{"fixed slots", load{seed: 3, size: 33}, sluice.ProducerOptions{SlotSize: 33, Slots: 128}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			const n = 3000
			p := newPath(t, startServer(t).url())
			w := p.create(c.opt)
			geometry, created := w.Segment().Geometry(), testenv.Header(p.near).Identity.CreatedAt.Load()
			ctx := within(t)
			produced := testenv.Background(func() error {
				if err := c.l.send(ctx, w, 0, n); err != nil {
					return err
				}
				w.EndAs(layout.EndStopped)
				return w.Close()
			})
			p.out().want(layout.ErrIncomplete)
			if err := produced(); err != nil {
				t.Fatal(err)
			}
			shape := ringShape{geometry.Capacity, geometry.Slots, geometry.SlotSize, geometry.Fingerprint, uint64(c.opt.Framing)}
			all := p.blocks()
			due := uint64(0)
			for i, raw := range all {
				if raw.Subject != p.wire() {
					t.Errorf("block %d: subject %q, want %q", i, raw.Subject, p.wire())
				}
				b := parseBlock(t, raw)
				want := "messages"
				switch i {
				case 0:
					want = "open"
				case len(all) - 1:
					want = "end"
				}
				if b.kind != want || b.source != created || b.first != due || b.acked > b.first || b.ring != shape {
					t.Fatalf("block %d is %s of source %d from %d, acknowledged %d, ring %v; want %s, %d, %d, no more than that, %v",
						i, b.kind, b.source, b.first, b.acked, b.ring, want, created, due, shape)
				}
				if want == "messages" {
					if b.count == 0 {
						t.Errorf("block %d has no messages", i)
					}
					b.checkPayload(t, c.l)
					due += b.count
				} else if len(b.payload) != 0 {
					t.Errorf("block %d: %s has %d bytes of payload", i, b.kind, len(b.payload))
				}
				if want == "end" && (b.end != "stopped" || b.generation != 1 || b.acked != due) {
					t.Errorf("end %q of generation %d, acknowledged %d; want stopped, 1, %d", b.end, b.generation, b.acked, due)
				}
			}
			if due != n {
				t.Errorf("%d messages are in the stream, want %d", due, n)
			}
		})
	}
}

// forge sends blocks into the stream of the path, as another implementation of a bridge might.
func (p *path) forge(blocks ...block) {
	p.t.Helper()
	for _, b := range blocks {
		p.forgeMessage(b.message(p.wire()))
	}
}

func (p *path) forgeMessage(m *nats.Msg) {
	p.t.Helper()
	if _, err := p.admin().PublishMsg(within(p.t), m); err != nil {
		p.t.Fatal(err)
	}
}

// forged returns a path with a stream that holds blocks.
func forged(t *testing.T, url string, blocks ...block) *path {
	t.Helper()
	p := newPath(t, url)
	p.makeStream(func(*jetstream.StreamConfig) {})
	p.forge(blocks...)
	return p
}

const source = 1_700_000_000_000_000_000 // a wall clock

func TestIn_Blocks(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	m := func(from, to, acked uint64) block { return messages(source, records, from, to, acked, recordRing) }
	opened := open(source, 0, recordRing)
	complete := func(at uint64) block { return end(source, at, layout.EndComplete, 1, recordRing) }
	for _, c := range []struct {
		what   string
		blocks []block
	}{
		{"in order", []block{opened, m(0, 10, 0), m(10, 20, 10), complete(20)}},
		{"blocks twice", []block{opened, opened, m(0, 10, 0), m(0, 10, 0), m(10, 20, 10), m(0, 10, 0), m(10, 20, 10), complete(20)}},
		{"overlap at the begin", []block{opened, m(0, 10, 0), m(5, 20, 5), complete(20)}},
		{"overlap inside", []block{opened, m(0, 20, 0), m(5, 10, 0), complete(20)}},
		{"formed otherwise the second time", []block{opened, m(0, 7, 0), m(7, 14, 0), m(0, 20, 0), m(3, 20, 0), complete(20)}},
		{"late", []block{opened, m(10, 20, 0), m(0, 10, 0), complete(20)}},
		{"all late", []block{opened, m(15, 20, 0), m(10, 15, 0), m(5, 10, 0), m(0, 5, 0), complete(20)}},
		{"late and twice", []block{opened, m(10, 20, 0), m(0, 10, 0), m(10, 20, 0), complete(20)}},
		{"end twice", []block{opened, m(0, 20, 0), complete(20), complete(20)}},
		{"opened again in the middle", []block{opened, m(0, 10, 0), open(source, 10, recordRing), m(10, 20, 10), complete(20)}},
		{"opened again before what is not acknowledged", []block{opened, m(0, 10, 0), open(source, 5, recordRing), m(5, 20, 5), complete(20)}},
		{"one message a block", func() (all []block) {
			all = append(all, opened)
			for k := uint64(0); k < 20; k++ {
				all = append(all, m(k, k+1, k))
			}
			return append(all, complete(20))
		}()},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := forged(t, s.url(), c.blocks...)
			in := p.in()
			wantAll(t, p.consumer(sluice.ConsumerOptions{}), records, 20)
			in.want(nil)
		})
	}
}

// Blocks of fixed slots, with a cut at a slot that is not the first.
func TestIn_Blocks_FixedSlots(t *testing.T) {
	t.Parallel()
	l := load{seed: 4, size: 24}
	shape := ringShape{capacity: 24 * 64, slots: 64, slotSize: 24}
	p := forged(t, startServer(t).url(), open(source, 0, shape),
		messages(source, l, 0, 10, 0, shape), messages(source, l, 5, 30, 0, shape), end(source, 30, layout.EndFailed, 1, shape))
	in := p.in()
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, l, 0, 30)
	wantEnd(t, r, layout.ErrIncomplete)
	in.want(layout.ErrIncomplete)
}

// The last positions before they begin at 0 again, and those after.
func TestIn_Blocks_FromTheMiddle(t *testing.T) {
	t.Parallel()
	const first = 1 << 40
	p := forged(t, startServer(t).url(), open(source, first, recordRing),
		messages(source, records, first, first+10, first, recordRing), end(source, first+10, layout.EndComplete, 1, recordRing))
	in := p.in()
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, records, first, first+10)
	wantEnd(t, r, atEnd(nil))
	in.want(nil)
}

// An end that is delivered again does not end the next stream of the source.
func TestIn_EndTwice_Follow(t *testing.T) {
	t.Parallel()
	first := end(source, 10, layout.EndStopped, 1, recordRing)
	p := forged(t, startServer(t).url(), open(source, 0, recordRing), messages(source, records, 0, 10, 0, recordRing), first)
	in := p.in(followIn)
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, records, 0, 10)
	wantEnd(t, r, layout.ErrIncomplete)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	in.nextEnd(layout.ErrIncomplete)
	p.forge(first, open(source, 10, recordRing), messages(source, records, 10, 20, 10, recordRing), first,
		messages(source, records, 20, 30, 20, recordRing), end(source, 30, layout.EndComplete, 2, recordRing))
	r = p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, records, 10, 30)
	wantEnd(t, r, atEnd(nil))
	in.nextEnd(nil)
	in.stop()
}

// An end that is delivered to a bridge that comes after the one that has told it.
func TestIn_EndTwice_AnotherBridge(t *testing.T) {
	t.Parallel()
	ended := end(source, 10, layout.EndComplete, 1, recordRing)
	p := forged(t, startServer(t).url(), open(source, 0, recordRing), messages(source, records, 0, 10, 0, recordRing), ended)
	in := p.in()
	r := p.consumer(sluice.ConsumerOptions{Keep: true})
	wantAll(t, r, records, 10)
	in.want(nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	p.forge(ended)
	in = p.in()
	p.eventuallyEmpty()
	p.forge(open(source, 10, recordRing), messages(source, records, 10, 20, 10, recordRing), end(source, 20, layout.EndComplete, 2, recordRing))
	r = p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, records, 10, 20)
	wantEnd(t, r, atEnd(nil))
	in.want(nil)
}

// Positions that can no longer come are missing; those that can still come are waited for.
func TestIn_Gap(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, c := range []struct {
		what    string
		acked   uint64 // what the block behind the gap says
		missing bool
	}{
		{"acknowledged", 20, true},
		{"acknowledged in part", 15, true},
		{"not acknowledged", 10, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := forged(t, s.url(), open(source, 0, recordRing), messages(source, records, 0, 10, 0, recordRing),
				messages(source, records, 20, 30, c.acked, recordRing))
			in := p.in()
			r := p.consumer(sluice.ConsumerOptions{})
			wantMessages(t, r, records, 0, 10)
			if c.missing {
				in.want(bridge.ErrMissing)
				if text := in.err.Error(); !strings.Contains(text, p.wire()) || !strings.Contains(text, "position 10 ") {
					t.Errorf("%q does not say %s and position 10", in.err, p.wire())
				}
				return
			}
			in.wantRunning()
			p.forge(messages(source, records, 10, 20, 10, recordRing), end(source, 30, layout.EndComplete, 1, recordRing))
			wantMessages(t, r, records, 10, 30)
			wantEnd(t, r, atEnd(nil))
			in.want(nil)
		})
	}
}

// Where a source that the far ring does not know begins.
func TestIn_UnknownSource(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const next = source + 5
	known := []block{open(source, 0, recordRing), messages(source, records, 0, 10, 0, recordRing)}
	t.Run("acknowledged proves the begin", func(t *testing.T) {
		t.Parallel()
		p := forged(t, s.url(), messages(source, records, 50, 60, 50, recordRing), end(source, 60, layout.EndComplete, 1, recordRing))
		in := p.in()
		r := p.consumer(sluice.ConsumerOptions{})
		wantMessages(t, r, records, 50, 60)
		wantEnd(t, r, atEnd(nil))
		in.want(nil)
	})
	t.Run("late block before the begin", func(t *testing.T) {
		t.Parallel()
		p := forged(t, s.url(), messages(source, records, 60, 70, 50, recordRing), messages(source, records, 50, 60, 50, recordRing),
			end(source, 70, layout.EndComplete, 1, recordRing))
		in := p.in()
		r := p.consumer(sluice.ConsumerOptions{})
		wantMessages(t, r, records, 50, 70)
		wantEnd(t, r, atEnd(nil))
		in.want(nil)
	})
	other := load{seed: 2}
	for _, c := range []struct {
		what   string
		first  uint64
		blocks []block
	}{
		{"another source", 7, []block{open(next, 7, recordRing), messages(next, other, 7, 20, 7, recordRing)}},
		// An acknowledgement of the last source's block was lost.
		{"late blocks of the last source", 0, []block{
			open(next, 0, recordRing), known[1], messages(next, other, 0, 10, 0, recordRing), known[0], known[1],
			messages(next, other, 10, 20, 10, recordRing),
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := forged(t, s.url(), append(append(known[:2:2], c.blocks...), end(next, 20, layout.EndComplete, 1, recordRing))...)
			in := p.in()
			r := p.consumer(sluice.ConsumerOptions{Follow: true})
			wantMessages(t, r, records, 0, 10)
			wantMessages(t, r, other, c.first, 20)
			in.want(nil)
			if n := r.Unread(); n != 0 {
				t.Errorf("%d messages too many", n)
			}
		})
	}
}

// A near ring goes on after another one has stood in for it: as with two machines. Each message of
// both comes once, also when the bridge over there is another one each time.
func TestIn_SourceStoodInFor(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const next = source + 5
	other := load{seed: 2}
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("other bridges ", again), func(t *testing.T) {
			t.Parallel()
			p := forged(t, s.url())
			in := p.in(followIn)
			p.forge(open(source, 0, recordRing))
			r := p.consumer(sluice.ConsumerOptions{Follow: true})
			for at := uint64(0); at < 50; at += 10 {
				var a, b []block
				// Of each block some messages were there before.
				a = append(a, open(source, at, recordRing), messages(source, records, at-min(at, 3), at+10, at-min(at, 3), recordRing))
				b = append(b, open(next, at, recordRing), messages(next, other, at-min(at, 5), at+10, at-min(at, 5), recordRing))
				p.forge(a...)
				wantMessages(t, r, records, at, at+10)
				if again {
					p.eventuallyEmpty()
					in.stop()
					in = p.in(followIn)
				}
				p.forge(append(append(b, a...), b...)...)
				wantMessages(t, r, other, at, at+10)
				p.eventuallyEmpty()
			}
			if n := r.Unread(); n != 0 {
				t.Errorf("%d messages too many", n)
			}
			in.stop()
		})
	}
}
