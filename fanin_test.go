package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/ofdlock"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
)

// rings makes n rings and returns their names and producers. The names share a prefix, for
// patterns.
func rings(t *testing.T, n int, opt sluice.ProducerOptions) (prefix string, producers []sluice.Producer) {
	t.Helper()
	prefix = testenv.SegmentName(t)
	t.Cleanup(func() { // after all other cleanups of the test
		names, _ := shm.List()
		for _, name := range names {
			if strings.HasPrefix(name, prefix+"-") {
				_ = shm.RemoveIfExists(context.Background(), name)
			}
		}
	})
	for i := range n {
		producers = append(producers, addRing(t, fmt.Sprintf("%s-%d", prefix, i), opt))
	}
	return prefix, producers
}

func addRing(t *testing.T, name string, opt sluice.ProducerOptions) sluice.Producer {
	t.Helper()
	p, err := sluice.Create(context.Background(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func namesOf(producers []sluice.Producer) (names []string) {
	for _, p := range producers {
		names = append(names, p.Segment().Name())
	}
	return names
}

func fanIn(t *testing.T, opt sluice.FanInOptions, names ...string) *sluice.FanIn {
	t.Helper()
	f, err := sluice.OpenFanIn(context.Background(), names, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func send(t *testing.T, p sluice.Producer, msgs ...string) {
	t.Helper()
	for _, msg := range msgs {
		if err := p.Send(context.Background(), []byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
}

// received takes messages until an error, which it returns, and the messages by their ring.
func received(f *sluice.FanIn) (map[string][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Timeout)
	defer cancel()
	got := map[string][]string{}
	for {
		msg, from, err := f.Next(ctx)
		if err != nil {
			return got, err
		}
		got[from.Name()] = append(got[from.Name()], string(msg))
		f.Release()
	}
}

func wantReceived(t *testing.T, f *sluice.FanIn, want map[string][]string, wantErr error) {
	t.Helper()
	got, err := received(f)
	if !errors.Is(err, wantErr) {
		t.Errorf("%v, want %v", err, wantErr)
	}
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestFanIn_NamedRings_EachInOrder_ThenEOF(t *testing.T) {
	_, ps := rings(t, 3, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, namesOf(ps)...)
	want := map[string][]string{}
	for i := range 10 {
		for _, p := range ps {
			send(t, p, fmt.Sprint(i))
			want[p.Segment().Name()] = append(want[p.Segment().Name()], fmt.Sprint(i))
		}
	}
	for _, p := range ps {
		testenv.WantErr(t, p.Close(), nil)
	}
	wantReceived(t, f, want, io.EOF)
	testenv.WantErr(t, f.Close(), nil)
	for _, p := range ps {
		testenv.WantNoSegment(t, p.Segment().Name())
	}
}

// Both kinds of rings that carry bytes take part.
func TestFanIn_RecordsAndSlots(t *testing.T) {
	_, ps := rings(t, 1, sluice.ProducerOptions{})
	slots := addRing(t, testenv.SegmentName(t), sluice.ProducerOptions{SlotSize: 3})
	f := fanIn(t, sluice.FanInOptions{}, slots.Segment().Name(), ps[0].Segment().Name())
	send(t, slots, "abc", "def")
	send(t, ps[0], "", "longer than a slot")
	slots.Close()
	ps[0].Close()
	wantReceived(t, f, map[string][]string{
		slots.Segment().Name(): {"abc", "def"}, ps[0].Segment().Name(): {"", "longer than a slot"},
	}, io.EOF)
}

func TestFanIn_Pattern_JoinsLater_LeavesAtEnd(t *testing.T) {
	prefix, ps := rings(t, 2, sluice.ProducerOptions{})
	var joined, left []string
	f := fanIn(t, sluice.FanInOptions{
		OnJoin: func(s *sluice.Source) { joined = append(joined, s.Name()) },
		OnLeave: func(s *sluice.Source, err error) {
			left = append(left, s.Name())
			testenv.WantErr(t, err, nil)
			if last, err := pressure.Observe(s.Segment()); err != nil || last.Consumed != 1 || !last.Consumer.Alive {
				t.Errorf("as %s leaves: %d messages were consumed, a consumer %v, %v", s.Name(), last.Consumed, last.Consumer.Alive, err)
			}
		},
	}, prefix+"-*")
	send(t, ps[0], "0")
	send(t, ps[1], "1")
	ps[0].Close()
	done := testenv.Background(func() error {
		wantReceived(t, f, map[string][]string{prefix + "-0": {"0"}, prefix + "-1": {"1"}, prefix + "-later": {"l"}}, io.EOF)
		return nil
	})
	later := addRing(t, prefix+"-later", sluice.ProducerOptions{})
	send(t, later, "l")
	testenv.WantErr(t, later.Drain(context.Background()), nil)
	later.Close()
	testenv.Eventually(t, "the ring that has ended to leave", func() bool { return testenv.Header(prefix+"-0") == nil })
	ps[1].Close()
	testenv.WantErr(t, done(), nil)
	slices.Sort(joined)
	slices.Sort(left)
	if all := []string{prefix + "-0", prefix + "-1", prefix + "-later"}; !slices.Equal(joined, all) || !slices.Equal(left, all) {
		t.Errorf("joined %v, left %v", joined, left)
	}
}

// A ring that is named and does not exist is waited for, others are served meanwhile.
func TestFanIn_NamedRing_WaitedFor(t *testing.T) {
	prefix, ps := rings(t, 1, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-0", prefix+"-1")
	send(t, ps[0], "0")
	ps[0].Close()
	if _, from, err := f.Next(context.Background()); err != nil || from.Name() != prefix+"-0" {
		t.Fatal(from, err)
	}
	f.Release()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	p := addRing(t, prefix+"-1", sluice.ProducerOptions{})
	send(t, p, "1")
	p.Close()
	wantReceived(t, f, map[string][]string{prefix + "-1": {"1"}}, io.EOF)
}

func TestFanIn_IncompleteStream_OthersGoOn(t *testing.T) {
	prefix, ps := rings(t, 2, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-*")
	send(t, ps[0], "0")
	ps[0].EndAs(sluice.EndStopped)
	ps[0].Close()
	for range 2 { // the second one is what says that the first stream is over
		send(t, ps[1], "1")
	}
	ps[1].Close()
	got, err := received(f)
	if !errors.Is(err, sluice.ErrIncomplete) || errors.Is(err, io.EOF) || len(got[prefix+"-1"]) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	var in *sluice.SegmentError
	if !errors.As(err, &in) || in.Name != prefix+"-0" {
		t.Errorf("%v does not name the ring", err)
	}
}

func TestFanIn_Follow_NextProducerJoins(t *testing.T) {
	name := testenv.SegmentName(t)
	ends := 0
	f := fanIn(t, sluice.FanInOptions{Follow: true, OnLeave: func(*sluice.Source, error) { ends++ }}, name)
	for i := range 3 {
		p := addRing(t, name, sluice.ProducerOptions{Capacity: uint64(4096 << i)})
		send(t, p, fmt.Sprint(i))
		if msg, _, err := f.Receive(context.Background(), nil); err != nil || string(msg) != fmt.Sprint(i) {
			t.Fatalf("%q, %v", msg, err)
		}
		p.Close()
		if _, _, err := f.TryNext(); err != sluice.ErrEmpty || ends != i+1 {
			t.Errorf("%v, %d ends", err, ends)
		}
		testenv.WantNoSegment(t, name)
	}
}

// A segment that was replaced is not one whose stream is complete. The next one joins.
func TestFanIn_ReplacedRing_NextJoins(t *testing.T) {
	prefix, ps := rings(t, 1, sluice.ProducerOptions{})
	name := prefix + "-0"
	for _, asked := range []string{name, prefix + "-*"} {
		var left []error
		f := fanIn(t, sluice.FanInOptions{OnLeave: func(s *sluice.Source, err error) { left = append(left, err) }}, asked)
		send(t, ps[0], "records")
		_, _, err := f.Receive(context.Background(), nil)
		testenv.WantErr(t, err, nil)
		ps[0].EndAs(layout.EndNone) // as if it were killed
		testenv.WantErr(t, ps[0].Close(), nil)
		slots := addRing(t, name, sluice.ProducerOptions{SlotSize: 5})
		send(t, slots, "slots")
		slots.Close()
		wantReceived(t, f, map[string][]string{name: {"slots"}}, io.EOF)
		if len(left) != 2 || !errors.Is(left[0], sluice.ErrRemoved) || left[1] != nil {
			t.Errorf("%s: left with %v", asked, left)
		}
		f.Close()
		ps[0] = addRing(t, name, sluice.ProducerOptions{})
	}
}

// However small messages are, a batch ends with the turn of its ring, of which each counts for 8
// bytes more than it has: the others wait for one turn only.
func TestFanIn_NextBatch_EndsWithTurn(t *testing.T) {
	for _, sizes := range [][]int{{0}, {1}, {7}, {64}, {1000}, {3000}, {1, 1000}, {1000, 0, 0, 0}} {
		_, ps := rings(t, 2, sluice.ProducerOptions{})
		names := namesOf(ps)
		f := fanIn(t, sluice.FanInOptions{}, names...)
		for _, p := range ps {
			for i, room := 0, 512<<10; room > 0; i++ { // more than the turns below take
				msg := make([]byte, sizes[i%len(sizes)])
				testenv.WantErr(t, p.Send(context.Background(), msg), nil)
				room -= len(msg) + 24
			}
		}
		msgs := make([][]byte, 1000)
		last, spent := "", 0
		for range 40 {
			n, from, err := f.NextBatch(context.Background(), msgs, 1<<20)
			testenv.WantErr(t, err, nil)
			if from.Name() != last {
				if last != "" && spent < ring.Quantum/2 { // less for the debt of the turn before
					t.Errorf("sizes %v: %d bytes in a turn", sizes, spent)
				}
				last, spent = from.Name(), 0
			}
			for _, msg := range msgs[:n] {
				if spent >= ring.Quantum {
					t.Fatalf("sizes %v: %d bytes, and another message in the turn", sizes, spent)
				}
				spent += len(msg) + 8
			}
			f.Release()
		}
		f.Close()
	}
}

// While a batch is processed the producer of a small ring goes on, whatever the weight.
func TestFanIn_NextBatch_EighthOfRing(t *testing.T) {
	for _, c := range []struct {
		opt       sluice.ProducerOptions
		size      int
		wantBatch int
	}{
		{sluice.ProducerOptions{Capacity: 4096}, 56, 10}, // 560 bytes are the first above 512
		{sluice.ProducerOptions{Capacity: 4096, Slots: 16}, 56, 2},
		{sluice.ProducerOptions{SlotSize: 8, Slots: 32}, 8, 4},
		{sluice.ProducerOptions{SlotSize: 8, Slots: 4}, 8, 1},
	} {
		_, ps := rings(t, 1, c.opt)
		f := fanIn(t, sluice.FanInOptions{Weight: func(string) int { return 100 }}, namesOf(ps)...)
		for range ps[0].Segment().Geometry().MaxMessages() {
			if c.opt.SlotSize == 0 && ps[0].Published() == 16 {
				break
			}
			testenv.WantErr(t, ps[0].Send(context.Background(), make([]byte, c.size)), nil)
		}
		n, _, err := f.NextBatch(context.Background(), make([][]byte, 512), 1<<20)
		if n != c.wantBatch || err != nil {
			t.Errorf("%+v: %d messages in a batch, want %d, %v", c.opt, n, c.wantBatch, err)
		}
	}
}

func TestFanIn_BadInput(t *testing.T) {
	ctx := context.Background()
	prefix, _ := rings(t, 2, sluice.ProducerOptions{})
	transfer := addRing(t, testenv.SegmentName(t), sluice.ProducerOptions{Mode: sluice.ModeTransfer}).Segment().Name()
	taken := fanIn(t, sluice.FanInOptions{}, prefix+"-0")
	defer taken.Close()
	for _, c := range []struct {
		names []string
		opt   sluice.FanInOptions
		want  error
	}{
		{nil, sluice.FanInOptions{}, sluice.ErrOption},
		{[]string{"a", "b", "a"}, sluice.FanInOptions{}, sluice.ErrOption},
		{[]string{"a/b"}, sluice.FanInOptions{}, sluice.ErrName},
		{[]string{"a/*"}, sluice.FanInOptions{}, sluice.ErrName},
		{[]string{"a"}, sluice.FanInOptions{Spin: -2}, sluice.ErrOption},
		{[]string{prefix + "-1"}, sluice.FanInOptions{Weight: func(string) int { return 0 }}, sluice.ErrOption},
		{[]string{prefix + "-1"}, sluice.FanInOptions{Weight: func(string) int { return ring.MaxWeight + 1 }}, sluice.ErrOption},
		{[]string{prefix + "-1", transfer}, sluice.FanInOptions{}, sluice.ErrMode},
		{[]string{transfer[:len(transfer)-1] + "*"}, sluice.FanInOptions{}, sluice.ErrMode},
		{[]string{prefix + "-1", prefix + "-0"}, sluice.FanInOptions{}, sluice.ErrRoleTaken},
	} {
		f, err := sluice.OpenFanIn(ctx, c.names, c.opt)
		if !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.names, err, c.want)
		} else if !strings.HasPrefix(err.Error(), "open ") {
			t.Errorf("%v: %v does not say what has failed", c.names, err)
		}
		if f != nil {
			f.Close()
		}
	}
	// The ring that could join before the other could not is free again.
	fanIn(t, sluice.FanInOptions{}, prefix+"-1").Close()
}

// A ring that is named and appears with a consumer is an error once. The others are served after
// it, and it joins when it can.
func TestFanIn_NamedRing_RoleTaken_ToldOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Timeout)
	defer cancel()
	prefix, ps := rings(t, 1, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-0", prefix+"-1")
	ps = append(ps, addRing(t, prefix+"-1", sluice.ProducerOptions{}))
	other := fanIn(t, sluice.FanInOptions{}, prefix+"-1")
	<-f.Ready() // which does not tell it
	_, _, err := f.Next(ctx)
	testenv.WantErr(t, err, sluice.ErrRoleTaken)
	short, cancel := context.WithTimeout(ctx, 1100*time.Millisecond) // it tries again in that time
	defer cancel()
	if _, _, err := f.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	send(t, ps[0], "0")
	if msg, _, err := f.Receive(ctx, nil); string(msg) != "0" || err != nil {
		t.Fatalf("%q, %v", msg, err)
	}
	other.Close()
	send(t, ps[1], "1")
	if msg, from, err := f.Receive(ctx, nil); string(msg) != "1" || err != nil {
		t.Errorf("%q of %v, %v", msg, from, err)
	}
}

// A ring that a pattern matches and that has a consumer is skipped, told once, and joins later.
func TestFanIn_Pattern_RoleTaken_SkippedAndTriedAgain(t *testing.T) {
	prefix, ps := rings(t, 2, sluice.ProducerOptions{})
	other := fanIn(t, sluice.FanInOptions{}, prefix+"-0")
	var skipped []error
	f := fanIn(t, sluice.FanInOptions{OnSkip: func(name string, err error) { skipped = append(skipped, err) }}, prefix+"-*")
	if len(skipped) != 1 || !errors.Is(skipped[0], sluice.ErrRoleTaken) || len(f.Sources()) != 1 {
		t.Errorf("skipped %v, joined %d", skipped, len(f.Sources()))
	}
	send(t, ps[0], "0")
	send(t, ps[1], "1")
	ps[0].Close()
	time.AfterFunc(1500*time.Millisecond, func() { other.Close() })
	time.AfterFunc(1600*time.Millisecond, func() { ps[1].Close() })
	deadline := time.Now().Add(testenv.Timeout)
	got := map[string]string{}
	for len(got) < 2 && time.Now().Before(deadline) {
		msg, from, err := f.Receive(context.Background(), nil)
		if err != nil {
			break // the other ring has ended before this one was tried again
		}
		got[from.Name()] = string(msg)
	}
	if len(skipped) != 1 {
		t.Errorf("told %d times", len(skipped))
	}
}

// Anybody can put a file with a matching name there: it keeps nobody from starting.
func TestFanIn_Pattern_UntrustedTransfer_Skipped(t *testing.T) {
	prefix, ps := rings(t, 1, sluice.ProducerOptions{})
	addRing(t, prefix+"-z", sluice.ProducerOptions{Mode: sluice.ModeTransfer})
	testenv.WantErr(t, os.Chmod(shm.Path(prefix+"-z"), 0o646), nil) // as bad as that of another user
	var skipped []error
	f := fanIn(t, sluice.FanInOptions{OnSkip: func(name string, err error) { skipped = append(skipped, err) }}, prefix+"-*")
	if len(skipped) != 1 || !errors.Is(skipped[0], sluice.ErrUntrusted) {
		t.Errorf("skipped: %v", skipped)
	}
	send(t, ps[0], "a")
	ps[0].Close()
	wantReceived(t, f, map[string][]string{prefix + "-0": {"a"}}, io.EOF)
}

// A process that was stopped while it joins a ring, with the join lock of that, holds up no other
// ring. That one is told, once, and joins when the lock is free.
func TestFanIn_JoinLockHeld_OthersServed(t *testing.T) {
	for _, named := range []bool{true, false} {
		t.Run(map[bool]string{true: "named", false: "pattern"}[named], func(t *testing.T) {
			t.Parallel()
			joinLockHeld(t, named)
		})
	}
}

func joinLockHeld(t *testing.T, named bool) {
	prefix, ps := rings(t, 3, sluice.ProducerOptions{})
	names := []string{prefix + "-*"}
	if named {
		names = namesOf(ps)
	}
	var locked []*os.File
	for _, p := range ps[1:] {
		file, err := os.OpenFile(shm.Path(p.Segment().Name()), os.O_RDWR, 0)
		testenv.WantErr(t, err, nil)
		defer file.Close()
		const joinLock = 2
		if ok, err := ofdlock.TryLock(file, joinLock); !ok || err != nil {
			t.Fatal(ok, err)
		}
		locked = append(locked, file)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Timeout)
	defer cancel()
	skipped := map[string]int{}
	f, err := sluice.OpenFanIn(ctx, names, sluice.FanInOptions{OnSkip: func(name string, err error) { skipped[name]++ }})
	testenv.WantErr(t, err, nil)
	defer f.Close()
	for i, p := range ps {
		send(t, p, fmt.Sprint(i))
	}
	if msg, _, err := f.Receive(ctx, nil); string(msg) != "0" || err != nil {
		t.Fatalf("%q, %v", msg, err)
	}
	ps[0].Close()                                                    // which is not the end of all
	short, cancel := context.WithTimeout(ctx, 1200*time.Millisecond) // it tries again in that time
	defer cancel()
	if _, _, err := f.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if want := map[string]int{prefix + "-1": 1, prefix + "-2": 1}; !maps.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	for _, file := range locked {
		file.Close()
	}
	got := map[string]bool{}
	for range locked {
		msg, _, err := f.Receive(ctx, nil)
		testenv.WantErr(t, err, nil)
		got[string(msg)] = true
	}
	if !got["1"] || !got["2"] {
		t.Errorf("%v", got)
	}
}

func TestFanIn_HeldMessages_StayValidBeyondTheEnd(t *testing.T) {
	prefix, ps := rings(t, 2, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-*")
	var msgs [][]byte
	var froms []*sluice.Source
	for i, p := range ps {
		send(t, p, fmt.Sprint("message ", i))
		p.Close()
	}
	for range ps {
		msg, from, err := f.Next(context.Background())
		testenv.WantErr(t, err, nil)
		msgs, froms = append(msgs, msg), append(froms, from)
	}
	_, _, err := f.Next(context.Background())
	testenv.WantErr(t, err, io.EOF)
	if f.Held() != 2 {
		t.Errorf("%d held", f.Held())
	}
	for i, msg := range msgs {
		if want := "message " + froms[i].Name()[len(prefix)+1:]; string(msg) != want {
			t.Errorf("%q, want %q", msg, want)
		}
	}
	froms[0].ReleaseN(1)
	testenv.WantNoSegment(t, froms[0].Name())
	if f.Held() != 1 {
		t.Errorf("%d held", f.Held())
	}
	f.Release()
	testenv.WantNoSegment(t, froms[1].Name())
}

func TestFanIn_Close_EndsNext(t *testing.T) {
	prefix, ps := rings(t, 3, sluice.ProducerOptions{})
	for _, settled := range []time.Duration{0, 30 * time.Millisecond} {
		f := fanIn(t, sluice.FanInOptions{}, prefix+"-*")
		next := testenv.Background(func() error { _, _, err := f.Next(context.Background()); return err })
		time.Sleep(settled)
		testenv.WantErr(t, f.Close(), nil)
		testenv.WantErr(t, next(), sluice.ErrClosed)
		testenv.WantErr(t, f.Close(), nil)
		_, _, err := f.TryNext()
		testenv.WantErr(t, err, sluice.ErrClosed)
		f.Release()
	}
	for _, p := range ps { // the roles are free
		fanIn(t, sluice.FanInOptions{}, p.Segment().Name()).Close()
	}
}

func TestFanIn_Cancel_EndsNext(t *testing.T) {
	prefix, _ := rings(t, 3, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-*")
	cause := errors.New("cause")
	for range 20 {
		ctx, cancel := context.WithCancelCause(context.Background())
		next := testenv.Background(func() error { _, _, err := f.Next(ctx); return err })
		time.Sleep(time.Millisecond)
		cancel(cause)
		testenv.WantErr(t, next(), cause)
	}
}

// The consumer holds all that one ring has room for, and waits: that is reported only if the
// other rings have no producer that could send.
func TestFanIn_Unreleased_OnlyWhenNoOtherCanDeliver(t *testing.T) {
	ctx := context.Background()
	prefix, ps := rings(t, 2, sluice.ProducerOptions{Slots: 2})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-*")
	send(t, ps[0], "a", "b")
	blocked := testenv.Background(func() error { return ps[0].Send(ctx, []byte("c")) })
	for range 2 {
		_, _, err := f.Next(ctx)
		testenv.WantErr(t, err, nil)
	}
	short, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
	defer cancel()
	if _, _, err := f.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another producer lives: %v", err)
	}
	send(t, ps[1], "d")
	ps[1].Close()
	_, _, err := f.Next(ctx)
	testenv.WantErr(t, err, nil)
	_, _, err = f.Next(ctx)
	testenv.WantErr(t, err, sluice.ErrUnreleased)
	f.Release()
	testenv.WantErr(t, blocked(), nil)
}

// Nothing but a message, an end, or a ring that may join makes it ready.
func TestFanIn_Ready(t *testing.T) {
	prefix, ps := rings(t, 3, sluice.ProducerOptions{})
	f := fanIn(t, sluice.FanInOptions{}, prefix+"-*")
	waitReady := func(most time.Duration) bool {
		select {
		case <-f.Ready():
			return true
		case <-time.After(most):
			return false
		}
	}
	if waitReady(1200 * time.Millisecond) { // longer than it takes to try again
		t.Error("ready without a reason")
	}
	for _, p := range ps {
		send(t, p, "a")
		if !waitReady(testenv.Timeout) {
			t.Fatal("no event")
		}
		if msg, from, err := f.TryNext(); string(msg) != "a" || from.Name() != p.Segment().Name() {
			t.Errorf("%q of %v, %v", msg, from, err)
		}
		f.Release()
		if _, _, err := f.TryNext(); err != sluice.ErrEmpty {
			t.Error(err)
		}
	}
	waited := f.Ready()
	later := addRing(t, prefix+"-later", sluice.ProducerOptions{})
	send(t, later, "b")
	<-waited
	if msg, from, err := f.TryNext(); string(msg) != "b" {
		t.Errorf("%q of %v, %v", msg, from, err)
	}
	f.Release()
	for _, p := range append(ps, later) {
		p.Close()
	}
	for err := error(nil); err != io.EOF; _, _, err = f.TryNext() {
		if !waitReady(testenv.Timeout) {
			t.Fatal("no event")
		}
	}
	waited = f.Ready()
	f.Close()
	<-waited
	if !waitReady(testenv.Timeout) {
		t.Error("no event")
	}
}

// A ring whose file was removed leaves, also when nobody waits but for the event.
func TestFanIn_Ready_RingRemoved_Leaves(t *testing.T) {
	_, ps := rings(t, 2, sluice.ProducerOptions{})
	var left error
	f := fanIn(t, sluice.FanInOptions{OnLeave: func(_ *sluice.Source, err error) { left = errors.Join(left, err) }}, namesOf(ps)...)
	next := func() error {
		<-f.Ready()
		_, _, err := f.TryNext()
		f.Release()
		return err
	}
	f.Ready() // asleep when the ring is removed
	orphan(t, ps[0])
	testenv.Eventually(t, "its end", func() bool {
		if err := next(); err != sluice.ErrEmpty {
			t.Fatal(err)
		}
		return left != nil
	})
	testenv.WantErr(t, left, sluice.ErrRemoved)
	send(t, ps[1], "a")
	for err := sluice.ErrEmpty; err == sluice.ErrEmpty; {
		if err = next(); err != nil && err != sluice.ErrEmpty {
			t.Fatal(err)
		}
	}
	ps[1].Close()
	for err := sluice.ErrEmpty; err == sluice.ErrEmpty; {
		if err = next(); err != sluice.ErrEmpty {
			testenv.WantErr(t, err, sluice.ErrRemoved)
		}
	}
}

// A ring that has failed leaves, does not join again as it is, and does not keep others waiting.
func TestFanIn_CorruptRing_LeavesOnce(t *testing.T) {
	for _, follow := range []bool{false, true} {
		prefix, ps := rings(t, 2, sluice.ProducerOptions{})
		joined := 0
		var left []error
		f := fanIn(t, sluice.FanInOptions{
			Follow:  follow,
			OnJoin:  func(*sluice.Source) { joined++ },
			OnLeave: func(s *sluice.Source, err error) { left = append(left, err) },
		}, prefix+"-*")
		send(t, ps[0], "a")
		ps[0].Segment().Data()[7] = 0xff // the length of its record
		began := time.Now()
		deadline := began.Add(300 * time.Millisecond)
		for got := 0; got < 3 || time.Now().Before(deadline); {
			send(t, ps[1], "b")
			_, from, err := f.Receive(context.Background(), nil)
			testenv.WantErr(t, err, nil)
			if from.Name() != prefix+"-1" {
				t.Fatal(from.Name())
			}
			got++
		}
		retries := 0 // that there may have been: with Follow one a second
		if follow {
			retries = int(time.Since(began) / time.Second)
		}
		if joined < 2 || joined > 2+retries || len(left) < 1 || len(left) >= joined || !errors.Is(left[0], sluice.ErrCorrupt) {
			t.Errorf("follow %v: %d joined, left %v, after %v", follow, joined, left, time.Since(began))
		}
		ps[1].Close()
		if !follow {
			_, _, err := f.Next(context.Background())
			testenv.WantErr(t, err, sluice.ErrCorrupt)
		}
		f.Close()
	}
}

// A segment whose file is removed while nobody produces into it leaves, in any position.
func TestFanIn_RemovedRing_OthersGoOn(t *testing.T) {
	for removed := range 2 {
		_, ps := rings(t, 2, sluice.ProducerOptions{Keep: true})
		names := namesOf(ps)
		f := fanIn(t, sluice.FanInOptions{}, names...)
		send(t, ps[0], "a")
		send(t, ps[1], "b")
		for range 2 {
			_, _, err := f.Receive(context.Background(), nil)
			testenv.WantErr(t, err, nil)
		}
		orphan(t, ps[removed])
		next := testenv.Background(func() error {
			_, from, err := f.Next(context.Background())
			if err == nil && from.Name() != names[1-removed] {
				err = fmt.Errorf("a message of %s", from.Name())
			}
			return err
		})
		time.Sleep(250 * time.Millisecond) // longer than it takes until it looks
		send(t, ps[1-removed], "c")
		testenv.WantErr(t, next(), nil)
		f.Release()
		ps[1-removed].Close()
		_, _, err := f.Next(context.Background())
		testenv.WantErr(t, err, sluice.ErrRemoved)
		f.Close()
	}
}

// orphan removes the file of a ring, and leaves its role as a killed producer does.
func orphan(t *testing.T, p sluice.Producer) {
	t.Helper()
	p.EndAs(layout.EndNone)
	testenv.WantErr(t, os.Remove(shm.Path(p.Segment().Name())), nil)
	if err := p.Close(); err != nil && !errors.Is(err, sluice.ErrRemoved) {
		t.Fatal(err)
	}
}

// More rings than futex_waitv takes: each has a goroutine that sleeps.
func TestFanIn_ManyRings_EachWakes(t *testing.T) {
	prefix, ps := rings(t, 130, sluice.ProducerOptions{Capacity: 4096})
	f := fanIn(t, sluice.FanInOptions{Spin: sluice.SpinNever}, prefix+"-*")
	ctx := context.Background()
	for _, i := range []int{0, 64, 129, 1} {
		next := testenv.Background(func() error {
			_, from, err := f.Receive(ctx, nil)
			if err == nil && from.Name() != ps[i].Segment().Name() {
				err = fmt.Errorf("a message of %s", from.Name())
			}
			return err
		})
		time.Sleep(20 * time.Millisecond) // it sleeps
		send(t, ps[i], "a")
		testenv.WantErr(t, next(), nil)
	}
	for _, p := range ps[:4] { // watchers end with their rings
		p.Close()
	}
	send(t, ps[77], "b")
	if msg, _, err := f.Receive(ctx, nil); err != nil || string(msg) != "b" {
		t.Errorf("%q, %v", msg, err)
	}
}
