package bridge

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"sluice/layout"
)

var (
	ofRecords = shape{capacity: 1 << 20, slots: 8, framing: layout.FramingLines}
	ofSlots   = shape{capacity: 1 << 10, slotSize: 4, fingerprint: 1<<63 + 5}
)

func records(msgs ...string) (payload []byte) {
	for _, m := range msgs {
		payload = appendRecord(payload, []byte(m))
	}
	return payload
}

func TestBlock_ThroughAMessage_Same(t *testing.T) {
	for _, b := range []block{
		{kind: kindOpen, source: 7, first: 100, acked: 100, ring: ofRecords},
		{kind: kindMessages, source: 1 << 63, first: 100, count: 3, acked: 90, ring: ofRecords, payload: records("a", "", "bc")},
		{kind: kindMessages, source: 7, first: 0, count: 2, ring: ofSlots, payload: []byte("12345678")},
		{kind: kindEnd, source: 7, first: 1 << 40, acked: 1 << 40, ring: ofSlots, generation: 3, end: layout.EndDisconnected},
	} {
		msg := b.message("s")
		got, err := parseBlock(msg.Header, msg.Data)
		if err != nil {
			t.Errorf("%s: %v", b.kind, err)
			continue
		}
		if !bytes.Equal(got.payload, b.payload) {
			t.Errorf("%s: payload %q, want %q", b.kind, got.payload, b.payload)
		}
		got.payload, b.payload = nil, nil
		if got.kind != b.kind || got.source != b.source || got.first != b.first || got.count != b.count || got.acked != b.acked ||
			got.ring != b.ring || got.generation != b.generation || got.end != b.end {
			t.Errorf("got %+v, want %+v", got, b)
		}
	}
}

// Anybody who may publish in the subject can send anything.
func TestParseBlock_Hostile_ErrProtocol(t *testing.T) {
	good := block{kind: kindMessages, source: 7, first: 100, count: 2, acked: 90, ring: ofRecords, payload: records("a", "b")}
	end := block{kind: kindEnd, source: 7, first: 100, acked: 100, ring: ofRecords, generation: 3, end: layout.EndStopped}
	fixed := block{kind: kindMessages, source: 7, count: 2, ring: ofSlots, payload: []byte("12345678")}
	for name, c := range map[string]struct {
		block  block
		header string // to replace
		value  string
	}{
		"no version":                     {good, headerVersion, ""},
		"another version":                {good, headerVersion, "2"},
		"no kind":                        {good, headerKind, ""},
		"another kind":                   {good, headerKind, "letter"},
		"no source":                      {good, headerSource, ""},
		"source 0":                       {good, headerSource, "0"},
		"a negative position":            {good, headerFirst, "-1"},
		"a position beyond 64 bits":      {good, headerFirst, "18446744073709551616"},
		"positions that wrap around":     {good, headerFirst, "18446744073709551615"},
		"fewer messages than said":       {good, headerCount, "3"},
		"more messages than said":        {good, headerCount, "1"},
		"no messages":                    {good, headerCount, "0"},
		"a huge count":                   {good, headerCount, "18446744073709551000"},
		"acknowledged beyond the first":  {good, headerAcked, "101"},
		"no ring":                        {good, headerRing, ""},
		"half a ring":                    {good, headerRing, "1 2 3"},
		"a framing that is none":         {good, headerRing, "4096 0 0 0 9"},
		"a slot beyond the limit":        {good, headerRing, "4096 0 99999999999 0 0"},
		"slots of another size":          {fixed, headerRing, "4096 0 3 0 0"},
		"slots that are records":         {fixed, headerRing, "4096 0 0 0 0"},
		"an end of no kind":              {end, headerEnd, "none"},
		"an end without a generation":    {end, headerGeneration, ""},
		"messages in front of an end":    {end, headerAcked, "99"},
		"an end that is called messages": {end, headerKind, kindMessages},
	} {
		msg := c.block.message("s")
		h := maps.Clone(msg.Header)
		h[c.header] = []string{c.value}
		if c.value == "" {
			delete(h, c.header)
		}
		if _, err := parseBlock(h, msg.Data); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
	for name, payload := range map[string][]byte{
		"cut in a length":  records("a", "b")[:7],
		"cut in a message": records("a", "bcd")[:11],
		"a huge length":    {0xff, 0xff, 0xff, 0xff, 1, 2, 3},
		"something behind": append(records("a", "b"), 0),
	} {
		b := good
		b.payload = payload
		msg := b.message("s")
		if _, err := parseBlock(msg.Header, msg.Data); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
}

func FuzzParseBlock(f *testing.F) {
	for _, b := range []block{
		{kind: kindMessages, source: 7, first: 100, count: 3, acked: 90, ring: ofRecords, payload: records("a", "", "bc")},
		{kind: kindMessages, source: 7, count: 2, ring: ofSlots, payload: []byte("12345678")},
		{kind: kindEnd, source: 7, ring: ofSlots, generation: 3, end: layout.EndFailed},
	} {
		h := b.message("s").Header
		f.Add(h.Get(headerKind), h.Get(headerFirst), h.Get(headerCount), h.Get(headerAcked), h.Get(headerRing), h.Get(headerEnd), b.payload)
	}
	f.Fuzz(func(t *testing.T, kind, first, count, acked, ring, end string, payload []byte) {
		h := nats.Header{}
		for header, value := range map[string]string{
			headerVersion: wireVersion, headerSource: "7", headerGeneration: "1",
			headerKind: kind, headerFirst: first, headerCount: count, headerAcked: acked, headerRing: ring, headerEnd: end,
		} {
			h.Set(header, value)
		}
		b, err := parseBlock(h, payload)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatalf("%v is not ErrProtocol", err)
			}
			return
		}
		// What is accepted can be taken apart.
		if b.kind != kindMessages {
			return
		}
		n, rest := uint64(0), b.payload
		for ; len(rest) > 0; n++ {
			if b.ring.slotSize > 0 {
				rest = rest[b.ring.slotSize:]
			} else if _, rest, err = cutRecord(rest); err != nil {
				t.Fatal(err)
			}
		}
		if n != b.count {
			t.Fatalf("%d messages, %d were said", n, b.count)
		}
	})
}

func TestSubjectOf_OneTokenForEachName(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a.b", "a_b", "a-b", "a..b", "a.", "A.b", "a"} {
		s := subjectOf("S", name)
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q have the subject %s", name, other, s)
		}
		seen[s] = name
		if n := strings.Count(s, "."); n != 2 {
			t.Errorf("%q: subject %s has %d dots, want 2", name, s, n)
		}
		if !covers("sluice.S.*", s) {
			t.Errorf("%q: subject %s is not in the stream", name, s)
		}
	}
}

func TestCheckStreamName(t *testing.T) {
	for name, ok := range map[string]bool{
		"S": true, "ORDERS-1": true, "": false, "a b": false, "a.b": false, "*": false, ">": false, "a/b": false, "a\\b": false, "a\n": false,
	} {
		if err := checkStreamName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
