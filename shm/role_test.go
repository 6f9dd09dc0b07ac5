package shm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/procinfo"
	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/layout"
)

// alive asks a Segment or a View whether the role is held.
func alive(t *testing.T, s interface {
	Alive(layout.Role) (bool, error)
}, r layout.Role) bool {
	t.Helper()
	held, err := s.Alive(r)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestRole_OneHolderInProcess(t *testing.T) {
	name := testenv.SegmentName(t)
	newSegment(t, name)
	refused(t, name, layout.Producer, ErrRoleTaken)
	join(t, name, layout.Consumer)
	refused(t, name, layout.Consumer, ErrRoleTaken)
}

func TestRole_OneHolderAmongProcesses(t *testing.T) {
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		name := abandoned(t)
		testenv.StartChild(t, "hold", name, r.String()).WantLine(t, "holding")
		refused(t, name, r, ErrRoleTaken)
		join(t, name, r.Peer())
	}
}

func TestRole_HolderKilled_FreeAtOnce(t *testing.T) {
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		name := abandoned(t)
		peer := join(t, name, r.Peer())
		for range 5 {
			c := testenv.StartChild(t, "hold", name, r.String())
			c.WantLine(t, "holding")
			if !alive(t, peer, r) {
				t.Errorf("a live %v is not seen", r)
			}
			c.Kill()
			if alive(t, peer, r) {
				t.Errorf("a killed %v is alive", r)
			}
		}
		join(t, name, r)
	}
}

func TestRole_Left_Free(t *testing.T) {
	name := testenv.SegmentName(t)
	newSegment(t, name)
	for range 3 {
		leave(t, join(t, name, layout.Consumer), keep)
	}
}

func TestAlive_EitherSide_TakesNothing(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	if !alive(t, producer, layout.Producer) || alive(t, producer, layout.Consumer) {
		t.Error("a producer that is alone sees another picture")
	}
	consumer := join(t, name, layout.Consumer)
	for _, s := range []*Segment{producer, consumer} {
		if !alive(t, s, layout.Producer) || !alive(t, s, layout.Consumer) {
			t.Error("one of two is not seen")
		}
	}
	leave(t, producer, keep)
	if alive(t, consumer, layout.Producer) || !alive(t, consumer, layout.Consumer) {
		t.Error("a consumer that is alone sees another picture")
	}
	join(t, name, layout.Producer)
}

func TestRole_ChildProcess_InheritsNone(t *testing.T) {
	name := testenv.SegmentName(t)
	newSegment(t, name)
	join(t, name, layout.Consumer)
	c := testenv.StartChild(t, "hold", abandoned(t), "consumer")
	c.WantLine(t, "holding")
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.Process.Pid))
	if err != nil || len(fds) == 0 {
		t.Fatal(fds, err)
	}
	segment, err := os.Stat(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if file, err := os.Stat(fd); err == nil && os.SameFile(file, segment) {
			t.Errorf("%s is the segment", fd)
		}
	}
}

// A process that is just being started has a copy of every descriptor until it
// runs its own program.
func TestRole_LeftWithDescriptorCopyOpen_Free(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	fd, err := unix.FcntlInt(producer.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	leave(t, producer, keep)
	join(t, name, layout.Producer)
}

// docs/protocol.md gives these bytes to programs in other languages.
func TestRole_LocksFirstTwoBytes(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	if alive(t, producer, layout.Consumer) {
		t.Error("a consumer is alive that never was")
	}
	lock := lockByte(t, name, 1)
	if !alive(t, producer, layout.Consumer) {
		t.Error("the lock on byte 1 is not a live consumer")
	}
	refused(t, name, layout.Consumer, ErrRoleTaken)
	lock.Close()

	leave(t, producer, keep)
	lockByte(t, name, 0)
	refused(t, name, layout.Producer, ErrRoleTaken)
}

// Some sandboxes refuse the question, and not the lock.
func TestAlive_LockQueryRefused_Unknown(t *testing.T) {
	name := abandoned(t)
	c := testenv.StartChild(t, "no query", name)
	c.WantLine(t, "removed by the last one: true")
	if err := c.Wait(); err != nil || exists(name) {
		t.Errorf("%v, the file exists: %v", err, exists(name))
	}
}

func noQueryChild(args []string) error {
	if err := seccomp.Refuse(unix.EPERM, seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_GETLK)); err != nil {
		return err
	}
	producer, err := Open(context.Background(), args[0], layout.Producer)
	if err != nil {
		return err
	}
	if held, err := producer.Alive(layout.Consumer); err == nil || producer.Absent(layout.Consumer) {
		return fmt.Errorf("without a consumer: alive %v, %w, absent %v", held, err, producer.Absent(layout.Consumer))
	}
	consumer, err := Open(context.Background(), args[0], layout.Consumer)
	if err != nil {
		return err
	}
	if held, err := consumer.Alive(layout.Consumer); err != nil || !held {
		return fmt.Errorf("of itself it knows %v, %w", held, err)
	}
	v, err := OpenView(args[0])
	if err != nil {
		return err
	}
	defer v.Close()
	if _, err := v.Alive(layout.Producer); err == nil {
		return errors.New("an observer knows what the kernel does not tell")
	}
	// The one that leaves first finds the other there, and the last finds nobody.
	if removed, err := producer.Leave(remove); removed || err != nil {
		return fmt.Errorf("the first one: removed %v, %w", removed, err)
	}
	removed, err := consumer.Leave(remove)
	fmt.Println("removed by the last one:", removed)
	return err
}

func TestRole_HolderNamed(t *testing.T) {
	name := testenv.SegmentName(t)
	s := newSegment(t, name)
	side := &s.Header().ProducerStats
	side.PID.Store(1)
	for namespace, want := range map[uint64]string{0: "(process 1)", procinfo.PIDNamespace(): "(process 1)", 77: "(process 1 of another pid namespace)"} {
		side.PIDNamespace.Store(namespace)
		_, err := Open(t.Context(), name, layout.Producer)
		for _, err := range []error{err, Remove(t.Context(), name)} {
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v, want %q at its end", err, want)
			}
		}
	}
}
