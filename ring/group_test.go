package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/testenv"
)

type groupOf = Group[*Reader, int]

// group is a Group over n rings on plain memory, the weight of ring i is weights[i].
func group(t failer, capacity uint64, weights ...int) (*groupOf, []*Writer) {
	t.Helper()
	g := NewGroup[*Reader, int](SpinNever, func() bool { return false })
	var ws []*Writer
	for i, weight := range weights {
		w, r, _ := pair(t, capacity, 0, WriterOptions{}, ReaderOptions{})
		ws = append(ws, w)
		g.Add(r, i, weight)
	}
	return g, ws
}

// fillWith sends messages of n bytes until the ring is full.
func fillWith(w *Writer, n int) {
	for w.Send(canceled, make([]byte, n)) == nil {
	}
}

// takeOne takes a message of the ring whose turn it is.
func takeOne(t failer, g *groupOf) (from int, msg []byte) {
	t.Helper()
	e, err := g.Select(canceled)
	if err != nil {
		t.Fatalf("select: %v", err)
	}
	msg, err = e.Reader.TryNext()
	if err != nil {
		t.Fatalf("ring %d: %v", e.Owner, err)
	}
	e.Spend(1, len(msg))
	return e.Owner, msg
}

// jain is Jain's index, (sum x)^2 / (n sum x^2) of shares x: 1 if they are equal (Jain, Chiu,
// Hawe, 1984).
func jain(shares []float64) float64 {
	var sum, squares float64
	for _, x := range shares {
		sum, squares = sum+x, squares+x*x
	}
	return sum * sum / (float64(len(shares)) * squares)
}

// Each ring gets bytes by its weight, whatever sizes its messages have, as long as none is empty.
func TestGroup_BytesByWeight(t *testing.T) {
	testenv.NotShort(t)
	weights := []int{1, 1, 2, 5, 1}
	sizes := []int{0, 8, 100, 1000, 6000} // the last one is more than a quantum
	g, ws := group(t, 1<<16, weights...)
	g.backoff = 5 // loads brought little before
	spent := make([]float64, len(weights))
	for i, w := range ws {
		fillWith(w, sizes[i])
	}
	for range 200_000 {
		from, msg := takeOne(t, g)
		spent[from] += float64(len(msg)+8) / float64(weights[from])
		g.current.Reader.Release()
		fillWith(ws[from], sizes[from])
	}
	if j := jain(spent); j < 0.999 {
		t.Errorf("Jain's index %.5f of %v", j, spent)
	}
}

// A ring with a message now and then is served within a round of the others.
func TestGroup_Trickle_ServedWithinRound(t *testing.T) {
	g, ws := group(t, 1<<16, 1, 1, 1, 1)
	for range 100 {
		for _, w := range ws[1:] {
			fillWith(w, 56)
		}
		for range rand.IntN(400) {
			takeOne(t, g)
			g.current.Reader.Release()
		}
		for _, w := range ws[1:] {
			fillWith(w, 56)
		}
		send(t, ws[0], "now")
		bytes := 0
		for from := -1; from != 0; {
			var msg []byte
			from, msg = takeOne(t, g)
			g.current.Reader.Release()
			if bytes += len(msg) + 8; bytes > 3*(Quantum+64)+11 {
				t.Fatalf("%d bytes of the others came first", bytes)
			}
		}
	}
}

// A message of many quanta is paid for by the turns that follow.
func TestGroup_LargeMessage_Debt(t *testing.T) {
	testenv.NotShort(t)
	g, ws := group(t, 1<<20, 1, 1)
	var others, large int
	for range 20_000 {
		fillWith(ws[0], 200_000)
		fillWith(ws[1], 56)
		from, msg := takeOne(t, g)
		g.current.Reader.Release()
		if from == 0 {
			large += len(msg) + 8
		} else {
			others += len(msg) + 8
		}
		if ahead := others - large; ahead > 200_008+2*Quantum || -ahead > 200_008+2*Quantum {
			t.Fatalf("one is %d bytes ahead", ahead)
		}
	}
	// Alone, a ring in debt is served at once.
	g, ws = group(t, 1<<20, 1, 1)
	for range 5 {
		send(t, ws[0], string(make([]byte, 500_000)))
		if from, _ := takeOne(t, g); from != 0 {
			t.Fatal(from)
		}
		g.current.Reader.Release()
	}
}

// An idle ring saves nothing up.
func TestGroup_IdleRing_SavesNothing(t *testing.T) {
	g, ws := group(t, 1<<16, 1, 1)
	for range 5000 {
		fillWith(ws[1], 56)
		takeOne(t, g)
		g.current.Reader.Release()
	}
	fillWith(ws[0], 56)
	row := 0
	for from := 0; from == 0; row++ {
		fillWith(ws[1], 56)
		from, _ = takeOne(t, g)
		g.current.Reader.Release()
	}
	if row > Quantum/64+2 {
		t.Errorf("%d messages in a row", row)
	}
}

// Nor does a ring that runs empty in its turns: when it has much at last, it does not hold up the
// others for longer than a turn.
func TestGroup_SlowRing_SavesNothing(t *testing.T) {
	g, ws := group(t, 1<<16, 1, 1)
	for range 1000 {
		send(t, ws[0], "a")
		for from, empty := 1, false; !empty || from == 0; g.current.Reader.Release() {
			fillWith(ws[1], 56)
			from, _ = takeOne(t, g)
			empty = empty || from == 0
		}
	}
	fillWith(ws[0], 56)
	row := 0
	for from := 1; from == 0 || row == 0; g.current.Reader.Release() {
		if from, _ = takeOne(t, g); from == 0 {
			row++
		}
	}
	if row > Quantum/64+2 {
		t.Errorf("%d messages in a row", row)
	}
}

