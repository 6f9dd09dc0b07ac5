package exporter

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/internal/flow"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func TestCollector_Ring_AllSeries(t *testing.T) {
	name, h := segment(t, ring(t))
	store(h)
	var want strings.Builder
	var metrics []string
	for _, m := range []struct{ name, kind, value string }{
		{"capacity_bytes", "gauge", "1.048576e+06"},
		{"consumed_bytes_total", "counter", "8000"},
		{"consumed_messages_total", "counter", "1000"},
		{"consumer_alive", "gauge", "0"},
		{"consumer_died", "", ""}, // there was none
		{"consumer_blocked_seconds_total", "counter", "0.25"},
		{"consumer_joins_total", "counter", "0"},
		{"consumer_spins_total", "counter", "10"},
		{"consumer_spurious_wakes_total", "counter", "12"},
		{"consumer_waits_total", "counter", "9"},
		{"consumer_wakes_total", "counter", "11"},
		{"created_timestamp_seconds", "gauge", "1.7000000005e+09"},
		{"dropped_messages_total", "counter", "7"},
		{"fill_ratio", "gauge", "0.203125"}, // 13 of 64 slots, which are tighter than 2 KiB of 1 MiB
		{"high_water_messages", "gauge", "64"},
		{"incomplete_streams_total", "counter", "2"},
		{"limit_in_seconds", "", ""}, // nobody has looked
		{"lost_messages_total", "counter", "0"},
		{"not_sent_messages_total", "counter", "29"},  // of no schedule in force
		{"offered_messages_total", "counter", "1050"}, // 1013 produced, 7 dropped, 1 given up, 29 unsent
		{"memory_bytes", "gauge", "1.114112e+06"},
		{"missed_messages_total", "counter", "0"},
		{"produced_bytes_total", "counter", "8104"},
		{"produced_messages_total", "counter", "1013"},
		{"producer_alive", "gauge", "1"},
		{"producer_died", "", ""}, // nor one that has said so
		{"producer_blocked_seconds_total", "counter", "1.5"},
		{"producer_joins_total", "counter", "0"},
		{"producer_spins_total", "counter", "4"},
		{"producer_spurious_wakes_total", "counter", "6"},
		{"producer_waits_total", "counter", "3"},
		{"producer_wakes_total", "counter", "5"},
		{"queue_bytes", "gauge", "2048"},
		{"queue_messages", "gauge", "13"},
		{"refused_messages_total", "counter", "1"},
		{"refused_total", "counter", "8"},
		{"slot_bytes", "gauge", "0"}, // records
		{"slots", "gauge", "64"},
		{"unsent_messages", "gauge", "29"},
		{"descriptors", "", ""}, {"descriptors_max", "", ""}, {"limit_bytes", "", ""}, {"limit_reached", "", ""},
	} {
		full := "sluice_" + m.name
		metrics = append(metrics, full)
		if m.value != "" { // else it is transfer's alone
			fmt.Fprintf(&want, "# HELP %[1]s HELP\n# TYPE %[1]s %[2]s\n%[1]s{mode=\"ring\",name=\"NAME\"} %[3]s\n", full, m.kind, m.value)
		}
	}
	answers(t, of(name), name, want.String(), metrics...)
	if got := len(allSeries); got != len(metrics)+4+7+18 { // the times, the verdict, the place and bridges have tests of their own
		t.Errorf("%d series are exposed, %d are tested", got, len(metrics))
	}
}

