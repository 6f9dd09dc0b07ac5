package ring

// The loops that users write, one message a turn, for machinecode_test.go and instructions_test.go.

import (
	"context"
	"encoding/binary"
)

// loopBatch is how many messages the loops in batches publish or release at once.
const loopBatch = 64

// loopSend sends n messages, the bytes of msg each time.
func loopSend(ctx context.Context, w *Writer, msg []byte, n int) error {
	for range n {
		if err := w.Send(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

// loopReserve writes n messages of 8 bytes in place, and publishes each.
func loopReserve(ctx context.Context, w *Writer, n int) error {
	for i := range n {
		msg, err := w.Reserve(ctx, 8)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(msg, uint64(i))
		w.Commit(8)
		w.Publish()
	}
	return nil
}

// loopReserveMany writes n messages of 8 bytes in place, and publishes loopBatch of them at once.
func loopReserveMany(ctx context.Context, w *Writer, n int) error {
	for i := range n {
		msg, err := w.Reserve(ctx, 8)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(msg, uint64(i))
		w.Commit(8)
		if i%loopBatch == loopBatch-1 {
			w.Publish()
		}
	}
	w.Publish()
	return nil
}

// batchOf is loopBatch messages of n bytes.
func batchOf(n int) [][]byte {
	msgs, buf := make([][]byte, loopBatch), make([]byte, loopBatch*n)
	for i := range msgs {
		msgs[i], buf = buf[:n:n], buf[n:]
	}
	return msgs
}

// loopSendBatch sends n messages of 8 bytes, written to msgs, a multiple of len(msgs).
func loopSendBatch(ctx context.Context, w *Writer, msgs [][]byte, n int) error {
	for i := 0; i < n; i += len(msgs) {
		for j, msg := range msgs {
			binary.LittleEndian.PutUint64(msg, uint64(i+j))
		}
		if _, err := w.SendBatch(ctx, msgs); err != nil {
			return err
		}
	}
	return nil
}

// loopTake takes n messages, each of which releases the one before it.
func loopTake(ctx context.Context, r *Reader, n int) (sum uint64, err error) {
	for range n {
		msg, err := r.Take(ctx)
		if err != nil {
			return sum, err
		}
		sum += binary.LittleEndian.Uint64(msg)
	}
	r.Release()
	return sum, nil
}

// loopNext takes n messages and releases each.
func loopNext(ctx context.Context, r *Reader, n int) (sum uint64, err error) {
	for range n {
		msg, err := r.Next(ctx)
		if err != nil {
			return sum, err
		}
		sum += binary.LittleEndian.Uint64(msg)
		r.Release()
	}
	return sum, nil
}

// loopNextMany takes n messages, and releases loopBatch of them at once.
func loopNextMany(ctx context.Context, r *Reader, n int) (sum uint64, err error) {
	held := 0
	for range n {
		msg, err := r.Next(ctx)
		if err != nil {
			return sum, err
		}
		sum += binary.LittleEndian.Uint64(msg)
		if held++; held == loopBatch || !r.Buffered() {
			r.Release()
			held = 0
		}
	}
	r.Release()
	return sum, nil
}

// loopNextBatch takes n messages in batches, and releases each batch at once.
func loopNextBatch(ctx context.Context, r *Reader, n int) (sum uint64, err error) {
	var msgs [loopBatch][]byte
	for done := 0; done < n; {
		taken, err := r.NextBatch(ctx, msgs[:min(loopBatch, n-done)], 1<<20)
		if err != nil {
			return sum, err
		}
		for _, msg := range msgs[:taken] {
			sum += binary.LittleEndian.Uint64(msg)
		}
		r.Release()
		done += taken
	}
	return sum, nil
}

// loopSlot writes n values in place, and publishes each.
func loopSlot(ctx context.Context, w *WriterOf[uint64], n int) error {
	for i := range n {
		slot, err := w.Slot(ctx)
		if err != nil {
			return err
		}
		*slot = uint64(i)
		w.Publish()
	}
	return nil
}

var _, _ = loopTrySlot, loopTryNext // whose machine code alone is looked at

// loopTrySlot writes n values in place as long as there is room, and publishes each.
func loopTrySlot(w *WriterOf[uint64], n int) error {
	for i := range n {
		slot, err := w.TrySlot()
		if err != nil {
			return err
		}
		*slot = uint64(i)
		w.Publish()
	}
	return nil
}

// loopPush sends n values.
func loopPush(ctx context.Context, w *WriterOf[uint64], n int) error {
	for i := range n {
		if err := w.Push(ctx, uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

// loopWindow writes n values in place, and publishes a window at once.
func loopWindow(ctx context.Context, w *WriterOf[uint64], n int) error {
	for done := 0; done < n; {
		window, err := w.Window(ctx, min(n-done, loopBatch))
		if err != nil {
			return err
		}
		for i := range window {
			window[i] = uint64(done)
			done++
		}
		w.PublishN(len(window))
	}
	return nil
}

// loopSlotNext takes n values in place, and releases each.
func loopSlotNext(ctx context.Context, r *ReaderOf[uint64], n int) (sum uint64, err error) {
	for range n {
		value, err := r.Next(ctx)
		if err != nil {
			return sum, err
		}
		sum += *value
		r.Release()
	}
	return sum, nil
}

// loopTryNext takes n values in place as long as there are some, and releases each.
func loopTryNext(r *ReaderOf[uint64], n int) (sum uint64, err error) {
	for range n {
		value, err := r.TryNext()
		if err != nil {
			return sum, err
		}
		sum += *value
		r.Release()
	}
	return sum, nil
}

// loopPop takes n values.
func loopPop(ctx context.Context, r *ReaderOf[uint64], n int) (sum uint64, err error) {
	for range n {
		value, err := r.Pop(ctx)
		if err != nil {
			return sum, err
		}
		sum += value
	}
	return sum, nil
}

// loopWindowNext takes n values in place, and releases a window at once.
func loopWindowNext(ctx context.Context, r *ReaderOf[uint64], n int) (sum uint64, err error) {
	for done := 0; done < n; {
		window, err := r.Window(ctx, min(n-done, loopBatch))
		if err != nil {
			return sum, err
		}
		for _, value := range window {
			sum += value
		}
		done += len(window)
		r.Release()
	}
	return sum, nil
}
