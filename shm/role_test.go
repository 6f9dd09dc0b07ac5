package shm

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

func TestARoleHasOneHolderInAProcess(t *testing.T) {
	name := segmentName(t)
	newSegment(t, name)
	refused(t, name, layout.Producer, ErrRoleTaken)
	join(t, name, layout.Consumer)
	refused(t, name, layout.Consumer, ErrRoleTaken)
}

func TestARoleHasOneHolderAmongProcesses(t *testing.T) {
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		name := abandoned(t)
		startChild(t, "hold", name, r.String()).says(t, "holding")
		refused(t, name, r, ErrRoleTaken)
		join(t, name, r.Peer())
	}
}

func TestTheRoleOfAKilledProcessIsFreeAtOnce(t *testing.T) {
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		name := abandoned(t)
		peer := join(t, name, r.Peer())
		for range 5 {
			c := startChild(t, "hold", name, r.String())
			c.says(t, "holding")
			if !peer.Alive(r) {
				t.Errorf("a live %v is not seen", r)
			}
			c.kill()
			if peer.Alive(r) {
				t.Errorf("a killed %v is alive", r)
			}
		}
		join(t, name, r)
	}
}

func TestARoleThatWasLeftIsFree(t *testing.T) {
	name := segmentName(t)
	newSegment(t, name)
	for range 3 {
		leave(t, join(t, name, layout.Consumer), keep)
	}
}

func TestAliveSeesEitherSideAndTakesNothing(t *testing.T) {
	name := segmentName(t)
	producer := newSegment(t, name)
	if !producer.Alive(layout.Producer) || producer.Alive(layout.Consumer) {
		t.Error("a producer that is alone sees another picture")
	}
	consumer := join(t, name, layout.Consumer)
	for _, s := range []*Segment{producer, consumer} {
		if !s.Alive(layout.Producer) || !s.Alive(layout.Consumer) {
			t.Error("one of two is not seen")
		}
	}
	leave(t, producer, keep)
	if consumer.Alive(layout.Producer) || !consumer.Alive(layout.Consumer) {
		t.Error("a consumer that is alone sees another picture")
	}
	join(t, name, layout.Producer)
}

func TestAStartedProgramInheritsNoRole(t *testing.T) {
	name := segmentName(t)
	newSegment(t, name)
	join(t, name, layout.Consumer)
	c := startChild(t, "hold", abandoned(t), "consumer")
	c.says(t, "holding")
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
func TestALeftRoleIsFreeThoughACopyOfTheDescriptorIsOpen(t *testing.T) {
	name := segmentName(t)
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
func TestRolesAreLocksOnTheFirstTwoBytes(t *testing.T) {
	name := segmentName(t)
	producer := newSegment(t, name)
	if producer.Alive(layout.Consumer) {
		t.Error("a consumer is alive that never was")
	}
	lock := lockByte(t, name, 1)
	if !producer.Alive(layout.Consumer) {
		t.Error("the lock on byte 1 is not a live consumer")
	}
	refused(t, name, layout.Consumer, ErrRoleTaken)
	lock.Close()

	leave(t, producer, keep)
	lockByte(t, name, 0)
	refused(t, name, layout.Producer, ErrRoleTaken)
}
