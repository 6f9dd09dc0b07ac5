package compare

import (
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// otherWork measures how busy the machine is with anything but a run.
type otherWork struct {
	began      time.Time
	busy, self time.Duration
}

func watchOthers() otherWork {
	return otherWork{time.Now(), machineBusy(), ownTime()}
}

// processors returns how many processors were kept busy since then by others: by neither this
// process nor those of the run, which have used that much. Time that the host took away counts.
func (o otherWork) processors(run time.Duration) float64 {
	others := machineBusy() - o.busy - (ownTime() - o.self) - run
	return max(0, others.Seconds()/max(1e-9, time.Since(o.began).Seconds()))
}

// machineBusy returns how long the processors of the machine have been busy, 0 if that is unknown.
func machineBusy() time.Duration {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	s, err := proc.Stat()
	if err != nil {
		return 0
	}
	c := s.CPUTotal
	return time.Duration((c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal) * float64(time.Second))
}

// ownTime returns the processor time of this process.
func ownTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
