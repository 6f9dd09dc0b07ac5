package ring

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// peekMemory is a ring on plain memory for Peek, with what happens before each read.
type peekMemory struct {
	mem    Memory
	before func()
}

func (p peekMemory) Header() *layout.Header    { return p.mem.Header }
func (p peekMemory) Geometry() layout.Geometry { return p.mem.Geometry }
func (p peekMemory) ReadData(b []byte, at uint64) error {
	if p.before != nil {
		p.before()
	}
	if end := at + uint64(len(b)); end > p.mem.Geometry.Capacity {
		panic(fmt.Sprintf("a read up to %d in a ring of %d bytes", end, p.mem.Geometry.Capacity))
	}
	copy(b, p.mem.Data[at:])
	return nil
}

// peeked returns what waits, each message with its number.
func peeked(t *testing.T, from PeekSource, most int) (all []string) {
	t.Helper()
	for msg, err := range Peek(from, most) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d %s", msg.Number, bytes.TrimRight(msg.Start, "\x00")))
	}
	return all
}

func TestPeek_MessagesThatWait(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{Slots: 4})
		v, err := shm.OpenView(name)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		want := func(most int, msgs ...string) {
			t.Helper()
			if got := peeked(t, v, most); !slices.Equal(got, msgs) {
				t.Errorf("peeked %q, want %q", got, msgs)
			}
		}
		want(100)
		send(t, w, "one", "two", "three")
		want(100, "0 one", "1 two", "2 three")
		want(2, "0 on", "1 tw", "2 th")
		want(0, "0 ", "1 ", "2 ")
		r := k.opens(t, name, ReaderOptions{})
		wantMessages(t, r, "one", "two")
		want(100, "0 one", "1 two", "2 three") // they are held, and come again after a kill
		r.Release()
		want(100, "2 three")
		send(t, w, "four", "five", "six")
		want(100, "2 three", "3 four", "4 five", "5 six")
		h := v.Header()
		if h.ConsumerStats.Generation.Load() != 1 || h.Consumer.Index.Load() == 0 {
			t.Error("Peek has taken a role, or a message")
		}
		w.Close()
		want(100, "2 three", "3 four", "4 five", "5 six")
	})
}

// Messages run over the end of the ring.
func TestPeek_Wraps(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := records.creates(t, name, WriterOptions{Capacity: 4096}), records.opens(t, name, ReaderOptions{})
	wrapped, err := shm.OpenView(name)
	if err != nil {
		t.Fatal(err)
	}
	defer wrapped.Close()
	msg := func(i int) string { return fmt.Sprintf("%0*d", 900+i%7, i) }
	for i := range 100 {
		send(t, w, msg(i), msg(i+1000))
		for _, n := range []int{i, i + 1000} {
			at := 2 * i
			if n > 999 {
				at++
			}
			want := fmt.Sprintf("%d %s", at, msg(n))
			if got := peeked(t, wrapped, 1000); got[0] != want {
				t.Fatalf("peeked %q, want %q", got[0], want)
			}
			if _, err := r.TryNext(); err != nil {
				t.Fatal(err)
			}
			r.Release()
		}
	}
}

// What the Reader releases while it is read is left out: the Writer writes over it.
func TestPeek_ReleasedMeanwhile_LeftOut(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 4, WriterOptions{}, ReaderOptions{})
		send(t, w, "1", "2", "3", "4")
		reads := 0
		from := peekMemory{mem, func() {
			if reads++; reads == 3 {
				wantMessages(t, r, "1", "2", "3")
				r.Release()
				send(t, w, "5", "6", "7")
			}
		}}
		got := peeked(t, from, 100)
		if want := []string{"0 1", "3 4"}; k.slotSize == 0 && !slices.Equal(got, want) {
			t.Errorf("peeked %q, want %q", got, want)
		}
		if want := []string{"0 1", "1 2", "3 4"}; k.slotSize > 0 && !slices.Equal(got, want) {
			t.Errorf("peeked %q, want %q", got, want)
		}
	})
}

// Whatever a pair does meanwhile, no message is shown that was not sent as it is shown.
func TestPeek_LivePair_NothingTorn(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{Capacity: 4096})
		r := k.opens(t, name, ReaderOptions{})
		v, err := shm.OpenView(name)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		go func() {
			var msg [24]byte
			for i := uint64(1); ; i++ {
				for at := 0; at < len(msg); at += 8 {
					binary.LittleEndian.PutUint64(msg[at:], i)
				}
				if w.Send(ctx, msg[:]) != nil {
					break
				}
			}
			done <- struct{}{}
		}()
		go func() {
			for {
				if _, err := r.Take(ctx); err != nil {
					break
				}
			}
			done <- struct{}{}
		}()
		seen, last := 0, uint64(0)
		for began := time.Now(); time.Since(began) < 200*time.Millisecond; {
			last = 0
			for msg, err := range Peek(v, 100) {
				if err == ErrMoving {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n := binary.LittleEndian.Uint64(msg.Start)
				if n != msg.Number+1 || n <= last || len(msg.Start) != 24 || !bytes.Equal(msg.Start[:8], msg.Start[16:]) {
					t.Fatalf("message %d after %d: % x", msg.Number, last, msg.Start)
				}
				last = n
				seen++
			}
		}
		cancel()
		<-done
		<-done
		t.Logf("%d messages", seen)
	})
}

