package report

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The pace in the bar is that of all the time since its start: what came before it was drawn
// for the first time came in some time as well.
func TestBar_CountsFromStart(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no terminal: ", err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no terminal: ", err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no terminal: ", err)
	}
	defer tty.Close()
	began := time.Now()
	b := newBar(tty, 1<<20)
	time.Sleep(700 * time.Millisecond)
	b.set(1000)
	if kib, most := b.State().KBsPerSecond, 1000/1024.0/0.7; kib > most {
		t.Errorf("%v KiB/s after %v, want at most %v", kib, time.Since(began), most)
	}
}
