package command

import "testing"

func TestSizes(t *testing.T) {
	for in, want := range map[string]uint64{"4096": 4096, "64KiB": 64 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30, "64k": 64000, "0": 0} {
		var z Size
		if err := z.Set(in); err != nil || z.Bytes != want {
			t.Errorf("%q: %d, %v; want %d", in, z.Bytes, err, want)
		}
		back := Size{Bytes: 1}
		if err := back.Set(z.String()); err != nil || back.Bytes != want {
			t.Errorf("%q prints as %q, which is %d", in, z.String(), back.Bytes)
		}
	}
	for _, in := range []string{"", " ", "-1", "+5", "much", "1XiB", "99999999999999999999", "1e30"} {
		z := Size{Bytes: 7}
		if err := z.Set(in); err == nil || z.Bytes != 7 {
			t.Errorf("%q: accepted as %d", in, z.Bytes)
		}
	}
}
