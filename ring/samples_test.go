package ring

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// quantile returns the time that a share q of the messages did not exceed, as a histogram has it.
func quantile(h *layout.Histogram, q float64) time.Duration {
	rank := uint64(q * float64(h.Count.Load()))
	for i := range h.Buckets {
		if n := h.Buckets[i].Load(); rank < n {
			low, high := layout.LatencyBounds(i)
			return time.Duration(low + (high-low)/2)
		} else {
			rank -= n
		}
	}
	return layout.MaxLatency
}

func mean(h *layout.Histogram) time.Duration {
	return time.Duration(h.Sum.Load() / max(1, h.Count.Load()))
}

// wantTimes compares a histogram with the times that it is to show.
func wantTimes(t *testing.T, what string, h *layout.Histogram, times []time.Duration, tolerance float64) {
	t.Helper()
	slices.Sort(times)
	var sum time.Duration
	for _, d := range times {
		sum += d
	}
	check := func(name string, got, want time.Duration) {
		t.Helper()
		if float64(got) < float64(want)*(1-tolerance) || float64(got) > float64(want)*(1+tolerance) {
			t.Errorf("%s: %s %v, want %v", what, name, got, want)
		}
	}
	check("mean", mean(h), sum/time.Duration(len(times)))
	for _, q := range []float64{0.35, 0.55, 0.95, 0.99} {
		check(fmt.Sprint("quantile ", q), quantile(h, q), times[int(q*float64(len(times)))])
	}
	if got := h.Count.Load(); float64(got) < float64(len(times))*(1-tolerance) || got > uint64(len(times)) {
		t.Errorf("%s: stands for %d messages of %d", what, got, len(times))
	}
}

// A backlog that leaves at once, after the producer was held back, and one that all lies in the
// ring when the consumer goes on. The times in which the messages were due are so long that the
// time which the test takes is nothing.
func TestResponse_Backlog(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		all := testenv.LongAgo()
		evenly := func(i, n int) float64 { return float64(i) / float64(n) }
		random := rand.New(rand.NewPCG(3, 4))
		for _, c := range []struct {
			name     string
			messages int
			dueAt    func(i, n int) float64 // from 0 to 1, of a time that is over now
		}{
			{"1,000", 1000, evenly},
			{"5,000", 5000, evenly},
			{"as many as the ring takes", 65_536, evenly},
			{"at a rate that falls to a tenth", 60_000, func(i, n int) float64 {
				if i < n/2 {
					return evenly(i, n) / 5
				}
				return 0.1 + (evenly(i, n)-0.5)*1.8
			}},
			{"in bursts", 60_000, func(i, n int) float64 { return float64(i/6000) / 10 }},
			{"at random", 5000, func(i, n int) float64 { return evenly(i, n) + random.ExpFloat64()/1e5 }},
		} {
			for _, queued := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, queued %v", c.name, queued), func(t *testing.T) {
					w, r, mem := k.pair(t, (16+k.slotSize)<<16, 0, WriterOptions{}, ReaderOptions{})
					var times []time.Duration
					now := time.Now()
					for i := range c.messages {
						ago := time.Duration((1 - c.dueAt(i, c.messages)) * float64(all))
						times = append(times, ago)
						w.SetDue(now.Add(-ago))
						send(t, w, "8 bytes.")
						if !queued {
							wantMessages(t, r, "8 bytes.")
							r.Release()
						}
					}
					for queued && w.Unread() > 0 {
						wantMessages(t, r, "8 bytes.")
						r.Release()
					}
					r.Close()
					h := mem.Header
					wantTimes(t, "response", &h.Response, times, 0.05)
					if most := time.Since(now); time.Duration(h.Latency.Max.Load()) > most {
						t.Errorf("a latency of %v within %v", time.Duration(h.Latency.Max.Load()), most)
					}
				})
			}
		}
	})
}

// Where nothing is due there is no response time, and messages of one kind do not count for those
// of the other.
func TestResponse_CountsWhatIsDue(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 1<<16, 0, WriterOptions{}, ReaderOptions{})
		exchange := func(n int) {
			for range n {
				send(t, w, "a")
				wantMessages(t, r, "a")
				r.Release()
			}
		}
		counted := func() uint64 { r.TryNext(); return mem.Header.Response.Count.Load() }
		exchange(1000)
		if n := counted(); n != 0 {
			t.Errorf("%d response times of messages that are due at no time", n)
		}
		w.SetDue(time.Now())
		exchange(1)
		w.SetDue(time.Time{})
		exchange(1000)
		if n := counted(); n != 1 {
			t.Errorf("%d response times, want that of the one message that was due", n)
		}
		late := testenv.LongAgo()
		buf, err := w.Reserve(canceled, 1)
		wantErr(t, err, nil)
		w.SetDue(time.Now().Add(-late)) // before Commit, so it holds for this message
		w.Commit(copy(buf, "a"))
		w.Publish()
		wantMessages(t, r, "a")
		r.Release()
		if n := counted(); n != 2 || time.Duration(mem.Header.Response.Max.Load()) < late {
			t.Errorf("%d response times, the longest %v", n, time.Duration(mem.Header.Response.Max.Load()))
		}
		w.SetDue(time.Now().Add(time.Hour)) // sent too early: no time at all
		if _, err := w.SendBatch(canceled, [][]byte{[]byte("a"), []byte("a")}); err != nil {
			t.Fatal(err)
		}
		wantMessages(t, r, "a", "a")
		r.Release()
		early := uint64(2)
		if k.slotSize > 0 {
			early = 1 // and the other lies between that and the one before, which was late: one sample a publish
		}
		if n := counted(); n != 4 || mem.Header.Response.Buckets[0].Load() != early {
			t.Errorf("%d response times, %d of them 0", n, mem.Header.Response.Buckets[0].Load())
		}
		w.Close()
		w.SetDue(time.Now())
	})
}

