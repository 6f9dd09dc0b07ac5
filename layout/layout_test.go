package layout

import (
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestFieldsStayWhereTheyAre(t *testing.T) {
	for name, want := range map[string]uintptr{
		"Identity.Magic":      0x00,
		"Identity.Version":    0x08,
		"Identity.HeaderSize": 0x10,
		"Identity.Mode":       0x18,
		"Identity.Capacity":   0x20,
		"Identity.Slots":      0x28,
		"Identity.DataOffset": 0x30,
		"Identity.CreatedAt":  0x38,

		"Producer.Index":       0x80,
		"Producer.Count":       0x88,
		"Producer.NextIndex":   0x90,
		"Producer.CountBefore": 0x98,
		"Producer.Bytes":       0xa0,
		"Consumer.Index":       0x100,
		"Consumer.Count":       0x108,

		"ProducerWait.Flag":  0x180,
		"ProducerWait.Index": 0x188,
		"ProducerWait.Count": 0x190,
		"ConsumerWait.Flag":  0x200,

		"ProducerSide.PID":     0x280,
		"ProducerSide.Blocked": 0x2b0,
		"ProducerSide.Memory":  0x2f8,
		"ConsumerSide.PID":     0x380,

		"LatencyCount": 0x480,
		"LatencySum":   0x488,
		"LatencyMax":   0x490,
		"Latency":      0x800,
	} {
		i := slices.IndexFunc(Fields(), func(f Field) bool { return f.Name == name })
		if i < 0 {
			t.Errorf("there is no field %s", name)
		} else if got := Fields()[i].Offset; got != want {
			t.Errorf("%s is at %#x, not %#x", name, got, want)
		}
	}
}

func TestTheHeaderIsAsLongAsItSays(t *testing.T) {
	if size := reflect.TypeFor[Header]().Size(); size != HeaderSize {
		t.Errorf("the header takes %d bytes, HeaderSize is %d", size, HeaderSize)
	}
}

func TestFieldsAreAlignedOrderedAndExplained(t *testing.T) {
	end := uintptr(0)
	for _, f := range Fields() {
		if f.Offset%8 != 0 || f.Size%8 != 0 || f.Size == 0 {
			t.Errorf("%s: %d bytes at %#x are not whole words", f.Name, f.Size, f.Offset)
		}
		if f.Offset < end {
			t.Errorf("%s at %#x begins before the field in front of it ends", f.Name, f.Offset)
		}
		if f.Doc == "" || strings.ContainsAny(f.Doc, "|\n") {
			t.Errorf("%s: doc %q does not fit into the table", f.Name, f.Doc)
		}
		end = f.Offset + f.Size
	}
	if end > HeaderSize {
		t.Errorf("the fields end at %#x", end)
	}
}

// Two words of one Block that two processors write are as slow as one word.
func TestFieldsWithDifferentWritersShareNoBlock(t *testing.T) {
	writers := map[string]string{
		"Identity": "creator",
		"Producer": "producer", "ProducerSide": "producer",
		"Consumer": "consumer", "ConsumerSide": "consumer",
		"ProducerWait": "either, for the producer", "ConsumerWait": "either, for the consumer",
		"LatencyCount": "consumer", "LatencySum": "consumer", "LatencyMax": "consumer", "Latency": "consumer",
	}
	if Block != 128 {
		t.Errorf("a block has %d bytes, not two cache lines of 64", Block)
	}
	owner := map[uintptr]Field{}
	for _, f := range Fields() {
		writer := func(f Field) string {
			part, _, _ := strings.Cut(f.Name, ".")
			return writers[part]
		}
		if writer(f) == "" {
			t.Fatalf("who writes %s?", f.Name)
		}
		for block := f.Offset / 128; block <= (f.Offset+f.Size-1)/128; block++ {
			if other, taken := owner[block]; taken && writer(other) != writer(f) {
				t.Errorf("%s and %s share the block at %#x", other.Name, f.Name, block*128)
			}
			owner[block] = f
		}
	}
}

// The peer may be another program, so the numbers in the file are fixed too.
func TestValuesInTheFileStayAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"Version", Version, 1},
		{"HeaderSize", HeaderSize, 8192},
		{"MinCapacity", MinCapacity, 4096},
		{"MaxCapacity", MaxCapacity, 2 << 30},
		{"ModeRing", uint64(ModeRing), 1}, {"ModeTransfer", uint64(ModeTransfer), 2},
		{"Producer", uint64(Producer), 0}, {"Consumer", uint64(Consumer), 1},
		{"StateNone", uint64(StateNone), 0}, {"StateRunning", uint64(StateRunning), 1},
		{"StateBlocked", uint64(StateBlocked), 2}, {"StateAlone", uint64(StateAlone), 3},
		{"StateClosed", uint64(StateClosed), 4},
		{"FramingNone", uint64(FramingNone), 0}, {"FramingLines", uint64(FramingLines), 1},
		{"FramingLength", uint64(FramingLength), 2}, {"FramingRaw", uint64(FramingRaw), 3},
		{"FenceUnknown", uint64(FenceUnknown), 0}, {"FenceAsymmetric", uint64(FenceAsymmetric), 1},
		{"FenceFull", uint64(FenceFull), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, not %d", c.name, c.got, c.want)
		}
	}
	if magic := binary.LittleEndian.AppendUint64(nil, Magic); string(magic) != "sluice\r\n" {
		t.Errorf("the magic is %q in memory order", magic)
	}
}

func TestNamesOfValues(t *testing.T) {
	for got, want := range map[interface{ String() string }]string{
		ModeRing: "ring", ModeTransfer: "transfer", Mode(0): "unknown",
		Producer: "producer", Consumer: "consumer",
		StateNone: "none", StateRunning: "running", StateBlocked: "blocked",
		StateAlone: "alone", StateClosed: "closed", State(5): "unknown",
		FramingNone: "none", FramingLines: "lines", FramingLength: "length", FramingRaw: "raw",
	} {
		if got.String() != want {
			t.Errorf("%T %d is %q, not %q", got, got, got, want)
		}
	}
}

func TestPartsOfARole(t *testing.T) {
	var h Header
	if Producer.Peer() != Consumer || Consumer.Peer() != Producer {
		t.Error("the two roles are not each other's peers")
	}
	if h.Side(Producer) != &h.ProducerSide || h.Side(Consumer) != &h.ConsumerSide {
		t.Error("Side gives another role's")
	}
	if h.Cursor(Producer) != &h.Producer || h.Cursor(Consumer) != &h.Consumer {
		t.Error("Cursor gives another role's")
	}
	if h.Wait(Producer) != &h.ProducerWait || h.Wait(Consumer) != &h.ConsumerWait {
		t.Error("Wait gives another role's")
	}
}
