package bridge_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/ring"
)

func TestBridge_Records_AnyOrderOfStarts(t *testing.T) {
	t.Parallel()
	const n = 3000
	s := startServer(t)
	for _, order := range []string{"produce out in consume", "consume in out produce", "in produce out consume", "produce consume out in"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, s.url())
			var produced func()
			var out, in *bridging
			var consumed func() error
			for _, who := range strings.Fields(order) {
				switch who {
				case "produce":
					produced = p.produce(sluice.ProducerOptions{}, records, 0, n)
				case "out":
					out = p.out()
				case "in":
					in = p.in()
				case "consume":
					ctx := within(t)
					consumed = testenv.Background(func() error {
						r, err := sluice.Open(ctx, p.far, sluice.ConsumerOptions{})
						if err != nil {
							return err
						}
						defer r.Close()
						if _, err := records.receive(ctx, r, 0, n); err != nil {
							return err
						}
						if _, err := r.Next(ctx); err != io.EOF {
							return fmt.Errorf("error %w, want io.EOF", err)
						}
						return nil
					})
				}
			}
			produced()
			out.want(nil)
			in.want(nil)
			if err := consumed(); err != nil {
				t.Fatal(err)
			}
			p.eventuallyEmpty()
			testenv.WantNoSegment(t, p.near)
			testenv.WantNoSegment(t, p.far)
		})
	}
}

// Both bridges have returned before a consumer comes.
func TestBridge_ConsumerComesLast(t *testing.T) {
	t.Parallel()
	const n = 500
	p := newPath(t, startServer(t).url())
	produced := p.produce(sluice.ProducerOptions{}, records, 0, n)
	out, in := p.out(), p.in()
	produced()
	out.want(nil)
	in.want(nil)
	wantAll(t, p.consumer(sluice.ConsumerOptions{}), records, n)
}

// A far ring that is there and has no unread message takes the shape of the near one.
func TestBridge_FixedSlots(t *testing.T) {
	t.Parallel()
	const n = 20000
	type value struct{ K, Square uint64 }
	p := newPath(t, startServer(t).url())
	w, err := ring.CreateOf[value](within(t), p.near, ring.WriterOptions{Slots: 512})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	ctx := within(t)
	produced := testenv.Background(func() error {
		for k := range uint64(n) {
			if err := w.Push(ctx, value{k, k * k}); err != nil {
				return err
			}
		}
		return w.Close()
	})
	out, in := p.out(), p.in()
	r, err := ring.OpenOf[value](within(t), p.far, ring.ReaderOptions{}) // ErrType for another type
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if is, want := r.Segment().Geometry(), w.Segment().Geometry(); is != want {
		t.Errorf("the far ring is %+v, want %+v", is, want)
	}
	for k := range uint64(n) {
		v, err := r.Pop(within(t))
		if want := (value{k, k * k}); err != nil || v != want {
			t.Fatalf("%v and error %v, want %v", v, err, want)
		}
	}
	if _, err := r.Pop(within(t)); err != io.EOF {
		t.Fatalf("error %v, want io.EOF", err)
	}
	if err := produced(); err != nil {
		t.Fatal(err)
	}
	out.want(nil)
	in.want(nil)
}

// Slots of a size that is no multiple of 8, of no type.
func TestBridge_OddSlots(t *testing.T) {
	t.Parallel()
	for _, size := range []int{17, 4099} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			const n = 3000
			l := load{seed: 7, size: size}
			p := newPath(t, startServer(t).url())
			produced := p.produce(sluice.ProducerOptions{SlotSize: uint64(size), Capacity: 1 << 17}, l, 0, n)
			out, in := p.out(), p.in()
			r := p.consumer(sluice.ConsumerOptions{})
			if is := r.Segment().Geometry().SlotSize; is != uint64(size) {
				t.Errorf("slots of %d bytes, want %d", is, size)
			}
			wantAll(t, r, l, n)
			produced()
			out.want(nil)
			in.want(nil)
		})
	}
}

func TestBridge_RecordRing_KeepsItsShape(t *testing.T) {
	t.Parallel()
	for _, f := range []layout.Framing{layout.FramingNone, layout.FramingLines, layout.FramingLength, layout.FramingRaw} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 16, Slots: 77, Framing: f}, records, 0, 300)
			out, in := p.out(), p.in()
			r := p.consumer(sluice.ConsumerOptions{})
			if g := r.Segment().Geometry(); g.Capacity != 1<<16 || g.Slots != 77 || g.SlotSize != 0 {
				t.Errorf("the far ring is %+v, want 65536 bytes, 77 slots, records", g)
			}
			wantMessages(t, r, records, 0, 300)
			if is := r.Framing(); is != f {
				t.Errorf("framing %v, want %v", is, f)
			}
			wantEnd(t, r, io.EOF)
			produced()
			out.want(nil)
			in.want(nil)
		})
	}
}

