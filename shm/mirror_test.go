package shm

import (
	"bytes"
	"os"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestMirror_DataTwiceInARow(t *testing.T) {
	name, g := testenv.SegmentName(t), ring(t, 1<<16)
	s := newSegment(t, name)
	data, size := s.Data(), int(g.Capacity)
	if len(data) != 2*size {
		t.Fatalf("%d bytes mapped for a capacity of %d", len(data), size)
	}
	for i := range size {
		data[i] = byte(i * 7)
		data[i+size]++
		if data[i] != byte(i*7)+1 || data[i+size] != data[i] {
			t.Fatalf("byte %d is %d, byte %d is %d", i, data[i], i+size, data[i+size])
		}
	}
	file, err := os.ReadFile(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file[g.DataOffset:], data[:size]) {
		t.Error("the file holds something else")
	}
	if s.Header().Identity.Magic.Load() != layout.Magic {
		t.Error("the data lies over the header")
	}
}

func TestMirror_WrapIsContiguousForPeer(t *testing.T) {
	name, size := testenv.SegmentName(t), 1<<16
	text := []byte("over the end and on at the start")
	copy(newSegment(t, name).Data()[size-10:], text)
	data := join(t, name, layout.Consumer).Data()
	if got := data[size-10:][:len(text)]; !bytes.Equal(got, text) {
		t.Errorf("%q", got)
	}
	if got := data[:len(text)-10]; !bytes.Equal(got, text[10:]) {
		t.Errorf("the start holds %q", got)
	}
}

func TestMirror_Transfer_NoData(t *testing.T) {
	name := testenv.SegmentName(t)
	s, err := Create(name, layout.Geometry{Mode: layout.ModeTransfer}, layout.Consumer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Leave(keep) })
	if peer := join(t, name, layout.Producer); s.Data() != nil || peer.Data() != nil || peer.Geometry().Mode != layout.ModeTransfer {
		t.Errorf("%d and %d bytes of data in mode %v", len(s.Data()), len(peer.Data()), peer.Geometry().Mode)
	}
}
