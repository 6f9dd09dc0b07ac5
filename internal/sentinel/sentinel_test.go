package sentinel

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestNew_OwnTextAndKinds(t *testing.T) {
	kinds := []error{io.ErrUnexpectedEOF, io.ErrShortBuffer}
	a, b := New("a is short", kinds...), New("a is short", kinds...)
	err := fmt.Errorf("%w: 3 bytes", a)
	if !errors.Is(err, a) || !errors.Is(err, kinds[0]) || !errors.Is(err, kinds[1]) || errors.Is(err, b) || errors.Is(err, io.EOF) {
		t.Errorf("%v is not what it is made of, or something else", err)
	}
	if err.Error() != "a is short: 3 bytes" {
		t.Error(err)
	}
}
