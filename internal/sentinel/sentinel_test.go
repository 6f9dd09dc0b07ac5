package sentinel

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestNew_OwnTextAndKind(t *testing.T) {
	a, b := New("a is short", io.ErrUnexpectedEOF), New("a is short", io.ErrUnexpectedEOF)
	err := fmt.Errorf("%w: 3 bytes", a)
	if !errors.Is(err, a) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, b) || errors.Is(err, io.EOF) {
		t.Errorf("%v is not what it is made of, or something else", err)
	}
	if err.Error() != "a is short: 3 bytes" {
		t.Error(err)
	}
}
