package bridge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
)

// farRing is the producer's end of either kind of ring, for In. One goroutine uses it.
type farRing interface {
	// put publishes the messages of a block from number skip on, and returns how many. It waits
	// for room, and returns an error of Send when not all were published.
	put(ctx context.Context, b *block, skip uint64) (uint64, error)
	Segment() *shm.Segment
	EndAs(end layout.End)
	KeepEnd()
	Close() error
}

// createFar takes the producer's role in the ring called name, which is made if there is none, as
// the near ring is unless opt says otherwise. ended says that the producer before had ended its
// stream.
func createFar(ctx context.Context, name string, s shape, opt *InOptions) (_ farRing, ended bool, err error) {
	w := ring.WriterOptions{
		Capacity: opt.Capacity, Slots: opt.Slots, Spin: opt.Spin, Keep: opt.Keep, Access: opt.Access, Populate: opt.Populate,
		Framing: s.framing, Fingerprint: s.fingerprint, KeepOrigin: true,
	}
	seen, err := look(name)
	if err != nil {
		return nil, false, err
	}
	if !seen.exists { // one that exists keeps its size
		if opt.Capacity == 0 {
			w.Capacity = s.capacity
		}
		if opt.Slots == 0 {
			w.Slots = s.slots
		}
	}
	if s.slotSize > 0 {
		r, err := ring.CreateSlots(ctx, name, s.slotSize, w)
		if err != nil {
			return nil, false, err
		}
		return &farSlots{r, s.slotSize}, seen.ended, nil
	}
	r, err := ring.Create(ctx, name, w)
	if err != nil {
		return nil, false, err
	}
	return &farRecords{r, make([][]byte, 0, 256)}, seen.ended, nil
}

// seen is what a segment was like before the role was taken in it.
type seen struct {
	exists, ended bool
	shape         shape
}

// look returns what there is of the segment called name.
func look(name string) (s seen, err error) {
	v, err := shm.OpenView(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer v.Close()
	err = shm.Guard(func() error {
		g, p := v.Geometry(), &v.Header().ProducerStats
		if g.Mode != layout.ModeRing {
			return shm.InSegment("open", name, fmt.Errorf("%w: %v, not ring", layout.ErrMode, g.Mode))
		}
		s = seen{true, layout.State(p.State.Load()) == layout.StateClosed, shape{g.Capacity, g.Slots, g.SlotSize, g.Fingerprint, p.LoadFraming()}}
		return nil
	})
	return s, err
}

type farRecords struct {
	*ring.Writer
	batch [][]byte
}

func (w *farRecords) put(ctx context.Context, b *block, skip uint64) (sent uint64, err error) {
	rest := b.payload
	var msg []byte
	for range skip {
		if _, rest, err = cutRecord(rest); err != nil {
			return 0, err
		}
	}
	for left := b.count - skip; left > 0; left -= uint64(len(w.batch)) {
		w.batch = w.batch[:0]
		for uint64(len(w.batch)) < left && len(w.batch) < cap(w.batch) {
			if msg, rest, err = cutRecord(rest); err != nil {
				return sent, err
			}
			w.batch = append(w.batch, msg)
		}
		n, err := w.SendBatch(ctx, w.batch)
		sent += uint64(n)
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

type farSlots struct {
	*ring.SlotWriter
	size uint64
}

func (w *farSlots) put(ctx context.Context, b *block, skip uint64) (sent uint64, err error) {
	rest := b.payload[skip*w.size:]
	for len(rest) > 0 {
		window, err := w.Window(ctx, len(rest)/int(w.size))
		if err != nil {
			return sent, err
		}
		n := copy(window, rest)
		w.PublishN(n / int(w.size))
		rest, sent = rest[n:], sent+uint64(n)/w.size
	}
	return sent, nil
}

// place is what the header of a far ring says of where its messages come from.
type place struct {
	source, base, begin, ended, endAt, told uint64
}

// loadPlace returns the place that holds; ok is false when there is none.
func loadPlace(h *layout.Header) (_ place, ok bool) {
	p := currentPlace(h)
	if p == nil {
		return place{}, false
	}
	return readPlace(p), true
}

func readPlace(p *layout.Place) place {
	return place{p.Source.Load(), p.Base.Load(), p.Begin.Load(), p.Ended.Load(), p.EndAt.Load(), p.Told.Load()}
}

// reached is a source and the position of it that the far ring has come to.
type reached struct{ source, due uint64 }

// sourceBefore returns the source before the one that holds, zero when there is none.
func sourceBefore(h *layout.Header) reached {
	now := currentPlace(h)
	if now == nil {
		return reached{}
	}
	other := &h.Origin.Place1
	if now == other {
		other = &h.Origin.Place2
	}
	p, end := readPlace(other), now.Begin.Load()
	if p.source == now.Source.Load() || p.begin > end { // a kill has left the next one there
		return reached{}
	}
	return reached{p.source, p.base + end}
}

func currentPlace(h *layout.Header) *layout.Place {
	switch h.Origin.Current.Load() {
	case 1:
		return &h.Origin.Place1
	case 2:
		return &h.Origin.Place2
	}
	return nil
}

// storePlace makes p the place that holds. A kill before its last store leaves the one before.
func storePlace(h *layout.Header, p place) {
	next, to := uint64(1), &h.Origin.Place1
	if h.Origin.Current.Load() == 1 {
		next, to = 2, &h.Origin.Place2
	}
	to.Source.Store(0)
	to.Base.Store(p.base)
	to.Begin.Store(p.begin)
	to.Ended.Store(p.ended)
	to.EndAt.Store(p.endAt)
	to.Told.Store(p.told)
	to.Source.Store(p.source)
	h.Origin.Current.Store(next)
}
