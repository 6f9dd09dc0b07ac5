package sluice

import (
	"errors"
	"math"
	"path/filepath"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// The two marks lie apart, so a queue that stays near one of them is told once.
func TestOnPressure_Marks(t *testing.T) {
	w := newPressureWatch(0.8, nil)
	told, changes := false, 0
	for i, c := range []struct {
		fill float64
		high bool
	}{{0, false}, {0.79, false}, {0.8, true}, {0.7, true}, {0.9, true}, {0.61, true}, {0.6, false}, {0.7, false}, {1, true}, {0, false}} {
		high, changed := w.judge(told, c.fill)
		if high != c.high || changed != (high != told) {
			t.Errorf("look %d, fill %v: high %v, changed %v", i, c.fill, high, changed)
		}
		if changed {
			changes++
		}
		told = high
	}
	if changes != 4 {
		t.Errorf("%d changes", changes)
	}
}

// While nothing moves the looks become rare, and not while something does.
func TestOnPressure_Pace(t *testing.T) {
	var p pacer
	var all time.Duration
	looks := 0
	for ; all < 10*time.Second; looks++ {
		all += p.next(7, false)
	}
	if looks > 50+5+20 {
		t.Errorf("%d looks in 10 s", looks)
	}
	for range 3 {
		if next := p.next(7, false); next != maxLookLow {
			t.Errorf("%v until the next look", next)
		}
	}
	if next := p.next(7, true); next != maxLookHigh {
		t.Errorf("%v until the next look at a full queue", next)
	}
	for i := range uint64(100) {
		if next := p.next(8+i, false); next != lookInterval {
			t.Fatalf("%v until the next look", next)
		}
	}
}

// fakeQueue is a queue of a transfer that looks as a test says.
type fakeQueue struct{ looks chan uint64 }

func (q *fakeQueue) look() (pressure.Snapshot, error) {
	n, ok := <-q.looks
	if !ok {
		return pressure.Snapshot{}, ErrClosed
	}
	return pressure.Snapshot{Geometry: layout.Geometry{Mode: ModeTransfer}, Produced: n, QueueBytes: n, Limit: 100}, nil
}

func TestOnPressure_FakeQueue_TellsBothWays(t *testing.T) {
	q, told := &fakeQueue{make(chan uint64)}, make(chan Pressure, 10)
	w, left := newPressureWatch(0.8, func(p Pressure) { told <- p }), make(chan struct{})
	go func() {
		w.run(q.look)
		close(left)
	}()
	for _, n := range []uint64{10, 79, 85, 70, 100, 60, 85} {
		q.looks <- n
	}
	close(q.looks)
	<-left
	close(told)
	var all []Pressure
	for p := range told {
		all = append(all, p)
	}
	want := []Pressure{{true, 0.85, 85}, {false, 0.6, 60}, {true, 0.85, 85}}
	if len(all) != len(want) {
		t.Fatalf("told %v, want %v", all, want)
	}
	for i := range want {
		if all[i] != want[i] {
			t.Errorf("told %v, want %v", all, want)
		}
	}
}

// pressureEnds are pairs of all kinds whose queues hold ten messages of 8 bytes.
func pressureEnds(t *testing.T) map[string]ProducerOptions {
	return map[string]ProducerOptions{
		"records":  {Slots: 10},
		"slots":    {Slots: 10, SlotSize: 8},
		"transfer": {Mode: ModeTransfer, Limit: 20 * 4096, Socket: filepath.Join(testenv.PrivateDir(t), "socket")},
	}
}

func receive(t *testing.T, told chan Pressure, high bool) {
	t.Helper()
	select {
	case p := <-told:
		if p.High != high || high == (p.Fill < 0.8) {
			t.Errorf("told %+v, want high %v", p, high)
		}
	case <-time.After(testenv.Timeout):
		t.Fatalf("never told that it is high: %v", high)
	}
}

func TestOnPressure_RealPair(t *testing.T) {
	for kind, opt := range pressureEnds(t) {
		t.Run(kind, func(t *testing.T) {
			name := testenv.SegmentName(t)
			p, err := Create(t.Context(), name, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Abort()
			told := make(chan Pressure, 10)
			stop, err := OnPressure(p, 0.8, func(now Pressure) { told <- now })
			if err != nil {
				t.Fatal(err)
			}
			fill := 8
			if opt.Mode == ModeTransfer {
				fill = 16
			}
			for range 2 {
				for range fill {
					if err := p.Send(t.Context(), make([]byte, 8)); err != nil {
						t.Fatal(err)
					}
				}
				receive(t, told, true)
				c, err := Open(t.Context(), name, ConsumerOptions{Socket: opt.Socket})
				if err != nil {
					t.Fatal(err)
				}
				for range fill {
					if _, err := c.Receive(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
				}
				receive(t, told, false)
				c.Close()
			}
			stop()
			for range fill {
				if err := p.Send(t.Context(), make([]byte, 8)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(5 * lookInterval)
			if len(told) > 0 {
				t.Error("told after stop")
			}
		})
	}
}

// f may close the end, and call stop: neither waits for f. Whoever else calls stop waits.
func TestOnPressure_StopAndClose(t *testing.T) {
	create := func(t *testing.T) Producer {
		p, err := Create(t.Context(), testenv.SegmentName(t), ProducerOptions{Slots: 1})
		if err == nil {
			err = p.Send(t.Context(), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	t.Run("within f", func(t *testing.T) {
		p, done := create(t), make(chan error)
		stops := make(chan func(), 1)
		stop, err := OnPressure(p, 1, func(Pressure) {
			stop := <-stops
			err := p.Close()
			stop()
			stop()
			done <- err
		})
		if err != nil {
			t.Fatal(err)
		}
		stops <- stop
		if err := <-done; err != nil {
			t.Error(err)
		}
		stop()
	})
	t.Run("beside f", func(t *testing.T) {
		w, left := newPressureWatch(1, nil), make(chan struct{})
		began, goOn, calls := make(chan struct{}), make(chan struct{}), 0
		w.f = func(Pressure) {
			calls++
			close(began)
			<-goOn
		}
		go func() {
			full := true
			w.run(func() (s pressure.Snapshot, err error) {
				s = pressure.Snapshot{Geometry: layout.Geometry{Mode: ModeTransfer}, Limit: 1}
				if full { // else it would be told of that
					s.QueueBytes = 1
				}
				full = false
				return s, nil
			})
			close(left)
		}()
		<-began
		w.stop() // does not wait
		w.stop()
		close(goOn)
		<-left
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
	t.Run("closed", func(t *testing.T) {
		p := create(t)
		p.Close()
		_, err := OnPressure(p, 1, func(Pressure) { t.Error("told of a closed end") })
		testenv.WantErr(t, err, ErrClosed)
	})
}

func TestOnPressure_Options(t *testing.T) {
	p, err := Create(t.Context(), testenv.SegmentName(t), ProducerOptions{Mode: ModeTransfer, Limit: NoLimit})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Abort()
	for _, fill := range []float64{0, -1, 1.01, math.NaN(), 0.5} { // the last one for want of a bound
		var in *shm.SegmentError
		if _, err := OnPressure(p, fill, func(Pressure) {}); !errors.Is(err, ErrOption) || !errors.As(err, &in) {
			t.Errorf("%v: %v", fill, err)
		}
	}
}

// While nothing moves there are few looks, each of which wakes the program.
func TestOnPressure_IdleWakeups(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 2 s")
	}
	t.Parallel()
	w, looks := newPressureWatch(0.8, nil), 0
	time.AfterFunc(2*time.Second, w.stop)
	w.run(func() (pressure.Snapshot, error) {
		looks++
		return pressure.Snapshot{Geometry: layout.Geometry{Mode: ModeTransfer}, Limit: 1}, nil
	})
	t.Logf("%d looks in 2 s", looks)
	if most := int(settleTime/lookInterval) + 10; looks > most || looks < 2 {
		t.Errorf("%d looks in 2 s, want at most %d", looks, most)
	}
}
