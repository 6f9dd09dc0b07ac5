package transfer

import (
	"sluice/internal/testenv"
	"testing"

	"golang.org/x/sys/unix"
)

// After Close the header page is not mapped any more.
func TestSender_AfterClose_ErrClosed(t *testing.T) {
	for name, opt := range map[string]endOptions{"sealed": {}, "packed": {Buffer: 4096}} {
		t.Run(name, func(t *testing.T) {
			s, r := pair(t, opt)
			send(t, s, "one")
			released := make(chan struct{})
			go func() { defer close(released); wantMessages(t, r, "one"); r.Release() }()
			if _, err := finish(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			<-released
			s.Publish()
			s.Flush()
			if n := s.Unread(); n != 0 {
				t.Errorf("%d queued", n)
			}
			testenv.WantErr(t, s.Send(t.Context(), []byte("x")), ErrClosed)
		})
	}
}

func TestReceiver_AfterClose_ErrClosed(t *testing.T) {
	for name, opt := range map[string]endOptions{"packed": {Buffer: 4096}, "packed and recycled": {Buffer: 4096, Recycle: true}} {
		t.Run(name, func(t *testing.T) {
			s, r := pair(t, opt)
			send(t, s, "a", "b")
			s.Flush()
			wantMessages(t, r, "a")
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			fails(t, r, ErrClosed) // though "b" has arrived
		})
	}
}

func TestReceiver_BadRecord_EndsConnection(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	bad := entry{size: 16, length: 16, messages: 1, flags: flagDescriptor | flagPacked}
	in.put(packet(in.head(kindBuffers), bad, one), file(t, record(9, "12345678"), sealed), file(t, "from him", sealed))
	fails(t, r, ErrCorrupt)
	in.sentAway(r)
	in.serves(r)
}

func TestRecycled_UnknownNumber_Refused(t *testing.T) {
	for name, e := range map[string]entry{
		"never told":            {size: 4096, length: 1, messages: 1, number: 77},
		"never told, of size 0": {messages: 1, number: 77},
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			in.put(packet(in.head(kindBuffers), e))
			fails(t, r, ErrCorrupt)
			in.sentAway(r)
		})
	}
	in, r := newRawProducer(t)
	in.greet()
	in.put(packet(in.head(kindBuffers), entry{messages: 1, number: 1, flags: flagDescriptor}), file(t, "", kept))
	fails(t, r, ErrCorrupt)
}

// The memory of a buffer that is still being taken from is still in flight.
func TestReceiver_Release_InsidePackedBuffer(t *testing.T) {
	s, r := pair(t, endOptions{Buffer: 4096})
	send(t, s, "a", "b")
	s.Flush()
	wantMessages(t, r, "a")
	r.Release()
	h := r.Segment().Header()
	if bytes, buffers := h.Consumer.Index.Load(), h.ConsumerStats.Buffers.Load(); bytes != 0 || buffers != 0 {
		t.Errorf("%d bytes and %d buffers released with half of the first one taken", bytes, buffers)
	}
	wantMessages(t, r, "b")
	r.Release()
	if bytes, buffers := h.Consumer.Index.Load(), h.ConsumerStats.Buffers.Load(); bytes != pageSize || buffers != 1 {
		t.Errorf("%d bytes and %d buffers released with all of it taken", bytes, buffers)
	}
}

func TestSocket_NotSeqpacket_SenderFails(t *testing.T) {
	name, opt := place(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: opt.Socket}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	s := create(t, name, opt)
	testenv.Eventually(t, "an error", func() bool { return s.loop.failed() != nil })
	testenv.WantErr(t, s.loop.failed(), ErrPeer)
}
