// Package bridge connects a ring on one machine with a ring on another one, through a stream of
// NATS JetStream, so that the back-pressure goes along: a message leaves the near ring only when
// the stream has acknowledged it, and the stream only when it is in the far ring. A slow consumer
// over there fills its ring, then the stream, which has one limit and refuses what is beyond it,
// then the near ring, whose producer waits.
//
//	err := bridge.Out(ctx, nc, "orders", bridge.OutOptions{Stream: "S"}) // after the producer
//	err := bridge.In(ctx, nc, "orders", bridge.InOptions{Stream: "S"})   // before the consumer
//
// docs/bridge.md describes the protocol and argues why nothing is lost, doubled or reordered in the
// far ring.
package bridge
