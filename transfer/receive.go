package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

var rightsSize = unix.CmsgSpace(4 * MaxBatch)

// load makes the next buffer the current one.
func (r *Receiver) load(ctx context.Context) error {
	if r.slab != nil {
		r.held, r.slab = append(r.held, r.slab), nil
	}
	r.rest = nil
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
	now := shm.Clock()
	r.own.ProgressAt.Relaxed(now)
	r.seen = position{r.seen.buffers + 1, r.seen.messages + uint64(e.messages), r.seen.bytes + memory(int(e.length))}
	if again { // released before, by whoever did not live to say so
		r.taken, r.left = r.seen.messages, 0
		r.settle()
		return nil
	}
	r.left, r.packed, r.weight = e.messages, e.flags&flagPacked != 0, memory(int(e.length))
	r.segment.Header().NoteLatency(e.stamp, now, uint64(e.messages))
	return nil
}

// open checks a buffer and makes its content r.rest, if it is wanted. It closes fd.
func (r *Receiver) open(e *entry, fd int, wanted bool) error {
	if e.number == 0 {
		defer unix.Close(fd)
		if err := checkFile(fd, e.size, sealed); err != nil || !wanted {
			return err
		}
		r.slab = r.memory(int(e.length))
		r.rest = r.slab[:e.length]
		return read(fd, r.rest)
	}
	if fd >= 0 {
		old, err := r.maps.add(e.number, fd, e.size)
		if err != nil {
			return err
		}
		if old != nil { // a message that was taken may be in it
			r.retired = append(r.retired, old)
		}
	}
	mem, told := r.maps[e.number]
	if !told {
		return fmt.Errorf("%w: buffer %d was never given", ErrCorrupt, e.number)
	}
	if uint64(len(mem)) != e.size {
		return fmt.Errorf("%w: buffer %d has %d bytes, its packet says %d", ErrCorrupt, e.number, len(mem), e.size)
	}
	r.rest = mem[:e.length]
	return nil
}

// memory returns n bytes of ordinary memory.
func (r *Receiver) memory(n int) []byte {
	const least = 4096
	if last := len(r.spare) - 1; last >= 0 {
		slab := r.spare[last]
		r.spare = r.spare[:last]
		if cap(slab) >= n {
			return slab[:cap(slab)]
		}
	}
	return make([]byte, max(n, least))
}

// settle publishes a position that moved by itself, while the caller holds nothing.
func (r *Receiver) settle() {
	if !r.holding {
		r.publish(position{r.seen.buffers, r.taken, r.seen.bytes})
	}
}

// receive waits for a packet with buffers.
func (r *Receiver) receive(ctx context.Context) (err error) {
	if r.closed {
		return ErrDone
	}
	if got, err := r.step(false); got || err != nil {
		return err
	}
	began := shm.Clock()
	r.own.Sleeps(r.blocked, began)
	defer func() {
		ended := shm.Clock()
		r.blocked += ended - began
		r.own.Wakes(r.blocked, ended)
	}()
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		r.setDeadline(time.Now().Add(slice))
		got, err := r.step(true)
		if got || err != nil {
			return err
		}
		if err := r.lookAround(); err != nil {
			return err
		}
	}
}

func (r *Receiver) setDeadline(t time.Time) error {
	if r.conn != nil {
		return r.conn.SetReadDeadline(t)
	}
	return r.listener.SetDeadline(t)
}

// step takes a packet, a connection or the end of one, whatever comes next: at once
// or, when wait is set, by the deadline. got is true when there are buffers.
func (r *Receiver) step(wait bool) (got bool, err error) {
	for {
		switch {
		case r.ended && !r.follow:
			return false, ErrClosed
		case r.conn == nil && !wait:
			return false, nil
		case r.conn == nil:
			err = r.accept()
		default:
			err = r.packet(wait)
		}
		if timedOut(err) || errors.Is(err, unix.EAGAIN) {
			return false, nil
		}
		if err != nil {
			r.hangUp()
			return false, err
		}
		if r.entry < len(r.entries) {
			return true, nil
		}
		if wait {
			r.setDeadline(time.Now().Add(slice))
		}
	}
}

// accept takes a connection, if it is a producer's of this segment: whoever else can
// reach the socket is sent away.
func (r *Receiver) accept() error {
	conn, err := r.listener.AcceptUnix()
	if err != nil {
		return err
	}
	raw, err := newRawConn(conn)
	if err != nil || admit(conn, r.access) != nil {
		return errors.Join(err, conn.Close())
	}
	r.conn, r.raw = conn, raw
	conn.SetReadDeadline(time.Now().Add(helloPatience))
	h, err := r.read(true)
	switch {
	case errors.Is(err, ErrVersion):
		return err
	case err != nil || h.kind != kindHello || h.segment != r.id:
		return r.hangUp()
	}
	r.ended = false
	r.begin(position{h.buffers, h.messages, h.bytes})
	return nil
}

// helloPatience is how long a connection may take to say what it is.
const helloPatience = time.Second

// begin moves to where a connection starts. What is between there and here has been
// the last producer's, and went with it.
func (r *Receiver) begin(at position) {
	r.skip = max(r.skip, r.taken)
	if lost := int64(at.messages - r.skip); lost > 0 {
		r.own.Lost.Add(uint64(lost))
	}
	r.seen, r.taken = at, at.messages
	if at.messages >= r.skip {
		r.settle()
	}
}

// packet takes the next packet of the connection, or notes that it is at its end.
func (r *Receiver) packet(wait bool) error {
	h, err := r.read(wait)
	switch {
	case gone(err):
		return r.hangUp()
	case err != nil:
		return err
	case h.kind == kindHello || h.segment != r.id:
		err = fmt.Errorf("%w: packet of kind %d in the middle of a connection", ErrCorrupt, h.kind)
	case h.buffers != r.seen.buffers || h.messages != r.seen.messages || h.bytes != r.seen.bytes:
		err = fmt.Errorf("%w: packet at buffer %d, message %d, byte %d, where %d, %d and %d were due", ErrCorrupt,
			h.buffers, h.messages, h.bytes, r.seen.buffers, r.seen.messages, r.seen.bytes)
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
		r.retired = append(r.retired, mem)
		delete(r.maps, number)
	}
	if r.conn == nil {
		return nil
	}
	err := r.conn.Close()
	r.conn = nil
	return err
}

// drop closes the descriptors of the last packet that were not used.
func (r *Receiver) drop() {
	for _, fd := range r.fds[r.fd:] {
		unix.Close(fd)
	}
	r.fds, r.entries, r.fd, r.entry = r.fds[:0], r.entries[:0], 0, 0
}

// lookAround says that this side lives, and looks whether anybody else does.
func (r *Receiver) lookAround() error {
	r.own.ProgressAt.Relaxed(shm.Clock())
	if r.conn != nil || r.segment.Alive(layout.Producer) {
		r.own.State.Relaxed(uint64(layout.StateBlocked))
		return nil
	}
	r.own.State.Relaxed(uint64(layout.StateAlone))
	closed := layout.State(r.peer.State.Load()) == layout.StateClosed
	if closed && !r.follow && r.peer.Holders.Load() != r.endedOld {
		// It gave up before it could connect. What it had queued is gone.
		had := &r.segment.Header().Producer
		if at := had.Count.Load(); at > r.taken {
			r.begin(position{r.seen.buffers, at, had.Index.Load()})
		}
		return ErrClosed
	}
	return r.segment.Check()
}
