package layout

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestFields_Offsets(t *testing.T) {
	for name, want := range map[string]uintptr{
		"Identity.Magic":       0x0,
		"Identity.Version":     0x8,
		"Identity.HeaderSize":  0x10,
		"Identity.Mode":        0x18,
		"Identity.Capacity":    0x20,
		"Identity.Slots":       0x28,
		"Identity.DataOffset":  0x30,
		"Identity.CreatedAt":   0x38,
		"Identity.SlotSize":    0x40,
		"Identity.Fingerprint": 0x48,

		"Producer.Index":       0x100,
		"Producer.Count":       0x108,
		"Producer.NextIndex":   0x110,
		"Producer.CountBefore": 0x118,
		"Producer.Bytes":       0x120,
		"Producer.Samples":     0x128,
		"Consumer.Index":       0x180,
		"Consumer.Count":       0x188,

		"ProducerSleep.Flag":  0x200,
		"ProducerSleep.Index": 0x208,
		"ProducerSleep.Count": 0x210,
		"ConsumerSleep.Flag":  0x280,

		"ProducerStats.PID":      0x400,
		"ProducerStats.Blocked":  0x448,
		"ProducerStats.End":      0x480,
		"ProducerStats.Memory":   0x4c8,
		"ProducerStats.Consumed": 0x508,
		"ConsumerStats.PID":      0x600,

		"ProducerSocket.Length": 0x800,
		"ProducerSocket.Text":   0x808,
		"ConsumerSocket.Length": 0x880,
		"Schedule.Base":         0x900,
		"Origin.Current":        0x980,
		"ProducerLink.Holder":   0xa00,
		"ConsumerLink.Holder":   0xb00,

		"Latency.Count":    0x1000,
		"Latency.Sum":      0x1008,
		"Latency.Max":      0x1010,
		"Latency.Buckets":  0x1080,
		"Response.Count":   0x2600,
		"Lateness.Buckets": 0x3c80,
		"Samples":          0x8000,
	} {
		i := slices.IndexFunc(Fields(), func(f Field) bool { return f.Name == name })
		if i < 0 {
			t.Errorf("there is no field %s", name)
		} else if got := Fields()[i].Offset; got != want {
			t.Errorf("%s is at %#x, not %#x", name, got, want)
		}
	}
}

func TestHeader_Size(t *testing.T) {
	if size := reflect.TypeFor[Header]().Size(); size != HeaderSize {
		t.Errorf("the header takes %d bytes, HeaderSize is %d", size, HeaderSize)
	}
}

func TestFields_AlignedOrderedDocumented(t *testing.T) {
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
func TestFields_DifferentWriters_DifferentBlocks(t *testing.T) {
	writers := map[string]string{
		"Identity": "creator",
		"Producer": "producer", "ProducerStats": "producer",
		"Consumer": "consumer", "ConsumerStats": "consumer",
		"ProducerSleep": "either, for the producer", "ConsumerSleep": "either, for the consumer",
		"ProducerSocket": "producer", "ConsumerSocket": "consumer", "Schedule": "producer", "Origin": "producer", "ProducerLink": "producer", "ConsumerLink": "consumer",
		"Latency": "consumer", "Response": "consumer", "Lateness": "producer", "Samples": "producer",
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

func TestRole_Parts(t *testing.T) {
	var h Header
	if Producer.Peer() != Consumer || Consumer.Peer() != Producer {
		t.Error("the two roles are not each other's peers")
	}
	if h.Stats(Producer) != &h.ProducerStats || h.Stats(Consumer) != &h.ConsumerStats {
		t.Error("Stats gives another role's")
	}
	if h.Cursor(Producer) != &h.Producer || h.Cursor(Consumer) != &h.Consumer {
		t.Error("Cursor gives another role's")
	}
	if h.Sleep(Producer) != &h.ProducerSleep || h.Sleep(Consumer) != &h.ConsumerSleep {
		t.Error("Sleep gives another role's")
	}
	if h.Socket(Producer) != &h.ProducerSocket || h.Socket(Consumer) != &h.ConsumerSocket {
		t.Error("Socket gives another role's")
	}
}
