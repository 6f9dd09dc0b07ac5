package sluice_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice"
	"sluice/internal/testenv"
)

// numbered is message n: its number and some bytes, so that messages have several sizes.
func numbered(n int) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 0, 64), uint64(n))[:8+n%50]
}

func numberOf(msg []byte) int { return int(binary.LittleEndian.Uint64(msg)) }

// runStage is a stage that passes each message on, as another process. Its arguments are the two
// segments, the number of slots of the second, or "transfer", and how often it sends each message;
// with one more it hangs between its end and that of its output.
func runStage(args []string) error {
	ctx := context.Background()
	in, err := sluice.Open(ctx, args[0], sluice.ConsumerOptions{})
	if err != nil {
		return err
	}
	opt := sluice.ProducerOptions{Mode: sluice.ModeTransfer}
	if args[2] != "transfer" {
		opt = sluice.ProducerOptions{}
		if _, err := fmt.Sscan(args[2], &opt.Slots); err != nil {
			return err
		}
	}
	out, err := sluice.Create(ctx, args[1], opt)
	if err != nil {
		return err
	}
	var times int
	if _, err := fmt.Sscan(args[3], &times); err != nil {
		return err
	}
	fmt.Println("ready")
	err = sluice.Stage(ctx, in, out, func(msg []byte) error {
		for range times {
			if err := out.Send(ctx, msg); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, sluice.ErrIncomplete) {
		err = nil // the consumer of the last segment is told
	}
	if len(args) > 4 {
		fmt.Println("ended", err)
		time.Sleep(time.Hour)
	}
	return errors.Join(err, out.Close(), in.Close())
}

// runStageOf is runStage of values, which sends each one once.
func runStageOf(args []string) error {
	ctx := context.Background()
	in, err := sluice.OpenOf[uint64](ctx, args[0], sluice.ConsumerOptions{})
	if err != nil {
		return err
	}
	out, err := sluice.CreateOf[uint64](ctx, args[1], sluice.ProducerOptions{Slots: 8})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	err = sluice.StageOf(ctx, in, out, func(v *uint64) error { return out.Push(ctx, *v) })
	return errors.Join(err, out.Close(), in.Close())
}

// chain returns the names of n segments.
func chain(t *testing.T, n int) (names []string) {
	for range n {
		names = append(names, testenv.SegmentName(t))
	}
	return names
}

// What is in flight is in the rings: a message that a stage works on counts in the ring that it
// comes from.
func TestStage_Chain_FirstProducerBlocksWithinCapacities(t *testing.T) {
	t.Parallel()
	names, slots := chain(t, 4), []int{8, 4, 2, 16}
	const capacity, messages = 8 + 4 + 2 + 16, 200
	p := create(t, names[0], sluice.ProducerOptions{Slots: uint64(slots[0])})
	for i := range 3 {
		testenv.StartChild(t, "stage", names[i], names[i+1], fmt.Sprint(slots[i+1]), "1")
	}
	sent := make(chan error, 1)
	go func() {
		for n := range messages {
			if err := p.Send(t.Context(), numbered(n)); err != nil {
				sent <- err
				return
			}
		}
		sent <- p.Close()
	}()
	c := open(t, names[3], sluice.ConsumerOptions{})
	first := func() (n, blocked int) {
		h := testenv.Header(names[0])
		return int(h.Producer.Count.Load()), int(h.ProducerStats.Waits.Load())
	}
	testenv.Eventually(t, "a first producer that is blocked by full rings", func() bool {
		n, blocked := first()
		return n >= capacity && blocked > 0
	})
	time.Sleep(20 * time.Millisecond)
	if n, _ := first(); n != capacity {
		t.Fatalf("%d messages sent while none was taken, want %d", n, capacity)
	}
	for n := range messages {
		wantNext(t, c, string(numbered(n)))
		if n < messages-capacity { // it lives
			if sent, _ := first(); sent-n > capacity {
				t.Fatalf("%d messages in flight, want %d at most", sent-n, capacity)
			}
		}
		c.Release()
	}
	wantErr(t, <-sent, nil)
	_, err := c.Next(t.Context())
	wantErr(t, err, io.EOF)
}

// A run of a chain of one stage, whose process is killed again and again while messages flow.
type killedStage struct {
	child    string
	mode     string // of the output: slots or "transfer"
	times    int    // how often the stage sends each message
	kills    int
	mostHeld int // messages that come again after a kill, at most
}

func TestStage_Killed_AtLeastOnceInOrder(t *testing.T) {
	for name, k := range map[string]killedStage{
		"into a ring":                        {"stage", "8", 1, 30, 1},
		"into a ring, two results a message": {"stage", "8", 2, 10, 2},
		"into a transfer":                    {"stage", "transfer", 1, 10, 256},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := chain(t, 2)
			p := create(t, names[0], sluice.ProducerOptions{Slots: 64})
			stop, sent := make(chan struct{}), make(chan int, 1)
			go func() {
				n := 0
				defer func() { sent <- n }()
				for ; ; n++ {
					select {
					case <-stop:
						return
					default:
						if p.Send(t.Context(), numbered(n)) != nil {
							return
						}
					}
				}
			}()
			arrived := make(chan int, 1<<20)
			go func() {
				defer close(arrived)
				c, err := sluice.Open(t.Context(), names[1], sluice.ConsumerOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				for msg, err := range c.Messages(t.Context()) {
					if err != nil {
						if k.mode != "transfer" || !errors.Is(err, sluice.ErrIncomplete) {
							t.Error(err)
						}
						return
					}
					arrived <- numberOf(msg)
				}
			}()
			var all []int
			take := func(n int) {
				for range n {
					if n, ok := <-arrived; ok {
						all = append(all, n)
					}
				}
			}
			args := []string{names[0], names[1], k.mode, fmt.Sprint(k.times)}
			for range k.kills {
				stage := testenv.StartChild(t, k.child, args...)
				stage.WantLine(t, "ready")
				take(1 + rand.IntN(100))
				time.Sleep(rand.N(2 * time.Millisecond))
				stage.Kill()
			}
			last := testenv.StartChild(t, k.child, args...)
			last.WantLine(t, "ready")
			close(stop)
			messages := <-sent
			wantErr(t, p.Close(), nil)
			for n := range arrived {
				all = append(all, n)
			}
			wantErr(t, last.Wait(), nil)
			k.check(t, all, messages)
		})
	}
}

// check compares what has arrived with so many messages.
func (k killedStage) check(t *testing.T, all []int, messages int) {
	t.Helper()
	for i, n := range all { // it may go back after a kill, and never forward over a message
		if i > 0 && n > all[i-1]+1 {
			t.Fatalf("message %d follows %d", n, all[i-1])
		}
	}
	repeated := len(all) - messages*k.times
	t.Logf("%d messages, %d repeated results after %d kills", messages, repeated, k.kills)
	if all[0] != 0 || repeated < 0 || repeated > k.kills*k.mostHeld {
		t.Errorf("%d results of %d messages, from %d on; at most %d may come again", len(all), messages, all[0], k.kills*k.mostHeld)
	}
	counts := make([]int, messages)
	for _, n := range all {
		counts[n]++
	}
	if n := slices.IndexFunc(counts, func(c int) bool { return c < k.times }); n >= 0 {
		t.Errorf("message %d came %d times, want %d", n, counts[n], k.times)
	}
}

func TestStage_EndTravelsDownTheChain(t *testing.T) {
	for name, c := range map[string]struct {
		end  sluice.End
		want error
	}{
		"complete": {sluice.EndComplete, io.EOF},
		"stopped":  {sluice.EndStopped, sluice.ErrIncomplete},
		"failed":   {sluice.EndFailed, sluice.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := chain(t, 3)
			p := create(t, names[0], sluice.ProducerOptions{})
			for i := range 2 {
				testenv.StartChild(t, "stage", names[i], names[i+1], "8", "1")
			}
			wantErr(t, p.Send(t.Context(), numbered(1)), nil)
			p.EndAs(c.end)
			wantErr(t, p.Close(), nil)
			last := open(t, names[2], sluice.ConsumerOptions{})
			wantNext(t, last, string(numbered(1)))
			last.Release()
			_, err := last.Next(t.Context())
			wantErr(t, err, c.want)
		})
	}
}

