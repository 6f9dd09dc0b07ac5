package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// path is a near ring, a subject, and a far ring, both of them on this machine.
type path struct {
	t           testing.TB
	url         string // of the server, for the bridges
	stream      string
	subject     string // the name in the subject
	near, far   string
	adminStream jetstream.JetStream
}

// newPath returns a path over the server at url, whose stream is not there yet, nor its rings.
// Both the name in the subject and the stream are this test's own.
func newPath(t testing.TB, url string) *path {
	t.Helper()
	_, rings := testenv.SegmentNames(t, 2)
	subject := strings.TrimSuffix(rings[0], "-0")
	return &path{
		t: t, url: url, subject: subject, near: rings[0], far: rings[1],
		stream: strings.ReplaceAll(subject, ".", "-"),
	}
}

// admin returns the server's streams.
func (p *path) admin() jetstream.JetStream {
	p.t.Helper()
	if p.adminStream == nil {
		p.adminStream = admin(p.t, p.url)
	}
	return p.adminStream
}

// wire returns the subject of the ring's messages.
func (p *path) wire() string { return wireSubject(p.stream, p.subject) }

func wireSubject(stream, name string) string {
	return "sluice." + stream + "." + strings.ReplaceAll(name, ".", "%2E")
}

// makeStream makes the stream as a bridge does, except for what change changes.
func (p *path) makeStream(change func(c *jetstream.StreamConfig)) {
	p.t.Helper()
	c := jetstream.StreamConfig{
		Name: p.stream, Subjects: []string{"sluice." + p.stream + ".*"}, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, MaxBytes: 16 << 20,
	}
	change(&c)
	if _, err := p.admin().CreateStream(within(p.t), c); err != nil {
		p.t.Fatal(err)
	}
}

// state returns what the stream holds.
func (p *path) state() (jetstream.StreamState, error) {
	s, err := p.admin().Stream(within(p.t), p.stream)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return s.CachedInfo().State, nil
}

// eventuallyState waits until ok returns true for what the stream holds.
func (p *path) eventuallyState(what string, ok func(s jetstream.StreamState) bool) {
	p.t.Helper()
	testenv.Eventually(p.t, what, func() bool {
		s, err := p.state()
		return err == nil && ok(s)
	})
}

// eventuallyEmpty waits until the stream holds no message.
func (p *path) eventuallyEmpty() {
	p.t.Helper()
	p.eventuallyState("an empty stream", func(s jetstream.StreamState) bool { return s.Msgs == 0 })
}

// create takes the producer's role in the near ring.
func (p *path) create(opt sluice.ProducerOptions) sluice.Producer {
	p.t.Helper()
	w, err := sluice.Create(within(p.t), p.near, opt)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { w.Abort() })
	return w
}

