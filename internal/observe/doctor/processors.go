package doctor

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
)

const noSpin = "do not spin: --spin 0 on both sides"

// processors checks that both sides can run at the same time. Where they cannot, a side that
// spins keeps the other from running: with one processor and short queues,
// --spin 0 passed six times as many messages (Linux 6.18, --slots 1).
func processors(m *machine) Finding {
	quota := m.quota()
	switch {
	case m.processors == 1:
		return note(noSpin, "one for this process: a side that spins keeps the other from running")
	case quota < 2:
		return note(noSpin+"; or allow 2 (docker run --cpus 2, CPUQuota=200% of a unit, limits.cpu of a pod)",
			"%d, but the time of only %.3g (quota of the control group): spinning uses it up, and then neither side runs", m.processors, quota)
	case math.IsInf(quota, 1):
		return ok("%d, no quota", m.processors)
	}
	return ok("%d, quota of %.3g", m.processors, quota)
}

// quota returns how many processors' time the control groups allow.
func (m *machine) quota() float64 {
	least := math.Inf(1)
	dirs, v2 := m.cgroups("cpu")
	for _, dir := range dirs {
		var words []string // time, period; microseconds
		if v2 {
			words = strings.Fields(m.read(path.Join(dir, "cpu.max")))
		} else {
			words = strings.Fields(fmt.Sprintln(m.read(path.Join(dir, "cpu.cfs_quota_us")), m.read(path.Join(dir, "cpu.cfs_period_us"))))
		}
		if len(words) != 2 {
			continue
		}
		time, err := strconv.ParseFloat(words[0], 64) // "max" or -1: none
		period, err2 := strconv.ParseFloat(words[1], 64)
		if err == nil && err2 == nil && time > 0 && period > 0 {
			least = min(least, time/period)
		}
	}
	return least
}