// A stage that was too slow has failed. Its own consumer was not disconnected.
func TestStage_Disconnected_OutputFails(t *testing.T) {
	t.Parallel()
	names := chain(t, 2)
	p := create(t, names[0], sluice.ProducerOptions{Slots: 2, OnFull: sluice.Disconnect})
	for n := range 3 {
		if err := p.Send(t.Context(), numbered(n)); n < 2 {
			wantErr(t, err, nil)
		}
	}
	in, out := open(t, names[0], sluice.ConsumerOptions{}), create(t, names[1], sluice.ProducerOptions{})
	err := sluice.Stage(t.Context(), in, out, func(msg []byte) error { return out.Send(t.Context(), msg) })
	wantErr(t, err, sluice.ErrIncomplete)
	wantErr(t, errors.Join(out.Close(), in.Close()), nil)
	c := open(t, names[1], sluice.ConsumerOptions{})
	for n := range 2 {
		wantNext(t, c, string(numbered(n)))
		c.Release()
	}
	_, err = c.Next(t.Context())
	wantErr(t, err, sluice.ErrIncomplete)
	if end := sluice.End(testenv.Header(names[1]).ProducerStats.End.Load()); end != sluice.EndFailed {
		t.Errorf("the end is %v, and the error %q; want failed", end, err)
	}
}