// produce sends the messages from <= k < to of a load and ends the stream as complete, on another
// goroutine. join waits for that.
func (p *path) produce(opt sluice.ProducerOptions, l load, from, to uint64) (join func()) {
	p.t.Helper()
	w, ctx := p.create(opt), within(p.t)
	wait := testenv.Background(func() error { return errors.Join(l.send(ctx, w, from, to), w.Close()) })
	return func() {
		p.t.Helper()
		if err := wait(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// consumer takes the consumer's role in the far ring, once that is there.
func (p *path) consumer(opt sluice.ConsumerOptions) sluice.Consumer {
	p.t.Helper()
	r, err := sluice.Open(within(p.t), p.far, opt)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Close() })
	return r
}

// eventuallyNear waits until the bridge at the near ring is in that state, eventuallyFar the one at
// the far ring.
func (p *path) eventuallyNear(state layout.LinkState) {
	p.t.Helper()
	p.eventuallyLink(p.near, layout.Consumer, state)
}

func (p *path) eventuallyFar(state layout.LinkState) {
	p.t.Helper()
	p.eventuallyLink(p.far, layout.Producer, state)
}

func (p *path) eventuallyLink(name string, r layout.Role, state layout.LinkState) {
	p.t.Helper()
	last := layout.LinkNone
	defer func() {
		if p.t.Failed() {
			p.t.Logf("ring %s: its bridge is %v last", name, last)
		}
	}()
	testenv.EventuallyHeader(p.t, name, "bridge: "+state.String(), func(h *layout.Header) bool {
		last = layout.LinkState(h.Link(r).State.Load())
		return last == state && h.Link(r).Holder.Load() == h.Stats(r).Generation.Load()
	})
}

// bridging is a bridge that runs in this process.
type bridging struct {
	t      testing.TB
	what   string
	nc     *nats.Conn
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has returned
	err    error         // what it has returned
	notes  testenv.Buffer
	ends   chan error // of OnEnd
}

// errStopped is the cause of the context of a bridge that a test stops.
var errStopped = errors.New("stopped by the test")

// out starts a bridge from the near ring, over a connection of its own.
func (p *path) out(change ...func(*bridge.OutOptions)) *bridging {
	p.t.Helper()
	return p.outOf(p.near, change...)
}

func (p *path) outOf(ring string, change ...func(*bridge.OutOptions)) *bridging {
	p.t.Helper()
	opt := bridge.OutOptions{Stream: p.stream, Subject: p.subject, MaxBytes: 64 << 20}
	for _, c := range change {
		c(&opt)
	}
	return p.bridge("out of "+ring, &opt.Events, func(ctx context.Context, nc *nats.Conn) error {
		return bridge.Out(ctx, nc, ring, opt)
	})
}

// in starts a bridge into the far ring, over a connection of its own.
func (p *path) in(change ...func(*bridge.InOptions)) *bridging {
	p.t.Helper()
	return p.inTo(p.far, change...)
}

func (p *path) inTo(ring string, change ...func(*bridge.InOptions)) *bridging {
	p.t.Helper()
	opt := bridge.InOptions{Stream: p.stream, Subject: p.subject}
	for _, c := range change {
		c(&opt)
	}
	return p.bridge("in to "+ring, &opt.Events, func(ctx context.Context, nc *nats.Conn) error {
		return bridge.In(ctx, nc, ring, opt)
	})
}

// connectBridge connects as a bridge does, but tries again sooner.
func connectBridge(url, name string) (*nats.Conn, error) {
	opt := append(bridge.ConnectOptions(name), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // else it prints them
	return nats.Connect(url, opt...)
}

func (p *path) bridge(what string, events *bridge.Events, run func(context.Context, *nats.Conn) error) *bridging {
	p.t.Helper()
	nc, err := connectBridge(p.url, what)
	if err != nil {
		p.t.Fatal(err)
	}
	b := &bridging{t: p.t, what: what, nc: nc, done: make(chan struct{}), ends: make(chan error, 1000)}
	events.OnNote = func(text string) { fmt.Fprintln(&b.notes, text) }
	events.OnEnd = func(err error) { b.ends <- err }
	var ctx context.Context
	ctx, b.cancel = context.WithCancelCause(context.Background())
	go func() {
		defer close(b.done)
		b.err = run(ctx, nc)
	}()
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("%s: notes:\n%s", what, b.notes.String())
		}
		b.cancel(errStopped)
		<-b.done
		closeConn(nc)
	})
	return b
}

// wait returns what the bridge has returned, once it has.
func (b *bridging) wait() error {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(testenv.Timeout):
		b.t.Fatalf("bridge %s has not returned", b.what)
	}
	return b.err
}

// want expects that the bridge returns that error; nil is none.
func (b *bridging) want(err error) {
	b.t.Helper()
	if got := b.wait(); !errors.Is(got, err) {
		b.t.Fatalf("bridge %s returns %v, want %v", b.what, got, err)
	}
}

// maxStop is how long a bridge may take to return when it is stopped. It has a second for it; the
// rest is for a machine that is busy with other tests.
const maxStop = 5 * time.Second

// stop cancels the bridge and waits for it. It expects that it returns in time, and the cause.
func (b *bridging) stop() {
	b.t.Helper()
	began := time.Now()
	b.cancel(errStopped)
	b.want(errStopped)
	if took := time.Since(began); took > maxStop {
		b.t.Errorf("bridge %s took %v to return", b.what, took)
	}
	closeConn(b.nc)
}

// wantRunning fails the test if the bridge has returned.
func (b *bridging) wantRunning() {
	b.t.Helper()
	select {
	case <-b.done:
		b.t.Fatalf("bridge %s has returned %v", b.what, b.err)
	default:
	}
}

// nextEnd waits for the next end that the bridge has told of, and expects that it is want.
func (b *bridging) nextEnd(want error) {
	b.t.Helper()
	select {
	case err := <-b.ends:
		testenv.WantErr(b.t, err, want)
	case <-b.done:
		b.t.Fatalf("bridge %s has returned %v before an end", b.what, b.err)
	case <-time.After(testenv.Timeout):
		b.t.Fatalf("bridge %s has told of no end", b.what)
	}
}

// remove removes a ring that nobody is in.
func remove(t testing.TB, name string) {
	t.Helper()
	if err := shm.RemoveIfExists(within(t), name); err != nil {
		t.Fatal(err)
	}
}

// blocks returns the messages of the stream, the oldest first.
func (p *path) blocks() (all []*jetstream.RawStreamMsg) {
	p.t.Helper()
	s, err := p.admin().Stream(within(p.t), p.stream)
	if err != nil {
		p.t.Fatal(err)
	}
	state := s.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		msg, err := s.GetMsg(within(p.t), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

// cancelable returns a context that is done when cancel is called, with errStopped as its cause, or
// with the test.
func cancelable(t testing.TB) (ctx context.Context, cancel func()) {
	ctx, cancelCause := context.WithCancelCause(within(t))
	return ctx, func() { cancelCause(errStopped) }
}