// A stream in which messages become rarer is sampled as one that was slow all the time.
func TestResponse_RateFalls_DenseAgain(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 1<<16, 0, WriterOptions{}, ReaderOptions{})
		due := time.Now().Add(-testenv.LongAgo())
		exchange := func(n int, every time.Duration) {
			for range n {
				due = due.Add(every)
				w.SetDue(due)
				send(t, w, "a")
				wantMessages(t, r, "a")
				r.Release()
			}
		}
		exchange(200_000, time.Microsecond)
		if n := mem.Header.Producer.Samples.Load(); n > 4_000 {
			t.Errorf("%d samples in 200 ms", n)
		}
		exchange(100, 100*time.Millisecond)
		before := mem.Header.Producer.Samples.Load()
		exchange(100, 100*time.Millisecond)
		if mem.Header.Producer.Samples.Load() == before || mem.Header.Producer.Samples.Load()-mem.Header.Consumer.Samples.Load() > 1 {
			t.Error("no samples")
		}
		if s := samplerOf(w); w.Published()-s.last > 1 || s.step > 0 {
			t.Errorf("%d messages since the last sample, at a distance of 1<<%d", w.Published()-s.last, s.step)
		}
	})
}

// Every way to take and to release counts every message once, in a stream that is slow enough for
// each of them to be a sample.
func TestSamples_EveryWayToTake_CountedOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		const messages = 200
		for name, take := range map[string]func(r readerEnd) error{
			"Next, Release":    func(r readerEnd) error { _, err := r.Next(canceled); r.Release(); return err },
			"TryNext, Release": func(r readerEnd) error { _, err := r.TryNext(); r.Release(); return err },
			"Take":             func(r readerEnd) error { _, err := r.Take(canceled); return err },
			"Receive":          func(r readerEnd) error { _, err := r.Receive(canceled, nil); return err },
			"Next, ReleaseN of all but three": func(r readerEnd) error {
				_, err := r.Next(canceled)
				r.ReleaseN(max(0, r.Held()-3))
				return err
			},
			"Next, a rare Release": func(r readerEnd) error {
				_, err := r.Next(canceled)
				if r.Held() == 50 {
					r.Release()
				}
				return err
			},
		} {
			for _, batch := range []int{1, 7} { // messages to a publish
				t.Run(fmt.Sprintf("%s, %d at a time", name, batch), func(t *testing.T) {
					w, r, mem := k.pair(t, 1<<16, 0, WriterOptions{}, ReaderOptions{})
					began := time.Now()
					for sent := 0; sent < messages; {
						for range batch {
							buf, err := w.Reserve(canceled, 8)
							wantErr(t, err, nil)
							w.SetDue(began.Add(time.Duration(sent) * time.Millisecond))
							w.Commit(copy(buf, "8 bytes."))
							sent++
						}
						w.Publish()
						for range batch {
							wantErr(t, take(r), nil)
						}
					}
					sent := w.Published()
					if n := mem.Header.Latency.Count.Load(); n > r.Released() {
						t.Errorf("%d messages counted, %d released", n, r.Released())
					}
					r.Release()
					wantErr(t, r.Close(), nil)
					for what, h := range map[string]*layout.Histogram{"latency": &mem.Header.Latency, "response": &mem.Header.Response} {
						if n := h.Count.Load(); n != sent {
							t.Errorf("%s: %d messages counted, want %d", what, n, sent)
						}
					}
					samples := sent
					if k.name == byteSlots.name { // there is one a publish
						samples /= uint64(batch)
					}
					if n := mem.Header.Consumer.Samples.Load(); n != samples {
						t.Errorf("%d samples used, want %d", n, samples)
					}
				})
			}
		}
	})
}

