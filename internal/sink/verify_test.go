package sink

import (
	"errors"
	"testing"

	"sluice/internal/pattern"
)

func TestVerifyCountsEveryKindOfFault(t *testing.T) {
	message := func(seq uint64) []byte {
		msg := make([]byte, 40)
		pattern.Fill(msg, seq)
		return msg
	}
	damaged := message(3)
	damaged[39] ^= 1
	for _, c := range []struct {
		name                       string
		msgs                       [][]byte
		missing, repeated, damaged uint64
	}{
		{"all is well", [][]byte{message(0), message(1), message(2)}, 0, 0, 0},
		{"two are missing", [][]byte{message(0), message(3), message(4)}, 2, 0, 0},
		{"the first is missing", [][]byte{message(1)}, 1, 0, 0},
		{"one comes again", [][]byte{message(0), message(1), message(1), message(2)}, 0, 1, 0},
		{"one is damaged in its last byte", [][]byte{message(0), message(1), message(2), damaged, message(4)}, 0, 0, 1},
		{"one is too short to be one", [][]byte{message(0), []byte("1234567"), message(2)}, 0, 0, 1},
	} {
		v := NewVerify(0, true)
		for _, msg := range c.msgs {
			if err := v.Put(msg); err != nil {
				t.Fatal(err)
			}
		}
		if v.Missing != c.missing || v.Repeated != c.repeated || v.Damaged != c.damaged || v.Checked != uint64(len(c.msgs)) {
			t.Errorf("%s: %d missing, %d repeated, %d damaged of %d", c.name, v.Missing, v.Repeated, v.Damaged, v.Checked)
		}
		if err := v.Close(); errors.Is(err, ErrFault) != (c.missing+c.repeated+c.damaged > 0) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestVerifyTakesAnyNumberFirstWhenNoneIsKnown(t *testing.T) {
	msg := make([]byte, 8)
	pattern.Fill(msg, 1000)
	v := NewVerify(0, false)
	v.Put(msg)
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}
