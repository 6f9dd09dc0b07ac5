// Package sentinel makes error values for errors.Is that are a kind of others.
package sentinel

// kind is an error with a text of its own that is also other errors, for errors.Is. With
// fmt.Errorf("%w: ...") instead, a line that ends in details would say all texts.
type kind struct {
	text string
	of   []error
}

// New returns an error with that text that is also each of the errors of, for errors.Is.
func New(text string, of ...error) error { return &kind{text, of} }

func (k *kind) Error() string   { return k.text }
func (k *kind) Unwrap() []error { return k.of }
