package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"sluice/layout"
)

// A block is one message of the stream: some messages of a ring, or the beginning or the end of
// something. What it is stands in its headers, as text:
//
//	Sluice-Version     1
//	Sluice-Kind        open, messages or end
//	Sluice-Source      Identity.CreatedAt of the near segment
//	Sluice-First       position of the first message, or of the next one
//	Sluice-Count       how many messages; 0 for open and end
//	Sluice-Acked       position up to which the stream had acknowledged all when this was sent
//	Sluice-Ring        of the near ring: capacity, slots, size of a slot, fingerprint, framing
//	Sluice-Generation  end: ProducerStats.Generation whose stream has ended
//	Sluice-End         end: how, layout.End in a word
//
// The payload is the messages. Those of a ring of records each have their length in front, 4 bytes
// little-endian; those of fixed slots stand one after the other.
type block struct {
	kind       string
	source     uint64
	first      uint64
	count      uint64
	acked      uint64
	ring       shape
	generation uint64
	end        layout.End
	payload    []byte
}

// Kinds of blocks.
const (
	kindOpen     = "open"
	kindMessages = "messages"
	kindEnd      = "end"
)

const (
	wireVersion = "1"

	headerVersion    = "Sluice-Version"
	headerKind       = "Sluice-Kind"
	headerSource     = "Sluice-Source"
	headerFirst      = "Sluice-First"
	headerCount      = "Sluice-Count"
	headerAcked      = "Sluice-Acked"
	headerRing       = "Sluice-Ring"
	headerGeneration = "Sluice-Generation"
	headerEnd        = "Sluice-End"
)

// headerRoom is more than the headers of a block take, in bytes, with those of NATS around them.
const headerRoom = 1024

// lengthSize is the size of the length in front of a message.
const lengthSize = 4

// next returns the position after the block.
func (b *block) next() uint64 { return b.first + b.count }

// shape is what the far ring must be like.
type shape struct {
	capacity, slots, slotSize, fingerprint uint64
	framing                                layout.Framing
}

func (s shape) String() string {
	return fmt.Sprintf("%d %d %d %d %d", s.capacity, s.slots, s.slotSize, s.fingerprint, uint64(s.framing))
}

// message returns the block as a message of NATS. The payload is not copied.
func (b *block) message(subject string) *nats.Msg {
	h := nats.Header{
		headerVersion: {wireVersion},
		headerKind:    {b.kind},
		headerSource:  {strconv.FormatUint(b.source, 10)},
		headerFirst:   {strconv.FormatUint(b.first, 10)},
		headerCount:   {strconv.FormatUint(b.count, 10)},
		headerAcked:   {strconv.FormatUint(b.acked, 10)},
		headerRing:    {b.ring.String()},
	}
	if b.kind == kindEnd {
		h[headerGeneration] = []string{strconv.FormatUint(b.generation, 10)}
		h[headerEnd] = []string{b.end.String()}
	}
	return &nats.Msg{Subject: subject, Header: h, Data: b.payload}
}

// parseBlock checks what has come from the stream, which anybody may have sent. The error is
// ErrProtocol. The payload is that of the message.
func parseBlock(h nats.Header, payload []byte) (block, error) {
	b := block{kind: h.Get(headerKind), payload: payload}
	if v := h.Get(headerVersion); v != wireVersion {
		if v == "" {
			return b, fmt.Errorf("%w: a message without %s", ErrProtocol, headerVersion)
		}
		return b, fmt.Errorf("%w: version %.20q of the blocks, this program has version %s", ErrProtocol, v, wireVersion)
	}
	for _, f := range []struct {
		header string
		value  *uint64
		only   string
	}{
		{headerSource, &b.source, ""}, {headerFirst, &b.first, ""}, {headerCount, &b.count, ""}, {headerAcked, &b.acked, ""},
		{headerGeneration, &b.generation, kindEnd},
	} {
		if f.only != "" && f.only != b.kind {
			continue
		}
		n, err := strconv.ParseUint(h.Get(f.header), 10, 64)
		if err != nil {
			return b, fmt.Errorf("%w: %s %.30q", ErrProtocol, f.header, h.Get(f.header))
		}
		*f.value = n
	}
	var err error
	if b.ring, err = parseShape(h.Get(headerRing)); err != nil {
		return b, err
	}
	switch {
	case b.source == 0:
		return b, fmt.Errorf("%w: %s 0", ErrProtocol, headerSource)
	case b.next() < b.first || b.acked > b.first:
		return b, fmt.Errorf("%w: impossible positions: %d messages from %d, acknowledged %d", ErrProtocol, b.count, b.first, b.acked)
	}
	switch b.kind {
	case kindMessages:
		return b, b.checkPayload()
	case kindEnd:
		if b.end, err = parseEnd(h.Get(headerEnd)); err != nil {
			return b, err
		}
		fallthrough
	case kindOpen:
		if b.count != 0 || len(payload) != 0 || b.acked != b.first {
			return b, fmt.Errorf("%w: a block %q with messages", ErrProtocol, b.kind)
		}
		return b, nil
	}
	return b, fmt.Errorf("%w: a block of kind %.30q", ErrProtocol, b.kind)
}