func TestBridge_SmallerFarRing(t *testing.T) {
	t.Parallel()
	const n = 2000
	fixed := load{seed: 4, size: 64}
	for _, c := range []struct {
		what            string
		l               load
		slot            uint64
		capacity, slots uint64
	}{
		{"fewer slots", records, 0, 0, 3},
		{"one slot", records, 0, 0, 1},
		{"fewer bytes", records, 0, 1 << 14, 0},
		{"fewer fixed slots", fixed, 64, 0, 4},
		{"fewer bytes of fixed slots", fixed, 64, 4096, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			produced := p.produce(sluice.ProducerOptions{SlotSize: c.slot}, c.l, 0, n)
			out, in := p.out(), p.in(func(o *bridge.InOptions) { o.Capacity, o.Slots = c.capacity, c.slots })
			r := p.consumer(sluice.ConsumerOptions{})
			g := r.Segment().Geometry()
			if c.capacity != 0 && g.Capacity != c.capacity || c.slots != 0 && g.Slots != c.slots {
				t.Errorf("the far ring is %+v, want capacity %d and %d slots (0 = any)", g, c.capacity, c.slots)
			}
			wantAll(t, r, c.l, n)
			produced()
			out.want(nil)
			in.want(nil)
		})
	}
}

// The first message that the far ring cannot hold is an error; those before it are there.
func TestBridge_FarRingTooSmallForAMessage(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{})
	small, large := load{seed: 1, size: 100}, load{seed: 1, size: 10000}
	if err := small.send(within(t), w, 0, 10); err != nil {
		t.Fatal(err)
	}
	if err := large.send(within(t), w, 10, 11); err != nil {
		t.Fatal(err)
	}
	p.out()
	in := p.in(func(o *bridge.InOptions) { o.Capacity = 4096 })
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, small, 0, 10)
	in.want(ring.ErrTooLarge)
}

// Rings of one stream do not hold each other up.
func TestBridge_TwoRingsOneStream(t *testing.T) {
	t.Parallel()
	const n = 2000
	s := startServer(t)
	a, b := newPath(t, s.url()), newPath(t, s.url())
	b.stream = a.stream
	loadB := load{seed: 9, size: 48}
	producedA := a.produce(sluice.ProducerOptions{}, records, 0, n)
	producedB := b.produce(sluice.ProducerOptions{SlotSize: 48}, loadB, 0, n)
	outA, outB, inA, inB := a.out(), b.out(), a.in(), b.in()
	wantAll(t, b.consumer(sluice.ConsumerOptions{}), loadB, n) // nobody receives from a yet
	wantAll(t, a.consumer(sluice.ConsumerOptions{}), records, n)
	producedA()
	producedB()
	for _, x := range []*bridging{outA, outB, inA, inB} {
		x.want(nil)
	}
	a.eventuallyEmpty()
}

// Many messages, most of them empty, in both kinds of rings: an empty one takes only its length in
// a block.
func TestBridge_OnlyEmptyMessages(t *testing.T) {
	t.Parallel()
	const n = 1000
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{})
	for range n {
		if err := w.Send(within(t), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out, in := p.out(), p.in()
	r := p.consumer(sluice.ConsumerOptions{})
	for k := range n {
		msg, err := r.Next(within(t))
		if err != nil || len(msg) != 0 {
			t.Fatalf("message %d: %d bytes and error %v, want an empty one", k, len(msg), err)
		}
		r.Release()
	}
	wantEnd(t, r, io.EOF)
	out.want(nil)
	in.want(nil)
}

// A ring that several producers have filled, one after the other, is one stream of positions.
func TestBridge_JoinsInTheMiddle(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{Keep: true})
	if err := records.send(within(t), w, 0, 100); err != nil {
		t.Fatal(err)
	}
	// An ordinary consumer takes the first messages.
	r, err := sluice.Open(within(t), p.near, sluice.ConsumerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantMessages(t, r, records, 0, 40)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	out, in := p.out(), p.in()
	if err := records.send(within(t), w, 100, 200); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	far := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, far, records, 40, 200)
	wantEnd(t, far, io.EOF)
	out.want(nil)
	in.want(nil)
}
