package sluice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
)

// Destination is a ring that a [FanOut] sends to.
type Destination struct {
	Name string // of the segment
	// OnSlow is what happens when the ring is full; 0 means Block.
	//
	// Block makes the producer wait, and all other rings with it. A consumer that is alive may
	// make it wait as long as it likes. While nobody is the ring's consumer, because it was
	// killed or never came, it waits for one second. Then it goes on, and drops the messages of
	// this ring as long as that is full. A consumer that comes is told their number
	// (ConsumerOptions.OnMissed), and is waited for again.
	//
	// Drop drops the message for this ring.
	//
	// Disconnect ends the stream of this ring with EndDisconnected: see [Disconnect].
	//
	// Before the last two the producer waits for FanOutOptions.BlockTimeout.
	OnSlow Policy
}

// maxAbsence is how long a dead consumer of a ring that blocks holds the others.
const maxAbsence = time.Second

// FanOutOptions says how to create a [FanOut]. The zero value is rings of 1 MiB. Its fields are
// those of [ProducerOptions], and the same for all rings.
type FanOutOptions struct {
	Capacity, SlotSize, Slots uint64
	Spin                      time.Duration
	Fresh, Keep, Populate     bool
	Access                    shm.Access
	Framing                   layout.Framing

	// BlockTimeout is how long a call waits for room in a ring whose OnSlow is Drop or Disconnect,
	// of which there has to be one; 0 = not at all. It is kept within about a millisecond, and a
	// second at most while nobody is the ring's consumer. After a wait in vain the messages of a
	// ring that drops them are dropped as long as there is no room, without another wait, until
	// half of it is free. So a consumer that is slower all the time holds the other rings up once.
	BlockTimeout time.Duration
}

// options returns the options of the ring of one destination.
func (opt *FanOutOptions) options(to Destination) ring.WriterOptions {
	timeout := opt.BlockTimeout
	if to.OnSlow == Block {
		timeout = 0
	}
	return ring.WriterOptions{
		Capacity: opt.Capacity, Slots: opt.Slots, OnFull: to.OnSlow, BlockTimeout: timeout, MaxAbsence: maxAbsence, Spin: opt.Spin,
		Fresh: opt.Fresh, Keep: opt.Keep, Access: opt.Access, Framing: opt.Framing, Populate: opt.Populate,
	}
}