func parseEnd(s string) (layout.End, error) {
	for _, end := range []layout.End{layout.EndComplete, layout.EndStopped, layout.EndFailed, layout.EndDisconnected} {
		if s == end.String() {
			return end, nil
		}
	}
	return layout.EndNone, fmt.Errorf("%w: %s %.30q", ErrProtocol, headerEnd, s)
}

func parseShape(text string) (s shape, err error) {
	fields := strings.Fields(text)
	var n [5]uint64
	ok := len(fields) == len(n)
	for i := 0; ok && i < len(n); i++ {
		n[i], err = strconv.ParseUint(fields[i], 10, 64)
		ok = err == nil
	}
	s = shape{n[0], n[1], n[2], n[3], layout.Framing(n[4])}
	if !ok || !s.valid() {
		return s, fmt.Errorf("%w: %s %.80q", ErrProtocol, headerRing, text)
	}
	return s, nil
}

// valid reports whether there can be such a ring.
func (s shape) valid() bool {
	if s.framing > layout.FramingRaw {
		return false
	}
	var g layout.Geometry
	var err error
	if s.slotSize == 0 {
		g, err = layout.RingGeometry(s.capacity, s.slots, 1)
	} else {
		g, err = layout.SlotGeometry(s.slotSize, s.capacity, s.slots, s.fingerprint, 1)
	}
	return err == nil && g.Capacity == s.capacity // one of slots is not rounded
}

var errPayload = fmt.Errorf("%w: the payload of a block has another length than its messages", ErrProtocol)

// checkPayload checks that the payload holds exactly count messages.
func (b *block) checkPayload() error {
	if b.count == 0 {
		return fmt.Errorf("%w: a block without messages", ErrProtocol)
	}
	if b.ring.slotSize > 0 {
		if n := uint64(len(b.payload)); n%b.ring.slotSize != 0 || n/b.ring.slotSize != b.count {
			return errPayload
		}
		return nil
	}
	rest := b.payload
	for range b.count {
		var err error
		if _, rest, err = cutRecord(rest); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return errPayload
	}
	return nil
}

// appendRecord appends a message as the payload of a block of records holds it.
func appendRecord(buf, msg []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(buf, uint32(len(msg))), msg...)
}

// cutRecord returns the first message of such a payload, and what follows it.
func cutRecord(payload []byte) (msg, rest []byte, err error) {
	if len(payload) < lengthSize {
		return nil, nil, errPayload
	}
	n := uint64(binary.LittleEndian.Uint32(payload))
	payload = payload[lengthSize:]
	if n > uint64(len(payload)) {
		return nil, nil, errPayload
	}
	return payload[:n:n], payload[n:], nil
}

// subjectOf returns the subject of a ring in a stream.
func subjectOf(stream, name string) string { return "sluice." + stream + "." + token(name) }

// controlSubject returns the subject, outside of the stream, at which the bridge of one direction
// answers.
func controlSubject(stream, name, direction string) string {
	return "_sluice." + stream + "." + token(name) + "." + direction
}

// token returns the name of a ring as one token of a subject: a dot would make two of it.
func token(name string) string { return strings.ReplaceAll(name, ".", "%2E") }

// checkStreamName returns an error for what cannot be the name of a stream.
func checkStreamName(name string) error {
	switch {
	case name == "":
		return errors.New("a bridge needs the name of a stream")
	case strings.ContainsAny(name, " \t\r\n\x00.*>/\\"):
		return fmt.Errorf("invalid name of a stream %q: no spaces, dots, slashes, * and > are allowed", name)
	}
	return nil
}
