package doctor

import (
	"math"
	"path"
	"strconv"
	"strings"

	"sluice/internal/format"
	"sluice/layout"
	"sluice/transfer"
)

// processMemory is more than two processes take besides their messages, bytes.
const processMemory = 64 << 20

// memory checks that transfer mode reaches its own limit before the kernel's OOM killer ends a
// process. The kernel charges a segment to the process that touched it first.
func memory(m *machine) Finding {
	need := uint64(transfer.DefaultLimit + layout.DefaultCapacity + processMemory)
	group, free := m.cgroupMemory(), m.available()
	lower := "producer --limit " + format.FlagSize(max(1, min(group, free)/2>>20)<<20) // whole MiB
	switch {
	case group < need:
		return note(lower+"; or allow more (docker run --memory, MemoryMax= of a unit, limits.memory of a pod)",
			"%s for this control group, with the segments: in transfer mode the kernel kills a process before --limit 1GiB is reached", format.Size(group))
	case free < need:
		return note(lower, "%s available: in transfer mode the machine runs out before --limit 1GiB is reached", format.Size(free))
	case free == math.MaxUint64:
		return note("", "unknown: no /proc/meminfo")
	case group == math.MaxUint64:
		return ok("%s available, no limit of a control group", format.Size(free))
	}
	return ok("%s available, %s for this control group", format.Size(free), format.Size(group))
}

// cgroupMemory returns the least limit of the control groups, MaxUint64 without one.
func (m *machine) cgroupMemory() uint64 {
	least := uint64(math.MaxUint64)
	dirs, v2 := m.cgroups("memory")
	file := "memory.limit_in_bytes"
	if v2 {
		file = "memory.max"
	}
	for _, dir := range dirs {
		n, err := strconv.ParseUint(m.read(path.Join(dir, file)), 10, 64) // else "max"
		if err == nil && n < math.MaxInt64/2 {                            // version 1: a huge number
			least = min(least, n)
		}
	}
	return least
}

// available returns how many bytes the machine has free without swapping, MaxUint64 when that
// is not known.
func (m *machine) available() uint64 {
	for line := range strings.Lines(m.read("/proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return math.MaxUint64
}
