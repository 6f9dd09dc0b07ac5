package transfer

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/internal/monotonic"
	"sluice/internal/testenv"
	"sluice/layout"
)

// wantTimes expects for how many messages the header page has a latency, and a response.
func wantTimes(t *testing.T, r *Receiver, latencies, responses uint64) {
	t.Helper()
	h := r.segment.Header()
	if l, o := h.Latency.Count.Load(), h.Response.Count.Load(); l != latencies || o != responses {
		t.Fatalf("%d latencies and %d response times are counted, want %d and %d", l, o, latencies, responses)
	}
}

// quantile returns the time that a share of the messages stays below or at.
func quantile(h *layout.Histogram, share float64) time.Duration {
	rank, n := uint64(math.Ceil(share*float64(h.Count.Load()))), uint64(0)
	for i := range h.Buckets {
		if n += h.Buckets[i].Load(); n >= rank {
			low, high := layout.LatencyBounds(i)
			return time.Duration(low/2 + high/2)
		}
	}
	return -1
}

func mean(h *layout.Histogram) time.Duration {
	return time.Duration(h.Sum.Load() / max(1, h.Count.Load()))
}

// A schedule of 1,000 messages a second goes on while the consumer pauses for one second of three.
// A third of the messages wait, those of the pause from a second down to nothing.
func TestTimes_ConsumerPauses_ResponseAsByTheory(t *testing.T) {
	const rate, total, from, to = 1000, 3000, 1000, 2000
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		t.Parallel()
		s, r := pair(t, opt)
		start := time.Now()
		due := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / rate) }
		sent := make(chan error, 1)
		go func() {
			for i := range total {
				if wait := time.Until(due(i)); wait > 0 {
					s.Flush()
					time.Sleep(wait)
				}
				s.SetDue(due(i))
				if err := s.Send(context.Background(), []byte("a message")); err != nil {
					sent <- err
					return
				}
			}
			_, err := finish(context.Background(), s)
			sent <- err
		}()
		var seen []time.Duration // what the consumer itself has measured
		for i := range total {
			if i == from {
				time.Sleep(time.Until(due(to)))
			}
			if _, err := r.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, time.Since(due(i)))
		}
		r.Release()
		fails(t, r, io.EOF)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		wantTimes(t, r, total, total)
		slices.Sort(seen)
		h := &r.segment.Header().Response
		for _, c := range []struct {
			share  float64
			theory time.Duration
		}{{0.50, 0}, {0.90, 700 * time.Millisecond}, {0.99, 970 * time.Millisecond}, {1, 999 * time.Millisecond}} {
			got, want := quantile(h, c.share), seen[int(c.share*(total-1))]
			// On a loaded machine all are longer, by the time that it stops this process.
			if got < c.theory*95/100 || (got-want).Abs() > want/10+100*time.Millisecond {
				t.Errorf("p%v %v, want %v, in theory %v", 100*c.share, got, want, c.theory)
			}
		}
		if got, theory := mean(h), time.Second/2*(to-from)/total; got < theory*95/100 {
			t.Errorf("mean %v, in theory %v", got, theory)
		}
	})
}

