package exporter

import (
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/internal/metrics"
	"sluice/layout"
	"sluice/shm"
)

var names atomic.Int64

// segment is a new one that the test holds as its producer.
func segment(t *testing.T, g layout.Geometry) (string, *layout.Header) {
	t.Helper()
	name := fmt.Sprintf("exportertest.%d.%d", os.Getpid(), names.Add(1))
	s, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Leave(func() bool { return true })
		os.Remove(shm.Path(name))
	})
	return name, s.Header()
}

func ring(t *testing.T) layout.Geometry {
	t.Helper()
	g, err := layout.RingGeometry(1<<20, 64, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var transfer = layout.Geometry{Mode: layout.ModeTransfer}

// of collects those segments only, whatever else is in /dev/shm.
func of(names ...string) *collector {
	c := newCollector(nil, nil)
	c.list = func() ([]string, int, error) { return names, 0, nil }
	return c
}

func registry(t *testing.T, c *collector) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	return r
}

// answers expects that a scrape gives exactly want, in which NAME stands for the
// segment, and HELP for the text of its metric, for the metrics that it mentions or those named.
func answers(t *testing.T, c *collector, name, want string, metrics ...string) {
	t.Helper()
	want = regexp.MustCompile(`HELP (\w+) HELP`).ReplaceAllStringFunc(want, func(line string) string {
		series := strings.Fields(line)[1]
		return "HELP " + series + " " + help(series)
	})
	want = strings.ReplaceAll(want, "NAME", name)
	if err := testutil.GatherAndCompare(registry(t, c), strings.NewReader(want), metrics...); err != nil {
		t.Error(err)
	}
}

// store fills the fields that a healthy ring of 13 messages would have.
func store(h *layout.Header) {
	h.Identity.CreatedAt.Store(1_700_000_000_500_000_000)
	h.Producer.Count.Store(1013)
	h.Producer.Index.Store(20_000 + 2048)
	h.Producer.NextIndex.Store(20_000 + 2048)
	h.Producer.Bytes.Store(8104)
	h.Consumer.Count.Store(1000)
	h.Consumer.Index.Store(20_000)
	h.Consumer.NextIndex.Store(20_000)
	h.Consumer.Bytes.Store(8000)
	p, c := &h.ProducerStats, &h.ConsumerStats
	p.Blocked.Store(1_500_000_000)
	p.Waits.Store(3)
	p.Spins.Store(4)
	p.WakesSent.Store(5)
	p.Spurious.Store(6)
	p.Dropped.Store(7)
	p.Refused.Store(8)
	p.RefusedMessages.Store(1)
	p.Unsent.Store(29)
	p.Incomplete.Store(2)
	p.HighWater.Store(64)
	c.Blocked.Store(250_000_000)
	c.Waits.Store(9)
	c.Spins.Store(10)
	c.WakesSent.Store(11)
	c.Spurious.Store(12)
}

// help returns the text of a series.
func help(series string) string {
	for _, m := range metrics.Table {
		if m.Series == series {
			return m.Help
		}
	}
	return "(no such series)"
}

// scribble stores values in every field of the header but those of the identity that make it
// a segment.
func scribble(t *testing.T, name string, value func() uint64) {
	t.Helper()
	file, err := os.OpenFile(shm.Path(name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, f := range layout.Fields() {
		if strings.HasPrefix(f.Name, "Identity.") && f.Name != "Identity.CreatedAt" {
			continue
		}
		var words []byte
		for range f.Size / 8 {
			words = binary.LittleEndian.AppendUint64(words, value())
		}
		if _, err := file.WriteAt(words, int64(f.Offset)); err != nil {
			t.Fatal(err)
		}
	}
}
