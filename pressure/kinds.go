package pressure

// Kinds returns every verdict there is.
func Kinds() []Kind {
	return []Kind{ConsumerBound, ProducerBound, Balanced, Idle, NoConsumer, NoProducer, Unconnected, Stopped, Stalled, Growing}
}
