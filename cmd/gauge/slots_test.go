package main_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/testenv"
)

// A library program's ring of fixed slots, for values of a type or for bytes, is shown as what it
// is wherever gauge shows a segment.
func TestGauge_FixedSlots(t *testing.T) {
	t.Parallel()
	type tick struct{ ID, Price, Amount uint64 }
	const slotType = "0x4cc2a685ea3148d3" // printf u64,u64,u64 | sha256sum, read from the right
	name := testenv.SegmentName(t)
	p, err := sluice.CreateOf[tick](t.Context(), name, sluice.ProducerOptions{Slots: 10}) // of 16
	testenv.WantErr(t, err, nil)
	defer p.Close()
	_, err = p.PushAll(t.Context(), make([]tick, 10))
	testenv.WantErr(t, err, nil)
	c, err := sluice.OpenOf[tick](t.Context(), name, sluice.ConsumerOptions{})
	testenv.WantErr(t, err, nil)
	defer c.Close()
	for range 6 {
		_, err = c.Pop(t.Context())
		testenv.WantErr(t, err, nil)
	}

	seen := stat(t, name)
	for key, want := range map[string]any{
		"mode": "ring", "producedCount": 10.0, "consumedCount": 6.0, "queueDepth": 4.0, "slots": 10.0, "slotBytes": 24.0, "slotType": slotType,
		"queueBytes": 96.0, "capacityBytes": 384.0, "fill": 0.4, "producedBytes": 240.0, "consumedBytes": 144.0, "memoryBytes": 69632.0,
	} {
		if seen[key] != want {
			t.Errorf("stat --json: %s is %v, want %v", key, seen[key], want)
		}
	}
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"stat", name}, []string{"ring (hard), 10 slots of 24 B, ", "queue      4 messages, 96 B, 40 % full; deepest ", "type       fingerprint " + slotType}},
		{[]string{"watch", name}, []string{"queue          4 of 10 slots of 24 B in use"}},
	} {
		out := testenv.GaugeOutput(t, c.args...)
		for _, w := range c.words {
			if !strings.Contains(out, w) {
				t.Errorf("gauge %v: no %q in\n%s", c.args, w, out)
			}
		}
	}
	if out := testenv.GaugeOutput(t, "ls"); !hasLine(out, name, " 4 40%") {
		t.Errorf("%s", out)
	}

	_, addr := serving(t, "127.0.0.1")
	series := scrape(t, addr, name)
	for key, want := range map[string]float64{
		"sluice_queue_messages": 4, "sluice_queue_bytes": 96, "sluice_capacity_bytes": 384, "sluice_slots": 10, "sluice_slot_bytes": 24,
		"sluice_fill_ratio": 0.4, "sluice_produced_bytes_total": 240,
	} {
		if series.Num(key) != want {
			t.Errorf("%s is %v, want %v", key, series[key], want)
		}
	}

	g := testenv.Start(t, "gauge", "record", "--name", name, "--interval", "10ms", "--output", "-")
	testenv.Eventually(t, "a row", func() bool { return strings.Count(g.Stdout.String(), "\n") > 1 })
	g.Signal(unix.SIGINT)
	g.WantExit(0)
	rows, err := csv.NewReader(strings.NewReader(g.Stdout.String())).ReadAll()
	testenv.WantErr(t, err, nil)
	row := map[string]string{}
	for i, column := range rows[0] {
		row[column] = rows[1][i]
	}
	for column, want := range map[string]string{"producedCount": "10", "queueDepth": "4", "queueBytes": "96", "fill": "0.400000"} {
		if row[column] != want {
			t.Errorf("gauge record: %s is %q, want %q", column, row[column], want)
		}
	}

	document := browse(t, "http://"+addr+"/")
	if text := card(t, document, name); shown(text, "depth") != "4 of 10 slots of 24 B" || shown(text, "bytes") != "96 B of 384 B" {
		t.Errorf("the page shows %q, %q", shown(text, "depth"), shown(text, "bytes"))
	}
}

// What the verdict is concluded from, a queue that fills and a producer that waits, is found in
// slots too.
func TestGauge_FixedSlots_Verdict(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p, err := sluice.Create(t.Context(), name, sluice.ProducerOptions{SlotSize: 3, Slots: 8})
	testenv.WantErr(t, err, nil)
	sent := make(chan error, 1)
	go func() {
		for {
			if err := p.Send(t.Context(), []byte("abc")); err != nil {
				sent <- err
				return
			}
		}
	}()
	testenv.Eventually(t, "the verdict without a consumer", func() bool {
		s := stat(t, name)
		return s["verdict"] == "no-consumer" && s.Num("queueDepth") == 8 && s.Num("fill") == 1 && s["slotType"] == nil
	})
	testenv.Start(t, "consumer", "--name", name, "--work", "5ms")
	testenv.Eventually(t, "the verdict with a slow one", func() bool { return stat(t, name)["verdict"] == "consumer-bound" })
	testenv.WantErr(t, p.Abort(), nil)
	testenv.WantErr(t, <-sent, sluice.ErrClosed)
}
