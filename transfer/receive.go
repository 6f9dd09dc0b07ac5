package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// load makes the next buffer the current one.
func (r *Receiver) load(ctx context.Context) error {
	r.shelve()
	conn := r.conn.Load()
	if conn == nil || !conn.pending() {
		if err := r.receive(ctx); err != nil {
			return err
		}
		conn = r.conn.Load()
	}
	e, fd := conn.take()
	again := r.seen.messages+uint64(e.messages) <= r.skip
	if err := r.open(conn, e, fd, !again); err != nil {
		r.disconnect() // the producer still has it, and what came after
		return err
	}
	if !conn.pending() {
		r.buffers.closeFiles()
	}
	now := monotonic.Now()
	r.own.ProgressAt.StoreRelaxed(now)
	r.seen = r.seen.after(e)
	if again { // released before, by whoever did not live to say so
		r.taken, r.left = r.seen.messages, 0
		r.settle()
		return nil
	}
	r.loads++
	r.current.packed, r.current.weight, r.current.end = e.flags&flagPacked != 0, e.memory(), r.seen
	r.left, r.timed = e.messages, e.messages
	r.times.load(e, r.seen.messages, now)
	return nil
}

// shelve puts the current buffer, from which nothing is left to take, with the held ones if a
// message of it is held.
func (r *Receiver) shelve() {
	if n := r.held - r.buffers.messages; n > 0 {
		r.buffers.push(heldBuffer{inBuffer: r.current, messages: n, taken: r.taken, payload: r.payload, lost: r.lost, load: r.loads})
	} else {
		r.buffers.free(&r.current)
	}
	r.current, r.at = inBuffer{}, 0
}

// open checks a buffer and makes its content that of the current one, if it is wanted. It
// owns fd.
func (r *Receiver) open(conn *recvConn, e *entry, fd int, wanted bool) (err error) {
	if e.number == 0 {
		r.buffers.files = append(r.buffers.files, fd)
		return r.copy(e, fd, wanted)
	}
	data, replaced, err := conn.maps.content(e, fd)
	if replaced != nil { // a message that was taken may be in it
		r.buffers.retire(replaced, r.loads)
		r.unmapReleased()
	}
	// A Sender gives another buffer the number of one that was released, so no
	// more than it can have at once between two releases.
	if n := len(r.buffers.retired); n > 2*maxRecycled {
		err = cmp.Or(err, fmt.Errorf("%w: %d buffers in place of others that are not released", ErrCorrupt, n))
	}
	r.current.data = data
	return err
}

// copy is open of a sealed buffer. fd stays open.
func (r *Receiver) copy(e *entry, fd int, wanted bool) (err error) {
	const minSize = 4096
	small := uint64(e.length) == e.size && e.length < minSize && wanted
	if small {
		err = checkSeals(fd, sealed)
	} else {
		err = checkFile(fd, e.size, sealed)
	}
	if err != nil || !wanted {
		return err
	}
	data := r.buffers.memory.get(max(int(e.length), minSize))
	r.current.data, r.current.pooled = data[:e.length], true
	if small {
		return readSmall(fd, data[:e.length+1])
	}
	return read(fd, r.current.data)
}

// settle publishes a position that moved by itself, while the caller holds nothing.
func (r *Receiver) settle() {
	if r.held == 0 {
		r.buffers.closeFiles()
		r.publish(r.markAt(position{r.seen.buffers, r.taken, r.seen.bytes}))
	}
}

