package bridge_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
)

// maxGoOn is how long it may take until all goes on when there is room again. It has a second for
// it; the rest is for a machine that is busy with other tests.
const maxGoOn = 10 * time.Second

// A far consumer that stops fills its ring, the stream and the near ring, and the producer waits.
// When it returns, all goes on.
func TestBridge_StreamFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		change func(*jetstream.StreamConfig)
	}{
		{"bytes", func(c *jetstream.StreamConfig) { c.MaxBytes = 256 << 10 }},
		{"messages", func(c *jetstream.StreamConfig) { c.MaxBytes, c.MaxMsgs = 0, 5 }},
		{"one message", func(c *jetstream.StreamConfig) { c.MaxBytes, c.MaxMsgs = 0, 1 }},
		// A block has to be smaller than by default.
		{"few bytes", func(c *jetstream.StreamConfig) { c.MaxBytes = 40 << 10 }},
		{"memory", func(c *jetstream.StreamConfig) { c.MaxBytes, c.Storage = 256<<10, jetstream.MemoryStorage }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, startServer(t).url())
			p.makeStream(c.change)
			tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
			out, in := p.out(), p.in()
			tr.more(100)
			for range 2 {
				tr.hold()
				tr.stuck()
				p.eventuallyNear(layout.LinkFull)
				began := time.Now()
				tr.resume()
				sent := tr.sent.Load()
				tr.eventually("a near producer that goes on", func() bool { return tr.sent.Load() > sent+10 })
				if took := time.Since(began); took > maxGoOn {
					t.Errorf("the near producer went on %v after the far consumer", took)
				}
				tr.crossed()
			}
			tr.finish()
			out.want(nil)
			in.want(nil)
			p.eventuallyEmpty()
		})
	}
}

// Nobody at all takes from the stream at first.
func TestBridge_StreamFull_BeforeInCame(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out := p.out(func(o *bridge.OutOptions) { o.MaxBytes = 300 << 10 })
	tr.stuck()
	p.eventuallyNear(layout.LinkFull)
	s, err := p.state()
	if err != nil || s.Bytes > 300<<10 || s.Bytes < 100<<10 {
		t.Errorf("the stream holds %d bytes (error %v), want nearly %d", s.Bytes, err, 300<<10)
	}
	in := p.in()
	p.eventuallyNear(layout.LinkRunning)
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// A stream that another ring has filled is full for this one too.
func TestBridge_StreamFull_ByAnotherRing(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p, other := newPath(t, s.url()), newPath(t, s.url())
	other.stream = p.stream
	p.makeStream(func(c *jetstream.StreamConfig) { c.MaxBytes = 256 << 10 })
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	filler := other.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	outOther := other.out()
	tr.stuck()
	p.eventuallyNear(layout.LinkFull)
	inOther := other.in()
	tr.crossed()
	filler.crossed()
	tr.finish()
	filler.finish()
	for _, b := range []*bridging{out, in, outOther, inOther} {
		b.want(nil)
	}
}

// What a stream must be, by what is said of one that is not.
func TestBridge_UnfitStream(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, c := range []struct {
		what, says string
		change     func(*jetstream.StreamConfig)
	}{
		{"limits", "retention", func(c *jetstream.StreamConfig) { c.Retention = jetstream.LimitsPolicy }},
		{"discard old", "discard", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }},
		{"two limits", "limit", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 }},
		{"no limit", "limit", func(c *jetstream.StreamConfig) { c.MaxBytes = -1 }},
		{"age", "age", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
		{"per subject", "subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 10 }},
		{"per subject, discard new", "subject", func(c *jetstream.StreamConfig) {
			c.MaxMsgsPerSubject, c.DiscardNewPerSubject = 10, true
		}},
		{"other subjects", "subject", func(c *jetstream.StreamConfig) { c.Subjects = []string{"other." + c.Name} }},
		{"no subject that covers", "subject", func(c *jetstream.StreamConfig) {
			c.Subjects = []string{"sluice." + c.Name + ".x", "sluice." + c.Name + ".*.y"}
		}},
		{"no acknowledgements", "ack", func(c *jetstream.StreamConfig) { c.NoAck = true }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, s.url())
			p.makeStream(c.change)
			w := p.create(sluice.ProducerOptions{})
			if err := records.send(within(t), w, 0, 10); err != nil {
				t.Fatal(err)
			}
			for _, b := range []*bridging{p.out(), p.in()} {
				b.want(bridge.ErrStream)
				if text := b.err.Error(); !strings.Contains(strings.ToLower(text), c.says) || !strings.Contains(text, p.stream) {
					t.Errorf("%s: %q, which does not say %q and %q", b.what, text, c.says, p.stream)
				}
			}
			if n := w.Unread(); n != 10 {
				t.Errorf("%d messages are left in the near ring, want 10", n)
			}
		})
	}
}

