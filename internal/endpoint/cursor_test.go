package endpoint

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

// A killed thread's stores become visible up to some point in program order.
// Publish is done here by hand, store by store, up to each such point.
func TestPublish_KilledBetweenStores_CountsExact(t *testing.T) {
	stores := []func(c *layout.Cursor, before uint64, to Position){
		func(c *layout.Cursor, before uint64, _ Position) { c.CountBefore.Store(before) },
		func(c *layout.Cursor, _ uint64, to Position) { c.NextIndex.Store(to.Index) },
		func(c *layout.Cursor, _ uint64, to Position) { c.Count.Store(to.Count) },
		func(c *layout.Cursor, _ uint64, to Position) { c.Bytes.Store(to.Bytes) },
		func(c *layout.Cursor, _ uint64, to Position) { c.Index.Store(to.Index) },
	}
	from := Position{Index: 64, Count: 4, Bytes: 32}
	to := Position{Index: 112, Count: 7, Bytes: 56}
	for done := range len(stores) + 1 {
		t.Run(fmt.Sprintf("after %d of %d", done, len(stores)), func(t *testing.T) {
			var c layout.Cursor
			Publish(&c, 0, from.Index, from.Count, from.Bytes, false)
			for _, store := range stores[:done] {
				store(&c, from.Count, to)
			}
			want := from
			if done == len(stores) {
				want = to
			}
			got := Recover(&c)
			if got.Index != want.Index || got.Count != want.Count {
				t.Errorf("recovered %+v, want %+v", got, want)
			}
		})
	}
	var byHand, byPublish layout.Cursor
	for _, store := range stores {
		store(&byHand, from.Count, to)
	}
	Publish(&byPublish, from.Count, to.Index, to.Count, to.Bytes, false)
	if Recover(&byHand) != Recover(&byPublish) || byHand.CountBefore.Load() != byPublish.CountBefore.Load() {
		t.Error("Publish does not do what this test does")
	}
}

// The order in which Publish stores is what recovery rests on, and it is up to
// the compiler and the processor as well. An observer that reads in the opposite
// order must never find a later store without the ones before it.
func TestPublish_StoreOrder(t *testing.T) {
	var c layout.Cursor
	var stop atomic.Bool
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for i := uint64(1); !stop.Load(); i++ {
			Publish(&c, i-1, i, i, i, false)
		}
	})
	defer publishing.Wait()
	defer stop.Store(true)
	var last uint64
	for last < 1_000_000 {
		index := c.Index.Load()
		bytes, count, next, before := c.Bytes.Load(), c.Count.Load(), c.NextIndex.Load(), c.CountBefore.Load()
		if index > bytes || bytes > count || count > next || next > before+1 || index < last {
			t.Fatalf("index %d (%d before), bytes %d, count %d, next %d, count before %d", index, last, bytes, count, next, before)
		}
		last = index
	}
}

func TestPublished_EqualsSuccessorsCount(t *testing.T) {
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
		h := new(layout.Header)
		cur := &h.Producer
		cur.Index.Store(c.index)
		cur.NextIndex.Store(c.next)
		cur.Count.Store(c.count)
		cur.CountBefore.Store(c.prior)
		if got := Published(h, layout.Producer); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Every order in which the loads of one call can fall between the stores of a side that is
// killed inside a publish, of a successor that is killed as well, and of the next one: what is
// returned is what a successor would have counted at some time during the call.
func TestPublished_BetweenStores_Exact(t *testing.T) {
	testenv.NotShort(t)
	h := new(layout.Header)
	for _, cut := range []int{2, 3} { // before and after Count
		for _, again := range []int{0, 3} {
			stores := publishes(cut, again)
			for schedule := range schedules(len(stores), 8) {
				h.Producer, h.ProducerStats = layout.Cursor{}, layout.RoleStats{}
				done := 0
				least, most := uint64(0), uint64(0)
				run := func(until int) {
					for ; done < until; done++ {
						stores[done](h)
						most = Recover(&h.Producer).Count
					}
				}
				run(schedule[0])
				least = most
				calls := 0
				got := published(h, layout.Producer, func(word *layout.Uint64) uint64 {
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
func publishes(cut, again int) (stores []func(*layout.Header)) {
	index, count := uint64(0), uint64(0)
	publish := func(messages uint64, until int) {
		i, c, next := index, count, index+16*messages
		all := []func(*layout.Header){
			func(h *layout.Header) { h.Producer.CountBefore.Store(c) },
			func(h *layout.Header) { h.Producer.NextIndex.Store(next) },
			func(h *layout.Header) { h.Producer.Count.Store(c + messages) },
			func(h *layout.Header) { h.Producer.Index.Store(next) },
		}
		stores = append(stores, all[:until]...)
		if until == len(all) {
			index, count = next, c+messages
			return
		}
		stores = append(stores,
			func(h *layout.Header) { h.Producer.Count.Store(c) },
			func(h *layout.Header) { h.Producer.NextIndex.Store(i) },
			func(h *layout.Header) { Begin(&h.ProducerStats) })
	}
	publish(5, cut)
	publish(2, again)
	publish(1, 4)
	return stores
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
func TestPublished_NeverFalls_AcrossKills(t *testing.T) {
	var (
		h     = new(layout.Header)
		cur   = &h.Consumer
		shown atomic.Uint64
		done  atomic.Bool
		wait  sync.WaitGroup
	)
	for range 3 {
		wait.Go(func() {
			for !done.Load() {
				least := shown.Load()
				got := Published(h, layout.Consumer)
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
			Publish(cur, count, index+16, count+1, 0, false)
			index, count = index+16, count+1
		}
		cur.CountBefore.StoreRelaxed(count) // a Publish that is killed before Index
		cur.NextIndex.StoreRelaxed(index + 16)
		cur.Count.StoreRelease(count + 1)
		Repair(cur, Recover(cur)) // by the successor
		Begin(&h.ConsumerStats)
	}
	done.Store(true)
	wait.Wait()
}