func TestGroup_EndOfOne_FoundWhileOthersAreBusy(t *testing.T) {
	g, ws := group(t, 1<<16, 1, 1)
	ws[0].Close()
	for range 100_000 {
		fillWith(ws[1], 56)
		e, err := g.Select(canceled)
		testenv.WantErr(t, err, nil)
		msg, err := e.Reader.TryNext()
		if e.Owner == 0 {
			testenv.WantErr(t, err, io.EOF)
			g.Remove(e)
			if from, _ := takeOne(t, g); from != 1 {
				t.Error(from)
			}
			return
		}
		e.Spend(1, len(msg))
		e.Reader.Release()
	}
	t.Error("its end was not found")
}

func TestGroup_ClosedMember_Returned(t *testing.T) {
	g, _ := group(t, 1<<16, 1, 1)
	g.entries[1].Reader.Close()
	e, err := g.Select(context.Background())
	if err != nil || e != g.entries[1] {
		t.Fatal(e, err)
	}
	_, err = e.Reader.TryNext()
	testenv.WantErr(t, err, ErrClosed)
	g.Remove(e)
	_, err = g.Select(canceled)
	testenv.WantErr(t, err, errWaited)
}

// A member leaves in the order in which entries lie, before, at and behind the next one.
func TestGroup_Remove_OthersGoOn(t *testing.T) {
	for at := range 3 {
		for next := range 3 {
			g, ws := group(t, 4096, 1, 1, 1)
			g.next = next
			gone := g.entries[at]
			g.Remove(gone)
			for i, w := range ws {
				if i != gone.Owner {
					send(t, w, "a")
				}
			}
			got := map[int]bool{}
			for range 2 {
				from, _ := takeOne(t, g)
				got[from] = true
			}
			if len(got) != 2 || got[gone.Owner] {
				t.Errorf("entry %d removed with next %d: %v", at, next, got)
			}
		}
	}
}

// One in great debt does not give credit to one that has nothing.
func TestGroup_RoundsSkipped_NoCreditForIdle(t *testing.T) {
	g, ws := group(t, 1<<20, 1, MaxWeight)
	for _, e := range g.entries {
		e.budget = []int64{-500_000, -10}[e.Owner]
	}
	send(t, ws[0], "a")
	if from, _ := takeOne(t, g); from != 0 {
		t.Fatal(from)
	}
	for _, e := range g.entries {
		if e.Owner == 1 && e.budget > 0 {
			t.Errorf("a budget of %d", e.budget)
		}
	}
}

// Closing a member, an interrupt and a cancel each end a wait.
func TestGroup_WaitEnds(t *testing.T) {
	var due atomic.Bool
	g := NewGroup[*Reader, int](SpinNever, due.Load)
	for i := range 3 {
		_, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		g.Add(r, i, 1)
	}
	selected := func(ctx context.Context) func() error {
		return testenv.Background(func() error {
			e, err := g.Select(ctx)
			if e != nil {
				err = errors.Join(err, fmt.Errorf("ring %d", e.Owner))
			}
			return err
		})
	}
	for _, settled := range []time.Duration{0, 20 * time.Millisecond} {
		wait := selected(context.Background())
		time.Sleep(settled)
		due.Store(true)
		g.Interrupt()
		testenv.WantErr(t, wait(), nil)
		due.Store(false)

		ctx, cancel := context.WithCancel(context.Background())
		wait = selected(ctx)
		time.Sleep(settled)
		cancel()
		testenv.WantErr(t, wait(), context.Canceled)
	}
	wait := selected(context.Background())
	time.Sleep(20 * time.Millisecond)
	closed := g.entries[2]
	closed.Reader.Close()
	if err := wait(); err == nil || err.Error() != fmt.Sprintf("ring %d", closed.Owner) {
		t.Error(err)
	}
}

// Writers on other goroutines, which sleep and wake: every message arrives, in the order of its
// ring. The race detector sees the memory.
func TestGroup_ManyWriters_NothingLost(t *testing.T) {
	const rings, messages = 5, 2000
	g := NewGroup[*Reader, int](SpinAdaptive, func() bool { return false })
	var writers []func() error
	for i := range rings {
		w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		g.Add(r, i, 1)
		writers = append(writers, testenv.Background(func() error {
			for n := range messages {
				if n%50 == i {
					time.Sleep(100 * time.Microsecond)
				}
				if err := w.Send(context.Background(), []byte{byte(n), byte(n >> 8)}); err != nil {
					return err
				}
			}
			return w.Close()
		}))
	}
	taken := make([]int, rings)
	for left := rings; left > 0; {
		e, err := g.Select(context.Background())
		testenv.WantErr(t, err, nil)
		msg, err := e.Reader.TryNext()
		switch {
		case err == io.EOF:
			g.Remove(e)
			left--
		case err != nil:
			t.Fatal(err)
		default:
			if n := int(msg[0]) | int(msg[1])<<8; n != taken[e.Owner] {
				t.Fatalf("ring %d: message %d, want %d", e.Owner, n, taken[e.Owner])
			}
			taken[e.Owner]++
			e.Spend(1, len(msg))
			e.Reader.Release()
		}
	}
	for i, join := range writers {
		testenv.WantErr(t, join(), nil)
		if taken[i] != messages {
			t.Errorf("ring %d: %d messages", i, taken[i])
		}
	}
}
