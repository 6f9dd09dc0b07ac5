package transfer

import (
	"testing"
	"unsafe"
)

// Whoever lays a struct of 64-bit numbers over a message may count on it.
func TestMessages_AlignedTo8(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		for i := range 40 {
			room, err := s.Reserve(t.Context(), 1+i)
			if err != nil {
				t.Fatal(err)
			}
			if at := uintptr(unsafe.Pointer(&room[0])); at%8 != 0 {
				t.Errorf("room for %d bytes at %#x", len(room), at)
			}
			s.Commit(1 + i)
			s.Publish()
		}
		s.Flush()
		for i := range 40 {
			msg, err := r.Next(t.Context())
			if err != nil || len(msg) != 1+i {
				t.Fatal(len(msg), err)
			}
			if at := uintptr(unsafe.Pointer(&msg[0])); at%8 != 0 {
				t.Errorf("message of %d bytes at %#x", len(msg), at)
			}
			if i%3 == 0 {
				r.Release()
			}
		}
		r.Release()
	})
}
