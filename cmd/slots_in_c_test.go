package cmd_test

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice"
	"sluice/internal/testenv"
	"sluice/layout"
)

// tick is struct tick of testdata/slots.c.
type tick struct {
	ID   uint64
	Pos  [3]float32
	_    uint32
	Name [16]byte
}

// startC compiles testdata/slots.c, which was written from docs/layout.md, and starts one end.
func startC(t *testing.T, args ...string) *testenv.Process {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("SKIPPED: no cc here, so an end of a ring in C is not tested")
	}
	program := filepath.Join(t.TempDir(), "slots")
	if out, err := exec.Command(cc, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/slots.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p, err := testenv.StartCommand(t, exec.Command(program, args...), testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rings are one that is nearly always full or empty, so that the sides sleep, and one that is not.
var rings = []sluice.ProducerOptions{{Slots: 3}, {Capacity: 1 << 20}}

const ticks = 50_000

func TestLayoutPage_ProducerInC(t *testing.T) {
	t.Parallel()
	for _, opt := range rings {
		name := testenv.SegmentName(t)
		p, err := sluice.CreateOf[tick](t.Context(), name, opt)
		testenv.WantErr(t, err, nil)
		testenv.WantErr(t, p.Push(t.Context(), tick{Pos: [3]float32{0, 1, 2}}), nil)
		testenv.WantErr(t, p.Close(), nil) // what is in the ring stays
		c := startC(t, "producer", name, "49999")
		testenv.EventuallyHeader(t, name, "the producer", func(h *layout.Header) bool { return h.ProducerStats.Generation.Load() == 2 })
		r, err := sluice.OpenOf[tick](t.Context(), name, sluice.ConsumerOptions{})
		testenv.WantErr(t, err, nil)
		n := uint64(0)
		for v, err := range r.Values(t.Context()) {
			if err != nil || v.ID != n || v.Pos != [3]float32{float32(n), 1, 2} || n > 0 && string(v.Name[:6]) != "from C" {
				t.Fatalf("value %d is %+v, %v", n, v, err)
			}
			if n++; n == ticks/2 {
				time.Sleep(20 * time.Millisecond) // so that the producer sleeps, with either ring
			}
		}
		if s, err := sluice.Stats(r); err != nil || n != ticks || s.Produced != ticks || s.Consumed != ticks || s.Producer.Waits == 0 || s.Producer.Blocked <= 0 || s.Producer.Blocked > 10*time.Second {
			t.Errorf("%d values; %d produced, %d consumed; %+v, %v", n, s.Produced, s.Consumed, s.Producer, err)
		}
		if c.WantExit(0); c.Stderr.String() != "" {
			t.Error(c.Stderr.String())
		}
		testenv.WantErr(t, r.Close(), nil)
		testenv.WantNoSegment(t, name)
	}
}

func TestLayoutPage_ConsumerInC(t *testing.T) {
	t.Parallel()
	for _, opt := range rings {
		name := testenv.SegmentName(t)
		c := startC(t, "consumer", name)
		p, err := sluice.CreateOf[tick](t.Context(), name, opt)
		testenv.WantErr(t, err, nil)
		testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
		for id := range uint64(ticks) {
			if id == ticks/2 {
				time.Sleep(20 * time.Millisecond)
			}
			testenv.WantErr(t, p.Push(t.Context(), tick{ID: id, Pos: [3]float32{float32(id), 1, 2}, Name: [16]byte{1}}), nil)
		}
		testenv.WantErr(t, p.Drain(t.Context()), nil)
		if s, err := sluice.Stats(p); err != nil || s.Consumed != ticks || s.Consumer.Waits == 0 || s.Consumer.Blocked <= 0 || s.Consumer.Blocked > 10*time.Second {
			t.Errorf("%d consumed; %+v, %v", s.Consumed, s.Consumer, err)
		}
		testenv.WantErr(t, p.Close(), nil)
		c.WantExit(0)
		if out := c.Stdout.String(); out != "50000 values\n" {
			t.Errorf("it took %q", out)
		}
		testenv.WantNoSegment(t, name)
	}
}

// What a killed end in C leaves, the next one goes on with, in either language: nothing but the
// index tells it where.
func TestLayoutPage_KilledInC(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p, err := sluice.CreateOf[tick](t.Context(), name, sluice.ProducerOptions{Slots: 64})
	testenv.WantErr(t, err, nil)
	sent := make(chan uint64, 1)
	go func() {
		for id := uint64(0); ; id++ {
			if err := p.Push(t.Context(), tick{ID: id, Pos: [3]float32{0, 1}, Name: [16]byte{1}}); err != nil {
				sent <- id
				return
			}
		}
	}()
	for range 3 {
		c := startC(t, "consumer", name)
		testenv.EventuallyConsumed(t, name, 100_000)
		c.Kill()
	}
	r, err := sluice.OpenOf[tick](t.Context(), name, sluice.ConsumerOptions{})
	testenv.WantErr(t, err, nil)
	first, err := r.Pop(t.Context())
	testenv.WantErr(t, err, nil)
	testenv.WantErr(t, p.Close(), nil)
	n := first.ID + 1
	for {
		v, err := r.Pop(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || v.ID != n {
			t.Fatalf("value %+v, %v, want %d", v, err, n)
		}
		n++
	}
	if s, err := sluice.Stats(r); err != nil || s.Consumed != n || n < 300_000 || n > <-sent+1 {
		t.Errorf("%d values, %d consumed, %v", n, s.Consumed, err)
	}
	testenv.WantErr(t, r.Close(), nil)
}
