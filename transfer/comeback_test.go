package transfer

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/shm"
)

// What a consumer that leaves and comes back, or its successor, is given while the
// producer is at its end. The steps of the send loop are taken one by one, so that each
// moment of an end meets each way of leaving.

// kills leaves a Receiver as SIGKILL does: the kernel closes what it had open, and
// nothing is written any more.
func kills(t *testing.T, r *Receiver) {
	t.Helper()
	r.disconnect()
	r.accept.close()
	r.alarm.Close()
	r.held = 0
	r.unmapReleased()
	r.closed = true
	if _, err := r.segment.Leave(never); err != nil {
		t.Error(err)
	}
}

// killsInRelease is kills in the middle of a release: the messages are counted and
// their buffers are not.
func killsInRelease(t *testing.T, r *Receiver) {
	t.Helper()
	r.cursor.Count.Store(r.taken)
	r.cursor.Bytes.Store(r.payload)
	kills(t, r)
}

// losesConnection is what a Receiver does after an error. It hangs up between two
// buffers, and what was sent on that connection comes again.
func losesConnection(_ *testing.T, r *Receiver) {
	for r.left > 0 {
		if _, err := r.Next(testenv.Canceled()); err != nil {
			return
		}
	}
	r.disconnect()
}

func closes(t *testing.T, r *Receiver) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// ways of a consumer to leave. again says that the same Receiver goes on; counted,
// that the messages it held count as released; closes, that it leaves in good order.
var ways = []struct {
	name           string
	leave          func(t *testing.T, r *Receiver)
	again, counted bool
	closes         bool
}{
	{name: "killed", leave: kills},
	{name: "killed in a release", leave: killsInRelease, counted: true},
	// SIGTERM, --count and a full disk at the output all end in Close.
	{name: "closed", leave: closes, closes: true},
	{name: "connection lost", leave: losesConnection, again: true},
}

// ending is one run: a Sender whose send loop goes step by step, and its consumer.
type ending struct {
	t    *testing.T
	name string
	opt  endOptions
	s    *Sender
	r    *Receiver
	// The next message that was not released, and that is due.
	released, due int
	total         int
	killed        bool   // a consumer was
	stale         uint64 // the connection that the consumer has left
	over          bool   // the send loop has ended
}

func newEnding(t *testing.T, opt endOptions, total int) *ending {
	t.Helper()
	e := &ending{t: t, total: total}
	name, at := place(t)
	opt.Socket, opt.Batch = at.Socket, 1
	e.name, e.opt = name, opt
	var err error
	if e.s, err = newSender(t.Context(), name, opt.sender()); err != nil {
		t.Fatal(err)
	}
	e.s.SetDue(time.Now())
	for i := range total {
		send(t, e.s, e.message(i))
	}
	e.s.Flush()
	e.r = open(t, name, opt)
	return e
}

func (e *ending) message(i int) string { return fmt.Sprintf("message %07d", i) }

// step lets the send loop take a step, unless it has ended.
func (e *ending) step() {
	e.t.Helper()
	if e.over {
		return
	}
	more, err := e.s.loop.step()
	if err != nil {
		e.t.Fatal(err)
	}
	e.over = !more
}

// close is what a Sender's Close does first.
func (e *ending) close() { e.s.loop.closing.Store(true) }

// atHand is how many messages the consumer can take without a further step.
func (e *ending) atHand() int {
	if e.s.loop.conn == nil || e.s.loop.connections == e.stale {
		return 0
	}
	return max(0, int(e.s.loop.sent.messages)-e.due)
}

// take takes n messages, as they are due.
func (e *ending) take(n int) {
	e.t.Helper()
	for range n {
		wantMessages(e.t, e.r, e.message(e.due))
		e.due++
	}
}

func (e *ending) release() {
	e.r.Release()
	e.released = e.due
}

// leave makes the consumer leave, and its successor come if the consumer does not go on.
func (e *ending) leave(way int, steps int) {
	e.t.Helper()
	e.stale = e.s.loop.connections
	ways[way].leave(e.t, e.r)
	e.s.loop.wait.reset()
	for range steps { // the send loop notices, and nobody listens
		e.step()
	}
	if ways[way].again {
		e.due = int(max(e.r.taken, e.r.skip)) // with the rest of a packed buffer
		return
	}
	if ways[way].counted {
		e.released = e.due
	}
	e.killed = e.killed || !ways[way].closes
	e.due = e.released
	e.r = open(e.t, e.name, e.opt)
}

