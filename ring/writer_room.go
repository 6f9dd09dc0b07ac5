package ring

import (
	"encoding/binary"
	"math"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// refresh looks at the Reader and reports whether need bytes and a slot are
// free.
func (w *Writer) refresh() (bool, error) {
	// Index before Count: the Reader stores them the other way round, so this
	// count is never behind this index.
	seen := position{index: w.peerCursor.Index.Load()}
	seen.count = w.peerCursor.Count.Load()
	if err := checkDistance(w.mem.Geometry.Capacity, w.pos, seen); err != nil {
		return false, err
	}
	w.limit = seen.index + w.mem.Geometry.Capacity
	w.slotLimit = math.MaxUint64
	if slots := w.mem.Geometry.Slots; slots > 0 {
		w.slotLimit = seen.count + slots
	}
	w.setSlowAt()
	if depth := w.count - seen.count; depth > w.own.HighWater.Own() {
		w.own.HighWater.Relaxed(depth)
	}
	return w.room(), nil
}

// room reports whether need bytes and a slot are free, going by what was last
// seen of the Reader.
func (w *Writer) room() bool {
	return w.need <= w.limit-w.tail && w.count < w.slotLimit
}

// setSlowAt folds the two reasons for a closer look into one comparison.
func (w *Writer) setSlowAt() { w.slowAt = min(w.slotLimit, w.sampler.next) }

// ready implements condition: room for need bytes.
func (w *Writer) ready() (bool, error) { return w.refresh() }

// hysteresis is how long a blocked Writer insists on an eighth of the ring.
const hysteresis = time.Millisecond

// wakeAt implements condition. At first the Writer asks to be woken when an
// eighth of the ring is free, so that a fast Reader pays for one wake-up in
// thousands of messages. A Reader that does not get that far within a
// millisecond is slow enough to be asked for the first message that makes room.
func (w *Writer) wakeAt(asleep uint64) (index, count uint64, patience time.Duration) {
	g := w.mem.Geometry
	free, slots, patience := w.need, uint64(1), slice
	if asleep < uint64(hysteresis) {
		free, slots, patience = max(w.need, g.Capacity/8), max(1, g.Slots/8), hysteresis
	}
	index = w.tail + free - g.Capacity
	count = w.count - layout.MaxCapacity // long reached
	if g.Slots > 0 {
		count = w.count + slots - g.Slots
	}
	return index, count, patience
}

// stuck implements condition: a Writer waits as long as it takes.
func (w *Writer) stuck() error { return nil }

// putStamp dates the staged sample, and takes the occasion of having read the
// clock to note progress.
func (w *Writer) putStamp() {
	now := shm.Clock()
	binary.LittleEndian.PutUint64(w.data[w.stamp:], now)
	w.stamped = false
	w.sampler.adapt(now)
	w.own.ProgressAt.Relaxed(now)
	if depth := w.count - w.peerCursor.Count.Load(); int64(depth) > int64(w.own.HighWater.Own()) {
		w.own.HighWater.Relaxed(depth)
	}
}

// eased is called when one of the sides has slept: samples may come denser.
func (w *Writer) eased() {
	w.sampler.denser(w.count)
	w.setSlowAt()
}
