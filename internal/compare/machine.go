package compare

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine describes the machine that was measured on.
type Machine struct {
	Processor string
	CPUs      int
	Kernel    string
	Go        string
}

// ThisMachine returns what the kernel says of this machine; what is not known is empty.
func ThisMachine() Machine {
	m := Machine{Processor: "unknown processor", CPUs: runtime.NumCPU(), Kernel: "unknown kernel", Go: runtime.Version()}
	info, _ := os.ReadFile("/proc/cpuinfo")
	family := map[string]string{}
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		family[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if name := family["model name"]; name != "" {
		m.Processor = fmt.Sprintf("%s (family %s, model %s)", name, family["cpu family"], family["model"])
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return m
}

// String returns the description on one line.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d processors, %s, %s", m.Processor, m.CPUs, m.Kernel, m.Go)
}