func TestBridge_FitStreams(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, c := range []struct {
		what   string
		change func(p *path, c *jetstream.StreamConfig)
	}{
		{"messages limit", func(p *path, c *jetstream.StreamConfig) { c.MaxBytes, c.MaxMsgs = 0, 1000 }},
		{"interest", func(p *path, c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }},
		{"its subject only", func(p *path, c *jetstream.StreamConfig) { c.Subjects = []string{p.wire()} }},
		{"a wider subject", func(p *path, c *jetstream.StreamConfig) { c.Subjects = []string{"sluice." + p.stream + ".>"} }},
		{"several subjects", func(p *path, c *jetstream.StreamConfig) { c.Subjects = []string{"other." + p.stream, p.wire()} }},
		{"short window for duplicates", func(p *path, c *jetstream.StreamConfig) { c.Duplicates = 100 * time.Millisecond }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPath(t, s.url())
			p.makeStream(func(config *jetstream.StreamConfig) { c.change(p, config) })
			produced := p.produce(sluice.ProducerOptions{Capacity: 1 << 16}, records, 0, 2000)
			out := p.out()
			time.Sleep(100 * time.Millisecond) // on an Interest stream out waits for in
			in := p.in()
			wantAll(t, p.consumer(sluice.ConsumerOptions{}), records, 2000)
			produced()
			out.want(nil)
			in.want(nil)
			p.eventuallyEmpty()
		})
	}
}

// Interest retention keeps a message as long as there is a consumer that has not acknowledged it:
// one that is stopped still counts.
func TestBridge_InterestStream_InStopped(t *testing.T) {
	testenv.NotShort(t) // waits until the server delivers again what a stopped bridge had
	t.Parallel()
	p := newPath(t, startServer(t).url())
	p.makeStream(func(c *jetstream.StreamConfig) { c.Retention, c.MaxBytes = jetstream.InterestPolicy, 1<<20 })
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(500)
	in.stop()
	tr.stuck()
	p.eventuallyNear(layout.LinkFull)
	in = p.in()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// Blocks are sent again after the stream's window for duplicates has passed, from both sides of a
// cut.
func TestBridge_DuplicateWindowPassed(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p, x := newPath(t, s.url()), apart{startProxy(t, s.addr()), startProxy(t, s.addr())}
	p.makeStream(func(c *jetstream.StreamConfig) { c.Duplicates = 100 * time.Millisecond })
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	p.url = x.near.url()
	out := p.out()
	p.url = x.far.url()
	in := p.in()
	tr.more(100)
	for range 5 {
		x.near.cut()
		time.Sleep(250 * time.Millisecond)
		x.near.heal()
		tr.crossed()
		x.far.cut()
		time.Sleep(250 * time.Millisecond)
		x.far.heal()
		tr.crossed()
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// blocked returns a path whose stream holds messages that nobody takes: in was there, and is not
// now. The far ring has what is before the number from; the producer has sent everything before the
// number to, and the near ring is empty.
func blocked(t *testing.T, opt sluice.ConsumerOptions) (p *path, w sluice.Producer, r sluice.Consumer, out *bridging, from, to uint64) {
	t.Helper()
	p = newPath(t, startServer(t).url())
	w = p.create(sluice.ProducerOptions{Capacity: 1 << 16})
	out = p.out()
	in := p.in()
	if err := records.send(within(t), w, 0, 100); err != nil {
		t.Fatal(err)
	}
	r = p.consumer(opt)
	wantMessages(t, r, records, 0, 100)
	p.eventuallyEmpty()
	in.stop()
	if err := records.send(within(t), w, 100, 200); err != nil {
		t.Fatal(err)
	}
	if err := w.Drain(within(t)); err != nil { // the stream has acknowledged it
		t.Fatal(err)
	}
	return p, w, r, out, 100, 200
}

// loseStream are the ways in which a stream loses what it holds.
var loseStream = []struct {
	what string
	do   func(p *path) error
}{
	{"deleted", func(p *path) error { return p.admin().DeleteStream(within(p.t), p.stream) }},
	{"purged", func(p *path) error {
		s, err := p.admin().Stream(within(p.t), p.stream)
		if err != nil {
			return err
		}
		return s.Purge(within(p.t))
	}},
	{"first message deleted", func(p *path) error {
		s, err := p.admin().Stream(within(p.t), p.stream)
		if err != nil {
			return err
		}
		return s.DeleteMsg(within(p.t), s.CachedInfo().State.FirstSeq)
	}},
}

// lose makes the stream lose what it holds. It returns the bridge at the near ring: when the stream
// is deleted, another one than before.
func (p *path) lose(do func(*path) error, out *bridging) *bridging {
	p.t.Helper()
	if err := do(p); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.state(); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return out
	}
	out.want(bridge.ErrStreamDeleted)
	return p.out()
}

// Messages that are lost with the stream are an error of in, which does not go on behind them.
func TestBridge_StreamLost_Missing(t *testing.T) {
	t.Parallel()
	for _, c := range loseStream {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p, w, r, out, _, to := blocked(t, sluice.ConsumerOptions{})
			out = p.lose(c.do, out)
			// Later messages prove the loss.
			ctx := within(t)
			sent := testenv.Background(func() error { return records.send(ctx, w, to, to+100) })
			in := p.in()
			in.want(bridge.ErrMissing)
			if err := sent(); err != nil {
				t.Fatal(err)
			}
			if n := r.Unread(); n != 0 {
				t.Errorf("%d messages are in the far ring after a gap", n)
			}
			// Nothing has changed: a next bridge finds out the same.
			p.in().want(bridge.ErrMissing)
			out.wantRunning()
		})
	}
}

