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
// paths, when the ring is full or, in the last two, at each message:
//
//	flowing       messages are published. A full ring is dealt with by the policy: Drop and Fail
//	              give the message up and stay here.
//	  -> absent         Block: full, and nobody was there for maxAbsence
//	  -> disconnected   Disconnect: full. The stream ends as layout.EndDisconnected
//	absent        messages are published if there is room, else dropped
//	  -> flowing        there is room; or, found by AwaitRoom, another Reader has come
//	disconnected  nothing is published, so that the Reader finds the end behind what it has yet to
//	              take; messages are dropped
//	  -> flowing        a Reader was told of the end and waits for another stream, which begins
//
// Neither of the last two makes a system call for a message: they load a word that a Reader stores
// when it joins. Only if that has changed the kernel is asked whether the Reader lives.
type flow struct {
	state       flowState
	maxAbsence  time.Duration // 0 = a Block that waits for ever
	reader      peerStatus    // nil on plain memory: it is there
	streamStart uint64        // messages published before this stream
	dropped     uint64        // messages, by this Writer

	lastThere  uint64 // monotonic ns when the Reader was last seen alive in this wait
	generation uint64 // absent: of the Reader that is not there; disconnected: of one found dead
	ended      uint64 // the Writer's Generation whose stream was ended as disconnected
}

type flowState uint8

const (
	flowing flowState = iota
	absent
	disconnected
)

// giveUp counts n messages for which there is no room, by the policy, and returns their error: nil
// if the policy is to wait, and then none is counted.
func (w *writerSide) giveUp(n uint64) error {
	switch {
	case w.onFull == Fail:
		w.ownStats.Refused.AddRelaxed(n)
		w.ownStats.RefusedMessages.AddRelaxed(n)
		return ErrFull
	case w.onFull == Drop:
		w.Skip(n)
		return ErrDropped
	case w.onFull == Disconnect && w.state == flowing:
		w.disconnect()
	case w.state == flowing:
		return nil
	}
	w.miss(n)
	return ErrDropped
}

// giveUpNow is giveUp for a Writer that is not to wait, whatever the policy. One that blocks has
// waited before: there is no room after that only if no Reader was there. It may have come since.
func (w *writerSide) giveUpNow(n uint64) error {
	if w.onFull == Block {
		w.miss(n)
		return ErrDropped
	}
	return w.giveUp(n)
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

// errAbsent ends the wait of a Writer for a Reader that is not there.
var errAbsent = errors.New("no consumer for too long")

// absencePoll is how often a Writer that waits for room looks whether its Reader is there.
const absencePoll = 100 * time.Millisecond

// waitForRoom waits until c is ready, or until nobody was there for maxAbsence: then it is
// errAbsent.
func (w *writerSide) waitForRoom(ctx context.Context, c sleep.Condition) error {
	w.lastThere = monotonic.Now()
	err := w.await(ctx, c)
	if err == errAbsent {
		w.state = absent
	}
	return err
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

// found is called when there is room.
func (w *writerSide) found() {
	if w.state == absent {
		w.state = flowing
	}
}

// joined reports whether a Reader has joined since one was found to be absent. Then the ring is
// waited for again.
func (w *writerSide) joined() bool {
	if w.state != absent || w.peerStats.Generation.Load() == w.generation {
		return false
	}
	w.state = flowing
	return true
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
