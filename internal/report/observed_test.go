package report

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice/layout"
	"sluice/pressure"
)

// An observer says which back-pressure it is, in the words of the README: beside the mode for
// people, and as a key for programs.
func TestObserved_NamesBackPressure(t *testing.T) {
	for _, c := range []struct {
		policy    layout.Policy
		producers uint64
		line, key string
	}{
		{layout.PolicyBlock, 1, ": ring (hard), ", `"backPressure":"hard"`},
		{layout.PolicyDrop, 1, ": ring (drop), ", `"backPressure":"drop"`},
		{layout.PolicyDefault, 0, ": ring, ", `"backPressure":null`},
	} {
		r := fiveSeconds(func(_ *Report, _, s *pressure.Snapshot) {
			s.OnFull, s.Producer.Generation = c.policy, c.producers
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
