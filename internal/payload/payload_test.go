package payload

import "testing"

func TestCheck_EveryDamagedByteFound(t *testing.T) {
	for _, size := range []int{8, 9, 15, 16, 100, 4096} {
		msg := make([]byte, size)
		Fill(msg, 12345)
		if seq, ok := Seq(msg); !ok || seq != 12345 || !Check(msg) {
			t.Fatalf("size %d: what Fill wrote is not right by Check", size)
		}
		// The first 8 bytes are the number itself. Changing them makes another
		// message, and only a second whole word tells that it is not this one.
		from := 0
		if size < 2*MinSize {
			from = MinSize
		}
		for i := from; i < size; i++ {
			msg[i] ^= 0x40
			if Check(msg) {
				t.Errorf("size %d: damage at byte %d not seen", size, i)
			}
			msg[i] ^= 0x40
		}
	}
	if _, ok := Seq(make([]byte, 7)); ok || Check(nil) {
		t.Error("a message too short for a number has none")
	}
}

func TestFillAll_IsFillOfEach(t *testing.T) {
	for _, size := range []int{8, 9, 24} {
		buf := make([]byte, 5*size)
		FillAll(buf, size, 7)
		for i := range 5 {
			want := make([]byte, size)
			Fill(want, 7+uint64(i))
			if got := buf[i*size:][:size]; string(got) != string(want) {
				t.Errorf("size %d, message %d: %x, want %x", size, i, got, want)
			}
		}
	}
}
