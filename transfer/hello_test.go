package transfer

import (
	"context"
	"io"
	"net"
	"sluice/internal/testenv"
	"testing"
	"time"
)

// Whoever reaches the socket may connect. One that is not this segment's producer
// is sent away, and Next says nothing of it.
func TestHello_Missing_Refused(t *testing.T) {
	for name, first := range map[string]func(in *rawProducer){
		"it says nothing":       func(*rawProducer) {},
		"an empty packet":       func(in *rawProducer) { in.put(nil) },
		"an empty one and more": func(in *rawProducer) { in.put(nil, file(in.t, "from him", sealed)) },
		"something else":        func(in *rawProducer) { in.put([]byte("\x16\x03\x01 client hello")) },
		"no magic": func(in *rawProducer) {
			p := packet(in.head(kindHello))
			p[3]++
			in.put(p)
		},
		"buffers":                 func(in *rawProducer) { in.put(packet(in.head(kindBuffers), one), file(in.t, "from him", sealed)) },
		"the end":                 func(in *rawProducer) { in.put(packet(in.head(kindEnd))) },
		"a hello with a buffer":   func(in *rawProducer) { in.put(packet(in.head(kindHello), one), file(in.t, "from him", sealed)) },
		"a hello with descriptor": func(in *rawProducer) { in.put(packet(in.head(kindHello)), file(in.t, "from him", sealed)) },
		"a hello of kind 7":       func(in *rawProducer) { in.put(packet(in.head(7))) },
		"a hello that is too long": func(in *rawProducer) {
			in.put(append(packet(in.head(kindHello)), make([]byte, headSize+MaxBatch*entrySize)...))
		},
		"the hello of another segment": func(in *rawProducer) {
			h := in.head(kindHello)
			h.segment++
			in.put(packet(h))
		},
		"that, and buffers": func(in *rawProducer) {
			h := in.head(kindHello)
			h.segment++
			in.put(packet(h))
			h.kind = kindBuffers
			in.try(packet(h, one), file(in.t, "from him", sealed)) // unless he is sent away already
		},
		"the hello and the end of another": func(in *rawProducer) {
			h := in.head(kindHello)
			h.segment++
			in.put(packet(h))
			h.kind = kindEnd
			in.try(packet(h)) // unless he is sent away already
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
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

func TestHello_OtherVersion_Error(t *testing.T) {
	in, r := newRawProducer(t)
	in.connect()
	p := packet(in.head(kindHello))
	p[4]++
	in.put(p)
	in.refused(r, ErrVersion)
}

func TestConnection_EndsAtOnce_Forgotten(t *testing.T) {
	in, r := newRawProducer(t)
	for range 3 {
		in.connect() // and leaves, without a word
		in.greet()   // and leaves after its hello
	}
	in.hangUp()
	in.serves(r)
}

func TestConnection_EndsBetweenPackets_LosesNothing(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	in.gives([]int{file(t, "number 0", sealed)}, one)
	in.hangUp() // what is in the socket is still delivered
	wantMessages(t, r, "number 0")
	in.at = position{}
	in.greet() // from the start, as a Sender does whose packets were not released
	in.gives([]int{file(t, "number 0", sealed), file(t, "number 1", sealed)}, one, one)
	wantMessages(t, r, "number 1")
	r.Release()
	if count, lost := r.cursor.Count.Load(), r.own.Lost.Load(); count != 2 || lost != 0 {
		t.Errorf("%d messages released, %d lost", count, lost)
	}
	if n := r.Segment().Header().Latency.Count.Load(); n != 2 {
		t.Errorf("%d latencies are noted for two messages", n)
	}
}

// A producer numbers its messages after those of the one before it, and what that
// had queued when it died is missing.
func TestHello_FurtherOn_CountsMissing(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	in.gives([]int{file(t, "number 0", sealed)}, one)
	wantMessages(t, r, "number 0")
	in.at = position{buffers: 11, messages: 11, bytes: 11 * pageSize}
	in.greet()
	in.gives([]int{file(t, "number b", sealed)}, one)
	wantMessages(t, r, "number b")
	r.Release()
	if count, lost := r.cursor.Count.Load(), r.own.Lost.Load(); count != 12 || lost != 10 {
		t.Errorf("count is %d, %d lost", count, lost)
	}
}

// A count that no stream gets to: the Receiver takes what comes, and is not
// confused for ever.
func TestHello_MaxPositions(t *testing.T) {
	in, r := newRawProducer(t)
	last := ^uint64(0)
	in.at = position{last, last, last}
	in.greet()
	in.gives([]int{file(t, "from him", sealed), file(t, "from him", sealed)}, one, one)
	in.put(packet(in.head(kindEnd)))
	for range 3 {
		if _, err := r.Next(t.Context()); err != nil {
			testenv.WantErr(t, err, io.EOF)
			break
		}
	}
	fails(t, r, io.EOF)
}

// What was sent is counted in the header page before it is sent. A position beyond
// that is no producer's, and believing it would skip what honest ones send.
func TestHello_PositionBeyondCounts_Refused(t *testing.T) {
	for name, change := range map[string]func(at *position){
		"buffers":  func(at *position) { at.buffers = 1 << 40 },
		"messages": func(at *position) { at.messages = 1 << 40 },
		"bytes":    func(at *position) { at.bytes = 1 << 50 },
	} {
		t.Run("a hello, "+name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.claim()
			in.connect()
			change(&in.at)
			in.put(packet(in.head(kindHello)))
			in.at = position{}
			in.refused(r, ErrCorrupt)
		})
	}
	t.Run("a packet", func(t *testing.T) {
		in, r := newRawProducer(t)
		in.greet()
		in.segment.Header().Producer.Count.Store(1)
		in.put(packet(in.head(kindBuffers), one, one), file(t, "from him", sealed), file(t, "from him", sealed))
		in.refused(r, ErrCorrupt)
	})
}

// silent opens connections that say nothing.
func silent(t *testing.T, path string, n int) {
	t.Helper()
	for range n {
		conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
}

// Each of them may be silent for a second, and there are more than a test waits for.
func TestConnection_Silent_DoesNotBlock(t *testing.T) {
	const many = 3 * maxPending
	name, opt := place(t)
	s, r := apart(t, name, opt)
	silent(t, opt.Socket, many)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := r.Next(ctx)
	testenv.WantErr(t, err, context.DeadlineExceeded)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = create(t, name, opt)
	t.Cleanup(func() { r.Close() })
	send(t, s, "from a sender")
	silent(t, opt.Socket, many)
	wantMessages(t, r, "from a sender")
	r.Release()
	if took := time.Since(began); took > many/4*helloTimeout {
		t.Errorf("it took %v, with %d silent connections", took, many)
	}
	ended(t, s, r)
}

// A first packet may be heard late, and still the connections are taken in the order in
// which they came: a killed producer's before its successor's.
func TestConnection_Order(t *testing.T) {
	in, r := newRawProducer(t)
	var conns []*net.UnixConn
	for range 20 {
		in.connect()
		conns = append(conns, in.conn)
		in.conn = nil
	}
	a := r.accept
	heard := func() (n int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.ready)
	}
	testenv.Eventually(t, "that they are all accepted", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.pending) == len(conns)
	})
	a.mu.Lock() // all have spoken when the first is heard
	for i := range conns {
		i = len(conns) - 1 - i
		in.conn, in.at.messages = conns[i], uint64(i)
		in.put(packet(in.head(kindHello)))
	}
	a.mu.Unlock()
	testenv.Eventually(t, "that they are all heard", func() bool { return heard() == len(conns) })
	for i, c := range a.ready {
		if c.conn.end.messages != uint64(i) {
			t.Errorf("connection %d is the %d", c.conn.end.messages, i)
		}
	}
	for _, conn := range conns {
		conn.Close()
	}
	in.conn, in.at = nil, position{}
}

