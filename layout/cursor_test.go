package layout

import (
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPublishedIsWhatASuccessorWouldCount(t *testing.T) {
	for _, c := range []struct {
		name                      string
		index, next, count, prior uint64
		want                      uint64
	}{
		{"nothing yet", 0, 0, 0, 0, 0},
		{"at rest", 64, 64, 5, 4, 5},
		{"killed after CountBefore", 64, 64, 5, 5, 5},
		{"killed after NextIndex", 64, 80, 5, 5, 5},
		{"killed after Count", 64, 80, 6, 5, 5},
	} {
		h := new(Header)
		cur := &h.Producer
		cur.Index.Store(c.index)
		cur.NextIndex.Store(c.next)
		cur.Count.Store(c.count)
		cur.CountBefore.Store(c.prior)
		if got := h.Published(Producer); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Every order in which the loads of one call can fall between the stores of a side that is
// killed inside a publish, of a successor that is killed as well, and of the next one: what is
// returned is what a successor would have counted at some time during the call.
func TestPublishedIsTrueBetweenAnyTwoStores(t *testing.T) {
	h := new(Header)
	for _, cut := range []int{2, 3} { // before and after Count
		for _, again := range []int{0, 3} {
			stores := publishes(cut, again)
			for schedule := range schedules(len(stores), 8) {
				h.Producer, h.ProducerStats = Cursor{}, RoleStats{}
				done := 0
				least, most := uint64(0), uint64(0)
				run := func(until int) {
					for ; done < until; done++ {
						stores[done](h)
						most = successor(&h.Producer)
					}
				}
				run(schedule[0])
				least = most
				calls := 0
				got := h.published(Producer, func(word *Uint64) uint64 {
					if calls < len(schedule) {
						run(schedule[calls])
					}
					calls++
					return word.Load()
				})
				if got < least || got > most {
					t.Fatalf("killed after store %d, and after store %d: loads after %v stores: %d, want %d to %d",
						cut, again, schedule, got, least, most)
				}
			}
		}
	}
}

// publishes returns the stores of: a publish that is killed after cut stores, the successor's
// repair, a publish that is killed after again stores, another repair, and a publish.
func publishes(cut, again int) (stores []func(*Header)) {
	index, count := uint64(0), uint64(0)
	publish := func(messages uint64, until int) {
		i, c, next := index, count, index+16*messages
		all := []func(*Header){
			func(h *Header) { h.Producer.CountBefore.Store(c) },
			func(h *Header) { h.Producer.NextIndex.Store(next) },
			func(h *Header) { h.Producer.Count.Store(c + messages) },
			func(h *Header) { h.Producer.Index.Store(next) },
		}
		stores = append(stores, all[:until]...)
		if until == len(all) {
			index, count = next, c+messages
			return
		}
		stores = append(stores,
			func(h *Header) { h.Producer.Count.Store(c) },
			func(h *Header) { h.Producer.NextIndex.Store(i) },
			func(h *Header) { h.ProducerStats.Begin() })
	}
	publish(5, cut)
	publish(2, again)
	publish(1, 4)
	return stores
}

// successor returns what a successor would count, as ring's recoverPosition does.
func successor(c *Cursor) uint64 {
	if c.NextIndex.Load() != c.Index.Load() {
		return c.CountBefore.Load()
	}
	return c.Count.Load()
}

// schedules yields every non-decreasing sequence of n numbers from 0 to most.
func schedules(most, n int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		s := make([]int, n)
		for {
			if !yield(s) {
				return
			}
			i := n - 1
			for i >= 0 && s[i] == most {
				i--
			}
			if i < 0 {
				return
			}
			for at, v := i, s[i]+1; at < n; at++ {
				s[at] = v
			}
		}
	}
}

// A side that is killed inside a publish leaves Count ahead of Index, and its successor
// sets it back.
func TestPublishedNeverFallsAcrossKills(t *testing.T) {
	var (
		h     = new(Header)
		cur   = &h.Consumer
		shown atomic.Uint64
		done  atomic.Bool
		wait  sync.WaitGroup
	)
	for range 3 {
		wait.Go(func() {
			for !done.Load() {
				least := shown.Load()
				got := h.Published(Consumer)
				if got < least {
					t.Errorf("%d after %d", got, least)
					return
				}
				for got > least && !shown.CompareAndSwap(least, got) {
					least = shown.Load()
				}
			}
		})
	}
	index, count := uint64(0), uint64(0)
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
		for range 100 {
			publish(cur, count, index+16, count+1)
			index, count = index+16, count+1
			cur.Index.StoreRelease(index)
		}
		publish(cur, count, index+16, count+1) // and killed before Index
		cur.Count.Store(count)                 // the successor's repair
		cur.NextIndex.Store(index)
		h.ConsumerStats.Begin()
	}
	done.Store(true)
	wait.Wait()
}

// publish is what a side does before it stores Index.
func publish(c *Cursor, before, next, count uint64) {
	c.CountBefore.StoreRelaxed(before)
	c.NextIndex.StoreRelaxed(next)
	c.Count.StoreRelease(count)
}
