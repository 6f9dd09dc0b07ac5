package bridge_test

import (
	"errors"
	"io"
	"testing"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/ring"
)

// ends are the ends of a stream, and what its consumer is told.
var ends = []struct {
	end  layout.End
	told error
}{
	{layout.EndComplete, nil},
	{layout.EndStopped, layout.ErrIncomplete},
	{layout.EndFailed, layout.ErrIncomplete},
}

// atEnd returns what Next returns at an end.
func atEnd(told error) error {
	if told == nil {
		return io.EOF
	}
	return told
}

func follow(o *bridge.OutOptions)  { o.Follow = true }
func followIn(o *bridge.InOptions) { o.Follow = true }

func TestBridge_End_EachKind(t *testing.T) {
	t.Parallel()
	for _, e := range ends {
		for _, n := range []uint64{0, 1, 500} {
			t.Run(e.end.String()+"/"+map[uint64]string{0: "no message", 1: "one", 500: "many"}[n], func(t *testing.T) {
				t.Parallel()
				p := newPath(t, startServer(t).url())
				out, in := p.out(), p.in()
				w := p.create(sluice.ProducerOptions{})
				if err := records.send(within(t), w, 0, n); err != nil {
					t.Fatal(err)
				}
				w.EndAs(e.end)
				w.KeepEnd() // else a ring without a message is gone before out has seen it
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				r := p.consumer(sluice.ConsumerOptions{})
				wantMessages(t, r, records, 0, n)
				wantEnd(t, r, atEnd(e.told))
				out.want(e.told)
				in.want(e.told)
				if is := layout.End(farEnd(t, r)); is != e.end {
					t.Errorf("the far ring's stream ended %v, want %v", is, e.end)
				}
				p.eventuallyEmpty()
			})
		}
	}
}

// farEnd returns how the stream of the ring has ended, as its producer has stored that.
func farEnd(t testing.TB, r sluice.Consumer) (end uint64) {
	t.Helper()
	seg := r.Segment()
	if err := seg.WhileMapped(func() error { end = seg.Header().ProducerStats.End.Load(); return nil }); err != nil {
		t.Fatal(err)
	}
	return end
}

// All kinds of ends one after the other in the same rings: each is told once, in its place.
func TestBridge_End_Follow(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	out, in := p.out(follow), p.in(followIn)
	told := make(chan error, 100)
	var r sluice.Consumer
	from := uint64(0)
	for range 2 {
		for i, e := range ends {
			n := uint64(50 + 100*i)
			w := p.create(sluice.ProducerOptions{Keep: true})
			if err := records.send(within(t), w, from, from+n); err != nil {
				t.Fatal(err)
			}
			w.EndAs(e.end)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if r == nil {
				r = p.consumer(sluice.ConsumerOptions{Follow: true, OnEnd: func(err error) { told <- err }})
			}
			wantMessages(t, r, records, from, from+n)
			from += n
			if len(told) > 0 {
				t.Fatalf("the consumer was told of an end (%v) before message %d", <-told, from-1)
			}
			// The consumer is told when it asks for more.
			ctx, cancel := cancelable(t)
			nothing := testenv.Background(func() error { _, err := r.Next(ctx); return err })
			select {
			case err := <-told:
				testenv.WantErr(t, err, e.told)
			case <-ctx.Done():
				t.Fatalf("the consumer is not told of the end %v after message %d", e.end, from-1)
			}
			cancel()
			testenv.WantErr(t, nothing(), errStopped)
			out.nextEnd(e.told)
			in.nextEnd(e.told)
		}
	}
	out.wantRunning()
	in.wantRunning()
	out.stop()
	in.stop()
}

// A producer that is disconnected by its policy ends its stream as that.
func TestBridge_End_Disconnected(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	w, err := ring.Create(within(t), p.near, ring.WriterOptions{Capacity: 4096, OnFull: ring.Disconnect})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	l, sent := load{seed: 5, size: 100}, uint64(0)
	for ; err == nil; sent++ { // there is no bridge yet: the ring fills
		err = w.Send(within(t), l.message(nil, sent))
	}
	if !errors.Is(err, ring.ErrDropped) {
		t.Fatal(err)
	}
	sent--
	out, in := p.out(), p.in()
	r := p.consumer(sluice.ConsumerOptions{})
	wantMessages(t, r, l, 0, sent)
	wantEnd(t, r, layout.ErrIncomplete)
	if is := layout.End(farEnd(t, r)); is != layout.EndDisconnected {
		t.Errorf("the far ring's stream ended %v, want disconnected", is)
	}
	out.want(layout.ErrIncomplete)
	in.want(layout.ErrIncomplete)
}

// A bridge that is stopped does not end the stream: the far consumer goes on with the next one.
func TestBridge_Stopped_IsNoEnd(t *testing.T) {
	t.Parallel()
	const n = 600
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{})
	r := (sluice.Consumer)(nil)
	for i := uint64(0); i < n; i += 100 {
		out, in := p.out(), p.in()
		if err := records.send(within(t), w, i, i+100); err != nil {
			t.Fatal(err)
		}
		if r == nil {
			r = p.consumer(sluice.ConsumerOptions{})
		}
		wantMessages(t, r, records, i, i+100)
		out.stop()
		in.stop()
		for _, link := range []struct {
			name string
			role layout.Role
		}{{p.near, layout.Consumer}, {p.far, layout.Producer}} {
			if is := layout.LinkState(testenv.Header(link.name).Link(link.role).State.Load()); is != layout.LinkStopped {
				t.Errorf("ring %s: its bridge is %v, want stopped", link.name, is)
			}
		}
	}
	out, in := p.out(), p.in()
	w.KeepEnd() // if it ends before out is there
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, r, io.EOF)
	out.want(nil)
	in.want(nil)
}

// A consumer that is restarted gets again what it held, and nothing else twice.
func TestBridge_FarConsumerRestarted(t *testing.T) {
	t.Parallel()
	const n, held = 1000, 7
	p := newPath(t, startServer(t).url())
	produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 16}, records, 0, n)
	out, in := p.out(), p.in()
	for at := uint64(0); at < n; at += 100 {
		r := p.consumer(sluice.ConsumerOptions{})
		wantMessages(t, r, records, at, at+100)
		for k := at + 100; k < min(at+100+held, n); k++ {
			msg, err := r.Next(within(t))
			if err == nil {
				err = records.check(k, msg)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if at+100 == n {
			wantEnd(t, r, io.EOF)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	produced()
	out.want(nil)
	in.want(nil)
}
