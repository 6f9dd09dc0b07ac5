package bridge_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
)

// A near ring that is removed and made again is another source: its messages follow those of the
// first one, though their numbers begin at 0 again. That a stream has not ended with its ring is
// told as a failure.
func TestBridge_NearRingMadeAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		in     bool // runs meanwhile
		unread bool // the ring has messages that are lost with it
		end    layout.End
	}{
		{"in runs", true, false, layout.EndNone},
		{"messages unread", true, true, layout.EndNone},
		{"in comes later", false, false, layout.EndNone},
		{"ended", true, false, layout.EndComplete},
		{"ended, in comes later", false, false, layout.EndComplete},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			var in *bridging
			if c.in {
				in = p.in(followIn)
			}
			const rounds, n = 4, 150
			for i := range uint64(rounds) {
				l := load{seed: 10 + i}
				w := p.create(sluice.ProducerOptions{Capacity: 1 << 16})
				if err := l.send(within(t), w, 0, n); err != nil {
					t.Fatal(err)
				}
				out := p.out()
				if err := w.Drain(within(t)); err != nil {
					t.Fatal(err)
				}
				if c.end == layout.EndNone {
					out.stop()
				}
				if c.unread {
					if err := l.send(within(t), w, n, n+20); err != nil {
						t.Fatal(err)
					}
				}
				w.EndAs(c.end)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if c.end != layout.EndNone {
					out.want(nil)
				}
				remove(t, p.near)
			}
			last := load{seed: 10 + rounds}
			produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 16}, last, 0, n)
			out := p.out()
			if in == nil {
				in = p.in(followIn)
			}
			// Several streams may be one to a consumer that comes late, and it is told of all that
			// failed.
			var ends []error
			r := p.consumer(sluice.ConsumerOptions{Follow: true, OnEnd: func(err error) { ends = append(ends, err) }})
			for i := range uint64(rounds) {
				wantMessages(t, r, load{seed: 10 + i}, 0, n)
			}
			wantMessages(t, r, last, 0, n)
			produced()
			out.want(nil)
			in.nextEnd(nil)
			p.eventuallyEmpty()
			p.untilTold(r)
			failed := false
			for _, err := range ends {
				failed = failed || err != nil
			}
			if failed != (c.end == layout.EndNone) {
				t.Errorf("the consumer was told of the ends %v", ends)
			}
			in.stop()
		})
	}
}

// What is in the ring that a bridge follows changes with each producer: its kind, its size.
func TestBridge_NearRingReplaced_Follow(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	out, in := p.out(follow), p.in(followIn)
	for i, opt := range []sluice.ProducerOptions{
		{Capacity: 1 << 14}, {Capacity: 1 << 16}, {Capacity: 1 << 16, SlotSize: 24}, {Capacity: 1 << 13, SlotSize: 40}, {},
	} {
		l := load{seed: uint64(20 + i), size: int(opt.SlotSize)}
		if err := func() error {
			// The bridge may be about to leave the last one.
			ctx := within(t)
			for {
				w, err := sluice.Create(ctx, p.near, opt)
				if errors.Is(err, ring.ErrGeometry) && ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				if err != nil {
					return err
				}
				return errors.Join(l.send(ctx, w, 0, 300), w.Close())
			}
		}(); err != nil {
			t.Fatalf("ring %d: %v", i, err)
		}
		// Each consumer takes one stream, of whatever ring that is in.
		r := p.consumer(sluice.ConsumerOptions{})
		if is := r.Segment().Geometry().SlotSize; is != opt.SlotSize {
			t.Fatalf("ring %d: slots of %d bytes, want %d", i, is, opt.SlotSize)
		}
		wantAll(t, r, l, 300)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		out.nextEnd(nil)
		in.nextEnd(nil)
	}
	out.stop()
	in.stop()
}

// A far ring that is removed and made again: what was not acknowledged arrives in the new one. What
// was in the old one is lost with it.
func TestBridge_FarRingMadeAgain(t *testing.T) {
	t.Parallel()
	const n, before = 5000, 200
	p := newPath(t, startServer(t).url())
	produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 16}, records, 0, n)
	out, in := p.out(), p.in(func(o *bridge.InOptions) { o.Slots = 50 })
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, records, 0, before)
	in.stop()
	var published uint64 // messages of the old ring
	if err := r.Segment().WhileMapped(func() error { published = r.Segment().Header().Count(layout.Producer); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	remove(t, p.far)
	in = p.in()
	r = p.consumer(sluice.ConsumerOptions{})
	msg, err := r.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	at := uint64(0)
	for at <= published && records.check(at, msg) != nil {
		at++
	}
	if at > published {
		t.Fatalf("the new ring begins behind message %d, which the old one did not get", published)
	}
	t.Logf("the old ring had %d messages, the new one begins with message %d", published, at)
	r.Release()
	wantMessages(t, r, records, at+1, n)
	wantEnd(t, r, io.EOF)
	produced()
	out.want(nil)
	in.want(nil)
}

// The file of a ring is removed while the bridge is in it.
func TestBridge_RingRemoved(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"near", "far"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			w := p.create(sluice.ProducerOptions{Capacity: 1 << 14})
			if err := records.send(within(t), w, 0, 10); err != nil {
				t.Fatal(err)
			}
			out, in := p.out(), p.in(func(o *bridge.InOptions) { o.Slots = 4 })
			testenv.EventuallyHeader(t, p.far, "a full far ring", func(h *layout.Header) bool { return h.Count(layout.Producer) == 4 })
			if side == "near" {
				if err := os.Remove(shm.Path(p.near)); err != nil {
					t.Fatal(err)
				}
				w.EndAs(layout.EndNone)
				w.Close() // nobody can come any more
				out.want(ring.ErrRemoved)
				in.wantRunning()
				wantMessages(t, p.consumer(sluice.ConsumerOptions{}), records, 0, 10)
				return
			}
			if err := os.Remove(shm.Path(p.far)); err != nil {
				t.Fatal(err)
			}
			// What was not acknowledged arrives in another ring, which the bridge makes.
			testenv.Eventually(t, "another far ring", func() bool { return testenv.Header(p.far) != nil })
			wantMessages(t, p.consumer(sluice.ConsumerOptions{}), records, 4, 10)
			out.wantRunning()
			in.wantRunning()
		})
	}
}