// A Sender makes 1024 recycled buffers at most, and more would be as many mappings.
func TestRecycled_InvalidNumber_Refused(t *testing.T) {
	for _, number := range []uint32{maxRecycled + 1, 1 << 31} {
		in, r := newRawProducer(t)
		in.greet()
		told := entry{size: 8, length: 8, messages: 1, number: number, flags: flagDescriptor}
		in.put(packet(in.head(kindBuffers), told), file(t, "from him", kept))
		in.refused(r, ErrCorrupt)
	}
}

func TestRecycled_NumberGivenAgainEndlessly_Refused(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	told := entry{size: 8, length: 8, messages: 1, number: 1, flags: flagDescriptor}
	for range 10 * maxRecycled {
		in.claim()
		in.gives([]int{file(t, "from him", kept)}, told)
		if _, err := r.Next(t.Context()); err != nil { // and nothing is released
			testenv.WantErr(t, err, ErrCorrupt)
			return
		}
	}
	t.Error("it goes on")
}

// A connection whose hello was heard for another's has nothing more to say, and the one who
// waited for it may not have noticed.
func TestClose_EndsPendingConnections(t *testing.T) {
	for range 50 {
		in, r := newRawProducer(t)
		in.connect()
		waiting := func() bool {
			r.accept.mu.Lock()
			defer r.accept.mu.Unlock()
			return len(r.accept.pending) == 1
		}
		testenv.Eventually(t, "a connection", waiting)
		r.accept.mu.Lock()
		in.put(packet(in.head(kindHello)))
		r.accept.listen()
		r.accept.mu.Unlock()
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		select {
		case err := <-closed:
			testenv.WantErr(t, err, nil)
		case <-time.After(testenv.Timeout):
			t.Fatal("Close does not return")
		}
		in.leave()
	}
}
