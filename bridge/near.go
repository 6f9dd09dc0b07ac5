package bridge

import (
	"context"

	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
)

// nearRing is the consumer's end of either kind of ring, for Out. What was taken stays in the ring
// until ReleaseN. One goroutine uses it.
type nearRing interface {
	// take appends messages that are there to the payload of a block, without waiting, and returns
	// how many. It is to have at most size.target bytes, or one message of at most size.max. full
	// says that no more fits. It returns ring.ErrEmpty when there are none, a *PayloadError, or an
	// error of TryNext, and then nothing was appended.
	take(payload []byte, size blockSize) (_ []byte, n int, full bool, err error)
	Ready() <-chan struct{}
	ReleaseN(n int)
	Segment() *shm.Segment
	Framing() layout.Framing
	KeepEnd()
	Close() error
}

// blockSize bounds the payload of a block, in bytes.
type blockSize struct{ target, max int }

// openNear waits for the ring called name and takes the consumer's role in it.
func openNear(ctx context.Context, name string, opt ring.ReaderOptions) (nearRing, error) {
	seg, err := shm.OpenWait(ctx, name, layout.Consumer, opt.Access, shm.Populate(opt.Populate))
	if err != nil {
		return nil, err
	}
	if seg.Geometry().Fixed() {
		r, err := ring.OpenSlotSegment(seg, opt)
		if err != nil {
			return nil, err
		}
		return &nearSlots{SlotReader: r, size: int(seg.Geometry().SlotSize)}, nil
	}
	r, err := ring.OpenSegment(seg, opt) // refuses a transfer
	if err != nil {
		return nil, err
	}
	return &nearRecords{Reader: r, batch: make([][]byte, 256)}, nil
}

// shapeOf returns what the far ring must be like.
func shapeOf(r nearRing) shape {
	g := r.Segment().Geometry()
	return shape{g.Capacity, g.Slots, g.SlotSize, g.Fingerprint, r.Framing()}
}

type nearRecords struct {
	*ring.Reader
	batch [][]byte
	taken [][]byte // of batch: taken from the ring, and in no block yet
}

func (r *nearRecords) take(payload []byte, size blockSize) (_ []byte, n int, full bool, err error) {
	for {
		for len(r.taken) > 0 {
			msg := r.taken[0]
			need := lengthSize + len(msg)
			switch alone := len(payload) == 0; {
			case alone && need > size.max:
				return payload, 0, true, &PayloadError{Size: len(msg), Max: size.max - lengthSize}
			case !alone && len(payload)+need > size.target:
				return payload, n, true, nil
			}
			payload = appendRecord(payload, msg)
			r.taken, n = r.taken[1:], n+1
		}
		if len(payload) >= size.target {
			return payload, n, true, nil
		}
		if !r.Buffered() { // this looks at the producer, NextBatch takes what follows
			msg, err := r.TryNext()
			if err != nil && n > 0 {
				return payload, n, false, nil // the next call returns it again
			}
			if err != nil {
				return payload, 0, false, err
			}
			r.batch[0], r.taken = msg, r.batch[:1]
			continue
		}
		k, err := r.NextBatch(context.Background(), r.batch, size.target-len(payload))
		r.taken = r.batch[:k]
		if err != nil && k == 0 {
			return payload, n, false, err
		}
	}
}

type nearSlots struct {
	*ring.SlotReader
	size int
}

func (r *nearSlots) take(payload []byte, size blockSize) (_ []byte, n int, full bool, err error) {
	if r.size > size.max {
		return payload, 0, true, &PayloadError{Size: r.size, Max: size.max}
	}
	for {
		room := (size.target - len(payload)) / r.size
		if len(payload) == 0 {
			room = max(room, 1)
		}
		if room == 0 {
			return payload, n, true, nil
		}
		var slots []byte
		if r.Buffered() {
			slots, err = r.Window(context.Background(), room)
		} else {
			slots, err = r.TryNext()
		}
		if err != nil && n > 0 {
			return payload, n, false, nil
		}
		if err != nil {
			return payload, 0, false, err
		}
		payload = append(payload, slots...)
		n += len(slots) / r.size
	}
}
