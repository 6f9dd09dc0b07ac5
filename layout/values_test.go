package layout

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// The peer may be another program, so the numbers in the file are fixed too.
func TestValues_Numbers(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"Version", Version, 8},
		{"HeaderSize", HeaderSize, 65536},
		{"MinCapacity", MinCapacity, 4096},
		{"MaxCapacity", MaxCapacity, 2 << 30},
		{"ModeRing", uint64(ModeRing), 1}, {"ModeTransfer", uint64(ModeTransfer), 2},
		{"Producer", uint64(Producer), 0}, {"Consumer", uint64(Consumer), 1},
		{"StateNone", uint64(StateNone), 0}, {"StateRunning", uint64(StateRunning), 1},
		{"StateBlocked", uint64(StateBlocked), 2}, {"StateAlone", uint64(StateAlone), 3},
		{"StateClosed", uint64(StateClosed), 4},
		{"EndNone", uint64(EndNone), 0}, {"EndComplete", uint64(EndComplete), 1},
		{"EndStopped", uint64(EndStopped), 2}, {"EndFailed", uint64(EndFailed), 3}, {"EndDisconnected", uint64(EndDisconnected), 4},
		{"RefuseNone", uint64(RefuseNone), 0}, {"RefuseNoConsumer", uint64(RefuseNoConsumer), 1},
		{"RefuseSocketFull", uint64(RefuseSocketFull), 2}, {"RefuseInFlight", uint64(RefuseInFlight), 3},
		{"RefuseNoDescriptor", uint64(RefuseNoDescriptor), 4}, {"RefuseMemoryLimit", uint64(RefuseMemoryLimit), 5},
		{"RefuseElsewhere", uint64(RefuseElsewhere), 6}, {"RefuseNoConnectionDescriptor", uint64(RefuseNoConnectionDescriptor), 7},
		{"FramingNone", uint64(FramingNone), 0}, {"FramingLines", uint64(FramingLines), 1},
		{"FramingLength", uint64(FramingLength), 2}, {"FramingRaw", uint64(FramingRaw), 3},
		{"LinkNone", uint64(LinkNone), 0}, {"LinkConnecting", uint64(LinkConnecting), 1}, {"LinkRunning", uint64(LinkRunning), 2},
		{"LinkNoStream", uint64(LinkNoStream), 3}, {"LinkFull", uint64(LinkFull), 4}, {"LinkRefused", uint64(LinkRefused), 5},
		{"LinkNoAck", uint64(LinkNoAck), 6}, {"LinkMissing", uint64(LinkMissing), 7}, {"LinkStopped", uint64(LinkStopped), 8},
		{"PeerUnknown", uint64(PeerUnknown), 0}, {"PeerRuns", uint64(PeerRuns), 1}, {"PeerFull", uint64(PeerFull), 2}, {"PeerEmpty", uint64(PeerEmpty), 3},
		{"FenceUnknown", uint64(FenceUnknown), 0}, {"FenceAsymmetric", uint64(FenceAsymmetric), 1},
		{"FenceFull", uint64(FenceFull), 2}, {"FenceForNow", uint64(FenceForNow), 3},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, not %d", c.name, c.got, c.want)
		}
	}
	if magic := binary.LittleEndian.AppendUint64(nil, Magic); string(magic) != "sluice\r\n" {
		t.Errorf("the magic is %q in memory order", magic)
	}
}

// The names stand in reports, metrics and docs. A value that has a name is in the table.
func TestValues_Names(t *testing.T) {
	names := map[fmt.Stringer]string{
		ModeRing: "ring", ModeTransfer: "transfer", Mode(0): "unknown",
		Producer: "producer", Consumer: "consumer",
		StateNone: "none", StateRunning: "running", StateBlocked: "blocked",
		StateAlone: "alone", StateClosed: "closed", State(5): "unknown",
		EndNone: "none", EndComplete: "complete", EndStopped: "stopped", EndFailed: "failed", EndDisconnected: "disconnected", End(5): "unknown",
		RefuseNone: "none", RefuseNoConsumer: "no consumer", RefuseSocketFull: "socket full",
		RefuseInFlight: "too many descriptors in flight", RefuseNoDescriptor: "out of descriptors",
		RefuseMemoryLimit: "memory limit", RefuseElsewhere: "consumer listens elsewhere", RefuseNoConnectionDescriptor: "no descriptor to connect with", RefuseReason(8): "unknown",
		FramingNone: "none", FramingLines: "lines", FramingLength: "length", FramingRaw: "raw", Framing(4): "none",
		LinkNone: "none", LinkConnecting: "connecting", LinkRunning: "running", LinkNoStream: "no stream", LinkFull: "stream full",
		LinkRefused: "refused", LinkNoAck: "no acknowledgement", LinkMissing: "messages missing", LinkStopped: "stopped", LinkFailed: "failed", LinkState(10): "unknown",
		PeerUnknown: "unknown", PeerRuns: "nothing", PeerFull: "room", PeerEmpty: "messages", PeerWaits(4): "unknown",
	}
	for got, want := range names {
		if got.String() != want {
			t.Errorf("%T %d is %q, not %q", got, got, got, want)
		}
	}
	const none = ^uint64(0) // which no value has
	unnamed := []fmt.Stringer{Mode(none), State(none), End(none), RefuseReason(none), Framing(none), LinkState(none), PeerWaits(none)}
	for i := range uint64(100) {
		for k, v := range []fmt.Stringer{Mode(i), State(i), End(i), RefuseReason(i), Framing(i), LinkState(i), PeerWaits(i)} {
			if _, ok := names[v]; !ok && v.String() != unnamed[k].String() {
				t.Errorf("%T %d is %q, which is not tested", v, i, v)
			}
		}
	}
}
