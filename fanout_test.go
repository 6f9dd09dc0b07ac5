package sluice_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// smallRing holds 8 messages of 8 bytes.
var smallRing = sluice.FanOutOptions{SlotSize: 8, Slots: 8}

// fanOut makes a FanOut to rings of 8 messages, one for each policy. It returns their names.
func fanOut(t *testing.T, policies ...sluice.Policy) (*sluice.FanOut, []string) {
	t.Helper()
	return fanOutWith(t, smallRing, policies...)
}

func fanOutWith(t *testing.T, opt sluice.FanOutOptions, policies ...sluice.Policy) (*sluice.FanOut, []string) {
	t.Helper()
	var to []sluice.Destination
	var names []string
	for _, p := range policies {
		names = append(names, testenv.SegmentName(t))
		to = append(to, sluice.Destination{Name: names[len(names)-1], OnSlow: p})
	}
	f, err := sluice.CreateFanOut(t.Context(), to, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, names
}

func number(i int) []byte { return []byte{byte(i), byte(i >> 8), 0, 0, 0, 0, 0, 0} }

// reader is a consumer of a ring, and what it was told.
type reader struct {
	sluice.Consumer
	missed uint64
	ends   []error
}

func openReader(t *testing.T, name string, follow bool) *reader {
	t.Helper()
	r := new(reader)
	c, err := sluice.Open(t.Context(), name, sluice.ConsumerOptions{
		Follow: follow, OnMissed: func(n uint64) { r.missed += n }, OnEnd: func(err error) { r.ends = append(r.ends, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Consumer = c
	t.Cleanup(func() { c.Close() })
	return r
}

// take takes what is there, and returns the numbers and why there is no more.
func (r *reader) take() (got []int, err error) {
	for {
		msg, err := r.TryNext()
		if err != nil {
			return got, err
		}
		got = append(got, int(msg[0])|int(msg[1])<<8)
		r.Release()
	}
}

// want takes what is there: the numbers from first to last-1, and then that error.
func (r *reader) want(t *testing.T, first, last int, end error) {
	t.Helper()
	got, err := r.take()
	if !errors.Is(err, end) {
		t.Errorf("the end is %v, want %v", err, end)
	}
	if len(got) != last-first || len(got) > 0 && (got[0] != first || got[len(got)-1] != last-1) {
		t.Errorf("got %v, want %d to %d", got, first, last-1)
	}
}

func sendNumbers(t *testing.T, f *sluice.FanOut, first, last int) {
	t.Helper()
	for i := first; i < last; i++ {
		if err := f.Send(t.Context(), number(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func wantRing(t *testing.T, f *sluice.FanOut, i int, published, dropped uint64) {
	t.Helper()
	if r := f.Rings()[i]; r.Published != published || r.Dropped != dropped {
		t.Errorf("ring %d: %d published and %d dropped, want %d and %d", i, r.Published, r.Dropped, published, dropped)
	}
}

func TestFanOut_EveryRingGetsAllMessages(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Drop, sluice.Disconnect)
	sendNumbers(t, f, 0, 3)
	if n, err := f.SendBatch(t.Context(), [][]byte{number(3), number(4)}); n != 2 || err != nil {
		t.Errorf("SendBatch: %d, %v", n, err)
	}
	room, err := f.Reserve(t.Context(), 8)
	if err != nil {
		t.Fatal(err)
	}
	copy(room, number(5))
	f.Commit(8)
	f.Publish()
	if f.Published() != 6 || f.MaxMessage() != 8 {
		t.Errorf("%d published, at most %d bytes", f.Published(), f.MaxMessage())
	}
	var readers []*reader
	for _, name := range names {
		readers = append(readers, openReader(t, name, false))
	}
	f.Close()
	for _, r := range readers {
		r.want(t, 0, 6, io.EOF)
		r.Close()
	}
}

// A ring that blocks and is full keeps a message out of all rings, until its consumer takes.
func TestFanOut_BlockHoldsAll(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Drop, sluice.Block)
	last := openReader(t, names[2], false)
	sendNumbers(t, f, 0, 8)
	other, third := openReader(t, names[1], false), openReader(t, names[0], false)
	other.want(t, 0, 8, sluice.ErrEmpty)
	third.want(t, 0, 8, sluice.ErrEmpty)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Send(ctx, number(8)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	other.want(t, 8, 8, sluice.ErrEmpty)
	third.want(t, 8, 8, sluice.ErrEmpty)
	sent := make(chan error)
	go func() { sent <- f.Send(context.Background(), number(8)) }()
	if _, err := last.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	last.Release()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	other.want(t, 8, 9, sluice.ErrEmpty)
	third.want(t, 8, 9, sluice.ErrEmpty)
	for i := range 3 {
		wantRing(t, f, i, 9, 0)
	}
}

func TestFanOut_DropLosesOnlyForItself(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Drop)
	fast, slow := openReader(t, names[0], false), openReader(t, names[1], false)
	for i := range 20 {
		sendNumbers(t, f, i, i+1)
		fast.want(t, i, i+1, sluice.ErrEmpty)
	}
	wantRing(t, f, 0, 20, 0)
	wantRing(t, f, 1, 8, 12)
	slow.want(t, 0, 8, sluice.ErrEmpty)
	sendNumbers(t, f, 20, 22)
	slow.want(t, 20, 22, sluice.ErrEmpty)
	if slow.missed != 0 {
		t.Errorf("told of %d messages", slow.missed)
	}
}

// A slow ring is waited for once, whatever its policy, and not for each message. The others get
// all.
func TestFanOut_BlockTimeout_HoldsOnce(t *testing.T) {
	opt := smallRing
	opt.BlockTimeout = 20 * time.Millisecond
	f, names := fanOutWith(t, opt, sluice.Block, sluice.Drop, sluice.Disconnect)
	fast, slow := openReader(t, names[0], false), openReader(t, names[1], false)
	openReader(t, names[2], false)
	waits := func(i int) uint64 { return f.Rings()[i].Segment.Header().ProducerStats.Waits.Load() }
	for i := range 20 {
		sendNumbers(t, f, i, i+1)
		fast.want(t, i, i+1, sluice.ErrEmpty)
	}
	wantRing(t, f, 0, 20, 0)
	wantRing(t, f, 1, 8, 12)
	wantRing(t, f, 2, 8, 12)
	if waits(0) != 0 || waits(1) != 1 || waits(2) != 1 {
		t.Errorf("%d, %d and %d waits", waits(0), waits(1), waits(2))
	}
	slow.want(t, 0, 8, sluice.ErrEmpty)
	if n, err := f.SendBatch(t.Context(), [][]byte{number(20), number(21)}); n != 2 || err != nil {
		t.Errorf("SendBatch: %d, %v", n, err)
	}
	slow.want(t, 20, 22, sluice.ErrEmpty)
	fast.want(t, 20, 22, sluice.ErrEmpty)
}

// A consumer that takes in time loses nothing, also of a batch that does not fit.
func TestFanOut_BlockTimeout_RoomInTime_NothingDropped(t *testing.T) {
	opt := smallRing
	opt.BlockTimeout = time.Minute
	f, names := fanOutWith(t, opt, sluice.Drop)
	r := openReader(t, names[0], false)
	var batch [][]byte
	for i := range 100 {
		batch = append(batch, number(i))
	}
	sent := make(chan error)
	go func() { _, err := f.SendBatch(context.Background(), batch); sent <- err }()
	for i := range 100 {
		msg, err := r.Next(t.Context())
		if err != nil || int(msg[0]) != i {
			t.Fatalf("got %v, %v", msg, err)
		}
		r.Release()
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	wantRing(t, f, 0, 100, 0)
}

// Nobody reads a ring that blocks: after a second its messages are dropped, and whoever comes is
// told. From then on the ring is waited for again.
func TestFanOut_AbsentReaderHoldsForASecond(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Block)
	fast := openReader(t, names[0], false)
	sendNumbers(t, f, 0, 8)
	fast.want(t, 0, 8, sluice.ErrEmpty)
	began := time.Now()
	sendNumbers(t, f, 8, 9)
	if d := time.Since(began); d < 800*time.Millisecond {
		t.Errorf("held for %v", d)
	}
	fast.want(t, 8, 9, sluice.ErrEmpty)
	for i := 9; i < 30; i += 4 {
		for j := range 4 {
			sendNumbers(t, f, i+j, i+j+1)
		}
		fast.want(t, i, i+4, sluice.ErrEmpty)
	}
	wantRing(t, f, 1, 8, 25)
	late := openReader(t, names[1], false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Send(ctx, number(33)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v: a ring with a reader is waited for", err)
	}
	late.want(t, 0, 8, sluice.ErrEmpty)
	sendNumbers(t, f, 33, 34)
	late.want(t, 33, 34, sluice.ErrEmpty)
	if late.missed != 25 {
		t.Errorf("told of %d messages, want 25", late.missed)
	}
	wantRing(t, f, 1, 9, 25)
}

func TestFanOut_DisconnectedReaderJoinsAgain(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Disconnect)
	fast, slow := openReader(t, names[0], false), openReader(t, names[1], false)
	pass := func(first, last int) {
		for i := first; i < last; i++ {
			sendNumbers(t, f, i, i+1)
			fast.want(t, i, i+1, sluice.ErrEmpty)
		}
	}
	pass(0, 20)
	wantRing(t, f, 1, 8, 12)
	got, err := slow.take()
	if len(got) != 8 || !errors.Is(err, sluice.ErrIncomplete) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, %v", got, err)
	}
	pass(20, 22) // it has been told, and is still there: nothing goes to it
	slow.Close()
	pass(22, 25) // nobody is there
	wantRing(t, f, 1, 8, 17)
	again := openReader(t, names[1], false)
	pass(25, 28)
	again.want(t, 25, 28, sluice.ErrEmpty)
	if slow.missed != 0 || again.missed != 17 {
		t.Errorf("told of %d and %d messages, want 17 in sum", slow.missed, again.missed)
	}
	f.Close()
	again.want(t, 28, 28, io.EOF) // the end of the old stream was told
}

// What nobody was told of is told to the next reader, and nothing is told twice.
func TestFanOut_ToldOnce(t *testing.T) {
	f, names := fanOut(t, sluice.Disconnect)
	sendNumbers(t, f, 0, 12)
	first := openReader(t, names[0], false)
	first.want(t, 0, 8, sluice.ErrIncomplete)
	first.Close()
	second := openReader(t, names[0], false)
	sendNumbers(t, f, 12, 14)
	second.Close() // before it was told
	third := openReader(t, names[0], false)
	third.want(t, 12, 14, sluice.ErrEmpty)
	sendNumbers(t, f, 14, 15)
	third.want(t, 14, 15, sluice.ErrEmpty)
	third.Close()
	fourth := openReader(t, names[0], false)
	sendNumbers(t, f, 15, 16)
	fourth.want(t, 15, 16, sluice.ErrEmpty)
	for i, r := range []*reader{first, second, third, fourth} {
		if want := []uint64{0, 0, 4, 0}[i]; r.missed != want {
			t.Errorf("reader %d was told of %d messages, want %d", i, r.missed, want)
		}
	}
}

// A reader whose process dies while it drains leaves the end to the next one, of which nothing is
// sent.
func TestFanOut_NextReaderDrainsFirst(t *testing.T) {
	f, names := fanOut(t, sluice.Disconnect)
	sendNumbers(t, f, 0, 12)
	first := openReader(t, names[0], false)
	for range 3 {
		if _, err := first.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Release()
	}
	first.Close()
	sendNumbers(t, f, 12, 14)
	second := openReader(t, names[0], false)
	sendNumbers(t, f, 14, 16) // it has joined, and has yet to drain
	second.want(t, 3, 8, sluice.ErrIncomplete)
	second.Close()
	third := openReader(t, names[0], false)
	sendNumbers(t, f, 16, 18)
	third.want(t, 16, 18, sluice.ErrEmpty)
	if third.missed != 8 || second.missed != 0 {
		t.Errorf("told of %d messages, want 8", third.missed)
	}
}

// With Follow the reader stays, and is sent to again once it has taken everything.
func TestFanOut_DisconnectedReaderFollows(t *testing.T) {
	f, names := fanOut(t, sluice.Disconnect)
	r := openReader(t, names[0], true)
	sendNumbers(t, f, 0, 12)
	r.want(t, 0, 8, sluice.ErrEmpty)
	sendNumbers(t, f, 12, 30)
	r.want(t, 12, 20, sluice.ErrEmpty)
	sendNumbers(t, f, 30, 31)
	r.want(t, 30, 31, sluice.ErrEmpty)
	if r.missed != 14 || len(r.ends) != 2 || !errors.Is(r.ends[0], sluice.ErrIncomplete) {
		t.Errorf("told of %d messages and the ends %v", r.missed, r.ends)
	}
	wantRing(t, f, 0, 17, 14)
}

// A producer that ends while a ring is disconnected leaves that end to its reader.
func TestFanOut_EndsWhileDisconnected(t *testing.T) {
	f, names := fanOut(t, sluice.Disconnect)
	r := openReader(t, names[0], false)
	sendNumbers(t, f, 0, 12)
	f.Close()
	got, err := r.take()
	if len(got) != 8 || !errors.Is(err, sluice.ErrIncomplete) || !strings.Contains(err.Error(), "this consumer, which was too slow") {
		t.Errorf("got %v, %v", got, err)
	}
	if r.missed != 4 {
		t.Errorf("told of %d messages, want 4", r.missed)
	}
}

// A producer that ends without a further message for a reader that has joined again tells it the
// end, and what it lacks.
func TestFanOut_EndsBeforeNextMessage(t *testing.T) {
	for _, opt := range []sluice.FanOutOptions{smallRing, {Capacity: 4096, Slots: 8}} {
		name := testenv.SegmentName(t)
		f, err := sluice.CreateFanOut(t.Context(), []sluice.Destination{{Name: name, OnSlow: sluice.Disconnect}}, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sendNumbers(t, f, 0, 12)
		r := openReader(t, name, false)
		r.want(t, 0, 8, sluice.ErrIncomplete)
		r.Close()
		again := openReader(t, name, false)
		again.want(t, 0, 0, sluice.ErrEmpty)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		again.want(t, 0, 0, io.EOF)
		if again.missed != 4 {
			t.Errorf("told of %d messages, want 4", again.missed)
		}
	}
}

func TestFanOut_BatchFillsWhatThereIs(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Drop, sluice.Disconnect)
	r := openReader(t, names[0], false)
	msgs := make([][]byte, 30)
	for i := range msgs {
		msgs[i] = number(i)
	}
	sent := make(chan error)
	go func() { _, err := f.SendBatch(context.Background(), msgs); sent <- err }()
	for next := 0; next < 30; {
		got, err := r.take()
		if err != sluice.ErrEmpty {
			t.Fatal(err)
		}
		if next += len(got); len(got) > 0 && got[len(got)-1] != next-1 {
			t.Fatalf("got %v", got)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	wantRing(t, f, 0, 30, 0)
	wantRing(t, f, 1, 8, 22)
	wantRing(t, f, 2, 8, 22)
}

func TestFanOutOf_Values(t *testing.T) {
	type pair struct{ A, B uint32 }
	names := []string{testenv.SegmentName(t), testenv.SegmentName(t)}
	f, err := sluice.CreateFanOutOf[pair](t.Context(), []sluice.Destination{{Name: names[0]}, {Name: names[1], OnSlow: sluice.Drop}},
		sluice.FanOutOptions{Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range uint32(3) {
		if err := f.Push(t.Context(), pair{i, 2 * i}); err != nil {
			t.Fatal(err)
		}
	}
	var readers []*sluice.ConsumerOf[pair]
	for _, name := range names {
		c, err := sluice.OpenOf[pair](t.Context(), name, sluice.ConsumerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		readers = append(readers, c)
	}
	sent := make(chan error)
	go func() {
		n, err := f.PushAll(context.Background(), []pair{{3, 6}, {4, 8}, {5, 10}})
		sent <- errors.Join(err, map[bool]error{n != 3: errors.New("not all")}[true])
	}()
	for i := range uint32(6) {
		if v, err := readers[0].Pop(t.Context()); err != nil || v != (pair{i, 2 * i}) {
			t.Errorf("got %v, %v", v, err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	for i := range uint32(4) {
		if v, err := readers[1].TryPop(); err != nil || v != (pair{i, 2 * i}) {
			t.Errorf("got %v, %v", v, err)
		}
	}
	if r := f.Rings()[1]; r.Published != 4 || r.Dropped != 2 || r.OnSlow != sluice.Drop {
		t.Errorf("%+v", r)
	}
}

func TestCreateFanOut_BadInput(t *testing.T) {
	free, taken := testenv.SegmentName(t), testenv.SegmentName(t)
	holder, err := sluice.Create(t.Context(), taken, sluice.ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	for _, c := range []struct {
		to   []sluice.Destination
		opt  sluice.FanOutOptions
		want error
	}{
		{want: sluice.ErrOption},
		{to: []sluice.Destination{{Name: free}, {Name: free}}, want: sluice.ErrOption},
		{to: []sluice.Destination{{Name: free, OnSlow: sluice.Fail}}, want: sluice.ErrOption},
		{to: []sluice.Destination{{Name: free}, {Name: "a/b"}}, want: sluice.ErrName},
		{to: []sluice.Destination{{Name: free}, {Name: taken}}, want: sluice.ErrRoleTaken},
		{to: []sluice.Destination{{Name: free}}, opt: sluice.FanOutOptions{Capacity: 5000}, want: sluice.ErrOption},
		{to: []sluice.Destination{{Name: free}}, opt: sluice.FanOutOptions{BlockTimeout: 1}, want: sluice.ErrOption},
		{to: []sluice.Destination{{Name: free, OnSlow: sluice.Drop}}, opt: sluice.FanOutOptions{BlockTimeout: -1}, want: sluice.ErrOption},
	} {
		f, err := sluice.CreateFanOut(t.Context(), c.to, c.opt)
		if f != nil || !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.to, err, c.want)
		}
		if _, err := os.Stat(shm.Path(free)); err == nil {
			t.Errorf("%v: a segment is left", c.to)
		}
	}
}

// A consumer that waits in a segment does not notice a FanOut that could not be made.
func TestCreateFanOut_GivesBack(t *testing.T) {
	name := testenv.SegmentName(t)
	first, err := sluice.Create(t.Context(), name, sluice.ProducerOptions{SlotSize: 8, Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	r := openReader(t, name, true)
	first.Close()
	r.want(t, 0, 0, sluice.ErrEmpty)
	if _, err := sluice.CreateFanOut(t.Context(), []sluice.Destination{{Name: name}, {Name: ""}}, smallRing); !errors.Is(err, sluice.ErrName) {
		t.Errorf("error %v", err)
	}
	r.want(t, 0, 0, sluice.ErrEmpty)
	if len(r.ends) != 1 || r.ends[0] != nil {
		t.Errorf("told of the ends %v", r.ends)
	}
}

// An end that no consumer was told of stays one, and is told once.
func TestCreateFanOut_GivesBack_EarlierEnd(t *testing.T) {
	taken := testenv.SegmentName(t)
	create(t, taken, sluice.ProducerOptions{})
	for name, c := range map[string]struct {
		end  sluice.End
		want error
	}{
		"complete": {sluice.EndComplete, io.EOF},
		"stopped":  {sluice.EndStopped, sluice.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			name := testenv.SegmentName(t)
			for _, opt := range []sluice.FanOutOptions{{Capacity: 4096}, smallRing} {
				p := create(t, name, sluice.ProducerOptions{Capacity: opt.Capacity, SlotSize: opt.SlotSize, Slots: opt.Slots})
				wantErr(t, p.Send(t.Context(), number(0)), nil)
				p.EndAs(c.end)
				wantErr(t, p.Close(), nil)
				_, err := sluice.CreateFanOut(t.Context(), []sluice.Destination{{Name: name}, {Name: taken}}, opt)
				wantErr(t, err, sluice.ErrRoleTaken)
				r := openReader(t, name, false)
				r.want(t, 0, 1, c.want)
				if n := testenv.Header(name).ProducerStats.Incomplete.Load(); n > 1 {
					t.Errorf("%d incomplete streams, want 1 at most", n)
				}
				wantErr(t, r.Close(), nil)
				testenv.WantNoSegment(t, name)
			}
		})
	}
}

// A message that one ring has no room for is left out of all; one of another size too.
func TestFanOut_MessageThatDoesNotFit(t *testing.T) {
	names := []string{testenv.SegmentName(t), testenv.SegmentName(t)}
	f, err := sluice.CreateFanOut(t.Context(), []sluice.Destination{{Name: names[0]}, {Name: names[1]}}, sluice.FanOutOptions{Capacity: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Send(t.Context(), make([]byte, 5000)); !errors.Is(err, sluice.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	n, err := f.SendBatch(t.Context(), [][]byte{{1}, make([]byte, 5000), {2}})
	if n != 1 || !errors.Is(err, sluice.ErrTooLarge) {
		t.Errorf("%d sent, error %v", n, err)
	}
	slots, _ := fanOut(t, sluice.Block)
	if err := slots.Send(t.Context(), []byte{1}); !errors.Is(err, sluice.ErrSize) {
		t.Errorf("error %v", err)
	}
}

// What was there before may have a ring that is smaller than the others: that one is named.
func TestFanOut_TooLarge_NamesSmallestRing(t *testing.T) {
	names := []string{testenv.SegmentName(t), testenv.SegmentName(t), testenv.SegmentName(t)}
	small := create(t, names[1], sluice.ProducerOptions{Capacity: 4096, Keep: true})
	wantErr(t, small.Close(), nil)
	f, err := sluice.CreateFanOut(t.Context(), []sluice.Destination{{Name: names[0]}, {Name: names[1]}, {Name: names[2]}}, sluice.FanOutOptions{})
	wantErr(t, err, nil)
	defer f.Close()
	err = f.Send(t.Context(), make([]byte, 5000))
	if !errors.Is(err, sluice.ErrTooLarge) || !strings.Contains(err.Error(), names[1]) || !strings.Contains(err.Error(), "at most 4088 fit") {
		t.Errorf("error %v, want ErrTooLarge of %s", err, names[1])
	}
}

func TestFanOut_CloseEndsAWait(t *testing.T) {
	f, names := fanOut(t, sluice.Drop, sluice.Block)
	openReader(t, names[1], false)
	sendNumbers(t, f, 0, 8)
	sent := make(chan error)
	go func() { sent <- f.Send(context.Background(), number(8)) }()
	time.Sleep(5 * time.Millisecond)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := <-sent; err != sluice.ErrClosed {
		t.Errorf("error %v", err)
	}
	if err := f.Send(t.Context(), number(9)); err != sluice.ErrClosed {
		t.Errorf("error %v", err)
	}
	if _, err := f.SendBatch(t.Context(), [][]byte{number(9)}); err != sluice.ErrClosed {
		t.Errorf("error %v", err)
	}
	wantRing(t, f, 0, 8, 0)
}

// Rings whose counts differ, as a kill between two rings leaves them, have the same number of
// offered messages after Align.
func TestFanOut_Align(t *testing.T) {
	f, names := fanOut(t, sluice.Block, sluice.Block)
	sendNumbers(t, f, 0, 2)
	f.EndAs(sluice.EndComplete)
	f.Close()
	alone, err := sluice.Create(t.Context(), names[1], sluice.ProducerOptions{SlotSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	alone.Send(t.Context(), number(2))
	alone.Close()
	g, err := sluice.CreateFanOut(t.Context(), []sluice.Destination{{Name: names[0]}, {Name: names[1]}}, sluice.FanOutOptions{SlotSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if n, err := g.Align(); n != 3 || err != nil {
		t.Errorf("Align: %d, %v", n, err)
	}
	wantRing(t, g, 0, 0, 1)
	wantRing(t, g, 1, 0, 0)
}

// A ring whose counters make no sense does not spoil those of the others.
func TestFanOut_Align_NonsenseCounter(t *testing.T) {
	for name, spoil := range map[string]func(h *layout.Header){
		"dropped":  func(h *layout.Header) { h.ProducerStats.Dropped.Store(1 << 63) },
		"produced": func(h *layout.Header) { h.Producer.Index.Store(1 << 62); h.Consumer.Index.Store(1 << 62) },
	} {
		t.Run(name, func(t *testing.T) {
			f, names := fanOut(t, sluice.Block, sluice.Drop)
			spoil(f.Rings()[1].Segment.Header())
			_, err := f.Align()
			if !errors.Is(err, sluice.ErrCorrupt) || !strings.Contains(err.Error(), names[1]) {
				t.Errorf("error %v, want ErrCorrupt of %s", err, names[1])
			}
			wantRing(t, f, 0, 0, 0)
		})
	}
}

// publishOne sends a message by Reserve, Commit and Publish, of which only the first has an error.
func publishOne(f *sluice.FanOut, msg []byte) error {
	room, err := f.Reserve(context.Background(), len(msg))
	if err != nil {
		return err
	}
	f.Commit(copy(room, msg))
	f.Publish()
	return nil
}

// Nothing is asked of a ring that does not block before a message is sent to it.
func TestFanOut_Closed_NoRingBlocks(t *testing.T) {
	for name, call := range map[string]func(f *sluice.FanOut) error{
		"Reserve":         func(f *sluice.FanOut) error { return publishOne(f, number(0)) },
		"Send":            func(f *sluice.FanOut) error { return f.Send(context.Background(), number(0)) },
		"SendBatch":       func(f *sluice.FanOut) error { return second(f.SendBatch(context.Background(), [][]byte{number(0)})) },
		"empty SendBatch": func(f *sluice.FanOut) error { return second(f.SendBatch(context.Background(), nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := fanOut(t, sluice.Drop, sluice.Disconnect)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if err := call(f); err != sluice.ErrClosed {
				t.Errorf("error %v, want ErrClosed", err)
			}
		})
	}
}

func second(_ int, err error) error { return err }

// A ring that is found to be corrupt by Publish, which has no error, is that of the next call. The
// others get every message.
func TestFanOut_CorruptRing_NextCallFails(t *testing.T) {
	for name, next := range map[string]func(f *sluice.FanOut) error{
		"Reserve":   func(f *sluice.FanOut) error { return publishOne(f, number(9)) },
		"Send":      func(f *sluice.FanOut) error { return f.Send(context.Background(), number(9)) },
		"SendBatch": func(f *sluice.FanOut) error { return second(f.SendBatch(context.Background(), nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			f, names := fanOut(t, sluice.Drop, sluice.Drop)
			r := openReader(t, names[1], false)
			sendNumbers(t, f, 0, 8)
			r.want(t, 0, 8, sluice.ErrEmpty)
			f.Rings()[0].Segment.Header().Consumer.Index.Store(1 << 40)
			if err := publishOne(f, number(8)); err != nil { // which finds it
				t.Fatal(err)
			}
			if err := next(f); !errors.Is(err, sluice.ErrCorrupt) || !strings.Contains(err.Error(), names[0]) {
				t.Errorf("error %v, want ErrCorrupt of %s", err, names[0])
			}
			r.want(t, 8, 9, sluice.ErrEmpty) // and not that of the call that failed
		})
	}
}
