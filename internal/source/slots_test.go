package source

import (
	"context"
	"errors"
	"testing"

	"sluice"
	"sluice/internal/payload"
	"sluice/internal/ratelimit"
	"sluice/internal/schedule"
	"sluice/internal/testenv"
)

// Generated messages in fixed slots are those of any other Producer, however many of them are
// published together.
func TestGenerate_Slots(t *testing.T) {
	for _, c := range []struct {
		name string
		lim  Limits
	}{
		{"each by itself", Limits{Pace: ratelimit.New(schedule.Spec{})}},
		{"together", Limits{Pace: ratelimit.New(schedule.Spec{}), Batch: Batch{7, 1 << 10}}},
		{"no more than so many bytes", Limits{Pace: ratelimit.New(schedule.Spec{}), Batch: Batch{100, 5}}},
		{"at a rate", Limits{Pace: ratelimit.New(schedule.Spec{Rate: 1e6}), Batch: Batch{7, 1 << 10}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const size, count = 24, 100
			name := testenv.SegmentName(t)
			w, err := sluice.Create(t.Context(), name, sluice.ProducerOptions{SlotSize: size, Slots: 128})
			testenv.WantErr(t, err, nil)
			defer w.Abort()
			c.lim.Count = count
			testenv.WantErr(t, Generate(t.Context(), w, 5, size, c.lim), nil)
			r, err := sluice.Open(t.Context(), name, sluice.ConsumerOptions{})
			testenv.WantErr(t, err, nil)
			defer r.Close()
			for i := range uint64(count) {
				msg, err := r.Next(t.Context())
				testenv.WantErr(t, err, nil)
				if seq, _ := payload.Seq(msg); seq != 5+i || !payload.Check(msg) {
					t.Fatalf("message %d: %x", i, msg)
				}
			}
			r.Release()
			if n := w.Unread(); n != 0 {
				t.Errorf("%d more", n)
			}
		})
	}
}

func TestGenerate_Slots_Dropped_GapInSequence(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := sluice.Create(t.Context(), name, sluice.ProducerOptions{SlotSize: 8, Slots: 4, OnFull: sluice.Drop})
	testenv.WantErr(t, err, nil)
	defer w.Abort()
	lim := Limits{Count: 10, Pace: ratelimit.New(schedule.Spec{}), Batch: Batch{3, 1 << 10}}
	testenv.WantErr(t, Generate(t.Context(), w, 0, 8, lim), nil)
	if h := w.Segment().Header(); w.Published() != 4 || h.ProducerStats.Dropped.Load() != 6 {
		t.Errorf("published %d, dropped %d", w.Published(), h.ProducerStats.Dropped.Load())
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	lim.Count = 0
	testenv.WantErr(t, Generate(ctx, w, 10, 8, lim), stopped) // though nothing waits
}