func TestCollector_Transfer_Series(t *testing.T) {
	name, h := segment(t, transfer)
	h.Producer.Count.Store(120)
	h.Producer.Index.Store(9000)
	h.Producer.NextIndex.Store(9000)
	h.Consumer.Count.Store(100)
	h.Consumer.Index.Store(1000)
	h.Consumer.NextIndex.Store(1000)
	h.ConsumerStats.Lost.Store(10)
	h.ConsumerStats.Consumed.Store(90)
	h.ProducerStats.Limit.Store(1 << 30)
	h.ProducerStats.Descriptors.Store(20)
	h.ProducerStats.MaxDescriptors.Store(1024)
	answers(t, of(name), name, `
# HELP sluice_consumed_messages_total HELP
# TYPE sluice_consumed_messages_total counter
sluice_consumed_messages_total{mode="transfer",name="NAME"} 90
# HELP sluice_descriptors HELP
# TYPE sluice_descriptors gauge
sluice_descriptors{mode="transfer",name="NAME"} 20
# HELP sluice_descriptors_max HELP
# TYPE sluice_descriptors_max gauge
sluice_descriptors_max{mode="transfer",name="NAME"} 1024
# HELP sluice_limit_bytes HELP
# TYPE sluice_limit_bytes gauge
sluice_limit_bytes{mode="transfer",name="NAME"} 1.073741824e+09
# HELP sluice_lost_messages_total HELP
# TYPE sluice_lost_messages_total counter
sluice_lost_messages_total{mode="transfer",name="NAME"} 10
# HELP sluice_queue_bytes HELP
# TYPE sluice_queue_bytes gauge
sluice_queue_bytes{mode="transfer",name="NAME"} 8000
# HELP sluice_queue_messages HELP
# TYPE sluice_queue_messages gauge
sluice_queue_messages{mode="transfer",name="NAME"} 20
`, "sluice_consumed_messages_total", "sluice_descriptors", "sluice_descriptors_max", "sluice_limit_bytes", "sluice_lost_messages_total",
		"sluice_queue_bytes", "sluice_queue_messages", "sluice_capacity_bytes", "sluice_slots", "sluice_slot_bytes")
}

// unreadableSegments is the answer about files that cannot be read.
func unreadableSegments(n int) string {
	return fmt.Sprintf(`
# HELP sluice_unreadable_segments Files with the name of a segment that are none, are damaged, or may not be read; gauge ls names them and says why.
# TYPE sluice_unreadable_segments gauge
sluice_unreadable_segments %d
`, n)
}

const oneSlots = `
# HELP sluice_slots HELP
# TYPE sluice_slots gauge
sluice_slots{mode="ring",name="NAME"} 64
`

func TestCollector_BadSegment_CountedOnly(t *testing.T) {
	good, _ := segment(t, ring(t))
	corrupt, h := segment(t, ring(t))
	h.Identity.Capacity.Store(12345)
	short, _ := segment(t, ring(t))
	if err := os.Truncate(shm.Path(short), 100); err != nil {
		t.Fatal(err)
	}
	empty, link := good+".empty", good+".link"
	if err := errors.Join(os.WriteFile(shm.Path(empty), nil, 0o600), os.Symlink(shm.Path(good), shm.Path(link))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(shm.Path(empty)); os.Remove(shm.Path(link)) })

	c := of(corrupt, short, empty, link, good, "there-is-none-of-this-name")
	answers(t, c, good, oneSlots+unreadableSegments(4), "sluice_slots", "sluice_unreadable_segments")
}

func TestCollector_SegmentGone_Omitted(t *testing.T) {
	name, _ := segment(t, ring(t))
	c := of(name)
	answers(t, c, name, oneSlots+unreadableSegments(0), "sluice_slots", "sluice_unreadable_segments")
	if err := os.Remove(shm.Path(name)); err != nil {
		t.Fatal(err)
	}
	families, err := registry(t, c).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "name" {
					t.Errorf("%s has %v", f.GetName(), m)
				}
			}
		}
	}
}

func TestCollector_Verdict_StateSet(t *testing.T) {
	name, _ := segment(t, ring(t))
	c := of(name)
	answers(t, c, name, "", "sluice_verdict") // nobody has looked long enough
	c.observed = func(n string) (Observed, bool) {
		return Observed{Verdict: pressure.Verdict{Kind: pressure.Stalled}}, n == name
	}
	want := "# HELP sluice_verdict HELP\n# TYPE sluice_verdict gauge\n"
	for _, k := range pressure.Kinds() {
		n := 0
		if k == pressure.Stalled {
			n = 1
		}
		want += fmt.Sprintf("sluice_verdict{mode=\"ring\",name=\"NAME\",verdict=%q} %d\n", k, n)
	}
	answers(t, c, name, want, "sluice_verdict")
}

// How long it takes until a queue is full is part of the verdict, and there is no series of it
// while nothing grows.
func TestCollector_LimitIn_OnlyWhileGrowing(t *testing.T) {
	name, _ := segment(t, transfer)
	c := of(name)
	fullIn := time.Duration(0)
	c.observed = func(n string) (Observed, bool) {
		return Observed{Verdict: pressure.Verdict{Kind: pressure.Growing, Figures: pressure.Figures{FullIn: fullIn}}}, n == name
	}
	answers(t, c, name, "", "sluice_limit_in_seconds")
	fullIn = 90 * time.Second
	answers(t, c, name, "# HELP sluice_limit_in_seconds HELP\n# TYPE sluice_limit_in_seconds gauge\nsluice_limit_in_seconds{mode=\"transfer\",name=\"NAME\"} 90\n", "sluice_limit_in_seconds")
}

