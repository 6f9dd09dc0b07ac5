package doctor

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/format"
	"sluice/internal/mapping"
)

const hugePagesDir = "/sys/kernel/mm/transparent_hugepage"

// hugePages checks whether a new ring that is mapped at the start gets huge pages.
func hugePages(m *machine) Finding {
	err := m.tryHuge()
	const instead = "; a ring works without, with pages of %s: --populate takes ten times as long, 1 s for 1 GiB"
	page := format.Size(unix.Getpagesize())
	switch denied := strings.Contains(m.read(hugePagesDir+"/shmem_enabled"), "[deny]"); {
	case err == nil:
		return ok("a new ring of 4 MiB or more has them, above 16 MiB with --populate")
	case !m.exists(hugePagesDir):
		return note("", "none: this kernel was built without them"+instead, page)
	case denied:
		return note("as root: echo never > "+hugePagesDir+"/shmem_enabled, which allows those that a program asks for", "denied by shmem_enabled"+instead, page)
	case errors.Is(err, unix.EINVAL) && m.olderThan(6, 1):
		return note("Linux 6.1 or newer", "none: Linux %s has no MADV_COLLAPSE"+instead, m.release, page)
	case errors.Is(err, mapping.ErrNoHugePages):
		return note("", "none: %v"+instead, err, page)
	}
	return note("fix what is above", "not tried: %v", err)
}
