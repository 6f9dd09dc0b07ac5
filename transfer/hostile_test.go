package transfer

import (
	"io"
	"math"
	"slices"
	"sluice/internal/testenv"
	"testing"

	"golang.org/x/sys/unix"
)

// What the cases of these tests change, as it is without a change.
func TestHostile_ValidPackets_Accepted(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	in.gives([]int{file(t, "from him", sealed)}, one)
	packed := entry{size: 24, length: 24, messages: 2, flags: flagDescriptor | flagPacked}
	in.gives([]int{file(t, record(3, "one")+record(0, ""), sealed)}, packed)
	told := entry{size: 4096, length: 3, messages: 1, number: 7, flags: flagDescriptor}
	in.gives([]int{file(t, "two"+string(make([]byte, 4093)), kept)}, told)
	told.flags = 0
	in.gives(nil, told)
	wantMessages(t, r, "from him", "one", "", "two", "two")
	in.put(packet(in.head(kindEnd)))
	fails(t, r, io.EOF)
}

// The first packet of a connection was a hello, and this is the second.
func TestHostile_InvalidPacket_Refused(t *testing.T) {
	// with is a good packet, but for one thing.
	with := func(change func(*head, *entry)) func(*rawProducer) []byte {
		return func(in *rawProducer) []byte {
			h, e := in.head(kindBuffers), one
			change(&h, &e)
			return packet(h, e)
		}
	}
	bare := func(change func(*head)) func(*rawProducer) []byte {
		return func(in *rawProducer) []byte {
			h := in.head(kindEnd)
			change(&h)
			return packet(h)
		}
	}
	edited := func(change func(p []byte) []byte) func(*rawProducer) []byte {
		return func(in *rawProducer) []byte { return change(packet(in.head(kindBuffers), one)) }
	}
	entries := func(n int) func(*rawProducer) []byte {
		return func(in *rawProducer) []byte { return packet(in.head(kindBuffers), slices.Repeat([]entry{one}, n)...) }
	}
	text := func(p string) func(*rawProducer) []byte { return func(*rawProducer) []byte { return []byte(p) } }

	for name, c := range map[string]struct {
		packet func(*rawProducer) []byte
		files  int // good ones that come with it
		want   error
	}{
		"no bytes, but a descriptor": {text(""), 1, ErrCorrupt},
		"one byte":                   {text("s"), 0, ErrCorrupt},
		"something else":             {text("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), 1, ErrCorrupt},
		"no magic":                   {edited(func(p []byte) []byte { p[0]++; return p }), 1, ErrCorrupt},
		"half a head":                {edited(func(p []byte) []byte { return p[:headSize-1] }), 0, ErrCorrupt},
		"half an entry":              {edited(func(p []byte) []byte { return p[:len(p)-1] }), 1, ErrCorrupt},
		"an entry and a half":        {edited(func(p []byte) []byte { return append(p, p[headSize:headSize+16]...) }), 1, ErrCorrupt},
		"an older version":           {edited(func(p []byte) []byte { p[4] = packetVersion - 1; return p }), 1, ErrVersion},
		"a newer version":            {edited(func(p []byte) []byte { p[4] = packetVersion + 1; return p }), 1, ErrVersion},
		"a much newer version":       {edited(func(p []byte) []byte { p[5] = 1; return p }), 1, ErrVersion},

		"more entries than a packet can have": {entries(MaxBatch + 1), MaxBatch, ErrCorrupt},
		"more bytes than a packet can have":   {entries(1000), MaxBatch, ErrCorrupt},
		"a byte more than it can have":        {text(string(make([]byte, headSize+MaxBatch*entrySize+1))), 1, ErrCorrupt},

		"kind 0":                 {bare(func(h *head) { h.kind = 0 }), 0, ErrCorrupt},
		"a kind that is unknown": {bare(func(h *head) { h.kind = 4 }), 0, ErrCorrupt},
		"buffers of that kind":   {with(func(h *head, _ *entry) { h.kind = math.MaxUint16 }), 1, ErrCorrupt},
		"buffers without one":    {bare(func(h *head) { h.kind = kindBuffers }), 0, ErrCorrupt},
		"another hello":          {bare(func(h *head) { h.kind = kindHello }), 0, ErrCorrupt},
		"a hello with a buffer":  {with(func(h *head, _ *entry) { h.kind = kindHello }), 1, ErrCorrupt},
		"an end with a buffer":   {with(func(h *head, _ *entry) { h.kind = kindEnd }), 1, ErrCorrupt},
		"an end with descriptor": {bare(func(*head) {}), 1, ErrCorrupt},

		"of another segment":     {with(func(h *head, _ *entry) { h.segment++ }), 1, ErrCorrupt},
		"the end of another":     {bare(func(h *head) { h.segment++ }), 0, ErrCorrupt},
		"a gap in the buffers":   {with(func(h *head, _ *entry) { h.buffers++ }), 1, ErrCorrupt},
		"a gap in the messages":  {with(func(h *head, _ *entry) { h.messages++ }), 1, ErrCorrupt},
		"a gap in the bytes":     {with(func(h *head, _ *entry) { h.bytes += pageSize }), 1, ErrCorrupt},
		"buffers that were":      {with(func(h *head, _ *entry) { h.buffers-- }), 1, ErrCorrupt},
		"messages that were":     {with(func(h *head, _ *entry) { h.messages-- }), 1, ErrCorrupt},
		"an end before its time": {bare(func(h *head) { h.messages++ }), 0, ErrCorrupt},

		"no descriptor":              {entries(1), 0, ErrCorrupt},
		"one descriptor too few":     {entries(3), 2, ErrCorrupt},
		"one descriptor too many":    {entries(3), 4, ErrCorrupt},
		"as many as can be too many": {entries(1), MaxBatch, ErrCorrupt},

		"more in use than there is":    {with(func(_ *head, e *entry) { e.length = 9 }), 1, ErrCorrupt},
		"a file larger than any":       {with(func(_ *head, e *entry) { e.size = maxFile + 1 }), 1, ErrCorrupt},
		"a file as large as can be":    {with(func(_ *head, e *entry) { e.size = math.MaxUint64 }), 1, ErrCorrupt},
		"no message":                   {with(func(_ *head, e *entry) { e.messages = 0 }), 1, ErrCorrupt},
		"no message in records":        {with(func(_ *head, e *entry) { e.flags |= flagPacked; e.messages = 0 }), 1, ErrCorrupt},
		"two messages and no records":  {with(func(_ *head, e *entry) { e.messages = 2 }), 1, ErrCorrupt},
		"more records than it can":     {with(func(_ *head, e *entry) { e.flags |= flagPacked; e.messages = 2 }), 1, ErrCorrupt},
		"a record without room":        {with(func(_ *head, e *entry) { e.flags |= flagPacked; e.length = 7 }), 1, ErrCorrupt},
		"as many records as can be":    {with(func(_ *head, e *entry) { e.flags |= flagPacked; e.messages = math.MaxUint32 }), 1, ErrCorrupt},
		"a flag that is unknown":       {with(func(_ *head, e *entry) { e.flags |= 4 }), 1, ErrCorrupt},
		"every flag":                   {with(func(_ *head, e *entry) { e.flags = math.MaxUint32 }), 1, ErrCorrupt},
		"neither number nor file":      {with(func(_ *head, e *entry) { e.flags = 0 }), 0, ErrCorrupt},
		"a number that was never told": {with(func(_ *head, e *entry) { e.flags, e.number = 0, 1 }), 0, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			var files []int
			for range c.files {
				files = append(files, file(t, "from him", sealed))
			}
			in.put(c.packet(in), files...)
			in.refused(r, c.want)
		})
	}
}

// When something was accepted before, it stays, and is not taken again.
func TestHostile_InvalidPacketMidStream_Refused(t *testing.T) {
	buffer := entry{size: 4096, length: 3, messages: 1, number: 7}
	for name, bad := range map[string]func(in *rawProducer) (p []byte, files []int){
		"a recycled buffer of another size than the one told": func(in *rawProducer) ([]byte, []int) {
			e := buffer
			e.size = 8192
			return packet(in.head(kindBuffers), e), nil
		},
		"a larger part of it than there is": func(in *rawProducer) ([]byte, []int) {
			e := buffer
			e.length = 4097
			return packet(in.head(kindBuffers), e), nil
		},
		"the number told again, with a file of another size": func(in *rawProducer) ([]byte, []int) {
			e := buffer
			e.flags = flagDescriptor
			return packet(in.head(kindBuffers), e), []int{file(in.t, "small", kept)}
		},
		"a number that was not told, less than one that was": func(in *rawProducer) ([]byte, []int) {
			e := buffer
			e.number--
			return packet(in.head(kindBuffers), e), nil
		},
		"a number that was not told, more than all that were": func(in *rawProducer) ([]byte, []int) {
			e := buffer
			e.number++
			return packet(in.head(kindBuffers), e), nil
		},
		"the same packet again": func(in *rawProducer) ([]byte, []int) {
			in.at.buffers--
			p := packet(in.head(kindBuffers), buffer)
			in.at.buffers++
			return p, nil
		},
		"another hello": func(in *rawProducer) ([]byte, []int) { return packet(in.head(kindHello)), nil },
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			told := buffer
			told.flags = flagDescriptor
			in.gives([]int{file(t, "one"+string(make([]byte, 4093)), kept)}, told)
			in.gives(nil, buffer)
			msg, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantMessages(t, r, "one")
			p, files := bad(in)
			in.put(p, files...)
			fails(t, r, ErrCorrupt)
			if string(msg) != "one" {
				t.Errorf("the message that is held is %q now", msg)
			}
			in.sentAway(r)
			in.serves(r)
		})
	}
}

// The seal is the kernel's to give, and it does not while the file is mapped for
// writing.
func TestSeal_WritableMapping_Excluded(t *testing.T) {
	in, r := newRawProducer(t)
	fd := file(t, "from him", 0)
	mem, err := unix.Mmap(fd, 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, sealed)
	testenv.WantErr(t, err, unix.EBUSY)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, kept|unix.F_SEAL_FUTURE_WRITE); err != nil {
		t.Fatal(err)
	}
	in.greet()
	in.put(packet(in.head(kindBuffers), one), fd)
	in.refused(r, ErrCorrupt)
}