// A side that has ended in good order has not died, nor has one whose successor is there.
func TestCollector_Died(t *testing.T) {
	name, h := segment(t, ring(t)) // with a live producer
	h.ProducerStats.Generation.Store(3)
	died := func(role string, n int) string {
		return fmt.Sprintf("# HELP sluice_%[1]s_died HELP\n# TYPE sluice_%[1]s_died gauge\nsluice_%[1]s_died{mode=\"ring\",name=\"NAME\"} %[2]d\n", role, n)
	}
	both := []string{"sluice_consumer_died", "sluice_producer_died"}
	answers(t, of(name), name, died("producer", 0), both...)
	h.ConsumerStats.Generation.Store(1)
	h.ConsumerStats.State.Store(uint64(layout.StateRunning))
	answers(t, of(name), name, died("consumer", 1)+died("producer", 0), both...)
	h.ConsumerStats.State.Store(uint64(layout.StateClosed))
	answers(t, of(name), name, died("consumer", 0)+died("producer", 0), both...)
}

// The series about groups have the name of the segment as their label, and nothing of processes:
// one of each for a segment, whatever is in the others.
func TestCollector_Place_OneSeriesEach(t *testing.T) {
	name, _ := segment(t, ring(t))
	c := of(name)
	metrics := []string{"sluice_fan_in_segments", "sluice_fan_in_message_share_ratio", "sluice_fan_in_byte_share_ratio",
		"sluice_fan_out_segments", "sluice_fan_out_message_share_ratio", "sluice_fan_out_byte_share_ratio", "sluice_holds_up_segments"}
	answers(t, c, name, "", metrics...) // nobody has looked
	group := func(kind flow.Kind, share float64) *flow.Group {
		return &flow.Group{Kind: kind, Process: flow.Process{PID: 4711, Namespace: 1}, Members: []flow.Member{
			{Name: name, Messages: share, Bytes: share / 2, MessagesKnown: true, BytesKnown: kind == flow.FanIn}, {Name: "other"}, {Name: "third"},
		}}
	}
	place := &flow.Place{FanIn: group(flow.FanIn, 0.75), FanOut: group(flow.FanOut, 0.5), HoldsUp: []string{"other", name}}
	c.observed = func(n string) (Observed, bool) { return Observed{Place: place}, n == name }
	var want strings.Builder
	for _, m := range []struct{ name, value string }{
		{"fan_in_byte_share_ratio", "0.375"}, {"fan_in_message_share_ratio", "0.75"}, {"fan_in_segments", "3"},
		{"fan_out_message_share_ratio", "0.5"}, {"fan_out_segments", "3"}, {"holds_up_segments", "2"},
	} {
		fmt.Fprintf(&want, "# HELP sluice_%[1]s HELP\n# TYPE sluice_%[1]s gauge\nsluice_%[1]s{mode=\"ring\",name=\"NAME\"} %[2]s\n", m.name, m.value)
	}
	answers(t, c, name, want.String(), metrics...)
}

// Without a bound there is no share of it: a series that says 0 would be made up.
func TestCollector_Unknown_NoSeries(t *testing.T) {
	name, h := segment(t, transfer)
	answers(t, of(name), name, "", "sluice_fill_ratio")
	h.ProducerStats.Limit.Store(1 << 20)
	answers(t, of(name), name, "# HELP sluice_fill_ratio HELP\n# TYPE sluice_fill_ratio gauge\nsluice_fill_ratio{mode=\"transfer\",name=\"NAME\"} 0\n", "sluice_fill_ratio")
}

func TestCollector_LimitReached(t *testing.T) {
	name, h := segment(t, transfer)
	reached := func(n int) string {
		return fmt.Sprintf(`
# HELP sluice_limit_reached HELP
# TYPE sluice_limit_reached gauge
sluice_limit_reached{mode="transfer",name="NAME"} %d
`, n)
	}
	h.ProducerStats.Limit.Store(1 << 20)
	h.Producer.Count.Store(255)
	h.Producer.Index.Store(1<<20 - 100)
	answers(t, of(name), name, reached(0), "sluice_limit_reached")
	h.ProducerStats.RefuseReason.Store(uint64(layout.RefuseMemoryLimit))
	answers(t, of(name), name, reached(1), "sluice_limit_reached")
}

