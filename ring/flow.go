package ring

import (
	"context"
	"errors"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/sleep"
	"sluice/layout"
)

// flow says whether the messages of a Writer go to its Reader. A state changes only in the slow
// paths, when the ring is full or, in the last three, at each message:
//
//	flowing       messages are published. A full ring is dealt with by the policy, after
//	              blockTimeout if there is one: Drop and Fail give the message up and stay here.
//	  -> absent         Block: full, and nobody was there for maxAbsence
//	  -> late           AwaitRoom has waited in vain for blockTimeout, or maxAbsence for nobody
//	  -> disconnected   Disconnect: full. The stream ends as layout.EndDisconnected
//	absent        messages are published if there is room, else dropped
//	  -> flowing        there is room; or, found by AwaitRoom, another Reader has come
//	late          messages are published if there is room, else given up without a wait
//	  -> flowing        half of the ring is free: a Reader that is always slower is waited for once.
//	                    Disconnect: any room, since the next full ring ends the stream
//	disconnected  nothing is published, so that the Reader finds the end behind what it has yet to
//	              take; messages are dropped
//	  -> flowing        a Reader was told of the end and waits for another stream, which begins
//
// Neither absent nor disconnected makes a system call for a message: they load a word that a Reader
// stores when it joins. Only if that has changed the kernel is asked whether the Reader lives.
type flow struct {
	state      flowState
	maxAbsence time.Duration // 0 = a Block that waits for ever
	// blockTimeout is how long a full ring is waited for before the policy, which is not Block;
	// 0 = not at all.
	blockTimeout time.Duration
	reader       peerStatus // nil on plain memory: it is there
	streamStart  uint64     // messages published before this stream
	dropped      uint64     // messages, by this Writer

	giveUpAt   uint64 // monotonic ns when this wait is over by blockTimeout; 0 = it is not
	lastThere  uint64 // monotonic ns when the Reader was last seen alive in this wait
	generation uint64 // absent: of the Reader that is not there; disconnected: of one found dead
	ended      uint64 // the Writer's Generation whose stream was ended as disconnected
}

type flowState uint8

const (
	flowing flowState = iota
	absent
	late
	disconnected
)

// waits reports whether a full ring is waited for before a message is given up.
func (w *writerSide) waits() bool {
	return w.state == flowing && (w.onFull == Block || w.blockTimeout > 0)
}

// waitOrGiveUp waits until c is ready, and gives a message up if that is not so in time, or if the
// policy is not to wait.
func (w *writerSide) waitOrGiveUp(ctx context.Context, c sleep.Condition) error {
	if !w.waits() {
		return w.giveUp(1)
	}
	err := w.waitForRoom(ctx, c)
	if err == errAbsent || err == errTimedOut {
		return w.giveUp(1)
	}
	return err
}

// giveUp counts n messages for which there is no room, by the policy, and returns their error. A
// Writer that blocks has waited before: there is no room after that only if no Reader was there. It
// may have come since.
func (w *writerSide) giveUp(n uint64) error {
	switch {
	case w.onFull == Fail:
		w.ownStats.Refused.AddRelaxed(n)
		w.ownStats.RefusedMessages.AddRelaxed(n)
		return ErrFull
	case w.onFull == Drop:
		w.Skip(n)
		return ErrDropped
	case w.onFull == Disconnect && w.state != disconnected:
		w.disconnect()
	}
	w.miss(n)
	return ErrDropped
}

// miss counts n messages as dropped, which the next Reader is told.
func (w *writerSide) miss(n uint64) {
	w.ownStats.Missed.AddRelaxed(n)
	w.Skip(n)
}

// Skip counts n messages as dropped that this ring is not offered: for a Writer to several rings,
// whose messages have numbers, and one of which has had more of them than this one.
func (w *writerSide) Skip(n uint64) {
	w.dropped += n
	w.ownStats.Dropped.AddRelaxed(n)
}

// Dropped returns how many messages this Writer has dropped. The goroutine that sends calls it; the
// segment need not be readable any more.
func (w *writerSide) Dropped() uint64 { return w.dropped }

// blocked reports whether nothing may be published, although there may be room. Every slow path
// that looks for room asks first.
func (w *writerSide) blocked() bool { return w.state == disconnected && !w.reconnected() }

// Errors that end the wait of a Writer for room.
var (
	errAbsent   = errors.New("no consumer for too long")
	errTimedOut = errors.New("no room for too long") // flow.blockTimeout is over
)

