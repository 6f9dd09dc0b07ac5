package metrics

import (
	"bytes"
	"encoding/json"
	"strings"
)

// MarshalJSON implements [json.Marshaler]: one object with every key of the table, in its
// order. An object within it of which nothing is known is null.
func (s *Sample) MarshalJSON() ([]byte, error) {
	out := object{}
	var inner object
	group := ""
	for i := range Table {
		m := &Table[i]
		if m.Key == "" {
			continue
		}
		of, key, nested := strings.Cut(m.Key, ".")
		if !nested {
			of, key = "", m.Key
		}
		if of != group {
			out.close(group, &inner)
			group = of
		}
		at := &out
		if nested {
			at = &inner
		}
		if err := at.add(key, m.Value(s)); err != nil {
			return nil, err
		}
	}
	out.close(group, &inner)
	return append(out.text.Bytes(), '}'), nil
}

// object is a JSON object that is being written.
type object struct {
	text  bytes.Buffer
	known bool // at least one value is
}

func (o *object) key(name string) {
	if o.text.Len() == 0 {
		o.text.WriteByte('{')
	} else {
		o.text.WriteByte(',')
	}
	o.text.WriteString(`"` + name + `":`)
}

func (o *object) add(name string, v Value) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	o.key(name)
	o.text.Write(text)
	o.known = o.known || v.Known()
	return nil
}

// close adds an object within this one, if there is one, and empties it.
func (o *object) close(name string, inner *object) {
	if name == "" {
		return
	}
	o.key(name)
	if inner.known {
		o.text.Write(append(inner.text.Bytes(), '}'))
	} else {
		o.text.WriteString("null")
	}
	*inner = object{}
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
