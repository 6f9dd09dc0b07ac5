package shm

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel shows a namespace as kind:[number].
func TestNamespacesHaveTheNumbersThatTheKernelShows(t *testing.T) {
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

func TestAnotherPIDNamespaceHasAnotherNumber(t *testing.T) {
	c, err := startChildWith(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, "namespace")
	if err != nil {
		t.Skipf("NOT TESTED: no pid namespace of its own to be had: %v", err)
	}
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
	if err != nil || theirs == PIDNamespace() {
		t.Errorf("number %d there and %d here, %v", theirs, PIDNamespace(), err)
	}
}

func namespaceChild([]string) error {
	_, err := fmt.Println(PIDNamespace())
	return err
}
