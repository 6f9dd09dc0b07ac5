package transfer

import "testing"

// Whoever reaches the socket may connect. One that is not this segment's producer
// is sent away, and Next says nothing of it.
func TestAConnectionThatDoesNotBeginWithAHelloIsSentAway(t *testing.T) {
	for name, first := range map[string]func(in *intruder){
		"it says nothing":       func(*intruder) {},
		"an empty packet":       func(in *intruder) { in.put(nil) },
		"an empty one and more": func(in *intruder) { in.put(nil, file(in.t, "from him", sealed)) },
		"something else":        func(in *intruder) { in.put([]byte("\x16\x03\x01 client hello")) },
		"no magic": func(in *intruder) {
			p := packet(in.head(kindHello))
			p[3]++
			in.put(p)
		},
		"buffers":                 func(in *intruder) { in.put(packet(in.head(kindBuffers), one), file(in.t, "from him", sealed)) },
		"the end":                 func(in *intruder) { in.put(packet(in.head(kindEnd))) },
		"a hello with a buffer":   func(in *intruder) { in.put(packet(in.head(kindHello), one), file(in.t, "from him", sealed)) },
		"a hello with descriptor": func(in *intruder) { in.put(packet(in.head(kindHello)), file(in.t, "from him", sealed)) },
		"a hello of kind 7":       func(in *intruder) { in.put(packet(in.head(7))) },
		"a hello that is too long": func(in *intruder) {
			in.put(append(packet(in.head(kindHello)), make([]byte, headSize+MaxBatch*entrySize)...))
		},
		"the hello of another segment": func(in *intruder) {
			h := in.head(kindHello)
			h.segment++
			in.put(packet(h))
		},
		"that, and buffers": func(in *intruder) {
			h := in.head(kindHello)
			h.segment++
			in.put(packet(h))
			h.kind = kindBuffers
			in.put(packet(h, one), file(in.t, "from him", sealed))
		},
		"the hello and the end of another": func(in *intruder) {
			h := in.head(kindHello)
			h.segment++
			in.put(packet(h))
			h.kind = kindEnd
			in.put(packet(h))
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, r := intrude(t)
			in.connect()
			first(in)
			conn := in.conn
			in.conn = nil // or leave would close it, and it is the Receiver's turn
			defer conn.Close()
			in.serves(r)
			hasHungUp(t, conn)
			if memfds() != 0 {
				t.Errorf("%d buffers are open", memfds())
			}
		})
	}
}

func TestAHelloOfAnotherVersionIsAnError(t *testing.T) {
	in, r := intrude(t)
	in.connect()
	p := packet(in.head(kindHello))
	p[4]++
	in.put(p)
	in.refused(r, ErrVersion)
}

func TestAConnectionThatEndsAtOnceIsForgotten(t *testing.T) {
	in, r := intrude(t)
	for range 3 {
		in.connect() // and leaves, without a word
		in.greet()   // and leaves after its hello
	}
	in.hangUp()
	in.serves(r)
}

func TestAConnectionThatEndsBetweenTwoPacketsLosesNothing(t *testing.T) {
	in, r := intrude(t)
	in.greet()
	in.gives([]int{file(t, "number 0", sealed)}, one)
	in.hangUp() // what is in the socket is still delivered
	takes(t, r, "number 0")
	in.at = position{}
	in.greet() // from the start, as a Sender does whose packets were not released
	in.gives([]int{file(t, "number 0", sealed), file(t, "number 1", sealed)}, one, one)
	takes(t, r, "number 1")
	r.Release()
	if count, lost := r.cursor.Count.Load(), r.own.Lost.Load(); count != 2 || lost != 0 {
		t.Errorf("%d messages released, %d lost", count, lost)
	}
	if n := r.Segment().Header().LatencyCount.Load(); n != 2 {
		t.Errorf("%d latencies are noted for two messages", n)
	}
}

// A producer numbers its messages after those of the one before it, and what that
// had queued when it died is missing.
func TestAHelloFurtherOnCountsWhatIsMissing(t *testing.T) {
	in, r := intrude(t)
	in.greet()
	in.gives([]int{file(t, "number 0", sealed)}, one)
	takes(t, r, "number 0")
	in.at = position{buffers: 11, messages: 11, bytes: 11 * pageSize}
	in.greet()
	in.gives([]int{file(t, "number b", sealed)}, one)
	takes(t, r, "number b")
	r.Release()
	if count, lost := r.cursor.Count.Load(), r.own.Lost.Load(); count != 12 || lost != 10 {
		t.Errorf("count is %d, %d lost", count, lost)
	}
}

// A count that no stream gets to: the Receiver takes what comes, and is not
// confused for ever.
func TestAHelloFromTheEndOfTime(t *testing.T) {
	in, r := intrude(t)
	last := ^uint64(0)
	in.at = position{last, last, last}
	in.greet()
	in.gives([]int{file(t, "from him", sealed), file(t, "from him", sealed)}, one, one)
	in.put(packet(in.head(kindEnd)))
	for range 3 {
		if _, err := r.Next(t.Context()); err != nil {
			is(t, err, ErrClosed)
			break
		}
	}
	fails(t, r, ErrClosed)
}
