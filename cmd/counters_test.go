package cmd_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// counters are totals that never fall while a segment is the same one, by their keys
// in JSON or, where JSON has none, in the header.
type counters map[string]float64

// floor is, for each counter, the largest value that a finished reading has shown.
type floor struct {
	mu       sync.Mutex
	largest  counters
	fallen   map[string]bool // which are told once
	readings int
}

// check takes one reading of several observers. It must not be below a reading that
// was complete before it began; of two that overlap, either may be the larger.
func (f *floor) check(t *testing.T, observer string, read func() counters) {
	f.mu.Lock()
	before := counters{}
	for key, v := range f.largest {
		before[key] = v
	}
	f.mu.Unlock()
	now := read()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readings++
	for key, v := range now {
		if v < before[key] && !f.fallen[key] {
			f.fallen[key] = true
			t.Errorf("%s, reading %d: %s was %v and is %v", observer, f.readings, key, before[key], v)
		}
		f.largest[key] = max(f.largest[key], v)
	}
}

// observed is what another program sees of a segment with pressure.Observe.
func observed(s *pressure.Snapshot) counters {
	// As JSON rounds them.
	seconds := func(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }
	return counters{
		"producedCount": float64(s.Produced), "consumedCount": float64(s.Consumed),
		"producedBytes": float64(s.ProducedBytes), "consumedBytes": float64(s.ConsumedBytes),
		"producerWaits": float64(s.Producer.Waits), "consumerWaits": float64(s.Consumer.Waits),
		"producerWaitSec": seconds(s.Producer.Blocked), "consumerWaitSec": seconds(s.Consumer.Blocked),
		"producerSpins": float64(s.Producer.Spins), "consumerSpins": float64(s.Consumer.Spins),
		"producerWakes": float64(s.Producer.WakesSent), "consumerWakes": float64(s.Consumer.WakesSent),
		"producerGeneration": float64(s.Producer.Generation), "consumerGeneration": float64(s.Consumer.Generation),
		"refusedCount": float64(s.Refused), "droppedCount": float64(s.Dropped), "lostCount": float64(s.Lost),
		"highWater": float64(s.HighWater), "latency count": float64(s.Latency.Count), "latency max": float64(s.Latency.Max),
		"offeredCount": float64(s.Offered()), "response count": float64(s.Response.Count), "lateness count": float64(s.Lateness.Count),
	}
}

// printed is what gauge stat --json shows of them.
func printed(t *testing.T, name string) counters {
	out, err := exec.Command(testenv.Command("gauge"), "stat", "--json", "--name", name).Output()
	if err != nil {
		t.Errorf("gauge stat: %v", err)
		return nil
	}
	var all map[string]any
	if err := json.Unmarshal(out, &all); err != nil {
		t.Errorf("gauge stat: %v", err)
		return nil
	}
	shown := counters{}
	for _, key := range []string{
		"producedCount", "consumedCount", "producerWaits", "consumerWaits", "producerWaitSec", "consumerWaitSec",
		"producerSpins", "consumerSpins", "refusedCount", "droppedCount", "lostCount", "offeredCount",
	} { // not highWater, which may be what this one gauge has seen, before the producer noted as much
		if v, ok := all[key].(float64); ok {
			shown[key] = v
		}
	}
	return shown
}

// Rates of counters, in Prometheus and everywhere, take a counter that falls for one
// that began anew. Kills are where a side cannot finish what it counts.
// SLUICE_TEST_KILLS is how many there are; 200 take about a minute.
func TestCounters_NeverFall_SidesKilled(t *testing.T) {
	t.Parallel()
	kills := 18
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TEST_KILLS")); err == nil {
		kills = n
	}
	// Bursts that fill the queue, and pauses that empty it, so that both sides sleep.
	paced := []string{"--rate", "3000", "--burst", "30"}
	forms := map[string][]string{
		"ring":               append([]string{"--slots", "8"}, paced...),
		"ring with room":     {"--rate", "3000", "--burst", "300"},
		"ring that drops":    append([]string{"--slots", "8", "--on-full", "drop"}, paced...),
		"ring, open loop":    append([]string{"--slots", "8", "--open-loop"}, paced...),
		"transfer":           append([]string{"--mode", "transfer"}, paced...),
		"transfer, recycled": append([]string{"--mode", "transfer", "--recycle", "--buffer", "4KiB"}, paced...),
		"credit, open loop":  append([]string{"--mode", "transfer", "--limit", "64KiB", "--on-limit", "block", "--open-loop"}, paced...),
	}
	for form, flags := range forms {
		t.Run(form, func(t *testing.T) {
			name := testenv.SegmentName(t)
			sides := map[layout.Role]func() *testenv.Process{
				layout.Producer: func() *testenv.Process {
					return testenv.Start(t, "producer", append([]string{"--name", name, "--report", "0"}, flags...)...)
				},
				layout.Consumer: func() *testenv.Process {
					return testenv.Start(t, "consumer", "--name", name, "--report", "0", "--work", "200us", "--follow")
				},
			}
			holders := func(r layout.Role) uint64 {
				side := &testenv.Header(name).ProducerStats
				if r == layout.Consumer {
					side = &testenv.Header(name).ConsumerStats
				}
				return side.Generation.Load()
			}
			running := map[layout.Role]*testenv.Process{layout.Producer: sides[layout.Producer](), layout.Consumer: sides[layout.Consumer]()}
			testenv.EventuallyConsumed(t, name, 100)

			view, err := shm.OpenView(name)
			if err != nil {
				t.Fatal(err)
			}
			defer view.Close()
			seen := &floor{largest: counters{}, fallen: map[string]bool{}}
			var observers sync.WaitGroup
			done := make(chan struct{})
			observe := func(observer string, read func() counters) {
				observers.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
							seen.check(t, observer, read)
							time.Sleep(100 * time.Microsecond) // the sides need a processor, too
						}
					}
				})
			}
			observe("pressure.Observe", func() counters {
				s, err := pressure.Observe(view)
				if err != nil {
					t.Error(err)
				}
				return observed(&s)
			})
			observe("gauge stat", func() counters { return printed(t, name) })

			for range max(1, kills/len(forms)) {
				role := layout.Role(rand.IntN(2))
				before := holders(role)
				time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
				running[role].Kill()
				time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
				running[role] = sides[role]()
				testenv.EventuallyHeader(t, name, "the next "+role.String(), func(*layout.Header) bool { return holders(role) > before })
				if t.Failed() {
					break
				}
			}
			testenv.EventuallyConsumed(t, name, 100)
			close(done)
			observers.Wait()
			if view.Gone() {
				t.Error("the segment was replaced")
			}
			for _, key := range []string{"producedCount", "consumedCount"} {
				if seen.largest[key] == 0 {
					t.Errorf("%s is 0 after %d readings", key, seen.readings)
				}
			}
			t.Logf("%d readings; at the end %v", seen.readings, seen.largest)
			for _, p := range running {
				p.Kill()
			}
		})
	}
}
