package bridge_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/internal/testenv"
)

// traffic is a producer that sends into the near ring of a path until it is told to end, and a
// consumer that checks each message of the far ring. Both fail the test at the first error.
type traffic struct {
	p              *path
	l              load
	sent, received atomic.Uint64
	stop           context.CancelFunc
	failed         chan struct{} // closed when the consumer has found a fault
	all            sync.WaitGroup
	held           bool
	door           sync.Mutex // the consumer releases a message with this locked
}

// traffic starts it. The producer sends some 50,000 messages a second at most: tests run beside
// each other.
func (p *path) traffic(l load, opt sluice.ProducerOptions) *traffic {
	p.t.Helper()
	w := p.create(opt)
	ctx, stop := context.WithCancel(within(p.t))
	tr := &traffic{p: p, l: l, stop: stop, failed: make(chan struct{})}
	tr.all.Go(func() {
		if err := tr.produce(ctx, w); err != nil {
			p.t.Error("producer:", err)
		}
	})
	everything, giveUp := context.WithCancel(context.Background())
	tr.all.Go(func() {
		if err := tr.consume(everything); err != nil && everything.Err() == nil {
			p.t.Error("consumer:", err)
			close(tr.failed)
		}
	})
	p.t.Cleanup(func() {
		stop()
		giveUp()
		tr.resume()
		w.Abort() // one that waits in a full ring
		tr.all.Wait()
	})
	return tr
}

func (tr *traffic) produce(ctx context.Context, w sluice.Producer) error {
	var buf []byte
	for k := uint64(0); ctx.Err() == nil; k++ {
		buf = tr.l.message(buf[:0], k)
		if err := w.Send(context.WithoutCancel(ctx), buf); err != nil {
			if ctx.Err() != nil {
				return nil // aborted at the end of the test
			}
			return fmt.Errorf("message %d: %w", k, err)
		}
		tr.sent.Store(k + 1)
		if k%64 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return w.Close()
}

func (tr *traffic) consume(ctx context.Context) error {
	r, err := sluice.Open(ctx, tr.p.far, sluice.ConsumerOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	for k := uint64(0); ; k++ {
		msg, err := r.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("instead of message %d: %w", k, err)
		}
		if err := tr.l.check(k, msg); err != nil {
			return err
		}
		tr.door.Lock()
		r.Release()
		tr.door.Unlock()
		tr.received.Store(k + 1)
	}
}

// hold stops the consumer until resume.
func (tr *traffic) hold() {
	tr.door.Lock()
	tr.held = true
}

func (tr *traffic) resume() {
	if tr.held {
		tr.held = false
		tr.door.Unlock()
	}
}

// eventually waits for something, and fails at once when the consumer has found a fault.
func (tr *traffic) eventually(what string, ok func() bool) {
	tr.p.t.Helper()
	testenv.Eventually(tr.p.t, what, func() bool {
		select {
		case <-tr.failed:
			tr.p.t.FailNow()
		default:
		}
		return ok()
	})
}

// more waits until the far consumer has received n more messages.
func (tr *traffic) more(n uint64) {
	tr.p.t.Helper()
	from := tr.received.Load()
	tr.eventually(fmt.Sprintf("%d more messages at the far consumer (after %d)", n, from), func() bool { return tr.received.Load() >= from+n })
}

// crossed waits until the far consumer has everything that was sent up to now.
func (tr *traffic) crossed() {
	tr.p.t.Helper()
	tr.more(max(tr.sent.Load(), tr.received.Load()) - tr.received.Load())
}

// stuck waits until the producer sends nothing more: it waits in a full ring.
func (tr *traffic) stuck() {
	tr.p.t.Helper()
	last, since := uint64(0), time.Now()
	tr.eventually("a producer that is held back", func() bool {
		if n := tr.sent.Load(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
}

// finish ends the stream, and expects that every message has come, once and in order, and then the
// end.
func (tr *traffic) finish() {
	tr.p.t.Helper()
	tr.stop()
	done := make(chan struct{})
	go func() { tr.all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(testenv.Timeout):
		tr.p.t.Fatalf("%d messages were sent, %d came, and no end", tr.sent.Load(), tr.received.Load())
	}
	if sent, received := tr.sent.Load(), tr.received.Load(); sent != received {
		tr.p.t.Fatalf("%d messages were sent, %d came", sent, received)
	}
}