// receive waits for a packet with buffers.
func (r *Receiver) receive(ctx context.Context) (err error) {
	if got, err := r.step(); got || err != nil {
		return err
	}
	if ctx == noWait && r.conn.Load() == nil {
		if err := r.checkPeer(); err != nil {
			return err
		}
		r.own.State.StoreRelaxed(uint64(layout.StateRunning))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	endpoint.BeginSleep(r.own, r.blocked, monotonic.Now())
	defer func() {
		if err != ErrClosed { // else Close does it, or has done it
			r.blocked = endpoint.EndSleep(r.own, monotonic.Now)
		}
	}()
	// A context that is done ends the wait at the socket at once.
	defer context.AfterFunc(ctx, r.interrupt)()
	r.alarm.Set(ctx)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if r.gate.Closed() {
			return ErrClosed
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
		if got, err := r.step(); got || err != nil {
			return err
		}
	}
}

// wait waits until there is something for step, ctx is done or pollInterval is over.
func (r *Receiver) wait(ctx context.Context) error {
	conn := r.conn.Load()
	if conn == nil {
		r.accept.wait(ctx, r.stopped, pollInterval)
		return r.checkPeer()
	}
	err := conn.wait(pollInterval, func() bool { return ctx.Err() != nil || r.gate.Closed() })
	if timedOut(err) {
		return cmp.Or(r.checkPeer(), r.deadlocked())
	}
	return err
}

// deadlocked returns ErrUnreleased if the Sender waits, at its limit or in Drain, for messages that
// the caller holds, who has taken everything and waits for more.
func (r *Receiver) deadlocked() error {
	h := r.segment.Header()
	waits := r.held > 0 && r.sleeper.PeerWaitsFor(r.released.bytes, r.released.messages)
	helps := int64(h.Producer.Index.Load()-h.ProducerSleep.Index.Load()) >= 0 // else it waits for no release
	if waits && helps && r.taken == h.Producer.Count.Load() && !r.segment.Absent(layout.Producer) {
		return fmt.Errorf("%w: %s", ErrUnreleased, format.Messages(uint64(r.held)))
	}
	return nil
}

// interrupt ends a wait at the connection. Any goroutine may call it.
func (r *Receiver) interrupt() {
	if conn := r.conn.Load(); conn != nil {
		conn.interrupt()
	}
}

// step takes a packet, a connection or the end of one, whatever comes next, without
// waiting. got is true when there are buffers.
func (r *Receiver) step() (got bool, err error) {
	for {
		if r.ended {
			if err := r.reportEnd(r.peer.Generation.Load()); err != nil {
				return false, err
			}
		}
		conn := r.conn.Load()
		if conn == nil {
			c, ok := r.accept.next()
			if !ok {
				return false, nil
			}
			err = r.adopt(c)
		} else {
			err = r.packet(conn)
		}
		if errors.Is(err, unix.EAGAIN) {
			return false, nil
		}
		if err != nil {
			r.disconnect()
			return false, err
		}
		if conn = r.conn.Load(); conn != nil && conn.pending() {
			return true, nil
		}
	}
}

// adopt goes on with the connection of a producer.
func (r *Receiver) adopt(c accepted) error {
	if c.err != nil {
		return c.err
	}
	r.ended = false
	r.conn.Store(c.conn)
	// Noted by who has connected, unless that one was killed and has a successor already.
	r.framing, r.connected = r.peer.LoadFraming(), true
	if err := r.checkPosition(c.conn.end); err != nil {
		return err
	}
	r.startAt(c.conn.end)
	if r.taken >= r.skip {
		r.settle()
	}
	return nil
}

// checkPosition refuses a position that the producer has not got to by its own account:
// it counts in the header page before it sends.
func (r *Receiver) checkPosition(at position) error {
	var made position
	made.buffers = r.peer.Buffers.Load()
	sent := &r.segment.Header().Producer
	made.messages, made.bytes = sent.Count.Load(), sent.Index.Load()
	if int64(made.buffers-at.buffers) < 0 || int64(made.messages-at.messages) < 0 || int64(made.bytes-at.bytes) < 0 {
		return fmt.Errorf("%w: a packet is at buffer %d, message %d, byte %d, and the producer has made %d, %d and %d", ErrCorrupt,
			at.buffers, at.messages, at.bytes, made.buffers, made.messages, made.bytes)
	}
	return nil
}

// packet receives the next packet of the connection, or notes that it is at its end.
func (r *Receiver) packet(conn *recvConn) error {
	k, err := conn.receive()
	if disconnected(err) {
		return r.disconnect()
	}
	if err == nil {
		err = r.checkPosition(conn.end)
		conn.touched = conn.maps.touch(conn.entries)
	}
	r.ended = err == nil && k == kindEnd
	return err
}

// disconnect ends the connection, if there is one. What the messages that are held point into
// stays mapped.
func (r *Receiver) disconnect() error {
	r.buffers.closeFiles()
	conn := r.conn.Swap(nil)
	if conn == nil {
		return nil
	}
	for _, mem := range conn.maps {
		if mem != nil {
			r.buffers.retire(mem, r.loads)
		}
	}
	return conn.close()
}

// checkPeer notes that this side is not hung, and looks whether the producer lives and the
// socket is there.
func (r *Receiver) checkPeer() (err error) {
	endpoint.ContinueSleep(r.own, monotonic.Now())
	connected := r.conn.Load() != nil
	if !connected {
		if r.accept, err = r.accept.renew(); err != nil {
			return err
		}
	}
	if connected || !r.segment.Absent(layout.Producer) {
		r.own.State.StoreRelaxed(uint64(layout.StateBlocked))
		return nil
	}
	r.own.State.StoreRelaxed(uint64(layout.StateAlone))
	if holder, due := r.ends.Due(); due {
		// It gave up before it could connect. What it had queued is gone.
		sent := &r.segment.Header().Producer
		if at := sent.Count.Load(); at > r.taken {
			r.startAt(position{r.seen.buffers, at, sent.Index.Load()})
			if r.taken >= r.skip {
				r.settle()
			}
		}
		if err := r.reportEnd(holder); err != nil {
			return err
		}
	}
	r.writeOffDead()
	return r.segment.Check()
}

// reportEnd returns how the stream of a producer has ended: io.EOF or ErrIncomplete. It is
// nil when the Receiver goes on with the next one: with Follow, or when that is there.
func (r *Receiver) reportEnd(holder uint64) error {
	over, incomplete := r.ends.Report(holder)
	if lost := r.lost - r.lostBefore; incomplete == nil && lost > 0 {
		incomplete = fmt.Errorf("%w: %s of its messages were lost with a producer that died", ErrIncomplete, format.Count(lost))
	}
	switch {
	case !over:
		r.ended = false
		return nil
	case !r.follow:
		return cmp.Or(incomplete, io.EOF)
	}
	r.ended = false
	r.lostBefore = r.lost
	if holder != r.reported {
		r.reported = holder
		if r.onEnd != nil {
			r.gate.Leave() // it may take its time, and call Close
			r.onEnd(r.callError(context.Background(), incomplete))
			r.gate.Enter()
			if r.gate.Closed() {
				return ErrClosed // nothing that Close has taken is touched on the way out
			}
		}
	}
	if r.held == 0 { // else a successor takes what is held, and is told then
		r.ends.Acknowledge()
		r.own.LostSeen.Store(r.lostBefore)
	}
	return nil
}
