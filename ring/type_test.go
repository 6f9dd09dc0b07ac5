package ring

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// What an error says of a ring that carries something else than the caller asks for.
func TestOtherType_Text(t *testing.T) {
	records := layout.Geometry{Capacity: 4096}
	slots := func(size, number, most, fingerprint uint64) layout.Geometry {
		return layout.Geometry{SlotSize: size, Capacity: size * number, Slots: most, Fingerprint: fingerprint}
	}
	for _, c := range []struct {
		g, want layout.Geometry
		text    string
	}{
		{records, records, ""},
		{slots(8, 4, 0, 7), slots(8, 1, 1, 7), ""},
		{slots(8, 4, 0, 0), slots(8, 4, 0, 7), ""},
		{slots(8, 4, 0, 7), slots(8, 4, 0, 0), ""},
		{records, slots(1, 4, 0, 7), "records of variable size, not slots of 1 byte"},
		{slots(24, 4096, 0, 7), records, "4,096 slots of 24 bytes, not records of variable size"},
		{slots(24, 8, 5, 0), slots(16, 4, 0, 0), "8 slots of 24 bytes, at most 5 in use, not of 16"},
		{slots(8, 4, 0, 0xab), slots(8, 4, 0, 0xcd), "slots with the fingerprint 0xab, not 0xcd"},
	} {
		if text := otherType(c.g, c.want); text != c.text {
			t.Errorf("%+v, want %+v: %q, want %q", c.g, c.want, text, c.text)
		}
	}
}

// A producer that asks for another type than that of unread messages is told both: that the segment
// has another geometry, as with another capacity, and that the type is what differs.
func TestCreate_OtherTypeInUse_BothErrors(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := CreateOf[uint32](t.Context(), name, WriterOptions{Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	w.Push(t.Context(), 1)
	w.Push(t.Context(), 2)
	w.Close()

	for what, create := range map[string]func() (any, error){
		"8 slots of 4 bytes, not records of variable size": func() (any, error) { return Create(t.Context(), name, WriterOptions{}) },
		"8 slots of 4 bytes, not of 8":                     func() (any, error) { return CreateSlots(t.Context(), name, 8, WriterOptions{}) },
		"slots with the fingerprint":                       func() (any, error) { return CreateOf[int32](t.Context(), name, WriterOptions{}) },
	} {
		_, err := create()
		want := fmt.Sprintf("segment %q: segment exists with another type: %s", name, what)
		if !errors.Is(err, ErrGeometry) || !errors.Is(err, ErrType) || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ", with 2 unread messages and no consumer") {
			t.Errorf("%v; want %q", err, want)
		}
	}
	_, err = CreateOf[uint32](t.Context(), name, WriterOptions{Slots: 9})
	if !errors.Is(err, ErrGeometry) || errors.Is(err, ErrType) || !strings.Contains(err.Error(), "another geometry: 8 slots of 4 bytes, with 2 unread") {
		t.Error(err)
	}
}

func TestOpen_OtherType_Refused(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := CreateSlots(t.Context(), name, 4, WriterOptions{Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	_, err = OpenOf[uint64](t.Context(), name, ReaderOptions{})
	testenv.WantErr(t, err, ErrType)
	_, err = Open(t.Context(), name, ReaderOptions{})
	testenv.WantErr(t, err, ErrType)
	r, err := OpenOf[uint32](t.Context(), name, ReaderOptions{}) // the slots are of no type
	testenv.WantErr(t, err, nil)
	r.Close()

	records := heapMemory(t, 4096, 0)
	_, err = NewSlotWriter(records, WriterOptions{})
	testenv.WantErr(t, err, ErrType)
	_, err = NewSlotReader(records, ReaderOptions{})
	testenv.WantErr(t, err, ErrType)
}