// The end of in is told again to the next process, until in is closed.
func TestStage_KilledBeforeItsEnd_NextOneEndsTheStream(t *testing.T) {
	t.Parallel()
	names := chain(t, 2)
	p := create(t, names[0], sluice.ProducerOptions{})
	stage := testenv.StartChild(t, "stage", names[0], names[1], "8", "1", "hang")
	stage.WantLine(t, "ready")
	c := open(t, names[1], sluice.ConsumerOptions{})
	wantErr(t, p.Send(t.Context(), numbered(1)), nil)
	wantErr(t, p.Close(), nil)
	wantNext(t, c, string(numbered(1)))
	c.Release()
	stage.WantLine(t, "ended <nil>")
	stage.Kill()
	if _, err := c.TryNext(); !errors.Is(err, sluice.ErrEmpty) {
		t.Errorf("after the kill: %v, want ErrEmpty", err)
	}
	testenv.StartChild(t, "stage", names[0], names[1], "8", "1")
	_, err := c.Next(t.Context())
	wantErr(t, err, io.EOF)
}

func TestStageOf_Values(t *testing.T) {
	t.Parallel()
	names := chain(t, 2)
	p, err := sluice.CreateOf[uint64](t.Context(), names[0], sluice.ProducerOptions{Slots: 2})
	wantErr(t, err, nil)
	stage := testenv.StartChild(t, "stage of values", names[0], names[1])
	const values = 1000
	sent := testenv.Background(func() error {
		for v := range uint64(values) {
			if err := p.Push(t.Context(), v); err != nil {
				return err
			}
			if v == values/2 {
				stage.Kill()
				stage = testenv.StartChild(t, "stage of values", names[0], names[1])
			}
		}
		return p.Close()
	})
	c, err := sluice.OpenOf[uint64](t.Context(), names[1], sluice.ConsumerOptions{})
	wantErr(t, err, nil)
	defer c.Close()
	next, repeated := uint64(0), 0
	for v, err := range c.Values(t.Context()) {
		wantErr(t, err, nil)
		switch v {
		case next:
			next++
		case next - 1:
			repeated++
		default:
			t.Fatalf("%d, want %d", v, next)
		}
	}
	wantErr(t, sent(), nil)
	if next != values || repeated > 1 {
		t.Errorf("%d values and %d repeated, want %d and one at most", next, repeated, values)
	}
}

// ends returns both ends of a stage of this process with three messages in in, and the consumer of
// out.
func ends(t *testing.T, opt sluice.ProducerOptions) (names []string, in sluice.Consumer, out sluice.Producer) {
	names = chain(t, 2)
	p := create(t, names[0], sluice.ProducerOptions{})
	_, err := p.SendBatch(t.Context(), [][]byte{[]byte("a"), []byte("b"), []byte("c")})
	wantErr(t, err, nil)
	return names, open(t, names[0], sluice.ConsumerOptions{}), create(t, names[1], opt)
}

