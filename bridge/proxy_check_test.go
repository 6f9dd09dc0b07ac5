package bridge_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The proxy does to a connection what it says.
func TestProxy(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	x := startProxy(t, s.addr())
	nc, err := connectBridge(x.url(), "proxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(nc) })
	eventually := func(what string, want bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; {
			if (nc.FlushTimeout(200*time.Millisecond) == nil) == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: an answer from the server is not %v", what, want)
			}
		}
	}
	eventually("at first", true)
	x.cut()
	eventually("cut", false)
	if nc.Status() == nats.CONNECTED {
		t.Error("cut: the connection is still there")
	}
	x.heal()
	eventually("healed", true)
	reconnects := nc.Stats().Reconnects
	x.pause()
	eventually("paused", false)
	x.heal()
	eventually("goes on", true)
	if is := nc.Stats().Reconnects; is != reconnects {
		t.Errorf("%d reconnects by a pause, want %d", is, reconnects)
	}
	x.drop()
	eventually("dropped", true)
	x.slow(20000)
	began := time.Now()
	if err := nc.Publish("x", make([]byte, 20000)); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second/2 {
		t.Errorf("20,000 bytes at 20,000 a second took %v", took)
	}
}
