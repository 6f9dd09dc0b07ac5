package layout

import (
	"reflect"
	"strings"
	"testing"
)

func TestTypeText(t *testing.T) {
	type point struct{ X, Y float32 }
	type odd struct {
		A uint32
		B uint8
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{uint64(0), "u64"},
		{int32(0), "i32"},
		{0, "i64"},
		{float32(0), "f32"},
		{[3]float32{}, "f32[3]"},
		{[3][4]uint8{}, "u8[12]"},
		{complex(1, 1), "f64[2]"},
		{[2]complex64{}, "f32[4]"},
		{struct {
			ID   uint64
			Pos  [3]float32
			_    uint32
			Name [16]byte
		}{}, "u64,f32[3],u8[16]@24"},
		{struct {
			A uint8
			B uint64
		}{}, "u8,u64@8"},
		{struct {
			P point
			N int16
		}{}, "f32,f32,i16"},
		{[2]point{}, "(f32,f32)[2]"},
		{[2]odd{}, "(u32,u8,@8)[2]"},
		{struct {
			O odd
			N uint8
		}{}, "u32,u8,u8@8"},
		{struct {
			None struct{}
			N    uint8
		}{}, "u8"},
		{struct {
			_ [8]byte
			N uint8
			_ [0]func() // which takes no bytes
		}{}, "u8@8"},
	} {
		if got, err := TypeText(reflect.TypeOf(c.value)); got != c.want || err != nil {
			t.Errorf("%T: %q, %v, want %q", c.value, got, err, c.want)
		}
	}
}

func TestTypeText_NotShareable_Refused(t *testing.T) {
	for want, value := range map[string]any{
		"has no bytes":                           struct{}{},
		"is a string, which":                     "",
		"is a bool, for which":                   false,
		"has Next, a ptr, which":                 struct{ Next *int }{},
		"has In.Deep[], a slice, which":          struct{ In struct{ Deep [2][]byte } }{},
		"has Set[].On, a bool, for which":        struct{ Set [4]struct{ On bool } }{},
		"is a uintptr, which":                    uintptr(0),
		"is a map":                               map[int]int{},
		"is a func":                              func() {},
		"has Any, an interface":                  struct{ Any any }{},
		"has C, a chan, which another process c": struct{ C chan int }{},
		"has _, a ptr, which": struct { // which the garbage collector follows, as any other
			N uint64
			_ *int
		}{},
		"has In[]._[], a string, which": struct{ In [2]struct{ _ [2]string } }{},
	} {
		if text, err := TypeText(reflect.TypeOf(value)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %q, %v; want an error with %q", value, text, err, want)
		}
	}
}

// The number is what printf u64,f32[3],u8[16]@24 | sha256sum begins with, read from the right.
func TestFingerprint(t *testing.T) {
	const text, want = "u64,f32[3],u8[16]@24", 0x1dbeb6e5cefb9898
	if got := Fingerprint(text); got != want {
		t.Errorf("%#x, want %#x", got, uint64(want))
	}
}
