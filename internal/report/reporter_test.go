package report

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/layout"
	"sluice/shm"
)

// The final line knows what was seen before, and tells this run from what was there.
func TestReporter_Final(t *testing.T) {
	name := fmt.Sprintf("reporttest.%d", os.Getpid())
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	seg, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	defer seg.Leave(func() bool { return true })
	produced, consumed := &seg.Header().Producer.Count, &seg.Header().Consumer.Count
	produced.Store(7)
	var b strings.Builder
	r := Start(Options{Role: layout.Producer, Name: name, Mode: layout.ModeRing, JSON: true, Out: &b, Total: -1})
	if err := r.Attach(seg, func() uint64 { return 0 }); err != nil {
		t.Fatal(err)
	}
	produced.Store(20)
	r.observe()
	consumed.Store(18)
	r.EndingAs(layout.EndStopped)
	r.Finish()
	var f struct {
		ProducedCount, QueueDepth, HighWater uint64
		StreamEnd                            string
		Run                                  struct{ WaitingCount, ProducedCount, ConsumedCount uint64 }
	}
	if err := json.Unmarshal([]byte(b.String()), &f); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if f.ProducedCount != 20 || f.QueueDepth != 2 || f.HighWater != 20 || f.StreamEnd != "stopped" || f.Run.WaitingCount != 7 || f.Run.ProducedCount != 13 || f.Run.ConsumedCount != 18 {
		t.Errorf("%s", b.String())
	}
}