func TestCollector_BuildInfo(t *testing.T) {
	want := fmt.Sprintf(`
# HELP sluice_build_info 1, with the version of this gauge, its commit, the Go that built it, and the layout of segments that it reads.
# TYPE sluice_build_info gauge
sluice_build_info{commit="unknown",goversion=%q,layout="%d",version="(devel)"} 1
`, runtime.Version(), layout.Version) // go test notes no commit
	answers(t, of(), "", want, "sluice_build_info")
}

func TestCollector_OmittedSegments_Counted(t *testing.T) {
	c := of()
	c.list = func() ([]string, int, error) { return nil, 19_744, nil }
	answers(t, c, "", `
# HELP sluice_omitted_segments Segments that are not read because there are more than 256; those of the user that gauge runs as come first.
# TYPE sluice_omitted_segments gauge
sluice_omitted_segments 19744
`, "sluice_omitted_segments")
}

// The series that are not of a segment are in the document by hand.
func TestDocument_OtherSeries(t *testing.T) {
	page, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, desc := range []*prometheus.Desc{build, unreadable, omittedSegments, NewRemoved().total.WithLabelValues("complete").Desc()} {
		parts := regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)"`).FindStringSubmatch(desc.String())
		if want := fmt.Sprintf("| `%s` | %s |", parts[1], parts[2]); !strings.Contains(string(page), want) {
			t.Errorf("docs/metrics.md lacks %s", want)
		}
	}
}

// Whatever a process writes into its header, a scrape succeeds, and every value is a
// number.
func TestCollector_RandomHeaders_NeverFails(t *testing.T) {
	fill := map[string]func() uint64{
		"ones":   func() uint64 { return math.MaxUint64 },
		"sign":   func() uint64 { return 1 << 63 },
		"random": rand.Uint64,
		"huge":   func() uint64 { return math.MaxUint64 - rand.Uint64N(1000) },
	}
	for what, value := range fill {
		for _, g := range []layout.Geometry{ring(t), transfer} {
			t.Run(what+" "+g.Mode.String(), func(t *testing.T) {
				name, _ := segment(t, g)
				scribble(t, name, value)
				families, err := registry(t, of(name)).Gather()
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range families {
					for _, m := range f.Metric {
						v := m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetHistogram().GetSampleSum()
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Errorf("%s is %v", f.GetName(), v)
						}
						if m.GetCounter().GetValue() < 0 {
							t.Errorf("%s is %v: counters are not negative", f.GetName(), v)
						}
						last := uint64(0)
						for _, b := range m.GetHistogram().GetBucket() {
							if n := b.GetCumulativeCount(); n < last || n > m.GetHistogram().GetSampleCount() {
								t.Errorf("%d within %v s, after %d, of %d", n, b.GetUpperBound(), last, m.GetHistogram().GetSampleCount())
							}
							last = b.GetCumulativeCount()
						}
					}
				}
			})
		}
	}
}

// A server is scraped for months.
func TestCollector_LeavesNothingMapped(t *testing.T) {
	name, _ := segment(t, ring(t))
	r := registry(t, of(name))
	mapped := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), shm.Path(name))
	}
	before := mapped()
	for range 10 {
		if _, err := r.Gather(); err != nil {
			t.Fatal(err)
		}
	}
	if after := mapped(); after != before {
		t.Errorf("%d mappings of the segment, %d before", after, before)
	}
}

func TestCollector_Names_Conventional(t *testing.T) {
	one, h := segment(t, ring(t))
	noteFull(h, layout.Producer)
	noteFull(h, layout.Consumer)
	other, _ := segment(t, transfer)
	c := of(one, other)
	g := &flow.Group{Members: []flow.Member{{Name: one, MessagesKnown: true, BytesKnown: true}}}
	c.observed = func(string) (Observed, bool) {
		return Observed{Verdict: pressure.Verdict{Kind: pressure.Idle, Figures: pressure.Figures{FullIn: time.Minute}}, Place: &flow.Place{FanIn: g, FanOut: g}}, true
	}
	problems, err := testutil.GatherAndLint(registry(t, c))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// Several scrapes at once all succeed.
func TestCollector_ConcurrentScrapes(t *testing.T) {
	name, h := segment(t, ring(t))
	r := registry(t, of(name))
	done := make(chan error)
	for range 4 {
		go func() {
			var err error
			for until := time.Now().Add(50 * time.Millisecond); err == nil && time.Now().Before(until); {
				_, err = r.Gather()
			}
			done <- err
		}()
	}
	h.Producer.Count.Store(1)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
