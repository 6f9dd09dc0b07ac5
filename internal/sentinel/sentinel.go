// Package sentinel makes error values for errors.Is that are a kind of another one.
package sentinel

// kind is an error with a text of its own that is also another error, for errors.Is. With
// fmt.Errorf("%w: ...") instead, a line that ends in details would say both texts.
type kind struct {
	text string
	of   error
}

// New returns an error with that text that is also the error of, for errors.Is.
func New(text string, of error) error { return &kind{text, of} }

func (k *kind) Error() string { return k.text }
func (k *kind) Unwrap() error { return k.of }
