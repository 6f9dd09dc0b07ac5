package doctor

import (
	"strconv"
	"strings"
	"time"
)

// clock checks that CLOCK_MONOTONIC, which latency is measured with, is that of the machine.
func clock(m *machine) Finding {
	for line := range strings.Lines(m.read("/proc/self/timens_offsets")) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "monotonic" {
			continue
		}
		s, err := strconv.ParseInt(f[1], 10, 64)
		ns, err2 := strconv.ParseInt(f[2], 10, 64)
		if err == nil && err2 == nil && (s != 0 || ns != 0) {
			return note("start both sides, and gauge, in one time namespace; messages are not affected",
				"this time namespace is off by %v: latencies and blocked times between it and another are wrong", time.Duration(s)*time.Second+time.Duration(ns))
		}
	}
	return ok("that of the machine: latencies between processes are right")
}