// Windows of any size have one sample each at most, which stands for all messages since the one
// before it: the histograms count every message, and have the times of a backlog.
func TestSamples_Windows_Backlog(t *testing.T) {
	const messages = 1 << 16
	all := testenv.LongAgo()
	for _, most := range []int{1, 7, 64, 1000} {
		for _, queued := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d at a time, queued %v", most, queued), func(t *testing.T) {
				w, r, mem := valuePair(t, messages, WriterOptions{}, ReaderOptions{})
				now := time.Now()
				var times []time.Duration
				take := func() {
					for r.Released() < w.Published() {
						_, err := r.Window(canceled, 4*most) // with several samples in it
						wantErr(t, err, nil)
						r.Release()
					}
				}
				for sent := 0; sent < messages; {
					window, err := w.Window(canceled, min(most, messages-sent))
					wantErr(t, err, nil)
					var ago time.Duration
					for range window { // due one after the other
						ago = all - all*time.Duration(sent)/messages
						times = append(times, ago)
						sent++
					}
					w.SetDue(now.Add(-ago))
					w.PublishN(len(window))
					if !queued && w.Unread() >= uint64(3*most) {
						take()
					}
				}
				take()
				wantErr(t, r.Close(), nil)
				wantTimes(t, "response", &mem.Header.Response, times, 0.05)
				if n := mem.Header.Latency.Count.Load(); n < messages*95/100 || n > messages {
					t.Errorf("%d of %d latencies", n, messages)
				}
			})
		}
	}
}

// What a Reader holds when it is killed, or closed, is delivered again and counted by the next one.
func TestSamples_Redelivered_CountedOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, end := range []struct {
			name string
			do   func(r readerEnd) error
		}{{"killed", func(readerEnd) error { return nil }}, {"closed", (readerEnd).Close}} {
			t.Run(end.name, func(t *testing.T) {
				w, r, mem := k.pair(t, 1<<16, 0, WriterOptions{}, ReaderOptions{})
				h := mem.Header
				w.SetDue(time.Now().Add(-testenv.LongAgo()))
				send(t, w, "a", "b", "c", "d")
				wantMessages(t, r, "a")
				r.Release()
				wantMessages(t, r, "b", "c") // with b, a is counted
				wantErr(t, end.do(r), nil)
				if n := h.Latency.Count.Load(); n != 1 {
					t.Fatalf("%d counted, want 1", n)
				}
				next := k.readerOn(t, mem, ReaderOptions{})
				wantMessages(t, next, "b", "c", "d")
				next.Release()
				wantErr(t, next.Close(), nil)
				if l, r := h.Latency.Count.Load(), h.Response.Count.Load(); l != 4 || r != 4 {
					t.Errorf("%d latencies and %d response times, want 4 and 4", l, r)
				}
			})
		}
	})
}

// A Writer is killed after it has stored its samples, and before its Index. Its successor's message
// lies where its own would have been, and is not that sample.
func TestSamples_WriterKilled_NotTaken(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a")
		wantMessages(t, r, "a")
		r.Release()
		dead := &mem.Header.Samples[1]
		dead.Index.Store(mem.Header.Producer.Index.Load())
		dead.Messages.Store(1000)
		mem.Header.Producer.Samples.Store(2)

		send(t, k.writerOn(t, mem, WriterOptions{}), "b")
		wantMessages(t, r, "b")
		r.Release()
		r.Close()
		if n := mem.Header.Latency.Count.Load(); n != 2 {
			t.Errorf("%d messages counted, want 2", n)
		}
	})
}

// Two processes; the consumer is stopped for a second. The ring has room for 8 messages, so most
// of those that were due then waited in front of the producer: their latency shows nothing of it.
func TestResponse_ConsumerStopped(t *testing.T) {
	const every, messages = time.Millisecond, 2000
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{Slots: 8, Keep: true})
	peer := start(t, name, "discard")
	began := time.Now()
	for i := range messages {
		if i == messages/4 {
			wantErr(t, peer.Process.Signal(unix.SIGSTOP), nil)
			resume := time.AfterFunc(time.Second, func() { peer.Process.Signal(unix.SIGCONT) })
			defer resume.Stop()
		}
		due := began.Add(time.Duration(i) * every)
		time.Sleep(time.Until(due))
		w.SetDue(due)
		wantErr(t, w.Send(context.Background(), []byte("8 bytes.")), nil)
	}
	wantErr(t, w.Close(), nil)
	wantErr(t, peer.Wait(), nil)
	h := look(t, name)
	// The messages of one second of the two waited, for half of it on average, and for more on a
	// machine with other work.
	if m := mean(&h.Response); m < 230*time.Millisecond || m > 2*time.Second {
		t.Errorf("mean response time %v", m)
	}
	for q, least := range map[float64]time.Duration{0.75: 450 * time.Millisecond, 0.95: 850 * time.Millisecond} {
		if p := quantile(&h.Response, q); p < least {
			t.Errorf("a share of %v of the response times is at most %v, want %v", q, p, least)
		}
	}
	if n := h.Response.Count.Load(); n < messages-10 {
		t.Errorf("%d response times of %d messages", n, messages)
	}
	if r, l := mean(&h.Response), mean(&h.Latency); r < 2*l {
		t.Errorf("mean response time %v, mean latency %v", r, l)
	}
}

// discard takes everything.
func discard(name string, opt ReaderOptions) error {
	r, err := Open(context.Background(), name, opt)
	if err != nil {
		return err
	}
	for {
		if _, err := r.Take(context.Background()); err == io.EOF {
			return r.Close()
		} else if err != nil {
			return err
		}
	}
}
