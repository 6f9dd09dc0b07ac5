package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// An observer says which back-pressure it is, in the words of the README: beside the mode for
// people, and as a key for programs.
func TestObserved_NamesBackPressure(t *testing.T) {
	for _, c := range []struct {
		policy    layout.Policy
		timeout   time.Duration
		producers uint64
		line, key string
	}{
		{layout.PolicyBlock, 0, 1, ": ring (hard), ", `"backPressure":"hard","blockTimeoutSec":0,`},
		{layout.PolicyDrop, 0, 1, ": ring (drop), ", `"backPressure":"drop","blockTimeoutSec":0,`},
		{layout.PolicyDrop, time.Second / 2, 1, ": ring (drop after 500ms), ", `"backPressure":"drop","blockTimeoutSec":0.5,`},
		{layout.PolicyDefault, 0, 0, ": ring, ", `"backPressure":null`},
	} {
		r := fiveSeconds(func(_ *Report, _, s *pressure.Snapshot) {
			s.OnFull, s.BlockTimeout, s.Producer.Generation = c.policy, c.timeout, c.producers
		})
		var b strings.Builder
		if err := Observed(&b, r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), c.line) {
			t.Errorf("no %q in\n%s", c.line, b.String())
		}
		if text, err := json.Marshal(&r.Sample); err != nil || !strings.Contains(string(text), c.key) {
			t.Errorf("no %s in %s, %v", c.key, text, err)
		}
	}
}

// How much a ring may hold is said in what it is made of.
func TestReport_OfTheSlots(t *testing.T) {
	for _, c := range []struct {
		g                    layout.Geometry
		is, use, share, made string
	}{
		{layout.Geometry{Capacity: 1 << 20}, ": ring (hard), 1 MiB, ", "320 B of 1 MiB in use", " (0 % of 1 MiB)", ""},
		{layout.Geometry{Capacity: 1 << 20, Slots: 8}, ": ring (hard), 8 slots and 1 MiB, ", "320 B of 8 slots and 1 MiB in use", " (62 % of 8 slots and 1 MiB)", ""},
		{layout.Geometry{Capacity: 1 << 19, SlotSize: 64}, ": ring (hard), 8,192 slots of 64 B, ", "5 of 8,192 slots of 64 B in use", " (0 % of 8,192 slots of 64 B)", ""},
		{layout.Geometry{Capacity: 512, SlotSize: 64, Slots: 5, Fingerprint: 0xab}, ": ring (hard), 5 slots of 64 B, ", "5 of 5 slots of 64 B in use", " (100 % of 5 slots of 64 B)", "type       fingerprint 0xab of what the slots hold\n"},
		{layout.Geometry{Capacity: 1 << 20, SlotSize: 1 << 20}, ": ring (hard), 1 slot of 1 MiB, ", "1 of 1 slot of 1 MiB in use", "", ""},
	} {
		c.g.Mode = layout.ModeRing
		r := fiveSeconds(func(_ *Report, b, s *pressure.Snapshot) { b.Geometry, s.Geometry, s.QueueBytes = c.g, c.g, 320 })
		var b strings.Builder
		if err := Observed(&b, r); err != nil {
			t.Fatal(err)
		}
		if use := QueueUse(r.Now); !strings.Contains(b.String(), c.is) || !strings.Contains(b.String(), c.made) || c.made == "" && strings.Contains(b.String(), "fingerprint") || use != c.use {
			t.Errorf("%+v: %q in use, want %q; in\n%s", c.g, use, c.use, b.String())
		}
		if final := printed(t, r); !strings.Contains(final, c.share) {
			t.Errorf("no %q in\n%s", c.share, final)
		}
	}
}
