package procinfo

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel shows a namespace as kind:[number].
func TestNamespace_KernelsNumber(t *testing.T) {
	for kind, got := range map[string]uint64{"pid": PIDNamespace(), "time": TimeNamespace()} {
		link, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			if got != 0 {
				t.Errorf("%s: %d, without %v", kind, got, err)
			}
			continue
		}
		if want := fmt.Sprintf("%s:[%d]", kind, got); link != want {
			t.Errorf("%d, the kernel says %s", got, link)
		}
	}
	if got := namespace("no such kind"); got != 0 {
		t.Errorf("a namespace that there is not has number %d", got)
	}
}

// The test binary starts itself in a pid namespace of its own to print that number.
const childEnv = "SLUICE_PROCINFO_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		fmt.Println(PIDNamespace())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestNamespace_OtherPIDNamespace_OtherNumber(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childEnv+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	out, err := c.Output()
	if err != nil {
		t.Skipf("NOT TESTED: cannot create a pid namespace: %v", err)
	}
	theirs, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
	if err != nil || theirs == PIDNamespace() {
		t.Errorf("number %d there and %d here, %v", theirs, PIDNamespace(), err)
	}
}