// The due times of a packed buffer's messages lie evenly between those of its first and its last
// one.
func TestTimes_PackedBuffer_SpreadEvenly(t *testing.T) {
	name, opt := place(t)
	opt.Buffer = 64 << 10
	s, r := create(t, name, opt), open(t, name, opt)
	now := time.Now()
	const n = 1000
	all := testenv.LongAgo()
	for i := range n {
		s.SetDue(now.Add(time.Duration(i-n) * all / n))
		send(t, s, "a message")
	}
	s.Flush()
	for range n {
		if _, err := r.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.Release()
	wantTimes(t, r, n, n)
	h := &r.segment.Header().Response
	for _, share := range []float64{0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99} {
		want := time.Duration(share * float64(all))
		if got := quantile(h, share); got < want*9/10-all/1000 || got > want*11/10+all*3/100 {
			t.Errorf("%.0f %% are below %v, want about %v", 100*share, got, want)
		}
	}
}

// A pause in the middle of a buffer is seen where it is, if the consumer does something with each
// message.
func TestTimes_PauseWithinBuffer(t *testing.T) {
	name, opt := place(t)
	opt.Buffer = 64 << 10
	s, r := create(t, name, opt), open(t, name, opt)
	const n, pause, work = 1000, 400 * time.Millisecond, 20 * time.Microsecond
	s.SetDue(time.Now())
	for range n {
		send(t, s, "a message")
	}
	s.Flush()
	began := time.Now()
	var took time.Duration // the first half
	for i := range n {
		if i == n/2 {
			took = time.Since(began)
			time.Sleep(pause)
		}
		if _, err := r.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(work); time.Now().Before(until); {
		}
	}
	r.Release()
	wantTimes(t, r, n, n)
	if s.queue.consumer.Buffers.Load() != 1 {
		t.Error("that was not one buffer")
	}
	for _, h := range []*layout.Histogram{&r.segment.Header().Latency, &r.segment.Header().Response} {
		if p55, p90 := quantile(h, 0.55), quantile(h, 0.90); p55 < pause*9/10 || p90 < pause*9/10 {
			t.Errorf("p55 %v, p90 %v, want %v", p55, p90, pause)
		}
		if p40 := quantile(h, 0.40); p40 > took+pause/2 {
			t.Errorf("p40 %v, want %v", p40, took)
		}
	}
	ended(t, s, r)
}

func TestTimes_NoDueTime_NoResponse(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "a", "b", "c")
		s.Flush()
		wantMessages(t, r, "a", "b", "c")
		r.Release()
		wantTimes(t, r, 3, 0)
		s.SetDue(time.Now())
		send(t, s, "d", "e")
		s.Flush()
		wantMessages(t, r, "d", "e")
		r.Release()
		wantTimes(t, r, 5, 2)
		s.SetDue(time.Time{})
		send(t, s, "f")
		s.Flush()
		wantMessages(t, r, "f")
		r.Release()
		wantTimes(t, r, 6, 2)
	})
}

func TestTimes_SentBeforeDue_Zero(t *testing.T) {
	s, r := pair(t, endOptions{})
	s.SetDue(time.Now().Add(time.Hour))
	send(t, s, "a")
	wantMessages(t, r, "a")
	r.Release()
	wantTimes(t, r, 1, 1)
	if h := &r.segment.Header().Response; h.Sum.Load() != 0 || h.Max.Load() != 0 || h.Buckets[0].Load() != 1 {
		t.Errorf("a response time of %d ns", h.Max.Load())
	}
	ended(t, s, r)
}

// Times end when a message is taken, and count when it is released.
func TestTimes_CountedAtRelease(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		s.SetDue(time.Now())
		send(t, s, "a", "b", "c", "d", "e", "f")
		s.Flush()
		h := r.segment.Header()
		wantMessages(t, r, "a", "b", "c", "d", "e", "f")
		wantTimes(t, r, 0, 0)
		const held = 100 * time.Millisecond
		time.Sleep(held)
		r.ReleaseN(1)
		wantTimes(t, r, 1, 1)
		r.ReleaseN(3)
		if opt.Buffer == 0 { // else the last one of the buffer stands for the others
			wantTimes(t, r, 4, 4)
		}
		r.ReleaseN(2)
		wantTimes(t, r, 6, 6)
		if longest := time.Duration(h.Latency.Max.Load()); longest > held {
			if taken := time.Duration(h.Response.Max.Load()); taken < time.Second { // the machine is not that slow
				t.Errorf("latency %v: it goes on while a message is held", longest)
			}
		}
		send(t, s, "g", "h")
		s.Flush()
		for _, want := range []string{"g", "h"} {
			if got, err := r.Receive(t.Context(), nil); err != nil || string(got) != want {
				t.Fatalf("%q, %v", got, err)
			}
		}
		wantTimes(t, r, 8, 8)
		ended(t, s, r)
	})
}

