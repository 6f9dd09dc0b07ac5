package endpoint

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/layout"
)

// ended is a header whose last producer has ended, with so many incomplete streams.
func ended(generation, incomplete uint64, end layout.End) *layout.Header {
	h := new(layout.Header)
	p := &h.ProducerStats
	p.Generation.Store(generation)
	p.Incomplete.Store(incomplete)
	p.End.Store(uint64(end))
	p.State.Store(uint64(layout.StateClosed))
	return h
}

// Report alone records nothing, and what will be recorded is known before.
func TestEndWatch_NotAcknowledged_ToldAgain(t *testing.T) {
	for _, c := range []struct {
		end        layout.End
		incomplete uint64
		want       error
	}{{layout.EndComplete, 0, nil}, {layout.EndStopped, 1, layout.ErrIncomplete}, {layout.EndComplete, 1, layout.ErrIncomplete}} {
		h := ended(3, c.incomplete, c.end)
		var e EndWatch
		for range 2 {
			e = WatchEnds(h)
			generation, due := e.Due()
			ok, err := e.Report(generation)
			if !due || !ok || !errors.Is(err, c.want) {
				t.Fatalf("%v, %d incomplete: due %v, %v, %v", c.end, c.incomplete, due, ok, err)
			}
			e.Leave(true)
			if e.Pending() || EndPending(h) != (c.want != nil) || !EndUnreported(h) {
				t.Errorf("%v, %d incomplete: pending after Acknowledge %v, before it %v", c.end, c.incomplete, e.Pending(), EndPending(h))
			}
		}
		e.Acknowledge()
		if e = WatchEnds(h); EndPending(h) || e.Pending() || EndUnreported(h) {
			t.Errorf("%v, %d incomplete: pending when it is acknowledged", c.end, c.incomplete)
		}
		if _, due := e.Due(); due {
			t.Errorf("%v, %d incomplete: due again", c.end, c.incomplete)
		}
	}
}

// Who leaves without having asked acknowledges a complete stream, and no other one.
func TestEndWatch_Leave_AcknowledgesOnlyComplete(t *testing.T) {
	for _, c := range []struct {
		end     layout.End
		drained bool
		pending bool
		seen    uint64
	}{{layout.EndComplete, true, false, 3}, {layout.EndComplete, false, false, 0}, {layout.EndStopped, true, true, 0}} {
		h := ended(3, 0, c.end)
		e := WatchEnds(h)
		e.Leave(c.drained)
		if e.Pending() != c.pending {
			t.Errorf("%v, drained %v: pending %v", c.end, c.drained, e.Pending())
		}
		e.Acknowledge()
		if seen := h.ConsumerStats.EndSeen.Load(); seen != c.seen {
			t.Errorf("%v, drained %v: acknowledged %d", c.end, c.drained, seen)
		}
	}
}

// After a kill between any two stores of Acknowledge, an incomplete stream counts as not told
// of, or the end that reported it as told.
func TestAcknowledge_StoreOrder(t *testing.T) {
	h := new(layout.Header)
	e := WatchEnds(h)
	var stop atomic.Bool
	var acknowledging sync.WaitGroup
	acknowledging.Go(func() {
		for i := uint64(1); !stop.Load(); i++ {
			e.now, e.nowIncomplete = i, i
			e.Acknowledge()
		}
	})
	defer acknowledging.Wait()
	defer stop.Store(true)
	for last := uint64(0); last < 1_000_000; {
		incomplete := h.ConsumerStats.Incomplete.Load()
		if last = h.ConsumerStats.EndSeen.Load(); incomplete > last {
			t.Fatalf("told of %d incomplete streams, and of the end of stream %d", incomplete, last)
		}
	}
}