// finish takes everything that is still due, and expects the end after it and that
// the Sender knows that all was delivered.
func (e *ending) finish() {
	e.t.Helper()
	e.close()
	e.s.loop.wait.reset()
	closed := make(chan error, 1)
	go func() {
		closed <- shm.Guard(func() error {
			if !e.over {
				e.s.loop.run()
			} else {
				e.s.loop.disconnect()
				close(e.s.loop.done)
			}
			lost, err := finish(context.Background(), e.s)
			if lost != 0 {
				err = fmt.Errorf("%d lost, %w", lost, err)
			}
			return err
		})
	}()
	e.take(e.total - e.due)
	fails(e.t, e.r, io.EOF)
	e.release()
	if err := <-closed; err != nil {
		e.t.Fatal(err)
	}
	h := e.r.Segment().Header()
	if n, lost := h.Consumer.Count.Load(), h.ConsumerStats.Lost.Load(); n != uint64(e.total) || lost != 0 {
		e.t.Fatalf("%d of %d released, %d lost", n, e.total, lost)
	}
	// A killed consumer may have released messages of a buffer that it has not counted.
	latencies, responses := h.Latency.Count.Load(), h.Response.Count.Load()
	if latencies != responses || latencies > uint64(e.total) || !e.killed && latencies != uint64(e.total) {
		e.t.Fatalf("%d latencies and %d response times of %d messages", latencies, responses, e.total)
	}
	if err := e.r.Close(); err != nil {
		e.t.Fatal(err)
	}
}

// endingForms are the forms of inEveryForm, and a limit.
var endingForms = []struct {
	name string
	opt  endOptions
}{
	{"sealed", endOptions{}},
	{"recycled", endOptions{Recycle: true}},
	{"packed", endOptions{Buffer: 64}},
	{"packed and recycled", endOptions{Buffer: 64, Recycle: true}},
	{"limit", endOptions{Limit: 64 << 10}},
}

func TestComeback_ProducerEnding_RestThenEnd(t *testing.T) {
	const total = 3
	for _, form := range endingForms {
		for way := range ways {
			t.Run(form.name+", "+ways[way].name, func(t *testing.T) {
				t.Parallel()
				// The send loop's steps: connection and first packet, the others, the end, waiting.
				for steps := range total + 3 {
					for _, closing := range []int{0, steps - 1, steps} { // the step before which the Sender closes
						for _, taken := range []int{0, total / 2, total} {
							for _, held := range []int{0, 1, total} {
								if closing >= 0 && held <= max(1, taken) && taken <= steps {
									oneEnding(t, form.opt, total, way, steps, closing, taken, held, (steps+taken+held)%3)
								}
							}
						}
					}
				}
			})
		}
	}
}

func oneEnding(t *testing.T, opt endOptions, total, way, steps, closing, taken, held, unseen int) {
	t.Helper()
	e := newEnding(t, opt, total)
	for i := range steps {
		if i == closing {
			e.close()
		}
		e.step()
	}
	taken = min(taken, e.atHand())
	held = min(held, taken)
	e.take(taken - held)
	e.release()
	e.take(held)
	defer func() {
		if t.Failed() {
			t.Logf("after %d steps, closing before step %d, %d taken and %d of them held, %d steps before it comes back", steps, closing, taken, held, unseen)
		}
	}()
	e.leave(way, unseen)
	e.finish()
}

// The same with any order of events, consumers that come back several times among
// them. A failure names its seed.
func TestComeback_EveryOrder_LosesNothing(t *testing.T) {
	for _, form := range endingForms {
		t.Run(form.name, func(t *testing.T) {
			for range 15 {
				seed := rand.Uint64()
				if !t.Run(fmt.Sprint(seed), func(t *testing.T) { walk(t, form.opt, rand.New(rand.NewPCG(seed, 0))) }) {
					return
				}
			}
		})
	}
}

func walk(t *testing.T, opt endOptions, random *rand.Rand) {
	e := newEnding(t, opt, 1+random.IntN(8))
	for range random.IntN(40) {
		switch random.IntN(8) {
		default:
			e.step()
		case 4:
			if n := e.atHand(); n > 0 {
				e.take(1 + random.IntN(n))
			}
		case 5:
			e.release()
		case 6:
			e.leave(random.IntN(len(ways)), random.IntN(4))
		case 7:
			e.close()
		}
	}
	e.finish()
}
