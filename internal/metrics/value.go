package metrics

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// Value is what a metric is at one time: a count, a number, a word, yes or no. The zero Value
// is unknown: null in JSON, an empty field in CSV, and no series in Prometheus.
type Value struct {
	kind  kind
	count uint64 // also 1 for yes
	x     float64
	text  string
}

type kind uint8

const (
	unknown kind = iota
	count
	number
	word
	truth
)

// Count is the value n.
func Count(n uint64) Value { return Value{kind: count, count: n} }

// Number is the value x, unknown unless x is finite.
func Number(x float64) Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Value{}
	}
	return Value{kind: number, x: x}
}

// Duration is the value d in seconds.
func Duration(d time.Duration) Value { return Number(d.Seconds()) }

// Text is the value s, which may be "".
func Text(s string) Value { return Value{kind: word, text: s} }

// textOrUnknown is Text of what is unknown where it is "".
func textOrUnknown(s string) Value {
	if s == "" {
		return Value{}
	}
	return Text(s)
}

// Bool is the value yes or no.
func Bool(yes bool) Value {
	if yes {
		return Value{kind: truth, count: 1}
	}
	return Value{kind: truth}
}

// Known reports whether the value is.
func (v Value) Known() bool { return v.kind != unknown }

// Float returns the value as a number, yes as 1 and no as 0; ok is false for a word and for
// what is unknown.
func (v Value) Float() (x float64, ok bool) {
	switch v.kind {
	case count, truth:
		return float64(v.count), true
	case number:
		return v.x, true
	}
	return 0, false
}

// Word returns the value as a word; ok is false if it is none, or unknown.
func (v Value) Word() (text string, ok bool) { return v.text, v.kind == word }

// MarshalJSON implements [json.Marshaler]. Numbers keep six digits after the point: a
// microsecond, or a millionth.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case count:
		return strconv.AppendUint(nil, v.count, 10), nil
	case number:
		return json.Marshal(math.Round(v.x*1e6) / 1e6)
	case word:
		return marshalText(v.text)
	case truth:
		return strconv.AppendBool(nil, v.count == 1), nil
	}
	return []byte("null"), nil
}

// marshalText is json.Marshal without escapes for HTML: the arrows of a chain stay readable.
func marshalText(s string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// CSV returns the value as a field, "" where it is unknown.
func (v Value) CSV() string {
	switch v.kind {
	case count:
		return strconv.FormatUint(v.count, 10)
	case number:
		return strconv.FormatFloat(v.x, 'f', 6, 64)
	case word:
		return v.text
	case truth:
		return strconv.FormatBool(v.count == 1)
	}
	return ""
}
