package layout

import (
	"strings"
	"testing"
)

func TestPath_StoreAndLoad(t *testing.T) {
	var p Path
	for _, path := range []string{"/run/x.sock", strings.Repeat("p", 107), "", "/a", strings.Repeat("q", 112)} {
		p.Store(path)
		if got := p.Load(); got != path {
			t.Errorf("%q, want %q", got, path)
		}
	}
}

func TestPath_Invalid_Empty(t *testing.T) {
	var p Path
	p.Store("/run/x.sock")
	if p.Store(strings.Repeat("p", 113)); p.Load() != "" {
		t.Error("a path that does not fit")
	}
	p.Store("/run/x.sock")
	if p.Length.Store(1 << 40); p.Load() != "" {
		t.Error("a length that nobody writes")
	}
}

func TestPath_SocketsOfRoles(t *testing.T) {
	var h Header
	if h.Socket(Producer) != &h.ProducerSocket || h.Socket(Consumer) != &h.ConsumerSocket {
		t.Error("Socket gives another role's")
	}
}
