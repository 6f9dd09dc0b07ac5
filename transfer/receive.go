package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/monotonic"
	"sluice/layout"
)

var rightsSize = unix.CmsgSpace(4 * MaxBatch)

// load makes the next buffer the current one.
func (r *Receiver) load(ctx context.Context) error {
	r.shelve()
	if r.entry == len(r.entries) {
		if err := r.receive(ctx); err != nil {
			return err
		}
	}
	e, fd := r.entries[r.entry], -1
	r.entry++
	if e.flags&flagDescriptor != 0 {
		fd = r.fds[r.fd]
		r.fd++
	}
	again := r.seen.messages+uint64(e.messages) <= r.skip
	if err := r.open(&e, fd, !again); err != nil {
		r.hangUp() // the producer still has it, and what came after
		return err
	}
	now := monotonic.Now()
	r.own.ProgressAt.StoreRelaxed(now)
	r.seen = position{r.seen.buffers + 1, r.seen.messages + uint64(e.messages), r.seen.bytes + e.memory()}
	if again { // released before, by whoever did not live to say so
		r.taken, r.left = r.seen.messages, 0
		r.settle()
		return nil
	}
	r.loads++
	r.current.packed, r.current.weight, r.current.end = e.flags&flagPacked != 0, e.memory(), r.seen
	r.left = e.messages
	endpoint.NoteLatency(r.segment.Header(), e.stamp, now, uint64(e.messages))
	return nil
}

// shelve puts the current buffer, from which nothing is left to take, with the held ones if a
// message of it is held.
func (r *Receiver) shelve() {
	if n := r.held - r.buffers.messages; n > 0 {
		r.buffers.push(heldBuffer{
			inBuffer: r.current, messages: n, load: r.loads,
			after: mark{position{r.current.end.buffers, r.taken, r.current.end.bytes}, r.payload, r.lost},
		})
	} else if r.current.memory != nil {
		r.buffers.memory.put(r.current.memory)
	}
	r.current, r.at = inBuffer{}, 0
}

// open checks a buffer and makes its content that of the current one, if it is wanted. It
// closes fd.
func (r *Receiver) open(e *entry, fd int, wanted bool) error {
	if e.number == 0 {
		defer unix.Close(fd)
		if err := checkFile(fd, e.size, sealed); err != nil || !wanted {
			return err
		}
		const minSize = 4096
		r.current.memory = r.buffers.memory.get(max(int(e.length), minSize))
		r.current.data = r.current.memory[:e.length:e.length]
		return read(fd, r.current.data)
	}
	if fd >= 0 {
		old, err := r.maps.add(e.number, fd, e.size)
		if err != nil {
			return err
		}
		if old != nil { // a message that was taken may be in it
			r.buffers.retire(old, r.loads)
			r.unmapReleased()
			// A Sender gives another buffer the number of one that was released, so no
			// more than it can have at once between two releases.
			if n := len(r.buffers.retired); n > 2*maxRecycled {
				return fmt.Errorf("%w: %d buffers in place of others that are not released", ErrCorrupt, n)
			}
		}
	}
	mem, sent := r.maps[e.number]
	if !sent {
		return fmt.Errorf("%w: buffer %d was never given", ErrCorrupt, e.number)
	}
	if uint64(len(mem)) != e.size {
		return fmt.Errorf("%w: buffer %d has %d bytes, its packet says %d", ErrCorrupt, e.number, len(mem), e.size)
	}
	r.current.data = mem[:e.length:e.length]
	return nil
}

// settle publishes a position that moved by itself, while the caller holds nothing.
func (r *Receiver) settle() {
	if r.held == 0 {
		r.publish(r.markAt(position{r.seen.buffers, r.taken, r.seen.bytes}))
	}
}

// markAt is a mark with all that was taken before it.
func (r *Receiver) markAt(at position) mark { return mark{at, r.payload, r.lost} }

