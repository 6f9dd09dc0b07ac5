package transfer

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPacket_WriteAndRead(t *testing.T) {
	h := head{kindBuffers, 1, 2, 3, 4}
	entries := []entry{
		{5, 4, 1, 3, 0, messageTime{2, 0}, messageTime{2, 0}},
		{1 << 31, 1<<31 - 8, 9, 0, flagDescriptor | flagPacked, messageTime{1 << 63, 6}, messageTime{1<<63 + 1, 7}},
	}
	p := packet(h, entries...)
	if string(p[:4]) != "sltx" || len(p) != headSize+2*entrySize {
		t.Errorf("% x", p)
	}
	gotHead, got, err := parse(p, nil)
	if err != nil || gotHead != h || len(got) != 2 || got[0] != entries[0] || got[1] != entries[1] {
		t.Errorf("%+v, %+v, %v", gotHead, got, err)
	}
}

// FuzzPacket takes apart whatever comes. What is accepted is a packet that a sender
// writes, to the byte, and keeps to the bounds that the Receiver relies on.
func FuzzPacket(f *testing.F) {
	h := head{kindHello, 1 << 60, 2, 3, 4096}
	f.Add([]byte{})
	f.Add(packet(h))
	h.kind = kindEnd
	f.Add(packet(h))
	h.kind = kindBuffers
	f.Add(packet(h, one))
	f.Add(packet(h, one, entry{size: 4096, length: 24, messages: 3, number: 9, flags: flagPacked}))
	f.Add(packet(h, entry{size: 8, length: 8, messages: 1, number: 1}, entry{size: 8, length: 8, flags: flagPacked, number: 1}))
	f.Add(packet(h, entry{size: 8, length: 8, messages: 1}))
	f.Add(packet(h, entry{size: maxFile + 1, length: 8, messages: 1, number: 1}))
	f.Add(packet(h, slices.Repeat([]entry{one}, MaxBatch+1)...))
	into := make([]entry, 0, MaxBatch)
	f.Fuzz(func(t *testing.T, p []byte) {
		before := bytes.Clone(p)
		h, entries, err := parse(p, into)
		if !bytes.Equal(p, before) {
			t.Fatal("it wrote to the packet")
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("undocumented: %v", err)
			}
			if len(entries) > 0 {
				t.Fatalf("%v, and %d entries", err, len(entries))
			}
			return
		}
		if !bytes.Equal(packet(h, entries...), p) {
			t.Fatalf("% x is read as %+v, %+v", p, h, entries)
		}
		if len(entries) > MaxBatch || (h.kind == kindBuffers) != (len(entries) > 0) {
			t.Fatalf("%d entries in a packet of kind %d", len(entries), h.kind)
		}
		for _, e := range entries {
			if uint64(e.length) > e.size || e.size > maxFile || e.messages == 0 || e.number == 0 && e.flags&flagDescriptor == 0 {
				t.Fatalf("accepted %+v", e)
			}
		}
	})
}

// A Receiver that is given chance packets with chance descriptors, a connection for
// each, returns messages or documented errors, and what follows is not harmed.
func TestPacket_RandomBytes_NoHarm(t *testing.T) {
	in, r := newRawProducer(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	in.opt.Follow = true // a chance end is not the end
	r = open(t, in.name, in.opt)
	chance := rand.New(rand.NewPCG(20, 26))
	refused := 0
	for round := range uint64(400) {
		in.at = position{round * 1000, round * 1000, round * 1000 * pageSize}
		in.greet()
		for range 3 {
			p, files := chancePacket(in, chance)
			if in.try(p, files...) != nil {
				break
			}
		}
		in.at = position{round*1000 + 500, round*1000 + 500, (round*1000 + 500) * pageSize}
		in.greet()
		in.gives([]int{file(t, "in order", sealed)}, one)
		in.hangUp()
		for calls := 0; ; calls++ {
			msg, err := r.Next(t.Context())
			if string(msg) == "in order" {
				break
			}
			if err != nil {
				refused++
			}
			if calls > 1000 || err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("round %d: took %q, %v", round, msg, err)
			}
		}
		r.Release()
		if now := opened(); now != in.before+1 { // its end of the last connection
			t.Fatalf("round %d: %d descriptors are open, there were %d", round, now, in.before)
		}
	}
	if refused < 100 {
		t.Errorf("only %d packets were refused", refused)
	}
}

// chancePacket is a packet that was good before a few bytes of it were changed, or
// never was, with descriptors that may suit it.
func chancePacket(in *rawProducer, chance *rand.Rand) (p []byte, files []int) {
	zeros := string(make([]byte, 64))
	var entries []entry
	for range chance.IntN(4) {
		e := entry{size: 64, length: chance.Uint32N(66), messages: 1, flags: chance.Uint32N(4)}
		if chance.IntN(3) == 0 {
			e.number = 1 + chance.Uint32N(3)
		}
		if e.flags&flagPacked != 0 {
			e.messages = chance.Uint32N(e.length/8 + 2)
		}
		if e.flags&flagDescriptor != 0 || chance.IntN(20) == 0 {
			seals := []int{sealed, sealed, sealed, kept, 0}[chance.IntN(5)]
			files = append(files, file(in.t, zeros, seals))
		}
		entries = append(entries, e)
	}
	if chance.IntN(20) == 0 {
		files = append(files, descriptor(in.t, "/dev/null", unix.O_RDWR))
	}
	p = packet(in.head([]kind{kindBuffers, kindBuffers, kindBuffers, kindHello, kindEnd}[chance.IntN(5)]), entries...)
	switch chance.IntN(4) {
	case 0:
		p = p[:chance.IntN(len(p)+1)]
	case 1:
		for range 1 + chance.IntN(3) {
			p[chance.IntN(len(p))] = byte(chance.Uint32())
		}
	case 2:
		p = make([]byte, chance.IntN(200))
		for i := range p {
			p[i] = byte(chance.Uint32())
		}
	}
	return p, files
}
