package sluice_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"sluice"
	"sluice/shm"
)

// A producer that needs another segment replaces that of a consumer which allows it and has
// released everything, and of no other.
func TestReplaceable(t *testing.T) {
	kinds := map[string]sluice.ProducerOptions{
		"records":        {},
		"small records":  {Capacity: 64 << 10},
		"slots":          {SlotSize: 8},
		"slots, another": {SlotSize: 16},
	}
	for before, first := range kinds {
		for after, second := range kinds {
			if before == after || before == "small records" && after == "records" { // which takes any capacity
				continue
			}
			for _, c := range []struct {
				name     string
				opt      sluice.ConsumerOptions
				holds    bool
				replaced bool
			}{
				{"allowed", sluice.ConsumerOptions{Follow: true, Replaceable: true}, false, true},
				{"not allowed", sluice.ConsumerOptions{Follow: true}, false, false},
				{"held", sluice.ConsumerOptions{Follow: true, Replaceable: true}, true, false},
			} {
				t.Run(before+", then "+after+", "+c.name, func(t *testing.T) {
					t.Parallel()
					name := fmt.Sprintf("api.%d.%d", os.Getpid(), names.Add(1))
					t.Cleanup(func() { shm.RemoveIfExists(context.Background(), name) })
					p := create(t, name, first)
					consumer := open(t, name, c.opt)
					wantErr(t, p.Send(t.Context(), make([]byte, max(first.SlotSize, 1))), nil)
					wantErr(t, p.Close(), nil)
					_, err := consumer.Next(t.Context())
					wantErr(t, err, nil)
					if !c.holds {
						consumer.Release()
						_, err = consumer.TryNext() // the end is told
						wantErr(t, err, sluice.ErrEmpty)
					}
					next, err := sluice.Create(t.Context(), name, second)
					if !c.replaced {
						wantErr(t, err, sluice.ErrGeometry)
						return
					}
					wantErr(t, err, nil)
					defer next.Abort()
					began := time.Now()
					_, err = consumer.Next(t.Context())
					wantErr(t, err, sluice.ErrRemoved)
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("it found out after %v", took)
					}
				})
			}
		}
	}
}
