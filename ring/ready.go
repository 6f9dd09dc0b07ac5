package ring

import "sluice/internal/sleep"

// Ready returns a channel that is closed when a call for the next message need not wait: there is a
// message, or the end of the stream, or an error. It is for a select that waits for other things
// too:
//
//	for {
//		select {
//		case <-r.Ready():
//			for {
//				msg, err := r.TryNext()
//				if err == ring.ErrEmpty {
//					break
//				}
//				...
//			}
//		case <-ticker.C:
//			...
//		}
//	}
//
// The goroutine that uses the Reader calls it, each time that it waits: another channel follows one
// that was closed. A goroutine of the Reader sleeps meanwhile and closes the channel, so that a
// message takes two wake-ups: some 10 us more than with Next. What is waited for counts as blocked.
//
// ErrUnreleased is not found out: who holds all that a ring has room for waits for ever.
func (r *Reader) Ready() <-chan struct{} { return r.readyChannel(nextMessage{r}, r.Buffered()) }

// ReadyFD returns a descriptor that can be read (POLLIN, EPOLLIN) when a call for the next message
// need not wait, for an event loop. It is level-triggered, and is cleared only by a call that finds
// nothing: TryNext that returns ErrEmpty. So take messages until that, and then wait for the
// descriptor.
//
// It is the Reader's: not to be read, written to or closed, and closed by Close. The error is that
// of eventfd(2).
func (r *Reader) ReadyFD() (int, error) { return r.readyDescriptor(nextMessage{r}, r.Buffered()) }

// Ready is that of a [Reader].
func (r *slotReader) Ready() <-chan struct{} { return r.readyChannel(nextSlot{r}, r.Buffered()) }

// ReadyFD is that of a [Reader].
func (r *slotReader) ReadyFD() (int, error) { return r.readyDescriptor(nextSlot{r}, r.Buffered()) }

func (r *readerSide) readyChannel(c sleep.Observed, buffered bool) <-chan struct{} {
	r.gate.Enter()
	defer r.gate.Leave()
	if !r.notify(c, buffered) {
		return sleep.Always
	}
	return r.notifier.Channel()
}

func (r *readerSide) readyDescriptor(c sleep.Observed, buffered bool) (int, error) {
	r.gate.Enter()
	defer r.gate.Leave()
	if !r.notify(c, buffered) {
		return -1, ErrClosed
	}
	return r.notifier.Descriptor()
}

// notify sees to it that the event of the notifier says whether there is a message, within a call.
// It returns false when the end is closed.
func (r *readerSide) notify(c sleep.Observed, buffered bool) bool {
	if r.gate.Closed() {
		return false
	}
	if r.notifier == nil {
		r.notifier = r.sleeper.NewNotifier()
		r.watched = []*sleep.Member{sleep.NewMember(&r.sleeper, c)}
	}
	if !buffered {
		_, _ = r.notifier.Arm(r.watched) // an error sets the event, and foundNothing returns it
	}
	return true
}

// foundNothing returns the error of a call that has found no message and does not wait: ErrEmpty,
// or why none can come any more. Only with a notifier that is found out.
func (r *readerSide) foundNothing() error {
	if r.notifier != nil {
		if _, err := r.notifier.Arm(r.watched); err != nil {
			return err
		}
	}
	return ErrEmpty
}

// over returns a function that reports whether the stream may be over.
func (r *readerSide) over() func() bool {
	ends, producer, reported := r.ends, r.peerStats, r.reported
	return func() bool {
		// With Follow an end is reported once, and stays due as long as messages are held.
		generation, due := ends.Due()
		return due && generation != reported || producer.Replace.Load() != 0
	}
}
