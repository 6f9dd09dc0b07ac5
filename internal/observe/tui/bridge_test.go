package tui

import (
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// The details of a pair have what its bridge does, wrapped to the width.
func TestScreen_Bridge(t *testing.T) {
	p := pair("demo", pressure.ConsumerBound)
	p.Now.Consumer = pressure.RoleStats{Alive: true, PID: 12, Bridge: pressure.Bridge{
		State: pressure.BridgeFull, StateFor: 12 * time.Second, InFlight: 1 << 20, RoundTrip: 1200 * time.Microsecond, StreamBytes: 1 << 30, StreamLimit: 1 << 30,
		PeerSeen: true, PeerSilent: time.Second, PeerWaits: layout.PeerFull, Lag: 12345, LagBytes: 98760, LagTime: 3 * time.Second,
	}}
	s := screenOf(80, 40, p)
	drawn := s.Draw()
	for _, want := range []string{
		"  sides          producer pid 11, consumer bridge, pid 12",
		"  bridge out     stream full for 12 s (the consumer over there is slower)",
		"                 lag 12,345 messages, 96 KiB, the oldest 3s; 1 MiB in flight; an",
		"                 acknowledgement takes 1.2ms",
		"                 stream 1 GiB of 1 GiB, 100 % full; the bridge over there waits",
	} {
		if !strings.Contains(drawn, want+"\n") && !strings.Contains(drawn, want+" ") {
			t.Errorf("no %q in\n%s", want, drawn)
		}
	}
	if p.Now.Consumer.Bridge = (pressure.Bridge{}); strings.Contains(s.Draw(), "bridge") {
		t.Errorf("without one:\n%s", s.Draw())
	}
}