// receive waits for a packet with buffers.
func (r *Receiver) receive(ctx context.Context) (err error) {
	if got, err := r.step(); got || err != nil {
		return err
	}
	if ctx == noWait && r.conn == nil {
		if err := r.lookAround(); err != nil {
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

// wait waits until there is something for step, ctx is done or a while is over.
func (r *Receiver) wait(ctx context.Context) error {
	if r.conn == nil {
		r.accept.wait(ctx, r.stopped, pollInterval)
		return r.lookAround()
	}
	if err := r.conn.SetReadDeadline(time.Now().Add(pollInterval)); err != nil {
		return err
	}
	if ctx.Err() != nil || r.gate.Closed() { // and what interrupt did may have been undone just now
		return nil
	}
	waited := false
	err := r.raw.Read(func(fd uintptr) bool {
		if waited {
			return true
		}
		waited = true // next time there is something
		_, err := peek(int(fd))
		return err != unix.EAGAIN
	})
	if timedOut(err) {
		return r.lookAround()
	}
	return err
}

// interrupt ends a wait at the connection. Any goroutine may call it.
func (r *Receiver) interrupt() {
	if conn := r.connNow.Load(); conn != nil {
		conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// step takes a packet, a connection or the end of one, whatever comes next, without
// waiting. got is true when there are buffers.
func (r *Receiver) step() (got bool, err error) {
	for {
		if r.ended {
			if err := r.tell(r.peer.Generation.Load()); err != nil {
				return false, err
			}
		}
		if r.conn == nil {
			c, ok := r.accept.next()
			if !ok {
				return false, nil
			}
			err = r.adopt(c)
		} else {
			err = r.packet()
		}
		if errors.Is(err, unix.EAGAIN) {
			return false, nil
		}
		if err != nil {
			r.hangUp()
			return false, err
		}
		if r.entry < len(r.entries) {
			return true, nil
		}
	}
}

// adopt goes on with the connection of a producer.
func (r *Receiver) adopt(c accepted) error {
	if c.err != nil {
		return c.err
	}
	r.conn, r.raw, r.ended = c.conn, c.raw, false
	r.connNow.Store(c.conn)
	// Noted by who has connected, unless that one was killed and has a successor already.
	r.framing, r.connected = r.peer.LoadFraming(), true
	if err := r.plausible(c.at); err != nil {
		return err
	}
	r.begin(c.at)
	return nil
}

// plausible refuses a position that the producer has not got to by its own account:
// it counts in the header page before it sends.
func (r *Receiver) plausible(at position) error {
	var made position
	made.buffers = r.peer.Buffers.Load()
	had := &r.segment.Header().Producer
	made.messages, made.bytes = had.Count.Load(), had.Index.Load()
	if int64(made.buffers-at.buffers) < 0 || int64(made.messages-at.messages) < 0 || int64(made.bytes-at.bytes) < 0 {
		return fmt.Errorf("%w: a packet is at buffer %d, message %d, byte %d, and the producer has made %d, %d and %d", ErrCorrupt,
			at.buffers, at.messages, at.bytes, made.buffers, made.messages, made.bytes)
	}
	return nil
}

// begin moves to where a connection starts. What is between there and here has been
// the last producer's, and went with it.
func (r *Receiver) begin(at position) {
	r.skip = max(r.skip, r.taken)
	if lost := int64(at.messages - r.skip); lost > 0 {
		r.lost += uint64(lost)
	}
	r.seen, r.taken = at, at.messages
	if at.messages >= r.skip {
		r.settle()
	}
}

// packet takes the next packet of the connection, or notes that it is at its end.
func (r *Receiver) packet() error {
	h, err := r.read()
	switch {
	case disconnected(err):
		return r.hangUp()
	case err != nil:
		return err
	case h.kind == kindHello || h.segment != r.id:
		err = fmt.Errorf("%w: packet of kind %d in the middle of a connection", ErrCorrupt, h.kind)
	case h.buffers != r.seen.buffers || h.messages != r.seen.messages || h.bytes != r.seen.bytes:
		err = fmt.Errorf("%w: packet at buffer %d, message %d, byte %d, where %d, %d and %d were due", ErrCorrupt,
			h.buffers, h.messages, h.bytes, r.seen.buffers, r.seen.messages, r.seen.bytes)
	default:
		end := r.seen
		for i := range r.entries {
			e := &r.entries[i]
			end = position{end.buffers + 1, end.messages + uint64(e.messages), end.bytes + e.memory()}
		}
		err = r.plausible(end)
	}
	if err != nil {
		return err
	}
	r.ended = h.kind == kindEnd
	return nil
}

// hangUp ends the connection.
func (r *Receiver) hangUp() error {
	r.drop()
	for number, mem := range r.maps {
		r.buffers.retire(mem, r.loads)
		delete(r.maps, number)
	}
	if r.conn == nil {
		return nil
	}
	err := r.conn.Close()
	r.conn = nil
	r.connNow.Store(nil)
	return err
}

// drop closes the descriptors of the last packet that were not used.
func (r *Receiver) drop() {
	for _, fd := range r.fds[r.fd:] {
		unix.Close(fd)
	}
	r.fds, r.entries, r.fd, r.entry = r.fds[:0], r.entries[:0], 0, 0
}

// listenAnew makes the socket again when somebody has removed it: no producer would
// find this Receiver any more. One that was inherited is not its to make, nor to judge:
// who made it may have removed it on purpose, as systemd does when its unit is stopped.
func (r *Receiver) listenAnew() error {
	lost, there := r.socket.lost()
	switch {
	case !lost, !there && !r.socket.own:
		return nil
	case there:
		return fmt.Errorf("%w: something else stands at %s", ErrSocketRemoved, r.socket.path)
	}
	next, err := listen(r.socket.path, r.access, r.socket.mkdir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSocketRemoved, err)
	}
	// What has come to the old one comes again to the new one.
	err = r.accept.close()
	r.socket = next
	r.accept = newAcceptor(next, r.access, r.id)
	return err
}

// lookAround says that this side lives, and looks whether anybody else does.
func (r *Receiver) lookAround() error {
	endpoint.ContinueSleep(r.own, monotonic.Now())
	if r.conn == nil {
		if err := r.listenAnew(); err != nil {
			return err
		}
	}
	if r.conn != nil || !r.segment.Absent(layout.Producer) {
		r.own.State.StoreRelaxed(uint64(layout.StateBlocked))
		return nil
	}
	r.own.State.StoreRelaxed(uint64(layout.StateAlone))
	if holder, due := r.ends.Due(); due {
		// It gave up before it could connect. What it had queued is gone.
		had := &r.segment.Header().Producer
		if at := had.Count.Load(); at > r.taken {
			r.begin(position{r.seen.buffers, at, had.Index.Load()})
		}
		if err := r.tell(holder); err != nil {
			return err
		}
	}
	r.writeOffDead()
	return r.segment.Check()
}

// tell returns how the stream of a producer has ended: io.EOF or ErrIncomplete. It is
// nil when the Receiver goes on with the next one: with Follow, or when that is there.
func (r *Receiver) tell(holder uint64) error {
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
	if r.held == 0 {
		r.ends.Acknowledge()
	}
	if holder != r.followed {
		r.followed = holder
		if r.onEnd != nil {
			r.gate.Leave() // it may take its time, and call Close
			r.onEnd(incomplete)
			r.gate.Enter()
			if r.gate.Closed() {
				return ErrClosed // nothing that Close has taken is touched on the way out
			}
		}
	}
	return nil
}
