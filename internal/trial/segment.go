package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Names returns n names of segments that only this process uses. They begin with program and a dot.
func Names(program string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s.%d.%d", program, os.Getpid(), i))
	}
	return all
}

// Remove removes segments, once the processes that were killed have given up their roles.
func Remove(names []string) {
	for _, name := range names {
		for range 200 {
			if err := shm.RemoveIfExists(context.Background(), name); !errors.Is(err, shm.ErrRoleTaken) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// Observe returns the counters of a segment.
func Observe(name string) (pressure.Snapshot, error) {
	view, err := shm.OpenView(name)
	if err != nil {
		return pressure.Snapshot{}, err
	}
	defer view.Close()
	return pressure.Observe(view)
}

// WaitGone waits until no process holds a role in a segment, or there is no such segment. A role is
// free shortly after its holder was killed.
func WaitGone(name string, role layout.Role) {
	for {
		s, err := Observe(name)
		if err != nil || !alive(&s, role) {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// AwaitHolder waits until there is a segment and a process holds a role in it, or ctx is done.
func AwaitHolder(ctx context.Context, name string, role layout.Role) error {
	for {
		if s, err := Observe(name); err == nil && alive(&s, role) {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("segment %q has no %v: %w", name, role, context.Cause(ctx))
		}
	}
}

func alive(s *pressure.Snapshot, role layout.Role) bool {
	if role == layout.Producer {
		return s.Producer.Alive
	}
	return s.Consumer.Alive
}
