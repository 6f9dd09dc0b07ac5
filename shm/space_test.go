package shm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestCreate_NoRoom_ErrorAndNothingLeft(t *testing.T) {
	c, err := testenv.StartChildWith(t, &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}, "nospace")
	if err != nil {
		t.Skipf("NOT TESTED: cannot create a mount namespace: %v", err)
	}
	line := c.ReadLine()
	err = c.Wait()
	switch {
	case c.ProcessState.ExitCode() == cannotMount:
		t.Skipf("NOT TESTED: %s", line)
	case err != nil:
		t.Errorf("the child: %v", err)
	}
}

// cannotMount is the exit code of a child that may not do what its test needs.
const cannotMount = 3

// nospaceChild works over a /dev/shm that only it sees: of 64 KiB, and then of 20 MiB, in which a
// part of a ring finds room in huge pages.
func nospaceChild([]string) error {
	err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", Dir, "tmpfs", 0, "size=64k")
	}
	if err != nil {
		fmt.Println("mount:", err)
		os.Exit(cannotMount)
	}
	const name = "shmtest.nospace"
	for _, row := range []struct {
		size     string
		capacity uint64
		free     string
	}{{"64k", 1 << 20, "65,536 of 65,536"}, {"20m", 64 << 20, "20,971,520 of 20,971,520"}} {
		if err := unix.Mount("none", Dir, "", unix.MS_REMOUNT, "size="+row.size); err != nil {
			return err
		}
		large, err := layout.RingGeometry(row.capacity, 0, uint64(os.Getpagesize()))
		if err != nil {
			return err
		}
		if s, err := Create(name, large, layout.Producer, Populate(true)); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), row.free) {
			return fmt.Errorf("create %d bytes: %v, %w", row.capacity, s, err)
		}
		if exists(name) {
			return errors.New("a file is left")
		}
		var st unix.Statfs_t
		if err := unix.Statfs(Dir, &st); err != nil {
			return err
		}
		if st.Bfree != st.Blocks {
			return fmt.Errorf("%d of %d blocks are free", st.Bfree, st.Blocks)
		}
	}
	small := layout.Geometry{Mode: layout.ModeTransfer}
	s, err := Create(name, small, layout.Producer)
	if err != nil {
		return fmt.Errorf("what fits is refused: %w", err)
	}
	_, err = s.Leave(remove)
	return err
}
