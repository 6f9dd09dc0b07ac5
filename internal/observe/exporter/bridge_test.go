package exporter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/pressure"
)

// noteFull writes what a bridge in the role does whose stream is full.
func noteFull(h *layout.Header, role layout.Role) {
	l, now := h.Link(role), monotonic.Now()
	l.State.Store(uint64(layout.LinkFull))
	l.StateAt.Store(now)
	l.NotedAt.Store(now)
	l.InFlight.Store(4096)
	l.RoundTrip.Store(uint64(2 * time.Millisecond))
	l.StreamBytes.Store(1000)
	l.StreamLimit.Store(1024)
	l.PeerSeenAt.Store(now)
	l.Lag.Store(300)
	l.LagBytes.Store(2400)
	l.LagTime.Store(uint64(3 * time.Second))
	h.Stats(role).Generation.Store(1)
	l.Holder.Store(1)
}

func TestCollector_Bridge_Series(t *testing.T) {
	name, h := segment(t, ring(t))
	noteFull(h, layout.Producer) // which the test holds
	noteFull(h, layout.Consumer) // which nobody does
	var want strings.Builder
	var metrics []string
	gauge := func(series, value string) {
		metrics = append(metrics, series)
		fmt.Fprintf(&want, "# HELP %[1]s HELP\n# TYPE %[1]s gauge\n%[1]s{mode=\"ring\",name=\"NAME\"} %[2]s\n", series, value)
	}
	for _, of := range []struct {
		direction string
		state     pressure.BridgeState
	}{{"in", pressure.BridgeFull}, {"out", pressure.BridgeDied}} {
		prefix := "sluice_bridge_" + of.direction + "_"
		gauge(prefix+"lag_messages", "300")
		gauge(prefix+"lag_bytes", "2400")
		gauge(prefix+"lag_seconds", "3")
		gauge(prefix+"stream_bytes", "1000")
		gauge(prefix+"stream_limit_bytes", "1024")
		metrics = append(metrics, prefix+"state")
		fmt.Fprintf(&want, "# HELP %[1]sstate HELP\n# TYPE %[1]sstate gauge\n", prefix)
		for _, s := range pressure.BridgeStates() {
			x := 0
			if s == of.state {
				x = 1
			}
			fmt.Fprintf(&want, "%sstate{mode=\"ring\",name=\"NAME\",state=\"%s\"} %d\n", prefix, s, x)
		}
	}
	gauge("sluice_bridge_out_in_flight_bytes", "4096")
	gauge("sluice_bridge_out_round_trip_seconds", "0.002")
	answers(t, of(name), name, want.String(), metrics...)
}

func TestCollector_NoBridge_NoSeries(t *testing.T) {
	name, h := segment(t, ring(t))
	store(h)
	noteFull(h, layout.Producer)
	h.ProducerStats.Generation.Store(2) // a producer that is no bridge has followed one
	var all []string
	for _, s := range allSeries {
		if strings.HasPrefix(s.Series, "sluice_bridge_") {
			all = append(all, s.Series)
		}
	}
	if len(all) != 18 {
		t.Fatalf("%d series of bridges: %q", len(all), all)
	}
	answers(t, of(name), name, "", all...)
}

// Whatever is in the header, the states are those that there are.
func TestCollector_Bridge_HostileLink(t *testing.T) {
	name, h := segment(t, ring(t))
	for range 100 {
		scribble(t, name, rand.Uint64)
		for _, role := range []layout.Role{layout.Producer, layout.Consumer} {
			h.Link(role).Holder.Store(h.Stats(role).Generation.Load())
		}
		families, err := registry(t, of(name)).Gather()
		if err != nil {
			t.Fatal(err)
		}
		states := 0
		for _, f := range families {
			if strings.HasSuffix(f.GetName(), "_state") {
				states += len(f.GetMetric())
			}
		}
		if states != 2*len(pressure.BridgeStates()) {
			t.Fatalf("%d series of states", states)
		}
	}
}
