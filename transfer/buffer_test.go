package transfer

import (
	"sluice/internal/testenv"
	"testing"
)

func TestBuffer_Transferred_Detached(t *testing.T) {
	for name, opt := range map[string]endOptions{"sealed": {}, "packed": {Buffer: 4096}, "recycled": {Recycle: true}} {
		t.Run(name, func(t *testing.T) {
			s, r := pair(t, opt)
			b := NewBuffer(5)
			bytes, err := b.Bytes()
			if err != nil || b.Len() != 5 {
				t.Fatalf("%d bytes, %v", b.Len(), err)
			}
			copy(bytes, "first")
			if err := s.Transfer(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			copy(bytes, "ghost") // nobody's any more
			if got, err := b.Bytes(); got != nil || b.Len() != 0 {
				t.Errorf("%q, %v, %d bytes after the transfer", got, err, b.Len())
			} else {
				testenv.WantErr(t, err, ErrDetached)
			}
			testenv.WantErr(t, s.Transfer(t.Context(), b), ErrDetached)
			s.Flush()
			wantMessages(t, r, "first")
		})
	}
}

func TestBuffer_NotSent_StillOwned(t *testing.T) {
	name, opt := place(t)
	opt.Limit = 2 * pageSize
	s := create(t, name, opt)
	b := NewBuffer(int(4 * pageSize))
	testenv.WantErr(t, s.Transfer(t.Context(), b), ErrTooLarge)
	if got, err := b.Bytes(); err != nil || len(got) != int(4*pageSize) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