func TestPeek_Corrupt(t *testing.T) {
	for name, spoil := range map[string]func(Memory){
		"the Writer is too far ahead": func(m Memory) { m.Header.Producer.Index.Store(1 << 20) },
		"the Reader is ahead":         func(m Memory) { m.Header.Consumer.Index.Store(1 << 20) },
		"an index within a word":      func(m Memory) { m.Header.Producer.Index.Store(17); m.Header.Consumer.Index.Store(1) },
		"a length beyond the end":     func(m Memory) { binary.LittleEndian.PutUint64(m.Data, 1<<40) },
	} {
		w, _, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "1", "2")
		spoil(mem)
		var last error
		for _, err := range Peek(peekMemory{mem: mem}, 100) {
			last = err
		}
		testenv.WantErr(t, last, ErrCorrupt)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// hostileReader is a ring whose Reader stores one index after the other, each before a look at the
// header.
type hostileReader struct {
	peekMemory
	indexes *[]uint64
}

func (p hostileReader) Header() *layout.Header {
	if all := *p.indexes; len(all) > 0 {
		p.mem.Header.Consumer.Index.Store(all[0])
		*p.indexes = all[1:]
	}
	return p.mem.Header
}

// Whatever the Reader's position becomes while messages are read, no length is believed that is
// more than the ring holds: Peek would take that much memory.
func TestPeek_HostileMeanwhile(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for name, index := range map[string]uint64{
			"far behind the end": 1<<63 + 1<<61, "a message beyond the ring": math.MaxUint64 - 4095, "within a word": 3,
		} {
			if k.slotSize > 0 && index == 3 {
				continue // a slot as any other
			}
			w, _, mem := k.pair(t, 4096, 4, WriterOptions{}, ReaderOptions{})
			send(t, w, "1", "2", "3", "4")
			if k.slotSize == 0 { // the length of every record
				for at := 0; at < len(mem.Data); at += layout.RecordHeader {
					binary.LittleEndian.PutUint64(mem.Data[at:], 1<<61)
				}
				binary.LittleEndian.PutUint64(mem.Data, 1)
			}
			// Where it begins is read in four looks. Then it finds the first message released.
			indexes := []uint64{0, 0, 0, 0, 1, index}
			var last error
			for msg, err := range Peek(hostileReader{peekMemory{mem: mem}, &indexes}, math.MaxInt) {
				if last = err; msg.Size > 4096 {
					t.Fatalf("%s: a message of %d bytes", name, msg.Size)
				}
			}
			if !errors.Is(last, ErrCorrupt) || len(indexes) > 0 {
				t.Errorf("%s: %v", name, last)
			}
		}
	})
}

// FuzzPeek lets a hostile pair store positions and a length before the looks at the header.
func FuzzPeek(f *testing.F) {
	f.Add(uint64(1<<63+1<<61), uint64(8), uint64(1<<61))
	f.Fuzz(func(t *testing.T, index, next, length uint64) {
		eachKind(t, func(t *testing.T, k kind) {
			w, _, mem := k.pair(t, 4096, 4, WriterOptions{}, ReaderOptions{})
			send(t, w, "1", "2", "3", "4")
			binary.LittleEndian.PutUint64(mem.Data[8*(index%32):], length)
			indexes := []uint64{0, 0, 0, 0, 8, index, index, next, next, next, next, index}
			n := 0
			for msg, err := range Peek(hostileReader{peekMemory{mem: mem}, &indexes}, math.MaxInt) {
				if n++; n > 4096 || msg.Size > 4096 {
					t.Fatalf("message %d, %d bytes, %v", n, msg.Size, err)
				}
			}
		})
	})
}

// A read of a file that was truncated is an error.
func TestPeek_Truncated(t *testing.T) {
	name := testenv.SegmentName(t)
	w := records.creates(t, name, WriterOptions{Capacity: 1 << 16})
	send(t, w, "1")
	v, err := shm.OpenView(name)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := os.Truncate(shm.Path(name), layout.HeaderSize); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range Peek(v, 100) {
		last = err
	}
	testenv.WantErr(t, last, ErrTruncated)
}
