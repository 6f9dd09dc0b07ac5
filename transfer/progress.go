package transfer

import (
	"sluice/internal/sleep"
	"sluice/layout"
)

// progress is where a Receiver is in the stream, what of it was lost, and what it has released:
// the acknowledgement, in the header page. The Receiver's goroutine uses it, and Close when no
// call is under way.
type progress struct {
	own     *layout.RoleStats
	cursor  *layout.Cursor
	sleeper sleep.Sleeper // wakes a Sender that waits for a release; a Receiver itself sleeps at its socket

	seen     position // after the last loaded buffer
	taken    uint64   // messages taken, those before this Receiver included
	payload  uint64   // bytes in those messages
	skip     uint64   // messages before this number were released to an earlier Receiver, or by this one
	lost     uint64   // messages that went with dead producers, before taken
	released mark     // as published

	consumedBefore uint64 // messages released and not lost before this Receiver

	times takeTimes // of messages that were taken
}

// mark is a place in the stream up to which a Receiver has released, with what belongs to it.
type mark struct {
	position
	payload uint64 // bytes in the messages before it
	lost    uint64 // of those messages, went with a producer that died
}

// resume goes on where the last consumer has released.
func (p *progress) resume() {
	at := position{buffers: p.own.Buffers.Load(), messages: p.cursor.Count.Load(), bytes: p.cursor.Index.Load()}
	p.payload = p.cursor.Bytes.Load()
	p.lost = recoverCounts(p.own, at.messages)
	p.released = p.markAt(at)
	p.seen, p.taken, p.skip = at, at.messages, at.messages
	p.consumedBefore = at.messages - min(p.lost, at.messages)
}

// recoverCounts completes what a Receiver that was killed in publish has begun. Neither
// count ever falls.
func recoverCounts(own *layout.RoleStats, count uint64) (lost uint64) {
	lost, consumed := own.Lost.Load(), own.Consumed.Load()
	if next := own.NextLost.Load(); next > lost && consumed+next <= count {
		lost = next
	}
	own.Lost.Store(lost)
	own.Consumed.Store(max(consumed, count-min(lost, count)))
	return lost
}

// startAt moves to where a connection starts. What is between there and here has been
// the last producer's, and went with it.
func (p *progress) startAt(at position) {
	p.skip = max(p.skip, p.taken)
	if lost := int64(at.messages - p.skip); lost > 0 {
		p.lost += uint64(lost)
	}
	p.seen, p.taken = at, at.messages
}

// loseUpTo moves to a position, counts what was not released before it as lost, and publishes
// that.
func (p *progress) loseUpTo(at position) (lost uint64) {
	if at.messages <= p.released.messages {
		return 0
	}
	lost = at.messages - p.released.messages
	p.lost = p.released.lost + lost // those before a message that is held are among them
	p.times.finish(p.taken, p.released.messages)
	p.seen, p.taken, p.skip = at, at.messages, at.messages
	p.publish(p.markAt(at))
	return lost
}

// markAt is a mark with all that was taken and lost so far before it.
func (p *progress) markAt(at position) mark { return mark{at, p.payload, p.lost} }

// publish makes a mark visible. Count goes first: a successor skips messages
// below it, so a buffer that is sent again does not come twice. Count is the sum of
// Consumed and Lost, which follow it, so that a kill in between leaves no count too
// high: NextLost tells recoverCounts what Lost was about to be.
//
// Index goes last, as in a ring: it is what a Sender sleeps on, and one that finds it moved has to
// find Buffers moved as well, or it would sleep on with its flag down. A Receiver that is killed in
// between leaves Index behind, until the next one is told where the stream goes on, and publishes
// that.
func (p *progress) publish(to mark) {
	to.messages = max(to.messages, p.released.messages)
	to.buffers = max(to.buffers, p.released.buffers)
	to.bytes = max(to.bytes, p.released.bytes)
	if to.messages > p.released.messages {
		p.own.NextLost.StoreRelaxed(to.lost)
		p.cursor.Count.StoreRelease(to.messages)
		p.cursor.Bytes.StoreRelaxed(to.payload)
		p.own.Lost.StoreRelaxed(to.lost)
		p.own.Consumed.StoreRelease(to.messages - to.lost)
	} else {
		to.payload, to.lost = p.released.payload, p.released.lost
	}
	if to.buffers > p.released.buffers {
		p.own.Buffers.StoreRelease(to.buffers)
	}
	moved := to.bytes > p.released.bytes
	p.released = to
	if moved {
		p.cursor.Index.Store(to.bytes) // with the full fence that this side has promised
		if p.sleeper.PeerSleeps() {
			p.sleeper.Wake(to.bytes, to.messages)
		}
	}
}

// publishTimes counts the times of what was released. It comes after publish: who is killed in
// between has counted them not at all, rather than twice.
func (p *progress) publishTimes() { p.times.release(p.released.messages) }

// releasedHere returns how many messages this Receiver has released.
func (p *progress) releasedHere() uint64 {
	return p.released.messages - min(p.released.lost+p.consumedBefore, p.released.messages)
}
