package exporter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/layout"
	"sluice/pressure"
)

func TestRemoved_CountsHowItEnded(t *testing.T) {
	r := NewRemoved()
	closed := func(end layout.End) pressure.Snapshot {
		return pressure.Snapshot{Geometry: transfer, Produced: 5, Consumed: 5, Producer: pressure.RoleStats{State: layout.StateClosed, End: end}}
	}
	counted := map[string]int{}
	want := func(end string, s pressure.Snapshot) {
		t.Helper()
		r.Add(&s)
		counted[end]++
		var text strings.Builder
		fmt.Fprint(&text, "# HELP sluice_removed_segments_total Segments that were removed since this gauge was started, by how their last stream had ended: complete, stopped (before its end), failed, disconnected, died (with its producer), or unread (messages were in the queue).\n# TYPE sluice_removed_segments_total counter\n")
		for _, e := range []string{"complete", "died", "disconnected", "failed", "stopped", "unread"} {
			fmt.Fprintf(&text, "sluice_removed_segments_total{end=%q} %d\n", e, counted[e])
		}
		if err := testutil.CollectAndCompare(r.total, strings.NewReader(text.String())); err != nil {
			t.Error(err)
		}
	}
	want("complete", closed(layout.EndComplete))
	want("complete", closed(layout.EndNone)) // in good order, and it said no more
	want("stopped", closed(layout.EndStopped))
	want("failed", closed(layout.EndFailed))
	want("disconnected", closed(layout.EndDisconnected))
	killed := closed(layout.EndNone)
	killed.Producer.State = layout.StateBlocked
	want("died", killed)
	killed.Consumed = 4
	want("unread", killed)
	want("complete", closed(layout.End(77)))
}
