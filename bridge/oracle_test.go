package bridge_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"sluice"
	"sluice/internal/testenv"
)

// load is a sequence of messages each of which differs from every other one of the same length, so
// that one that is lost, comes twice or in another order is found out. Messages of two seeds
// differ too.
type load struct {
	seed uint64
	size int // of each message, in bytes, at least 16; 0 = of many sizes, empty ones among them
}

// records is a load of many sizes: many small ones, an empty one now and then, and some that are
// larger than a page.
var records = load{seed: 1}

// mix returns a number that depends on all bits of the seed, k and i (splitmix64).
func (l load) mix(k uint64, i int) uint64 {
	z := l.seed*0x9e3779b97f4a7c15 + k*0xbf58476d1ce4e5b9 + uint64(i)*0x94d049bb133111eb
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// length returns the length of message k, in bytes.
func (l load) length(k uint64) int {
	switch {
	case l.size != 0:
		return l.size
	case k%17 == 3:
		return 0
	case k%61 == 7:
		return 16 + int(l.mix(k, 0)%12000)
	}
	return 16 + int(l.mix(k, 0)%200)
}

// message appends message k to buf: its number, the seed, and bytes that depend on both.
func (l load) message(buf []byte, k uint64) []byte {
	n := l.length(k)
	if n == 0 {
		return buf
	}
	end := len(buf) + n
	buf = binary.LittleEndian.AppendUint64(buf, k)
	buf = binary.LittleEndian.AppendUint64(buf, l.seed)
	for i := 0; len(buf) < end; i++ {
		buf = binary.LittleEndian.AppendUint64(buf, l.mix(k, i))
	}
	return buf[:end]
}

// check returns an error unless msg is message k.
func (l load) check(k uint64, msg []byte) error {
	if bytes.Equal(msg, l.message(nil, k)) {
		return nil
	}
	if len(msg) == 0 {
		return fmt.Errorf("an empty message instead of message %d of %d bytes", k, l.length(k))
	}
	if len(msg) < 16 {
		return fmt.Errorf("% x instead of message %d of %d bytes", msg, k, l.length(k))
	}
	is, seed := binary.LittleEndian.Uint64(msg), binary.LittleEndian.Uint64(msg[8:])
	other := load{seed: seed, size: l.size}
	if !bytes.Equal(msg, other.message(nil, is)) {
		return fmt.Errorf("%d bytes that are no message instead of message %d", len(msg), k)
	}
	switch {
	case seed != l.seed:
		return fmt.Errorf("message %d of load %d instead of message %d of load %d", is, seed, k, l.seed)
	case is < k:
		return fmt.Errorf("message %d again, or out of order, instead of message %d", is, k)
	}
	return fmt.Errorf("message %d instead of message %d: %d are lost, or late", is, k, is-k)
}

// send sends the messages from <= k < to.
func (l load) send(ctx context.Context, w sluice.Producer, from, to uint64) error {
	var buf []byte
	for k := from; k < to; k++ {
		buf = l.message(buf[:0], k)
		if err := w.Send(ctx, buf); err != nil {
			return fmt.Errorf("send message %d: %w", k, err)
		}
	}
	return nil
}

// receive expects the messages from <= k < to, and releases each. It returns the number of the
// message that is due after those that have come.
func (l load) receive(ctx context.Context, r sluice.Consumer, from, to uint64) (uint64, error) {
	for k := from; k < to; k++ {
		msg, err := r.Next(ctx)
		if err != nil {
			return k, fmt.Errorf("instead of message %d: %w", k, err)
		}
		if err := l.check(k, msg); err != nil {
			return k, err
		}
		r.Release()
	}
	return to, nil
}

// within returns a context for one step of a test.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Timeout)
	t.Cleanup(cancel)
	return ctx
}

// wantMessages expects the messages from <= k < to of a load.
func wantMessages(t testing.TB, r sluice.Consumer, l load, from, to uint64) {
	t.Helper()
	if _, err := l.receive(within(t), r, from, to); err != nil {
		t.Fatal(err)
	}
}

// wantEnd expects the end of the stream: io.EOF, or [sluice.ErrIncomplete].
func wantEnd(t testing.TB, r sluice.Consumer, want error) {
	t.Helper()
	msg, err := r.Next(within(t))
	if !errors.Is(err, want) {
		t.Fatalf("a message of %d bytes and error %v, want %v", len(msg), err, want)
	}
}

// wantAll expects n messages of a load from the far ring, from its beginning, and then the end.
func wantAll(t testing.TB, r sluice.Consumer, l load, n uint64) {
	t.Helper()
	wantMessages(t, r, l, 0, n)
	wantEnd(t, r, io.EOF)
}

func TestLoad_EachMessageIsKnown(t *testing.T) {
	for _, l := range []load{records, {seed: 2, size: 16}, {seed: 2, size: 1000}} {
		for k := range uint64(200) {
			msg := l.message(nil, k)
			if err := l.check(k, msg); err != nil {
				t.Error(err)
			}
			for _, other := range []uint64{k + 1, k + 2, k - 1} {
				if len(msg)+l.length(other) > 0 && l.check(other, msg) == nil {
					t.Errorf("message %d is taken for message %d", k, other)
				}
			}
			if len(msg) > 0 && (load{seed: 3, size: l.size}).check(k, msg) == nil {
				t.Errorf("message %d is taken for one of another load", k)
			}
		}
	}
}