// With SkipMissing the far consumer is told, once, that a stream was not complete, and goes on
// behind the gap: there if it waits for the next message, else at the next end.
func TestBridge_StreamLost_SkipMissing(t *testing.T) {
	t.Parallel()
	for _, c := range loseStream {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			var told []error
			p, w, r, out, from, to := blocked(t, sluice.ConsumerOptions{Follow: true, OnEnd: func(err error) { told = append(told, err) }})
			out = p.lose(c.do, out)
			ctx := within(t)
			sent := testenv.Background(func() error {
				if err := records.send(ctx, w, to, to+100); err != nil {
					return err
				}
				return w.Close()
			})
			in := p.in(func(o *bridge.InOptions) { o.SkipMissing = true })
			msg, err := r.Next(within(t))
			if err != nil {
				t.Fatal(err)
			}
			at := from + 1 // what is next: some of what was in the stream, or what came later
			for at <= to && records.check(at, msg) != nil {
				at++
			}
			if c.what != "first message deleted" && at != to || at > to {
				t.Fatalf("the first message after the gap is number %d, want %d", at, to)
			}
			r.Release()
			wantMessages(t, r, records, at+1, to+100)
			if err := sent(); err != nil {
				t.Fatal(err)
			}
			out.want(nil)
			in.want(nil)
			p.untilTold(r)
			incomplete := 0
			for _, err := range told {
				if errors.Is(err, layout.ErrIncomplete) {
					incomplete++
				}
			}
			if incomplete != 1 {
				t.Errorf("the consumer was told of the ends %v, want one that is not complete", told)
			}
		})
	}
}

// untilTold lets a consumer that follows wait for a message until it has been told of the last end.
func (p *path) untilTold(r sluice.Consumer) {
	p.t.Helper()
	ctx, cancel := cancelable(p.t)
	nothing := testenv.Background(func() error { _, err := r.Next(ctx); return err })
	testenv.EventuallyHeader(p.t, p.far, "a consumer that is told", func(h *layout.Header) bool {
		return h.ConsumerStats.EndSeen.Load() == h.ProducerStats.Generation.Load()
	})
	cancel()
	testenv.WantErr(p.t, nothing(), errStopped)
}

// A stream that is deleted while it is empty loses nothing: the next bridge makes it anew.
func TestBridge_StreamDeleted_Empty(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	w := p.create(sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	r := (sluice.Consumer)(nil)
	for at := uint64(0); at < 400; at += 100 {
		if err := records.send(within(t), w, at, at+100); err != nil {
			t.Fatal(err)
		}
		if r == nil {
			r = p.consumer(sluice.ConsumerOptions{})
		}
		wantMessages(t, r, records, at, at+100)
		p.eventuallyEmpty()
		if err := p.admin().DeleteStream(within(t), p.stream); err != nil {
			t.Fatal(err)
		}
		out.want(bridge.ErrStreamDeleted)
		out = p.out()
	}
	if err := records.send(within(t), w, 400, 500); err != nil {
		t.Fatal(err)
	}
	wantMessages(t, r, records, 400, 500)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, r, io.EOF)
	out.want(nil)
	in.want(nil)
}

// The consumer of the stream is deleted underneath: in makes it anew.
func TestBridge_ConsumerDeleted(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	for range 3 {
		s, err := p.admin().Stream(within(t), p.stream)
		if err != nil {
			t.Fatal(err)
		}
		for name := range s.ConsumerNames(within(t)).Name() {
			if err := s.DeleteConsumer(within(t), name); err != nil {
				t.Log(err)
			}
		}
		tr.crossed()
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// A stream whose limit is made smaller and larger underneath.
func TestBridge_StreamLimitChanged(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out := p.out(func(o *bridge.OutOptions) { o.MaxBytes = 200 << 10 })
	p.eventuallyNear(layout.LinkFull)
	tr.stuck()
	s, err := p.admin().Stream(within(t), p.stream)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxBytes = 4 << 20
	sent := tr.sent.Load()
	if _, err := p.admin().UpdateStream(within(t), c); err != nil {
		t.Fatal(err)
	}
	tr.eventually("a near producer that goes on", func() bool { return tr.sent.Load() > sent+100 })
	in := p.in()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}