// Values that no healthy peer writes are an error, and nothing is lost beside them.
func TestBridge_RingCorrupt(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"near", "far"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			w := p.create(sluice.ProducerOptions{Capacity: 1 << 14})
			out, in := p.out(), p.in()
			if err := records.send(within(t), w, 0, 10); err != nil {
				t.Fatal(err)
			}
			r := p.consumer(sluice.ConsumerOptions{})
			wantMessages(t, r, records, 0, 10)
			p.eventuallyEmpty()
			if side == "near" {
				// The record that comes next has a length that reaches beyond the ring.
				if _, err := w.Reserve(within(t), 100); err != nil {
					t.Fatal(err)
				}
				w.Commit(100)
				h := testenv.Header(p.near)
				at := h.Identity.DataOffset.Load() + h.Producer.Index.Load()%h.Identity.Capacity.Load()
				testenv.Overwrite(t, p.near, int64(at), 1<<62+3)
				w.Publish()
				out.want(ring.ErrCorrupt)
				in.wantRunning()
				return
			}
			testenv.Overwrite(t, p.far, testenv.FieldOffset(t, "Consumer.Index"), 1<<40+3)
			ctx, cancel := cancelable(t) // the bridge looks there when its ring seems to be full
			sent := testenv.Background(func() error { return records.send(ctx, w, 10, 1000) })
			in.want(ring.ErrCorrupt)
			out.wantRunning()
			cancel()
			sent()
		})
	}
}

// A name that stands for a transfer is refused, and it is said what it is.
func TestBridge_Transfer_Refused(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	for _, name := range []string{p.near, p.far} {
		w, err := sluice.Create(within(t), name, sluice.ProducerOptions{Mode: sluice.ModeTransfer, Socket: "@" + name})
		if err != nil {
			w, err = sluice.Create(within(t), name, sluice.ProducerOptions{Mode: sluice.ModeTransfer})
		}
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
	}
	out := p.out()
	out.want(layout.ErrMode)
	for _, text := range []string{p.near, "transfer"} {
		if !strings.Contains(out.err.Error(), text) {
			t.Errorf("%q does not say %q", out.err, text)
		}
	}
}

// The far name stands for a ring with messages that its consumer has not taken, of another kind.
func TestBridge_FarRingOfAnotherKind(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	q := *p
	q.near = p.far
	old := load{seed: 99, size: 40}
	w := q.create(sluice.ProducerOptions{SlotSize: 40})
	if err := old.send(within(t), w, 0, 5); err != nil {
		t.Fatal(err)
	}
	w.EndAs(layout.EndNone)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	produced := p.produce(sluice.ProducerOptions{}, records, 0, 100)
	out, in := p.out(), p.in()
	in.want(ring.ErrGeometry)
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, old, 0, 5) // nothing was done to it
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	remove(t, p.far)
	in = p.in()
	wantAll(t, p.consumer(sluice.ConsumerOptions{}), records, 100)
	produced()
	out.want(nil)
	in.want(nil)
}

// The far ring has messages of an ordinary producer, which are left for its consumer.
func TestBridge_FarRingHasMessages(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	q := *p
	q.near = p.far
	old := load{seed: 99}
	w := q.create(sluice.ProducerOptions{})
	if err := old.send(within(t), w, 0, 5); err != nil {
		t.Fatal(err)
	}
	w.EndAs(layout.EndNone)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	produced := p.produce(sluice.ProducerOptions{}, records, 0, 100)
	out, in := p.out(), p.in()
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, old, 0, 5)
	wantAll(t, r, records, 100)
	produced()
	out.want(nil)
	in.want(nil)
}

// An ordinary producer writes into the far ring between two bridges: the position that is due is
// the bridge's own.
func TestBridge_FarRingOfAnotherProducerBetween(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{})
	out, in := p.out(), p.in()
	if err := records.send(within(t), w, 0, 100); err != nil {
		t.Fatal(err)
	}
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, records, 0, 100)
	in.stop()
	q := *p
	q.near = p.far
	between := load{seed: 77}
	other := q.create(sluice.ProducerOptions{})
	if err := between.send(within(t), other, 0, 30); err != nil {
		t.Fatal(err)
	}
	other.EndAs(layout.EndNone)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := records.send(within(t), w, 100, 200); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in = p.in()
	wantMessages(t, r, between, 0, 30)
	wantMessages(t, r, records, 100, 200)
	wantEnd(t, r, io.EOF)
	out.want(nil)
	in.want(nil)
}

// wantUntouched expects that no message was ever published in a ring, if there is one.
func wantUntouched(t testing.TB, name string) {
	t.Helper()
	if h := testenv.Header(name); h != nil && h.Count(layout.Producer) != 0 {
		t.Errorf("%d messages were published in ring %s", h.Count(layout.Producer), name)
	}
}
