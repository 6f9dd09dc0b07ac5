package doctor

import (
	"fmt"
	"strings"
)

// kernelFeatures are the versions of Linux in which what sluice uses appeared.
var kernelFeatures = []struct {
	major, minor int
	what         string
}{
	{3, 11, "unnamed files (O_TMPFILE)"},
	{3, 15, "role locks (F_OFD_SETLK)"},
	{3, 17, "sealed memory (memfd_create)"},
	{4, 16, "cheap publishing (membarrier)"},
}

// kernel explains what the other checks have found on an old kernel.
func kernel(m *machine) Finding {
	if _, _, known := m.version(); !known {
		return note("", "%q is not the version of a known Linux kernel", m.release)
	}
	var missing []string
	for _, n := range kernelFeatures {
		if m.olderThan(n.major, n.minor) {
			missing = append(missing, fmt.Sprintf("%s since %d.%d", n.what, n.major, n.minor))
		}
	}
	if len(missing) > 0 {
		return note("a newer kernel, if a check above failed", "Linux %s; Linux has %s", m.release, strings.Join(missing, ", "))
	}
	return ok("Linux %s; 4.16 has all that is needed", m.release)
}

// version returns the version of Linux; known is false if it is not that of a known one.
func (m *machine) version() (major, minor int, known bool) {
	n, _ := fmt.Sscanf(m.release, "%d.%d", &major, &minor)
	return major, minor, n == 2
}

func (m *machine) olderThan(major, minor int) bool {
	own, ownMinor, known := m.version()
	return known && (own < major || own == major && ownMinor < minor)
}
