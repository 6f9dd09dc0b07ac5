package shm

import (
	"errors"
	"strings"
	"testing"

	"sluice/layout"
)

func TestCheckName_Allowed(t *testing.T) {
	for _, name := range []string{"a", "Z", "0", "_", "-", "a.b", "a..", "AZaz09._-", strings.Repeat("x", 64)} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckName_Refused(t *testing.T) {
	for _, name := range []string{
		"", ".", "..", ".hidden", "a/b", "/a", "../a", "a b", "a\x00", "a\n", "ä", "a@", "a[", "a`", "a{", "a:",
		strings.Repeat("x", 65),
	} {
		if err := CheckName(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCheckName_Bad_NoFileTouched(t *testing.T) {
	const name = "../x"
	if s, err := Create(name, ring(t, 4096), layout.Producer); !errors.Is(err, ErrName) {
		t.Errorf("create: %v, %v", s, err)
	}
	refused(t, name, layout.Consumer, ErrName)
	if err := Remove(t.Context(), name); !errors.Is(err, ErrName) {
		t.Errorf("remove: %v", err)
	}
}

func TestPath(t *testing.T) {
	if got := Path("demo"); got != "/dev/shm/sluice.demo" {
		t.Error(got)
	}
}
