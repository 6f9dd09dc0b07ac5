// Package sentinel makes error values for errors.Is that are a kind of another one.
package sentinel

// Kind is an error with a text of its own that is also another error, for errors.Is. With
// fmt.Errorf("%w: ...") instead, a line that ends in details would say both texts.
type Kind struct {
	text string
	of   error
}

// New returns an error that prints as text and is also of.
func New(text string, of error) *Kind { return &Kind{text, of} }

// Error returns the text.
func (k *Kind) Error() string { return k.text }

// Unwrap returns the error that this one is a kind of.
func (k *Kind) Unwrap() error { return k.of }