// However many are held, their times take little memory, and none is forgotten.
func TestTimes_ManyHeld_AllCounted(t *testing.T) {
	s, r := pair(t, endOptions{})
	const n = 5*maxPendingSamples + 7
	late := testenv.LongAgo()
	for i := range n {
		due := time.Now()
		if i < n/4 { // a quarter of them waits for long
			due = due.Add(-late)
		}
		s.SetDue(due)
		send(t, s, "a message")
	}
	for range n {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.times.pending) != maxPendingSamples {
		t.Errorf("there is room for the times of %d messages", len(r.times.pending))
	}
	wantTimes(t, r, 0, 0)
	for r.Held() > 0 {
		r.ReleaseN(min(100, r.Held()))
	}
	wantTimes(t, r, n, n)
	h := &r.segment.Header().Response
	if p50, p73, p77, p99 := quantile(h, 0.50), quantile(h, 0.73), quantile(h, 0.77), quantile(h, 0.99); p73 > late/10 || p77 < late*9/10 || p99 < late*9/10 {
		t.Errorf("p50 %v, p73 %v, p77 %v, p99 %v; want a quarter to be late by %v", p50, p73, p77, p99, late)
	}
	ended(t, s, r)
}

// A Receiver that leaves counts what it has released, to the message, and its successor the rest.
func TestTimes_ReceiversClose_EachCountsItsOwn(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		const total = 100
		late := testenv.LongAgo()
		for i := range total {
			s.SetDue(time.Now().Add(-late))
			send(t, s, fmt.Sprint(i))
		}
		s.Flush()
		h := s.segment.Header()
		for released := 0; released < total; {
			r := open(t, name, opt)
			for i, stop := released, min(released+10, total); i < stop; i++ {
				wantMessages(t, r, fmt.Sprint(i))
				if i%3 == 0 {
					r.ReleaseN(1)
					released++
				}
			}
			wantResponse := h.Consumer.Count.Load()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if l, o := h.Latency.Count.Load(), h.Response.Count.Load(); l != uint64(released) || o != wantResponse {
				t.Fatalf("%d released, and %d latencies and %d response times counted", released, l, o)
			}
		}
		for _, q := range []float64{0.01, 0.5, 1} {
			if got := quantile(&h.Response, q); got < late*11/12 || got > late*7/6 {
				t.Errorf("response p%v %v, want %v", 100*q, got, late)
			}
		}
		r := open(t, name, opt)
		ended(t, s, r)
	})
}

// holdMessages is a consumer that takes so many messages, releases the oldest of them, and holds
// the others until it is killed.
func holdMessages(args []string) error {
	take, _ := strconv.Atoi(args[2])
	release, _ := strconv.Atoi(args[3])
	r, err := Open(context.Background(), args[0], ReceiverOptions{Socket: args[1]})
	if err != nil {
		return err
	}
	for range take {
		if _, err := r.Next(context.Background()); err != nil {
			return err
		}
	}
	r.ReleaseN(release)
	fmt.Println("holds")
	select {}
}

// What a killed Receiver had taken and not released comes again, and counts once.
func TestTimes_ReceiverKilled_CountedOnce(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		const total, taken, released = 100, 60, 20
		s.SetDue(time.Now())
		for i := range total {
			send(t, s, fmt.Sprint(i))
		}
		s.Flush()
		holder := testenv.StartChild(t, "hold", name, opt.Socket, fmt.Sprint(taken), fmt.Sprint(released))
		holder.WantLine(t, "holds")
		holder.Kill()
		r := open(t, name, opt)
		counted := r.segment.Header().Latency.Count.Load()
		if counted > released || counted < 1 || opt.Buffer == 0 && counted != released {
			t.Errorf("it has counted %d of the %d that it has released", counted, released)
		}
		for i := range total - released {
			wantMessages(t, r, fmt.Sprint(released+i))
			r.Release()
		}
		wantTimes(t, r, counted+total-released, counted+total-released)
		ended(t, s, r)
	})
}

// A lost connection brings the same buffers again, to the same Receiver.
func TestTimes_ConnectionLost_CountedOnce(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		s.SetDue(time.Now())
		taken(t, s, r, 0, 6)
		losesConnection(t, r)
		r.ReleaseN(2)
		taken(t, s, r, 6, 3)
		r.Release()
		wantTimes(t, r, 9, 9)
		ended(t, s, r)
	})
}

// What went with a producer was not taken, though it was held perhaps.
func TestTimes_LostMessages_NotCounted(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Buffer = 0
		r, _, _ := killedAfter(t, opt, 5, 3)
		wantMessages(t, r, "0", "1", "2")
		r.ReleaseN(2)
		wantTimes(t, r, 2, 0)
		if lost := r.WriteOff(); lost != 3 {
			t.Errorf("%d are lost", lost)
		}
		r.Release()
		wantTimes(t, r, 2, 0)
		accounts(t, r.segment.Header(), 2, 3)
	})
}

