package metrics

import "strings"

// MarshalJSON implements [json.Marshaler]: one object with every key of the table, in its
// order. An object within it of which nothing is known is null.
func (s *Sample) MarshalJSON() ([]byte, error) {
	text, _, err := s.object(nil, keyed, 0)
	return text, err
}

// keyed are the metrics that have a key.
var keyed = func() (all []*Metric) {
	for i := range Table {
		if Table[i].Key != "" {
			all = append(all, &Table[i])
		}
	}
	return all
}()

// object appends to text the object of the metrics, whose keys begin with the same characters up to
// start, and reports whether any value in it is known.
func (s *Sample) object(text []byte, of []*Metric, start int) (_ []byte, known bool, err error) {
	text = append(text, '{')
	for len(of) > 0 {
		key, _, nested := strings.Cut(of[0].Key[start:], ".")
		text = append(text, '"')
		text = append(append(text, key...), `":`...)
		if !nested {
			v := of[0].Value(s)
			b, err := v.MarshalJSON()
			if err != nil {
				return nil, false, err
			}
			text, known, of = append(text, b...), known || v.Known(), of[1:]
		} else {
			n, within := 1, of[0].Key[:start+len(key)+1]
			for n < len(of) && strings.HasPrefix(of[n].Key, within) {
				n++
			}
			empty := len(text)
			inner, any, err := s.object(text, of[:n], len(within))
			if err != nil {
				return nil, false, err
			}
			if text, of = inner, of[n:]; !any {
				text = append(text[:empty], "null"...)
			}
			known = known || any
		}
		if len(of) > 0 {
			text = append(text, ',')
		}
	}
	return append(text, '}'), known, nil
}

// Columns returns the names of the columns in CSV, in the order of the table.
func Columns() (names []string) {
	for i := range Table {
		if Table[i].CSV {
			names = append(names, Table[i].Column())
		}
	}
	return names
}

// Row returns the sample's fields for [Columns].
func (s *Sample) Row() (fields []string) {
	for i := range Table {
		if Table[i].CSV {
			fields = append(fields, Table[i].Value(s).CSV())
		}
	}
	return fields
}
