package webui

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/observe/monitor"
	"sluice/layout"
	"sluice/shm"
)

var names atomic.Int64

// segment is a new ring that the test holds as its producer, with the page of it
// alone.
func segment(t *testing.T) (*Page, string, *layout.Header) {
	t.Helper()
	name := fmt.Sprintf("pagetest.%d.%d", os.Getpid(), names.Add(1))
	g, err := layout.RingGeometry(1<<20, 64, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	s, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	p := newPage(monitor.New([]string{name}, historyLength))
	t.Cleanup(func() {
		p.monitor.Close()
		s.Leave(func() bool { return true })
		os.Remove(shm.Path(name))
	})
	return p, name, s.Header()
}

// answer is /live.json, with the report taken apart.
type answer struct {
	Points int
	Pairs  []struct {
		Name, Error        string
		Report             map[string]any
		HeldSec            float64
		Severity           string
		ProducedPerSec     float64
		Scheduled          bool
		Waiting            uint64
		Producer, Consumer struct {
			Alive   bool
			Where   string
			Blocked float64
		}
		History struct {
			Throughput, Depth, ProducerBlocked, ConsumerBlocked []float64
		}
	}
}

func getLive(t *testing.T, p *Page) (a answer) {
	t.Helper()
	if err := json.Unmarshal(ask(p, "GET", "localhost", "/live.json").Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLive_Pair(t *testing.T) {
	p, name, h := segment(t)
	h.ProducerStats.PID.Store(4711)
	h.ProducerStats.Generation.Store(1)
	p.poll()
	if a := getLive(t, p); len(a.Pairs) != 1 || a.Pairs[0].Name != name || a.Pairs[0].History.Throughput == nil || len(a.Pairs[0].History.Throughput) != 0 {
		t.Fatalf("after one look: %+v", a)
	}
	time.Sleep(20 * time.Millisecond)
	h.Producer.Count.Store(64)
	h.Producer.Index.Store(64 * 16)
	h.Producer.NextIndex.Store(64 * 16)
	p.poll()
	time.Sleep(20 * time.Millisecond)
	h.Consumer.Count.Store(32)
	h.Consumer.Index.Store(32 * 16)
	h.Consumer.NextIndex.Store(32 * 16)
	p.poll()

	a := getLive(t, p)
	if len(a.Pairs) != 1 || a.Points != historyLength {
		t.Fatalf("%+v", a)
	}
	got := a.Pairs[0]
	if r := got.Report; r["name"] != name || r["role"] != "observer" || r["verdict"] != "no-consumer" || r["queueDepth"] != 32.0 || r["slots"] != 64.0 || got.Severity != "bad" {
		t.Errorf("report %v", r)
	}
	if got.ProducedPerSec <= 0 || !got.Producer.Alive || got.Producer.Where != "pid 4711" || got.Consumer.Alive || got.Consumer.Where != "none" {
		t.Errorf("%+v", got)
	}
	if d := got.History.Depth; len(d) != 2 || d[0] != 64 || d[1] != 32 {
		t.Errorf("depths %v", d)
	}
	if r := got.History.Throughput; len(r) != 2 || r[0] != 0 || r[1] <= 0 {
		t.Errorf("rates %v", r)
	}
}

// What is due and waits in front of a live producer is told apart from what was never sent.
func TestLive_Schedule(t *testing.T) {
	p, _, h := segment(t)
	h.ProducerStats.Unsent.Store(5) // of an earlier schedule
	p.poll()
	if got := getLive(t, p).Pairs[0]; got.Scheduled || got.Report["response"] != nil || got.Report["unsentCount"] != 5.0 {
		t.Errorf("without a schedule: %+v", got)
	}
	endpoint.Begin(&h.ProducerStats)
	endpoint.BeginSchedule(h, 1, 1000)
	endpoint.NoteDue(h, 7)
	endpoint.AddTimes(&h.Response, endpoint.NoTime, 1000, 3)
	time.Sleep(time.Millisecond)
	p.poll()
	got := getLive(t, p).Pairs[0]
	if response, _ := got.Report["response"].(map[string]any); !got.Scheduled || got.Waiting != 7 || got.Report["unsentCount"] != 12.0 || response["max"] != 1000.0 {
		t.Errorf("%+v", got)
	}
}

// The share of the time asleep of each side is its own, and of the last second.
func TestLive_BlockedShareOfEachSide(t *testing.T) {
	p, _, h := segment(t)
	p.poll()
	time.Sleep(20 * time.Millisecond)
	h.ProducerStats.Blocked.Store(uint64(time.Hour)) // far more than there was: all of it
	p.poll()
	got := getLive(t, p).Pairs[0]
	if got.Producer.Blocked != 1 || got.Consumer.Blocked != 0 || got.History.ProducerBlocked[0] != 1 || got.History.ConsumerBlocked[0] != 0 {
		t.Errorf("%+v", got)
	}
}

func TestLive_History_FiveMinutes(t *testing.T) {
	p, _, _ := segment(t)
	for range historyLength + 20 {
		p.poll()
	}
	if got := getLive(t, p).Pairs[0].History; len(got.Depth) != historyLength || len(got.Throughput) != historyLength {
		t.Errorf("%d points", len(got.Depth))
	}
}

func TestLive_DamagedSegment_Reason(t *testing.T) {
	p, name, _ := segment(t)
	p.poll()
	if err := os.Truncate(shm.Path(name), 0); err != nil {
		t.Fatal(err)
	}
	p.poll()
	if a := getLive(t, p); len(a.Pairs) != 1 || a.Pairs[0].Name != name || a.Pairs[0].Error == "" || a.Pairs[0].Report != nil {
		t.Errorf("%+v", a)
	}
}

func TestLive_PairGone_Omitted(t *testing.T) {
	p, name, _ := segment(t)
	p.poll()
	os.Remove(shm.Path(name))
	p.poll()
	if a := getLive(t, p); len(a.Pairs) != 0 {
		t.Errorf("%+v", a)
	}
}

// Whatever stands in the header, there is an answer, and it is JSON.
func TestLive_RandomHeaders_NeverFails(t *testing.T) {
	p, _, h := segment(t)
	for range 200 {
		for _, f := range []*layout.Uint64{
			&h.Identity.CreatedAt, &h.Producer.Count, &h.Producer.Index, &h.Producer.Bytes, &h.Consumer.Count, &h.Consumer.Index,
			&h.Consumer.Bytes, &h.ProducerStats.Blocked, &h.ConsumerStats.Blocked, &h.ProducerStats.ProgressAt, &h.ConsumerStats.ProgressAt,
			&h.ProducerStats.State, &h.ConsumerStats.State, &h.ProducerStats.PID, &h.ProducerStats.Generation, &h.Latency.Max,
			&h.Latency.Buckets[rand.IntN(len(h.Latency.Buckets))], &h.ProducerStats.HighWater, &h.ProducerStats.Memory,
		} {
			f.Store(rand.Uint64() >> rand.IntN(64))
		}
		p.poll()
		if a := getLive(t, p); len(a.Pairs) != 1 || a.Pairs[0].Error != "" {
			t.Fatalf("%+v", a)
		}
	}
}

// It is looked once for all who ask, and they may ask at any time.
func TestLive_ConcurrentRequests(t *testing.T) {
	p, _, _ := segment(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				if text := ask(p, "GET", "localhost", "/live.json").Body.Bytes(); !json.Valid(text) {
					t.Errorf("%s", text)
				}
			}
		})
	}
	for range 100 {
		p.poll()
	}
	all.Wait()
}