// The clocks that a sender writes are for statistics: they spoil those, and nothing else.
func TestHostile_AnyTime_Accepted(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	values := []uint64{0, 1, monotonic.Now(), monotonic.Now() + 1<<40, 1<<63 - 1, 1 << 63, math.MaxUint64}
	messages := uint64(0)
	for _, first := range values {
		for _, last := range values {
			for _, due := range [][2]uint64{{first, last}, {last, first}, {0, last}, {first, 0}} {
				e := entry{size: 48, length: 48, messages: 3, flags: flagDescriptor | flagPacked}
				e.first, e.last = messageTime{first, due[0]}, messageTime{last, due[1]}
				record := "\x06\x00\x00\x00\x00\x00\x00\x00from h\x00\x00"
				in.gives([]int{file(t, record+record+record, sealed)}, e)
				wantMessages(t, r, "from h", "from h", "from h")
				if messages%2 == 0 {
					r.ReleaseN(1)
				}
				r.Release()
				if messages += 3; messages%999 == 0 {
					in.claim()
				}
				h := r.segment.Header()
				for _, times := range []*layout.Histogram{&h.Latency, &h.Response} {
					sum := uint64(0)
					for i := range times.Buckets {
						sum += times.Buckets[i].Load()
					}
					if sum != times.Count.Load() || times.Max.Load() > layout.MaxLatency || sum > messages {
						t.Fatalf("%d in buckets, %d counted, longest %d, after %d messages", sum, times.Count.Load(), times.Max.Load(), messages)
					}
				}
			}
		}
	}
	if n := r.segment.Header().Latency.Count.Load(); n != messages {
		t.Errorf("%d of %d counted", n, messages)
	}
}

// The time of a message between the first and the last of its buffer, whatever those are.
func TestTakeTimes_TimeOf(t *testing.T) {
	for _, c := range []struct {
		first, last messageTime
		i           uint64 // from 0, of 5
		want        messageTime
	}{
		{messageTime{100, 10}, messageTime{500, 50}, 0, messageTime{100, 10}},
		{messageTime{100, 10}, messageTime{500, 50}, 1, messageTime{200, 20}},
		{messageTime{100, 10}, messageTime{500, 50}, 3, messageTime{400, 40}},
		{messageTime{100, 10}, messageTime{500, 50}, 4, messageTime{500, 50}},
		{messageTime{500, 50}, messageTime{100, 10}, 1, messageTime{400, 40}},
		{messageTime{100, 0}, messageTime{500, 50}, 2, messageTime{300, 0}},
		{messageTime{100, 10}, messageTime{500, 0}, 2, messageTime{300, 0}},
	} {
		times := takeTimes{first: c.first, last: c.last, messages: 5}
		if got := times.timeOf(c.i + 1); got != c.want {
			t.Errorf("message %d from %v to %v: %v, want %v", c.i, c.first, c.last, got, c.want)
		}
	}
}

// The ends are exact, what lies between them is there, and times of a hostile peer leave it there.
func TestPartWay(t *testing.T) {
	for _, c := range []struct{ from, to, n, m, want uint64 }{
		{100, 200, 0, 4, 100},
		{100, 200, 1, 4, 125},
		{100, 200, 4, 4, 200},
		{200, 100, 1, 4, 175},
		{100, 100, 3, 4, 100},
		{100, 201, 1, 2, 150},
		{201, 100, 1, 2, 151},
		{1<<63 - 3, 1<<63 + 3, 1, 2, 1 << 63},
		{0, 1<<63 - 1, 1<<40 - 1, 1 << 40, 1<<63 - 1 - 1<<23},
		{1<<63 - 1, 0, 1<<40 - 1, 1 << 40, 1 << 23},
		{1<<64 - 50, 50, 1, 2, 0},
		{5, 1<<64 - 5, 10, 10, 1<<64 - 5},
		{0, 1<<63 - 1, 1<<63 - 1, 1<<63 - 1, 1<<63 - 1},
		{100, 200, 1, 0, 200},
	} {
		if got := partWay(c.from, c.to, c.n, c.m); got != c.want {
			t.Errorf("%d of %d steps from %d to %d: %d, want %d", c.n, c.m, c.from, c.to, got, c.want)
		}
	}
}
