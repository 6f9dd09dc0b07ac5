package report

import (
	"fmt"
	"strings"

	"sluice/pressure"
)

// Sentence is a report in one line that stands for itself: for systemctl status, and
// for a journal.
func Sentence(s *pressure.Snapshot, i *pressure.Interval, v *pressure.Verdict) string {
	parts := []string{
		fmt.Sprintf("%s: %s msg/s, %s queued, %.0f %% full", v.Kind, Rate(i.Throughput), Messages(s.Depth()), 100*s.Fill()),
		fmt.Sprintf("blocked: producer %.0f %%, consumer %.0f %%", 100*i.ProducerBlocked, 100*i.ConsumerBlocked),
	}
	if !v.Figures && v.Why != "" {
		parts = append(parts, v.Why)
	}
	return strings.Join(parts, "; ")
}