var errWork = errors.New("work failed")

func TestStage_WorkFails_ItsMessageComesAgain(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"an error": errWork, "io.EOF": io.EOF, "a context of its own": context.Canceled} {
		t.Run(name, func(t *testing.T) {
			names, in, out := ends(t, sluice.ProducerOptions{})
			err := sluice.Stage(t.Context(), in, out, func(msg []byte) error {
				if string(msg) == "b" {
					return failure
				}
				return out.Send(t.Context(), msg)
			})
			wantErr(t, err, failure)
			wantErr(t, errors.Join(out.Close(), in.Close()), nil)
			wantNext(t, open(t, names[0], sluice.ConsumerOptions{}), "b")
			c := open(t, names[1], sluice.ConsumerOptions{})
			wantNext(t, c, "a")
			c.Release()
			_, err = c.Next(t.Context())
			wantErr(t, err, sluice.ErrIncomplete)
		})
	}
}

func TestStage_WorkPanics_StreamNotComplete(t *testing.T) {
	t.Parallel()
	names, in, out := ends(t, sluice.ProducerOptions{})
	func() {
		defer func() { recover(); out.Close() }()
		sluice.Stage(t.Context(), in, out, func(msg []byte) error {
			wantErr(t, out.Send(t.Context(), msg), nil)
			panic("work")
		})
	}()
	c := open(t, names[1], sluice.ConsumerOptions{})
	wantNext(t, c, "a")
	c.Release()
	_, err := c.Next(t.Context())
	wantErr(t, err, sluice.ErrIncomplete)
}

// Each message is released when its results are published, and a stage waits for messages with
// none held: in may be as small as it likes.
func TestStage_Ring_HoldsOneMessage(t *testing.T) {
	t.Parallel()
	_, in, out := ends(t, sluice.ProducerOptions{})
	n := uint64(0)
	err := sluice.Stage(t.Context(), in, out, func(msg []byte) error {
		if in.Held() != 1 || in.Released() != n || out.Published() != n {
			t.Errorf("message %d: %d held, %d released, %d results published", n, in.Held(), in.Released(), out.Published())
		}
		if n++; n == 3 {
			return errWork
		}
		buf, err := out.Reserve(t.Context(), len(msg))
		out.Commit(copy(buf, msg)) // Stage publishes it
		return err
	})
	wantErr(t, err, errWork)
}

func TestStage_Transfer_ReleasesWhatWasDelivered(t *testing.T) {
	t.Parallel()
	names, in, out := ends(t, sluice.ProducerOptions{Mode: sluice.ModeTransfer})
	ctx, cancel := context.WithCancel(t.Context())
	stage := testenv.Background(func() error {
		return sluice.Stage(ctx, in, out, func(msg []byte) error { return out.Send(ctx, msg) })
	})
	c := open(t, names[1], sluice.ConsumerOptions{})
	for _, want := range []string{"a", "b", "c"} {
		wantNext(t, c, want)
	}
	seen := func() uint64 { return testenv.Header(names[0]).Consumer.Count.Load() }
	if n := seen(); n != 0 {
		t.Errorf("%d released while no result was, want 0", n)
	}
	c.Release()
	testenv.Eventually(t, "the release of what was delivered", func() bool { return seen() == 3 })
	cancel()
	wantErr(t, stage(), context.Canceled)
}

func TestStage_Cancel_EndsItWhateverItWaitsFor(t *testing.T) {
	full := sluice.ProducerOptions{Slots: 1}
	for name, c := range map[string]struct {
		opt  sluice.ProducerOptions
		work func(ctx context.Context, out sluice.Producer, msg []byte) error
	}{
		"for a message":  {sluice.ProducerOptions{}, func(context.Context, sluice.Producer, []byte) error { return nil }},
		"for room":       {full, func(ctx context.Context, out sluice.Producer, msg []byte) error { return out.Send(ctx, msg) }},
		"for a delivery": {sluice.ProducerOptions{Mode: sluice.ModeTransfer}, func(ctx context.Context, out sluice.Producer, msg []byte) error { return out.Send(ctx, msg) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, in, out := ends(t, c.opt)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			err := sluice.Stage(ctx, in, out, func(msg []byte) error { return c.work(ctx, out, msg) })
			wantErr(t, err, context.Canceled)
			if c.opt.Mode == sluice.ModeTransfer {
				out.Abort()
				return
			}
			wantErr(t, out.Close(), nil)
		})
	}
}