// checkDestinations returns the destinations with their policies, or an ErrOption.
func checkDestinations(to []Destination) (all []Destination, err error) {
	if len(to) == 0 {
		return nil, fmt.Errorf("create a fan-out: %w: no destination", ErrOption)
	}
	for _, d := range to {
		d.OnSlow = cmp.Or(d.OnSlow, Block)
		switch {
		case d.OnSlow != Block && d.OnSlow != Drop && d.OnSlow != Disconnect:
			err = fmt.Errorf("%w: OnSlow %v is none of Block, Drop and Disconnect", ErrOption, d.OnSlow)
		case slices.ContainsFunc(all, func(before Destination) bool { return before.Name == d.Name }):
			err = fmt.Errorf("%w: it is a destination twice", ErrOption)
		}
		if err != nil {
			return nil, shm.InSegment(endpoint.OpCreate, d.Name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// FanOut sends each message to several rings, each of which is an ordinary one with an ordinary
// consumer: [Open], package ring, the command consumer. Consumers may come and go at any time. One
// goroutine at a time may use it; Close and Abort may be called from any.
//
// Memory cannot be shared between rings: a message is copied once for each of them.
//
// A message goes to all rings, or, on an error, to none, with these exceptions: a ring whose
// Destination says so drops it; one that is found to be corrupt or truncated does not get it, which
// is the error of the call, or of the next one where the call has none; and a Close, Abort or kill
// between two rings leaves it in some of them and not in others. Each ring by itself loses nothing
// that was published.
type FanOut struct {
	fanOut[byteEnd]
	slotSize int    // 0 = records
	max      int    // of a message, in bytes
	smallest string // the ring that takes no larger one

	buf       []byte // of Reserve
	reserved  int    // -1 = nothing is
	committed int    // likewise
	failure   error  // of the last Publish, for the next call that has an error
}

// byteEnd is the end of one ring.
type byteEnd interface {
	ringEnd
	AwaitRoom(ctx context.Context, n int) error
	Room(ctx context.Context, msgs [][]byte) (int, error)
	Send(ctx context.Context, msg []byte) error
	Offer(msgs [][]byte) (int, error)
}

var (
	_ byteEnd = (*ring.Writer)(nil)
	_ byteEnd = (*ring.SlotWriter)(nil)
)

// CreateFanOut takes the producer's role in the segment of each destination, as [Create] does, in
// that order. If it fails, the roles are given back, and the segments that it has made are removed;
// what Fresh has discarded by then, or another segment has replaced, does not come back.
//
// The errors are those of Create, and [ErrOption] if there is no destination, or one twice.
func CreateFanOut(ctx context.Context, to []Destination, opt FanOutOptions) (*FanOut, error) {
	f := &FanOut{slotSize: int(opt.SlotSize), reserved: -1, committed: -1}
	err := f.create(to, opt, func(name string, with ring.WriterOptions) (byteEnd, error) {
		if opt.SlotSize > 0 {
			w, err := ring.CreateSlots(ctx, name, opt.SlotSize, with)
			if err != nil {
				return nil, err // not an end that is a nil pointer
			}
			return w, nil
		}
		w, err := ring.Create(ctx, name, with)
		if err != nil {
			return nil, err
		}
		return w, nil
	})
	if err != nil {
		return nil, err
	}
	smallest := slices.MinFunc(f.ends, func(a, b byteEnd) int { return cmp.Compare(a.MaxMessage(), b.MaxMessage()) })
	f.max, f.smallest = smallest.MaxMessage(), smallest.Segment().Name()
	return f, nil
}

// MaxMessage returns the largest message, in bytes, that every ring takes.
func (f *FanOut) MaxMessage() int { return f.max }

// checkSize returns the error of a message of n bytes.
func (f *FanOut) checkSize(n int) error {
	switch {
	case f.slotSize > 0 && n != f.slotSize:
		return fmt.Errorf("send: %w: %d bytes, every message has %d", ErrSize, n, f.slotSize)
	case n > f.max:
		return shm.InSegment(endpoint.OpSend, f.smallest, fmt.Errorf("%w: %d bytes, at most %d fit", ErrTooLarge, n, f.max))
	}
	return nil
}

// Send copies msg into every ring and publishes it, with what was committed before. It waits for
// the rings that block, and for the others for FanOutOptions.BlockTimeout. On an error msg was sent
// to none, but see [FanOut]: that is the cause of ctx, [ErrTooLarge], [ErrSize], [ErrCorrupt],
// [ErrRemoved] or [ErrClosed].
func (f *FanOut) Send(ctx context.Context, msg []byte) error {
	if err := f.settle(); err != nil {
		return err
	}
	if err := f.awaitRoom(ctx, len(msg)); err != nil {
		return err
	}
	return f.send(msg)
}

// settle sends what was committed, and drops the reservation. It returns ErrClosed, or what has
// kept the message of the last Publish from a ring.
func (f *FanOut) settle() error {
	f.Publish()
	f.reserved = -1
	if f.closed.Load() { // Reserve asks nothing of a ring that does not block
		return ErrClosed
	}
	err := f.failure
	f.failure = nil
	return err
}

// awaitRoom waits until a message of n bytes can be sent without a wait.
func (f *FanOut) awaitRoom(ctx context.Context, n int) error {
	if n > f.max || f.slotSize > 0 && n != f.slotSize {
		return f.checkSize(n)
	}
	for _, w := range f.waits {
		if err := w.AwaitRoom(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// send sends a message for which there is room, or drops it.
func (f *FanOut) send(msg []byte) (err error) {
	for _, w := range f.ends {
		if e := w.Send(background, msg); e != nil && e != ErrDropped {
			err = f.failed(err, e)
		}
	}
	if err != ErrClosed {
		f.sent++
	}
	return err
}

var background = context.Background()

// SendBatch is Send of several, published together, or in parts where they do not fit at once. It
// returns how many of them, the first ones, were sent before an error. With none it is Publish with
// an error.
func (f *FanOut) SendBatch(ctx context.Context, msgs [][]byte) (sent int, err error) {
	if err := f.settle(); err != nil {
		return 0, err
	}
	most, badSize := f.checkSizes(msgs)
	for sent < most {
		n, err := f.batch(ctx, msgs[sent:most])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, badSize
}

// checkSizes returns how many of msgs, the first ones, can be sent, and the error of the next.
func (f *FanOut) checkSizes(msgs [][]byte) (int, error) {
	for i, msg := range msgs {
		if err := f.checkSize(len(msg)); err != nil {
			return i, err
		}
	}
	return len(msgs), nil
}

// batch sends as many of msgs as the rings that block have room for, at least one.
func (f *FanOut) batch(ctx context.Context, msgs [][]byte) (sent int, err error) {
	for _, w := range f.waits {
		n, err := w.Room(ctx, msgs)
		if err != nil {
			return 0, err
		}
		msgs = msgs[:n]
	}
	for _, w := range f.ends {
		if _, e := w.Offer(msgs); e != nil && e != ErrDropped {
			err = f.failed(err, e)
		}
	}
	if err == ErrClosed {
		return 0, err
	}
	f.sent += uint64(len(msgs))
	return len(msgs), err
}

// Reserve waits as Send does, and returns room for a message of n bytes in memory of this process:
// it is copied into each ring by Publish, so nothing is gained over Send if the message exists
// already. The room is the caller's until Publish, Discard, Send or the next Reserve, each of which
// sends first what was committed. It panics when n is negative.
func (f *FanOut) Reserve(ctx context.Context, n int) ([]byte, error) {
	if err := f.settle(); err != nil {
		return nil, err
	}
	if n < 0 {
		panic(fmt.Sprintf("sluice: Reserve(%d): negative size", n))
	}
	if err := f.awaitRoom(ctx, n); err != nil {
		return nil, err
	}
	if len(f.buf) < n {
		f.buf = make([]byte, n)
	}
	f.reserved = n
	return f.buf[:n:n], nil
}

// Commit makes the first n bytes of the reservation a message, which Publish sends. It panics
// without a reservation of at least n bytes, and when n is negative, unless the FanOut is closed.
func (f *FanOut) Commit(n int) {
	if f.closed.Load() {
		return
	}
	if n < 0 || n > f.reserved || f.slotSize > 0 && n != f.slotSize {
		panic(fmt.Sprintf("sluice: Commit(%d) with %d bytes reserved", n, max(0, f.reserved)))
	}
	f.reserved, f.committed = -1, n
}

// Discard drops the reservation, if there is one.
func (f *FanOut) Discard() { f.reserved = -1 }

// Publish sends the message that was committed, if there is one. It does not wait: Reserve has. It
// has no error: what has kept the message from a ring is that of the next call that has one.
func (f *FanOut) Publish() {
	if n := f.committed; n >= 0 {
		f.committed = -1
		f.failure = f.send(f.buf[:n])
	}
}

// Flush is Publish: nothing is held back that was published.
func (f *FanOut) Flush() { f.Publish() }

// Align makes all rings have been offered the same number of messages since their segments were
// made, and returns it: what one of them has had less than another counts as dropped there. That is
// how many messages a killed producer had put in some rings and not in others, or all that were
// sent before this ring became one of them. It is for a producer that numbers its messages, goes on
// with the number after a restart, and has consumers that compare missing numbers with the
// counters. Call it before the first message. It is [ErrCorrupt], and counts nothing, when a ring
// says that it was offered more messages than can be.
func (f *FanOut) Align() (offered uint64, err error) {
	had := make([]uint64, len(f.ends))
	err = shm.Guard(func() (err error) {
		for i, w := range f.ends {
			if had[i], err = sequence(w.Segment()); err != nil {
				return err
			}
			offered = max(offered, had[i])
		}
		for i, w := range f.ends {
			w.Skip(offered - had[i])
		}
		return nil
	})
	return offered, err
}

// maxSequence is more messages than a ring can have been offered: 10^8 a second for years. One
// ring's counter is added to those of the others, so it is not trusted.
const maxSequence = 1 << 53

// sequence returns how many messages of a segment had a number: those that were refused kept theirs
// for the next.
func sequence(seg *shm.Segment) (uint64, error) {
	a := endpoint.Offered(seg.Header())
	if a.Produced > maxSequence || a.Dropped > maxSequence {
		err := fmt.Errorf("%w: it counts %d messages produced and %d dropped", ErrCorrupt, a.Produced, a.Dropped)
		return 0, shm.InSegment(endpoint.OpSend, seg.Name(), err)
	}
	return a.Produced + a.Dropped, nil
}

// fanOut is what a FanOut and a FanOutOf share.
type fanOut[W ringEnd] struct {
	ends  []W
	waits []W // those of ends that block, for a time at least
	to    []Destination
	sent  uint64

	closed atomic.Bool
}

// ringEnd is the end of one ring, whatever is sent there.
type ringEnd interface {
	SetDue(at time.Time)
	EndAs(end End)
	KeepEnd()
	Skip(n uint64)
	Drain(ctx context.Context) error
	Close() error
	Abort() error
	MaxMessage() int
	Published() uint64
	Dropped() uint64
	Unread() uint64
	Segment() *shm.Segment
}

// create makes the ends of all destinations, or none.
func (f *fanOut[W]) create(to []Destination, opt FanOutOptions, create func(string, ring.WriterOptions) (W, error)) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, f.giveBack())
		}
	}()
	if f.to, err = checkDestinations(to); err != nil { // before anything is made
		return err
	}
	blocks := !slices.ContainsFunc(f.to, func(d Destination) bool { return d.OnSlow != Block })
	if err := endpoint.CheckBlockTimeout(opt.BlockTimeout, blocks, "a destination with OnSlow Drop or Disconnect"); err != nil {
		return fmt.Errorf("create a fan-out: %w", err)
	}
	for _, d := range f.to {
		w, err := create(d.Name, opt.options(d))
		if err != nil {
			return err
		}
		f.ends = append(f.ends, w)
		if d.OnSlow == Block || opt.BlockTimeout > 0 {
			f.waits = append(f.waits, w)
		}
	}
	return nil
}

// giveBack leaves the segments as if this producer had not come: no stream has ended, an earlier
// end that no consumer was told of is told still, and a segment that it has made is removed.
func (f *fanOut[W]) giveBack() (err error) {
	for _, w := range f.ends {
		w.EndAs(layout.EndNone)
		readErr := shm.Guard(func() error { // a segment may have been truncated since
			if w.Segment().Header().ProducerStats.Generation.Load() > 1 {
				w.KeepEnd()
			}
			return nil
		})
		err = errors.Join(err, readErr, w.Close())
	}
	return err
}

// failed adds the error of one ring to those of others. What a Close makes of a call is one.
func (f *fanOut[W]) failed(before, err error) error {
	if before == ErrClosed || err == ErrClosed {
		return ErrClosed
	}
	return errors.Join(before, err)
}

// SetDue says when the messages that follow were due, as [Producer].SetDue does.
func (f *fanOut[W]) SetDue(at time.Time) {
	for _, w := range f.ends {
		w.SetDue(at)
	}
}

// EndAs says how Close will have ended the streams of all rings, as [Producer].EndAs does. One that
// has ended as EndDisconnected stays so.
func (f *fanOut[W]) EndAs(end End) {
	for _, w := range f.ends {
		w.EndAs(end)
	}
}

// KeepEnd makes Close leave each segment whose consumer was not told how the stream has ended, as
// [Producer].KeepEnd does; with names, only those.
func (f *fanOut[W]) KeepEnd(names ...string) {
	for i, w := range f.ends {
		if len(names) == 0 || slices.Contains(names, f.to[i].Name) {
			w.KeepEnd()
		}
	}
}

// Drain waits until the consumer of every ring has released everything, one that is still to come
// if there is none, or until ctx is done (its cause). What was dropped is not waited for.
func (f *fanOut[W]) Drain(ctx context.Context) error {
	for _, w := range f.ends {
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all streams and releases the roles. It waits for nobody: messages stay for the next
// consumer. Any goroutine may call it, at any time, and again: that returns nil. A call that waits
// returns [ErrClosed]. Its error is those of the rings, as [Producer].Close has them for one.
func (f *fanOut[W]) Close() (err error) { return f.closeAll(W.Close) }

// Abort is Close that ends the streams as EndFailed.
func (f *fanOut[W]) Abort() error { return f.closeAll(W.Abort) }

func (f *fanOut[W]) closeAll(end func(W) error) (err error) {
	f.closed.Store(true)
	for _, w := range f.ends {
		err = errors.Join(err, end(w))
	}
	return err
}

// Published returns how many messages this producer has sent: to every ring, but for those that it
// has dropped.
func (f *fanOut[W]) Published() uint64 { return f.sent }

// FanOutRing is one ring of a [FanOut].
type FanOutRing struct {
	Destination        // its OnSlow is not 0
	Published   uint64 // messages, by this producer
	Dropped     uint64 // messages that this producer has dropped
	Unread      uint64 // messages that its consumer has not released; after Close, those that it left
	Segment     *shm.Segment
}

// Rings returns the rings, in the order of the destinations. The goroutine that sends calls it, or
// anybody once the FanOut is closed; then only the Name and the Geometry of a Segment are of use.
func (f *fanOut[W]) Rings() []FanOutRing {
	rings := make([]FanOutRing, len(f.ends))
	for i, w := range f.ends {
		rings[i] = FanOutRing{Destination: f.to[i], Published: w.Published(), Dropped: w.Dropped(), Segment: w.Segment()}
		_ = shm.Guard(func() error { rings[i].Unread = w.Unread(); return nil }) // 0 when the file was truncated
	}
	return rings
}
