package sink

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/payload"
)

func message(seq uint64) []byte {
	msg := make([]byte, 40)
	payload.Fill(msg, seq)
	return msg
}

func TestVerify_CountsEveryFault(t *testing.T) {
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
		v := NewVerify(Counts{})
		for _, msg := range c.msgs {
			if err := v.Write([][]byte{msg}); err != nil {
				t.Fatal(err)
			}
		}
		if v.Missing != c.missing || v.Repeated != c.repeated || v.Damaged != c.damaged || v.Checked != uint64(len(c.msgs)) {
			t.Errorf("%s: %d missing, %d repeated, %d damaged of %d", c.name, v.Missing, v.Repeated, v.Damaged, v.Checked)
		}
		if err := v.Verdict(Counts{}); errors.Is(err, ErrFault) != (c.missing+c.repeated+c.damaged > 0) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What no counter accounts for is a fault, to the last message.
func TestVerify_GapsComparedWithCounters(t *testing.T) {
	for _, c := range []struct {
		name          string
		before        Counts
		numbers       []uint64
		now           Counts
		missing       uint64 // that nothing accounts for
		dropped, lost uint64 // that it speaks of, when all is well
	}{
		{"dropped in the middle", Counts{}, []uint64{0, 1, 5, 6}, Counts{Dropped: 3}, 0, 3, 0},
		{"and one more is missing", Counts{}, []uint64{0, 1, 6, 7}, Counts{Dropped: 3}, 1, 0, 0},
		{"dropped after the last", Counts{}, []uint64{0, 1}, Counts{Dropped: 3}, 0, 3, 0},
		{"lost with a producer", Counts{}, []uint64{0, 1, 5, 6}, Counts{Lost: 3}, 0, 0, 3},
		{"one more is lost than is counted", Counts{}, []uint64{0, 1, 5, 6}, Counts{Lost: 2}, 1, 0, 0},
		{"dropped and lost", Counts{}, []uint64{0, 2, 3, 7}, Counts{Dropped: 1, Lost: 3}, 0, 1, 3},
		{"dropped before it came, and before what it gets", Counts{Consumed: 10, Dropped: 5}, []uint64{15, 16}, Counts{Consumed: 12, Dropped: 5}, 0, 5, 0},
		{"dropped before it came, in what it gets", Counts{Consumed: 10, Dropped: 5}, []uint64{12, 13, 16}, Counts{Consumed: 13, Dropped: 5}, 0, 4, 0},
		{"likewise, and one more is missing", Counts{Consumed: 10, Dropped: 5}, []uint64{12, 13, 17}, Counts{Consumed: 13, Dropped: 5}, 0, 5, 0},
		{"likewise, and two more are missing", Counts{Consumed: 10, Dropped: 5}, []uint64{12, 13, 18}, Counts{Consumed: 13, Dropped: 5}, 1, 0, 0},
		{"lost before it came", Counts{Consumed: 10, Lost: 5}, []uint64{15, 16}, Counts{Consumed: 12, Lost: 5}, 0, 0, 0},
		{"missing after others were lost before it came", Counts{Consumed: 10, Lost: 5}, []uint64{15, 17}, Counts{Consumed: 12, Lost: 5}, 1, 0, 0},
		{"more were counted as lost than were", Counts{Consumed: 10, Lost: 5}, []uint64{13, 14}, Counts{Consumed: 12, Lost: 5}, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := NewVerify(c.before)
			for _, n := range c.numbers {
				v.Write([][]byte{message(n)})
			}
			err := v.Verdict(c.now)
			if c.missing > 0 {
				if !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), fmt.Sprintf(": %d missing, 0 repeated or out of order, 0 damaged", c.missing)) {
					t.Error(err)
				}
				return
			}
			if dropped, lost := v.DroppedAndLost(c.now); err != nil || dropped != c.dropped || lost != c.lost {
				t.Errorf("%d dropped, want %d; %d lost, want %d; %v", dropped, c.dropped, lost, c.lost, err)
			}
		})
	}
}

func TestVerify_RepeatedOrDamaged_NotExcused(t *testing.T) {
	v := NewVerify(Counts{})
	for _, n := range []uint64{0, 1, 1, 2} {
		v.Write([][]byte{message(n)})
	}
	if err := v.Verdict(Counts{Dropped: 100}); !errors.Is(err, ErrFault) {
		t.Error(err)
	}
	v = NewVerify(Counts{})
	v.Write([][]byte{[]byte("no number")})
	if err := v.Verdict(Counts{Dropped: 100}); !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), "in 1 message: ") {
		t.Error(err)
	}
}
