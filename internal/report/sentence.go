package report

import (
	"fmt"
	"strings"

	"sluice/internal/format"
	"sluice/pressure"
)

// Sentence is a report in one line that stands for itself: for systemctl status, and
// for a journal.
func Sentence(s *pressure.Snapshot, i *pressure.Interval, v *pressure.Verdict) string {
	parts := []string{
		fmt.Sprintf("%s: %s msg/s, %s queued, %s full", v.Kind, format.Rate(i.Throughput), format.Messages(s.Depth()), format.Percent(s.Fill())),
		fmt.Sprintf("blocked: producer %s, consumer %s", format.Percent(i.ProducerBlocked), format.Percent(i.ConsumerBlocked)),
	}
	if !v.Figures && v.Why != "" {
		parts = append(parts, v.Why)
	}
	return strings.Join(parts, "; ")
}
