package bridge_test

import (
	"errors"
	"testing"

	"sluice"
	"sluice/bridge"
	"sluice/internal/testenv"
	"sluice/ring"
)

// second returns another pair of rings for the path.
func (p *path) second() *path {
	_, rings := testenv.SegmentNames(p.t, 2)
	other := *p
	other.near, other.far = rings[0], rings[1]
	return &other
}

func TestBridge_SecondOnTheSubject_Refused(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	q := p.second()
	w := q.create(sluice.ProducerOptions{})
	if err := records.send(within(t), w, 0, 10); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		q.out().want(bridge.ErrTaken)
		q.in().want(bridge.ErrTaken)
	}
	if n := w.Unread(); n != 10 {
		t.Errorf("%d messages are left in the second near ring, want 10", n)
	}
	testenv.WantNoSegment(t, q.far)
	tr.crossed()
	// When the first ones leave, others may come. These are of the same rings: the messages go on.
	out.stop()
	in.stop()
	out, in = p.out(), p.in()
	tr.crossed()
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// The same ring twice: its role is taken.
func TestBridge_SameRingTwice(t *testing.T) {
	t.Parallel()
	p := newPath(t, startServer(t).url())
	tr := p.traffic(records, sluice.ProducerOptions{Capacity: 1 << 16})
	out, in := p.out(), p.in()
	tr.more(100)
	for _, b := range []*bridging{p.out(), p.in()} {
		if err := b.wait(); !errors.Is(err, bridge.ErrTaken) && !errors.Is(err, ring.ErrRoleTaken) {
			t.Errorf("%s: error %v, want ErrTaken or ErrRoleTaken", b.what, err)
		}
	}
	tr.finish()
	out.want(nil)
	in.want(nil)
}

// Of several that start at the same moment exactly one stays.
func TestBridge_StartedTogether_OneStays(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, side := range []string{"out", "in"} {
		for _, n := range []int{2, 4} {
			t.Run(side, func(t *testing.T) {
				t.Parallel()
				rounds := 5
				for range rounds {
					p := newPath(t, s.url())
					var all []*bridging
					for range n {
						q := p.second()
						if side == "out" {
							q.create(sluice.ProducerOptions{})
							all = append(all, q.out())
						} else {
							all = append(all, q.in())
						}
					}
					var stay *bridging
					ended := func() (n int) {
						stay = nil
						for _, b := range all {
							select {
							case <-b.done:
								n++
							default:
								stay = b
							}
						}
						return n
					}
					testenv.Eventually(t, "all bridges but one refused", func() bool { return ended() >= n-1 })
					for _, b := range all {
						if b != stay {
							b.want(bridge.ErrTaken)
						}
					}
					if stay == nil {
						t.Fatal("no bridge stays")
					}
					stay.stop()
				}
			})
		}
	}
}
