package sluice

import (
	"context"
	"iter"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// FanIn takes the messages of several rings, each of which has its own producer, in one
// goroutine. Make one with [OpenFanIn]. Producers know nothing of it: each ring is an ordinary
// one.
//
// While several rings have messages, each gets bytes in proportion to its weight, in turns of
// [ring.Quantum]; a ring that has none saves nothing up and is served within a round when it has
// some again. The messages of one ring come in their order; none is promised across rings.
//
// Rings join when they appear, and leave when their stream has ended and all of it is released.
// The others go on: a stream that was not complete is told at the end of all, and at once by
// FanInOptions.OnLeave. A segment that another program truncates stops all, as it stops a
// [Consumer]: an access to it ends the process, or the function within [shm.Guard], after which
// only Close is to be called.
//
// One goroutine at a time may use it; Close may be called from any, at any time. Contexts are
// kept as by a [Consumer]. Without a message it sleeps on all rings at once (futex_waitv, Linux
// 5.16), or, with more than 127 of them or on an older kernel, on a goroutine for each.
type FanIn struct{ fanIn[ringConsumer] }

// FanInOptions says which rings a [FanIn] takes from, and how. The zero value is of use.
type FanInOptions struct {
	// Follow waits for the next producer of a ring that has ended, instead of leaving it for
	// good. Then Next returns neither io.EOF nor ErrIncomplete: OnLeave tells.
	Follow bool
	// Keep, Access, Spin and Populate are as in ConsumerOptions. With Populate a ring that joins
	// holds up the others until its memory is mapped, also in calls that do not wait.
	Keep     bool
	Access   shm.Access
	Spin     time.Duration
	Populate bool

	// Weight returns the weight of a ring that joins, from 1 to [ring.MaxWeight]; nil is 1 for
	// each.
	Weight func(name string) int

	// The functions are called on the goroutine that uses the FanIn, and must not call it: by
	// OpenFanIn, Next and the other calls that take messages, and Ready; OnLeave also by Release
	// and Source.ReleaseN.

	// OnJoin is called when a ring has joined.
	OnJoin func(s *Source)
	// OnLeave is called when a ring leaves, of which all is released: with nil when its stream was
	// complete, ErrIncomplete when it was not, or what has failed, such as ErrCorrupt. ErrRemoved
	// is also for a segment that a producer has replaced by another one, which may go on with the
	// stream: that joins next, and the call for the next message does not fail. The counters of its
	// segment are final, and can be read until OnLeave returns; s is not used any more after it.
	// Close calls it for none.
	OnLeave func(s *Source, err error)
	// OnMissed is called as ConsumerOptions.OnMissed, by a call of the ring's end: it may use Name,
	// Weight and Segment of s, and nothing else.
	OnMissed func(s *Source, n uint64)
	// OnSkip is called when a pattern matches the name of a segment that cannot join now, once
	// for each reason: ErrRoleTaken when it has a consumer, ErrMode when it is a transfer, and
	// others that Open has. It is also called when another process is joining or leaving a segment,
	// that is named or matched, for longer than 10 ms: it was probably stopped meanwhile, and
	// without Follow the FanIn does not end before the segment has joined or gone. Each is tried
	// again each second.
	OnSkip func(name string, err error)
}

// Source is one ring of a [FanIn] or a [FanInOf]. It is for the goroutine that uses that, except
// for Name, Weight and Segment.
type Source struct {
	name   string
	weight int
	end    fanInEnd

	inode    uint64 // of its file
	released func() // some of its messages were released

	maxBytes, maxMessages int // of a batch
}

// Name returns the name of the segment.
func (s *Source) Name() string { return s.name }

// Weight returns its weight.
func (s *Source) Weight() int { return s.weight }

// Segment returns the segment, as [Consumer].Segment does.
func (s *Source) Segment() *shm.Segment { return s.end.Segment() }

// Held returns how many of its messages were taken and not released.
func (s *Source) Held() int { return s.end.Held() }

// ReleaseN gives back the oldest n of them, as [Consumer].ReleaseN does.
func (s *Source) ReleaseN(n int) {
	s.end.ReleaseN(n)
	s.released()
}

// Released returns how many of its messages were released.
func (s *Source) Released() uint64 { return s.end.Released() }

// Unread returns how many of its messages were published and are not released.
func (s *Source) Unread() uint64 { return s.end.Unread() }

// Framing returns how its producer has cut its input into messages.
func (s *Source) Framing() layout.Framing { return s.end.Framing() }

// Message is a message of a [FanIn] and the ring that it is from.
type Message struct {
	From    *Source
	Payload []byte
}

// OpenFanIn takes the consumer's role in the rings of the given names, and in those that have a
// name like one of the given patterns, in which each * stands for any number of characters. It
// does not wait: a ring that does not exist joins when it appears.
//
// Without Follow it ends when each ring that is named has come and ended, and all that patterns
// have joined have ended, one at least.
//
// Errors: [ErrOption], [ErrName], and of rings that are named those of [Open]; [ErrMode] also for
// a transfer that a pattern matches, unless it is [ErrUntrusted]. What a named ring cannot join for
// later, is an error of Next.
func OpenFanIn(ctx context.Context, names []string, opt FanInOptions) (*FanIn, error) {
	f := new(FanIn)
	if err := f.start(ctx, names, opt, openRing); err != nil {
		return nil, err
	}
	return f, nil
}

// Next returns the next message, and the ring that it is from, without a copy: as [Consumer].Next
// does, and its slice is valid as long. Several may be held at once, of one ring and of several.
//
// Without a message it waits for one. It returns [io.EOF] when all streams have ended complete;
// else what has failed, an error for each ring that is not, joined: [ErrIncomplete],
// [ErrCorrupt], [ErrRemoved]. A ring that fails in such a way does not stop the others.
// [ErrUnreleased]: every ring that has a producer waits until messages that are held are released.
// [ErrRoleTaken] and others of Open: a ring that is named has appeared and cannot be joined, which
// is returned once for each reason; the next calls serve the others, and try again each second.
// After an error nothing was taken.
func (f *FanIn) Next(ctx context.Context) ([]byte, *Source, error) {
	for {
		e, err := f.choose(ctx)
		if err != nil {
			return nil, nil, err
		}
		switch msg, ok, err := f.take(e); {
		case err != nil:
			return nil, nil, err
		case ok:
			return msg, e.Owner, nil
		}
	}
}

// TryNext is Next that never waits: [ErrEmpty] when there is no message now.
func (f *FanIn) TryNext() ([]byte, *Source, error) {
	for {
		e, err := f.tryChoose()
		if err != nil {
			return nil, nil, err
		}
		switch msg, ok, err := f.take(e); {
		case err != nil:
			return nil, nil, err
		case ok:
			return msg, e.Owner, nil
		}
	}
}

// take takes a message from a ring; ok is false if that has none.
func (f *FanIn) take(e *fanInEntry[ringConsumer]) (msg []byte, ok bool, err error) {
	if msg, err = e.Reader.TryNext(); err != nil {
		return nil, false, f.check(e, err)
	}
	e.Spend(1, len(msg))
	f.took(e.Owner)
	return msg, true, nil
}

// NextBatch takes messages of one ring, as [Consumer].NextBatch does: up to len(msgs), and no more
// once they have most bytes, the turn of the ring is over, or they are an eighth of what it has
// room for, but always one. It is much faster than Next for small messages.
func (f *FanIn) NextBatch(ctx context.Context, msgs [][]byte, most int) (int, *Source, error) {
	if len(msgs) == 0 {
		return 0, nil, nil
	}
	for {
		e, err := f.choose(ctx)
		if err != nil {
			return 0, nil, err
		}
		var n int
		if msgs[0], err = e.Reader.TryNext(); err == nil {
			n = 1 + f.fill(ctx, e, msgs, most)
			f.took(e.Owner)
			return n, e.Owner, nil
		}
		if err := f.check(e, err); err != nil {
			return 0, nil, err
		}
	}
}

// fill takes messages after msgs[0] that are there, no more once they have most bytes with that,
// and returns how many. Only the last one goes beyond the turn of the ring. An error in between is
// one of the next call too.
func (f *FanIn) fill(ctx context.Context, e *fanInEntry[ringConsumer], msgs [][]byte, most int) (n int) {
	bytes := len(msgs[0])
	most, msgs = min(most, e.Owner.maxBytes), msgs[:min(len(msgs), e.Owner.maxMessages)]
	if turn := e.Budget() - bytes - overhead; turn > 0 && bytes < most && e.Reader.Buffered() {
		// As many as it has room for if all are as long as the first one, and the bytes that are
		// left beside their overhead. Where sizes differ, the next call goes on with the turn.
		number := min(len(msgs)-1, max(1, turn/(bytes+overhead)))
		n, _ = e.Reader.NextBatch(ctx, msgs[1:1+number], min(most-bytes, max(1, turn-number*overhead)))
		for _, msg := range msgs[1 : 1+n] {
			bytes += len(msg)
		}
	}
	e.Spend(1+n, bytes)
	return n
}

// Receive takes the next message, copies it to buf[:0] and releases it, with all that is held: as
// [Consumer].Receive does.
func (f *FanIn) Receive(ctx context.Context, buf []byte) ([]byte, *Source, error) {
	msg, from, err := f.Next(ctx)
	if err != nil {
		return nil, nil, err
	}
	buf = append(buf[:0], msg...)
	f.Release()
	return buf, from, nil
}

// Messages ranges over the messages as [Consumer].Messages does.
func (f *FanIn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return ranged(f.Release, func() (Message, error) {
		msg, from, err := f.Next(ctx)
		return Message{from, msg}, err
	})
}
