package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Fingerprint returns the first 8 bytes of the SHA-256 of a type's text (TypeText), as a
// little-endian number.
func Fingerprint(text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return binary.LittleEndian.Uint64(sum[:])
}

// TypeText describes the memory of a value of type t, in the way that docs/layout.md defines for
// every language: the fields in the order of their offsets, separated by commas, each a scalar
// (u8 to u64, i8 to i64, f32, f64) or a group in parentheses, with [n] behind it for an array of n
// of them, and @offset behind that where it does not begin where the field before it ends. A struct
// within a struct is written as its fields, and nested arrays as one. For example
//
//	struct {                     u64,f32[3],u8[16]@24
//		ID   uint64
//		Pos  [3]float32
//		_    uint32
//		Name [16]byte
//	}
//
// Go's int and uint are 64 bits. A complex number is an array of two. Fields named _ are padding,
// of a type that could be a field.
//
// It fails for a type that one process cannot read from another: one with pointers in it, strings,
// slices, maps, channels, functions and interfaces among them; uintptr; and bool, for which a
// process may rely on no other value than 0 and 1, while a peer may store any. It fails for a type
// of no bytes too.
func TypeText(t reflect.Type) (string, error) {
	if t.Size() == 0 {
		return "", fmt.Errorf("%v has no bytes", t)
	}
	w := typeWriter{}
	if err := w.value(t, 0, ""); err != nil {
		return "", fmt.Errorf("%v %w", t, err)
	}
	return strings.Join(w.fields, ","), nil
}

// typeWriter collects the fields of a type.
type typeWriter struct {
	fields []string
	end    uintptr // of the field before
}

var scalars = map[reflect.Kind]string{
	reflect.Uint8: "u8", reflect.Uint16: "u16", reflect.Uint32: "u32", reflect.Uint64: "u64", reflect.Uint: "u64",
	reflect.Int8: "i8", reflect.Int16: "i16", reflect.Int32: "i32", reflect.Int64: "i64", reflect.Int: "i64",
	reflect.Float32: "f32", reflect.Float64: "f64",
}

// value adds a value of type t at an offset. path names it in errors: "" is the whole.
func (w *typeWriter) value(t reflect.Type, offset uintptr, path string) error {
	if t.Size() == 0 {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			fields := w
			if f.Name == "_" { // not in the text, but a pointer in it would be followed
				fields = new(typeWriter)
			}
			if err := fields.value(f.Type, offset+f.Offset, path+"."+f.Name); err != nil {
				return err
			}
		}
		return nil
	case reflect.Array, reflect.Complex64, reflect.Complex128:
		elem, n := element(t)
		text, err := elementText(elem, path+"[]")
		if err == nil {
			w.add(text+"["+strconv.Itoa(n)+"]", offset, t.Size())
		}
		return err
	}
	text, ok := scalars[t.Kind()]
	if !ok {
		return notShareable(t, path)
	}
	w.add(text, offset, t.Size())
	return nil
}

func (w *typeWriter) add(text string, offset, size uintptr) {
	if offset != w.end {
		text += "@" + strconv.FormatUint(uint64(offset), 10)
	}
	w.fields = append(w.fields, text)
	w.end = offset + size
}

// element returns what an array is an array of, and of how many, with arrays of arrays as one.
func element(t reflect.Type) (elem reflect.Type, n int) {
	elem, n = t, 1
	for {
		switch elem.Kind() {
		case reflect.Array:
			n *= elem.Len()
			elem = elem.Elem()
		case reflect.Complex64:
			return reflect.TypeFor[float32](), 2 * n
		case reflect.Complex128:
			return reflect.TypeFor[float64](), 2 * n
		default:
			return elem, n
		}
	}
}

// elementText is the text of one element of an array: a scalar, or a group.
func elementText(t reflect.Type, path string) (string, error) {
	if text, ok := scalars[t.Kind()]; ok {
		return text, nil
	}
	w := typeWriter{}
	if err := w.value(t, 0, path); err != nil {
		return "", err
	}
	if size := t.Size(); w.end != size { // the next element begins behind the padding
		w.fields = append(w.fields, "@"+strconv.FormatUint(uint64(size), 10))
	}
	return "(" + strings.Join(w.fields, ",") + ")", nil
}

func notShareable(t reflect.Type, path string) error {
	what := "a " + t.Kind().String()
	if k := t.Kind(); k == reflect.Interface || k == reflect.UnsafePointer {
		what = "an " + k.String()
	}
	if path == "" {
		what = "is " + what
	} else {
		what = "has " + strings.TrimPrefix(path, ".") + ", " + what
	}
	if t.Kind() == reflect.Bool {
		return fmt.Errorf("%s, for which the peer may store any byte; use uint8", what)
	}
	return fmt.Errorf("%s, which another process cannot read", what)
}