// absencePoll is how often a Writer that waits for room looks whether its Reader is there.
const absencePoll = 100 * time.Millisecond

// waitForRoom waits until c is ready, until nobody was there for maxAbsence (errAbsent), or until
// blockTimeout is over (errTimedOut).
func (w *writerSide) waitForRoom(ctx context.Context, c sleep.Condition) error {
	w.lastThere, w.giveUpAt = monotonic.Now(), 0
	if w.blockTimeout > 0 {
		w.giveUpAt = w.lastThere + uint64(w.blockTimeout)
	}
	waits := w.ownStats.Waits.LoadRelaxed()
	err := w.await(ctx, c)
	if err == errTimedOut {
		w.sleeper.CountWait(w.giveUpAt-uint64(w.blockTimeout), waits)
	}
	if err == errAbsent && w.onFull == Block {
		w.state = absent
	}
	return err
}

// checkTimeout returns errTimedOut when there is no room and blockTimeout is over.
func (w *writerSide) checkTimeout() error {
	if w.giveUpAt == 0 || monotonic.Now() < w.giveUpAt {
		return nil
	}
	return errTimedOut
}

// pollAfter returns when a wait for room that has gone on for that time is to be looked at again,
// if most is when the Reader is asked for another amount: 0 = never.
func (w *writerSide) pollAfter(most time.Duration) time.Duration {
	if most == 0 && w.maxAbsence > 0 {
		most = absencePoll
	}
	if w.giveUpAt == 0 {
		return most
	}
	left := time.Duration(max(1, int64(w.giveUpAt-monotonic.Now())))
	if most == 0 {
		return left
	}
	return min(most, left)
}

// checkAbsence returns errAbsent when maxAbsence is about to be over. It is asked at each poll, so
// that a Reader holds the Writer for no longer than that after its death.
func (w *writerSide) checkAbsence() error {
	if w.maxAbsence == 0 || w.reader == nil {
		return nil
	}
	now := monotonic.Now()
	w.generation = w.peerStats.Generation.Load() // before the look: who joins after it is another one
	if !w.reader.Absent(layout.Consumer) {
		w.lastThere = now
		return nil
	}
	if now-w.lastThere+uint64(absencePoll) < uint64(w.maxAbsence) {
		return nil
	}
	return errAbsent
}

// found is called when there is room; half says that half of the ring is free.
func (w *writerSide) found(half bool) {
	if w.state == absent || w.state == late && (half || w.onFull == Disconnect) {
		w.state = flowing
	}
}

// awaited is called with the error of a wait in AwaitRoom: the message is given up by the call that
// comes next, without another wait.
func (w *writerSide) awaited(err error) error {
	if err != errAbsent && err != errTimedOut {
		return err
	}
	if w.state == flowing {
		w.state = late
	}
	return nil
}

// waitsAgain is waits. If a Reader has joined since one was found to be absent, the ring is waited
// for again.
func (w *writerSide) waitsAgain() bool {
	if w.state == absent && w.peerStats.Generation.Load() != w.generation {
		w.state = flowing
	}
	return w.waits()
}

// disconnect ends the stream of a Reader that is too slow. Everything is published that was staged.
func (w *writerSide) disconnect() {
	own := w.ownStats
	w.ended, w.before = own.Generation.LoadRelaxed(), layout.EndNone
	endpoint.SetEnd(own, layout.EndDisconnected, w.resumes || w.count != w.streamStart)
	endpoint.Close(own, monotonic.Now())
	w.state, w.generation = disconnected, 0
	sleep.WakeForEnd(sleep.WordsOf(w.mem.Header, w.role))
}

// reconnected begins the next stream if a Reader waits for it. That one was told of the end of the
// last stream, or the one before it was, which had taken everything: so the ring is empty, and
// nothing of the old stream comes after the beginning of the new one.
func (w *writerSide) reconnected() bool {
	if w.peerStats.JoinedAfter.Load() != w.ended {
		return false
	}
	generation := w.peerStats.Generation.Load()
	if generation == w.generation {
		return false
	}
	if w.reader != nil && w.reader.Absent(layout.Consumer) {
		w.generation = generation
		return false
	}
	endpoint.BeginStream(w.mem.Header)
	w.state, w.streamStart, w.resumes = flowing, w.count, false
	return true
}

// beginLast begins the stream of a Reader that waits for one, when there is no message for it any
// more: so that Close ends it.
func (w *writerSide) beginLast() {
	if w.state == disconnected {
		w.reconnected()
	}
}
