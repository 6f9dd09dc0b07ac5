package report

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
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

// What happens once, such as a message, is seen within a second; only a pair that has nothing to do
// is looked at less often.
func TestReporter_IdlePair_FewerSnapshots(t *testing.T) {
	idling := pressure.Snapshot{Geometry: layout.Geometry{Mode: layout.ModeTransfer}, Produced: 7, Consumed: 7}
	idling.Producer = pressure.RoleStats{Alive: true, Running: true, Generation: 1, State: layout.StateRunning}
	idling.Consumer = pressure.RoleStats{Alive: true, Running: true, Generation: 1, Waits: 7, State: layout.StateBlocked}
	if !idle(&idling, &idling) {
		t.Error("nothing happens, and the pair is not idle")
	}
	for what, change := range map[string]func(s *pressure.Snapshot){
		"a message":             func(s *pressure.Snapshot) { s.Produced, s.Consumed = 8, 8 },
		"a queue":               func(s *pressure.Snapshot) { s.Produced = 8 },
		"a dropped message":     func(s *pressure.Snapshot) { s.Dropped++ },
		"a refused send":        func(s *pressure.Snapshot) { s.Refused++ },
		"a wait":                func(s *pressure.Snapshot) { s.Consumer.Waits++ },
		"a stopped producer":    func(s *pressure.Snapshot) { s.Producer.Running, s.Producer.Stopped = false, true },
		"a dead consumer":       func(s *pressure.Snapshot) { s.Consumer.Alive = false },
		"another consumer":      func(s *pressure.Snapshot) { s.Consumer.Generation++ },
		"the end of the stream": func(s *pressure.Snapshot) { s.Producer.State = layout.StateClosed },
	} {
		after := idling
		if change(&after); idle(&idling, &after) {
			t.Errorf("after %s the pair is idle", what)
		}
	}
	r := Reporter{idle: true}
	for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 4 * time.Second} {
		if r.observeEvery = r.untilNext(); r.observeEvery != want || r.usualGap() != want {
			t.Errorf("idle, the next snapshot comes after %v, and %v is usual; want %v", r.observeEvery, r.usualGap(), want)
		}
	}
	r.idle = false
	if next := r.untilNext(); next != time.Second {
		t.Errorf("as soon as something happens the next snapshot comes after %v", next)
	}
}
