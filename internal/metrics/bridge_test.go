package metrics

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// fullStream is a bridge whose stream is full, and that has heard of the other side.
func fullStream() pressure.Bridge {
	return pressure.Bridge{
		State: pressure.BridgeFull, StateFor: 12 * time.Second, Age: 500 * time.Millisecond, Position: 900, InFlight: 4096, RoundTrip: 1500 * time.Microsecond,
		StreamBytes: 1000, StreamLimit: 1024, PeerSeen: true, PeerSilent: time.Second, PeerPosition: 700, PeerWaits: layout.PeerFull,
		Lag: 300, LagBytes: 2400, LagTime: 3 * time.Second,
	}
}

// Programs of users hold on to the keys.
func TestSample_Bridge(t *testing.T) {
	out := map[string]any{
		"state": "stream-full", "stateSec": 12.0, "lagMessages": 300.0, "lagBytes": 2400.0, "lagSec": 3.0, "inFlightBytes": 4096.0, "roundTripSec": 0.0015,
		"position": 900.0, "peerPosition": 700.0, "streamBytes": 1000.0, "streamLimitBytes": 1024.0, "peerSeenSec": 1.0, "peerWaitsFor": "room", "ageSec": 0.5,
	}
	without := func(of map[string]any, keys ...string) map[string]any {
		m := map[string]any{}
		for k, v := range of {
			m[k] = v
		}
		for _, k := range keys {
			delete(m, k)
		}
		return m
	}
	null := func(of map[string]any, keys ...string) map[string]any {
		m := without(of)
		for _, k := range keys {
			m[k] = nil
		}
		return m
	}
	in := without(out, "inFlightBytes", "roundTripSec")
	died := null(out, "stateSec")
	died["state"] = "died"
	for _, c := range []struct {
		name   string
		change func(s *pressure.Snapshot)
		want   any
	}{
		{"no bridge", func(*pressure.Snapshot) {}, nil},
		{"out", func(s *pressure.Snapshot) { s.Consumer.Bridge = fullStream() }, map[string]any{"out": out, "in": nil}},
		{"in", func(s *pressure.Snapshot) { s.Producer.Bridge = fullStream() }, map[string]any{"out": nil, "in": in}},
		{"both", func(s *pressure.Snapshot) { s.Producer.Bridge, s.Consumer.Bridge = fullStream(), fullStream() }, map[string]any{"out": out, "in": in}},
		{"nothing known of the other side", func(s *pressure.Snapshot) {
			b := fullStream()
			b.PeerSeen, b.PeerWaits, b.StreamLimit, b.RoundTrip = false, layout.PeerUnknown, 0, 0
			s.Consumer.Bridge = b
		}, map[string]any{"out": null(out, "lagMessages", "lagBytes", "lagSec", "peerPosition", "peerSeenSec", "peerWaitsFor", "streamLimitBytes", "roundTripSec"), "in": nil}},
		{"one that has died", func(s *pressure.Snapshot) {
			s.Consumer.Bridge = fullStream()
			s.Consumer.Bridge.State, s.Consumer.Bridge.StateFor = pressure.BridgeDied, 0
		}, map[string]any{"out": died, "in": nil}},
	} {
		text, keys := encode(t, moving(func(s *Sample) { c.change(s.Now) }))
		got, there := keys["bridge"]
		if !there || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v; in %s", c.name, got, c.want, text)
		}
	}
	if _, keys := encode(t, moving(func(s *Sample) { s.Now = nil })); keys["bridge"] != nil {
		t.Errorf("without a segment: %v", keys["bridge"])
	}
}

func TestBridge_Columns(t *testing.T) {
	s := moving(func(s *Sample) { s.Now.Consumer.Bridge = fullStream() })
	row, names := s.Row(), strings.Join(Columns(), " ")
	got := map[string]string{}
	for i, name := range Columns() {
		got[name] = row[i]
	}
	for name, want := range map[string]string{"bridgeOutState": "stream-full", "bridgeOutLagMessages": "300", "bridgeOutLagSec": "3.000000", "bridgeInState": "", "bridgeInLagMessages": "", "bridgeInLagSec": ""} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %q, want %q; columns: %s", name, value, want, names)
		}
	}
}

func TestHolder_OfBridge(t *testing.T) {
	for _, c := range []struct {
		side pressure.RoleStats
		want string
	}{
		{pressure.RoleStats{Alive: true, PID: 7, Generation: 1, Bridge: pressure.Bridge{State: pressure.BridgeRunning}}, "bridge, pid 7"},
		{pressure.RoleStats{Alive: true, PID: 7, Generation: 1, Stopped: true, Bridge: pressure.Bridge{State: pressure.BridgeRunning}}, "bridge, pid 7, stopped"},
		{pressure.RoleStats{Alive: true, PID: 7, Generation: 1, Bridge: pressure.Bridge{State: pressure.BridgeStopped}}, "bridge, pid 7"}, // it is about to leave
		{pressure.RoleStats{PID: 7, Generation: 1, State: layout.StateClosed, Bridge: pressure.Bridge{State: pressure.BridgeStopped}}, "bridge, was stopped"},
		{pressure.RoleStats{PID: 7, Generation: 1, State: layout.StateRunning, Bridge: pressure.Bridge{State: pressure.BridgeStopped}}, "bridge, was stopped"}, // killed as it left
		{pressure.RoleStats{PID: 7, Generation: 1, State: layout.StateClosed, Bridge: pressure.Bridge{State: pressure.BridgeFailed}}, "bridge, failed"},
		{pressure.RoleStats{PID: 7, Generation: 1, State: layout.StateClosed, Bridge: pressure.Bridge{State: pressure.BridgeEnded}}, "bridge, ended"},
		{pressure.RoleStats{PID: 7, Generation: 1, State: layout.StateRunning, Bridge: pressure.Bridge{State: pressure.BridgeDied}}, "bridge, died"},
		{pressure.RoleStats{PID: 7, Generation: 1, State: layout.StateRunning}, "died"},
	} {
		if got := Holder(&c.side); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
