package shm

import (
	"errors"
	"fmt"
	"os"
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

// nospaceChild works over a /dev/shm of 64 KiB that only it sees.
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
	large, err := layout.RingGeometry(1<<20, 0, uint64(os.Getpagesize()))
	if err != nil {
		return err
	}
	if s, err := Create(name, large, layout.Producer); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("create 1 MiB: %v, %w", s, err)
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
	small := layout.Geometry{Mode: layout.ModeTransfer}
	s, err := Create(name, small, layout.Producer)
	if err != nil {
		return fmt.Errorf("what fits is refused: %w", err)
	}
	_, err = s.Leave(remove)
	return err
}
