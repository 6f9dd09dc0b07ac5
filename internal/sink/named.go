package sink

import (
	"bytes"
	"encoding/binary"

	"sluice/layout"
)

// SetSource sets the name of the source of the messages that Write writes from now on, and which it
// writes too; "" = none. A name has 1 to 64 characters.
//
// Lines: the name and a tab before each line, also within a message. Length: the length, which is
// that of all that follows, one byte of length of the name, the name, the message. Raw has no place
// for a name: [HasNames].
func (o *Output) SetSource(name string) { o.source = name }

// HasNames reports whether an output with that framing can have names of sources.
func HasNames(f layout.Framing) bool {
	return f == layout.FramingLines || f == layout.FramingLength
}

// joinNamed is join with the name of the source.
func (o *Output) joinNamed(framing layout.Framing, msgs [][]byte) {
	parts, joined, from := o.parts[:0], o.joined[:0], 0
	add := func(piece []byte) {
		if len(piece) < minPart {
			joined = append(joined, piece...)
			return
		}
		if from < len(joined) {
			parts, from = append(parts, joined[from:]), len(joined)
		}
		parts = append(parts, piece)
	}
	for _, msg := range msgs {
		if framing == layout.FramingLength {
			joined = binary.LittleEndian.AppendUint32(joined, uint32(1+len(o.source)+len(msg)))
			joined = append(append(joined, byte(len(o.source))), o.source...)
			add(msg)
			continue
		}
		if o.lineOpen {
			joined = append(joined, '\n')
		}
		for rest, first := msg, true; first || len(rest) > 0; first = false {
			line := rest
			if at := bytes.IndexByte(rest, '\n'); at >= 0 {
				line = rest[:at+1]
			}
			rest = rest[len(line):]
			joined = append(append(joined, o.source...), '\t')
			add(line)
			o.lineOpen = len(line) == 0 || line[len(line)-1] != '\n'
		}
	}
	if from < len(joined) {
		parts = append(parts, joined[from:])
	}
	o.parts, o.joined = parts, joined
}
