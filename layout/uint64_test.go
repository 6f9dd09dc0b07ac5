package layout

import "testing"

func TestUint64_EveryStore(t *testing.T) {
	var u Uint64
	for _, write := range []func(){
		func() { u.Store(1 << 40) },
		func() { u.StoreRelaxed(1 << 40) },
		func() { u.StoreRelease(1 << 40) },
		func() { u.Store(1<<40 - 3); u.AddRelaxed(3) },
		func() { u.CompareAndSwap(0, 1<<40) },
	} {
		u.Store(0)
		write()
		if u.Load() != 1<<40 || u.LoadRelaxed() != 1<<40 {
			t.Errorf("Load %#x, LoadRelaxed %#x", u.Load(), u.LoadRelaxed())
		}
	}
	u.Store(7)
	if u.CompareAndSwap(8, 9) || !u.CompareAndSwap(7, 8) || u.Load() != 8 {
		t.Errorf("CompareAndSwap left %d", u.Load())
	}
}

func TestUint64_Futex_LowHalf(t *testing.T) {
	var u Uint64
	u.Store(0x1122334455667788)
	if got := *u.Futex(); got != 0x55667788 {
		t.Errorf("%#x", got)
	}
}