// A stage that never waits looks at its context all the same.
func TestStage_Cancel_BetweenMessages(t *testing.T) {
	t.Parallel()
	_, in, out := ends(t, sluice.ProducerOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := sluice.Stage(ctx, in, out, func([]byte) error { calls++; cancel(); return nil })
	wantErr(t, err, context.Canceled)
	if calls != 1 || in.Held() != 0 {
		t.Errorf("%d calls, %d held, want 1 and 0", calls, in.Held())
	}
}

// An output that is aborted between a commit and its publish loses the result; its message stays.
func TestStage_OutputClosed_MessageNotReleased(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(sluice.Producer) error{"Close": sluice.Producer.Close, "Abort": sluice.Producer.Abort} {
		t.Run(name, func(t *testing.T) {
			names, in, out := ends(t, sluice.ProducerOptions{})
			err := sluice.Stage(t.Context(), in, out, func(msg []byte) error {
				buf, err := out.Reserve(t.Context(), len(msg))
				out.Commit(copy(buf, msg))
				return errors.Join(err, end(out))
			})
			wantErr(t, err, sluice.ErrClosed)
			wantErr(t, in.Close(), nil)
			wantNext(t, open(t, names[0], sluice.ConsumerOptions{}), "a")
		})
	}
	t.Run("values", func(t *testing.T) {
		names := chain(t, 2)
		p, err := sluice.CreateOf[uint64](t.Context(), names[0], sluice.ProducerOptions{})
		wantErr(t, err, nil)
		wantErr(t, p.Push(t.Context(), 7), nil)
		wantErr(t, p.Close(), nil)
		in, err := sluice.OpenOf[uint64](t.Context(), names[0], sluice.ConsumerOptions{})
		wantErr(t, err, nil)
		out, err := sluice.CreateOf[uint64](t.Context(), names[1], sluice.ProducerOptions{})
		wantErr(t, err, nil)
		err = sluice.StageOf(t.Context(), in, out, func(v *uint64) error {
			slot, err := out.Slot(t.Context())
			wantErr(t, out.Abort(), nil)
			*slot = *v
			out.Publish()
			return err
		})
		wantErr(t, err, sluice.ErrClosed)
		wantErr(t, in.Close(), nil)
		again, err := sluice.OpenOf[uint64](t.Context(), names[0], sluice.ConsumerOptions{})
		wantErr(t, err, nil)
		v, err := again.Pop(t.Context())
		wantErr(t, err, nil)
		if v != 7 {
			t.Errorf("%d, want 7", v)
		}
		again.Close()
	})
}

// A message that out gives up by its policy is done with; one that out refuses is not.
func TestStage_OutputFull_Policies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		onFull sluice.Policy
		want   error
		next   string // message of the next consumer
	}{
		"drop": {sluice.Drop, errWork, "c"},
		"fail": {sluice.Fail, sluice.ErrFull, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			names, in, out := ends(t, sluice.ProducerOptions{Slots: 1, OnFull: c.onFull})
			err := sluice.Stage(t.Context(), in, out, func(msg []byte) error {
				if string(msg) == "c" {
					return errWork
				}
				return out.Send(t.Context(), msg)
			})
			wantErr(t, err, c.want)
			wantErr(t, in.Close(), nil)
			wantNext(t, open(t, names[0], sluice.ConsumerOptions{}), c.next)
		})
	}
}

func TestStage_ConsumerHoldsMessages_Panics(t *testing.T) {
	t.Parallel()
	_, in, out := ends(t, sluice.ProducerOptions{})
	wantNext(t, in, "a")
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	sluice.Stage(t.Context(), in, out, func([]byte) error { return nil })
}
