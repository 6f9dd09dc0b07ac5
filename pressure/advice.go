package pressure

// AdviceKind is something to do about a verdict.
type AdviceKind string

// The kinds of advice.
const (
	AdviceSpeedUpConsumer AdviceKind = "speed-up-consumer"
	AdviceSlowProducer    AdviceKind = "slow-producer"
	AdviceMoreCapacity    AdviceKind = "more-capacity" // let a ring hold more: Messages
	AdviceRaiseLimit      AdviceKind = "raise-limit"   // let a transfer have more bytes in flight
	AdviceKeepCapacity    AdviceKind = "keep-capacity" // more capacity or a higher limit only delays this
	AdviceRingMode        AdviceKind = "ring-mode"     // use a ring, in which the producer waits

	AdviceStartProducer   AdviceKind = "start-producer"
	AdviceStartConsumer   AdviceKind = "start-consumer"   // Messages are queued
	AdviceStartSooner     AdviceKind = "start-sooner"     // start the consumer sooner
	AdviceKeepConsumer    AdviceKind = "keep-consumer"    // keep a consumer running, and start it first
	AdviceStopConsumer    AdviceKind = "stop-consumer"    // otherwise it keeps waiting
	AdviceRestartConsumer AdviceKind = "restart-consumer" // so that its socket is there again
	AdviceContinue        AdviceKind = "continue"         // send SIGCONT to the stopped process PID
	AdviceInspectConsumer AdviceKind = "inspect-consumer" // find out what it is doing

	AdviceSameSocket      AdviceKind = "same-socket"      // start both sides with the same socket
	AdviceMoreDescriptors AdviceKind = "more-descriptors" // allow the producer more file descriptors

	// What to do about a bridge, or beyond it. In the advice above, a consumer or a producer
	// that is a bridge is one to start, stop or inspect.
	AdviceSpeedUpFarConsumer AdviceKind = "speed-up-far-consumer" // of the ring at the other side
	AdviceStartFarBridge     AdviceKind = "start-far-bridge"      // at the other side
	AdviceInspectFarBridge   AdviceKind = "inspect-far-bridge"    // find out what holds it back
	AdviceMoreStream         AdviceKind = "more-stream"           // let the stream hold more bytes
	AdviceKeepStream         AdviceKind = "keep-stream"           // a larger stream or ring only delays this
	AdviceFasterBridge       AdviceKind = "faster-bridge"         // more in flight, a faster server or network
	AdviceCheckServer        AdviceKind = "check-server"          // that it runs, is reached, and stores
	AdviceCheckStream        AdviceKind = "check-stream"          // that the server has it, with a leader
	AdviceCheckRefusal       AdviceKind = "check-refusal"         // read why the server refuses
	AdviceSkipMissing        AdviceKind = "skip-missing"          // go on behind messages that do not come
)

// Advice is something to do about a verdict.
type Advice struct {
	Kind AdviceKind

	// Messages belongs to AdviceMoreCapacity: about how many more of them the ring needs to
	// hold; 0 when that is not known. With AdviceStartConsumer it is how many are queued.
	Messages uint64

	// PID belongs to AdviceContinue: 0 when this process cannot know it.
	PID int
}

// advise returns advice that needs no figures.
func advise(kinds ...AdviceKind) []Advice {
	var all []Advice
	for _, k := range kinds {
		all = append(all, Advice{Kind: k})
	}
	return all
}

// Advises reports whether advice of that kind is among the verdict's.
func (v *Verdict) Advises(k AdviceKind) bool {
	for _, a := range v.Advice {
		if a.Kind == k {
			return true
		}
	}
	return false
}
