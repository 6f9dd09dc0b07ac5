package doctor

import (
	"strings"
	"time"

	"sluice/internal/verdict"
	"sluice/pressure"
	"sluice/shm"
)

// pairTrouble is a segment with a live side that cannot go on, and the verdict on it.
type pairTrouble struct {
	name    string
	verdict pressure.Verdict
}

// pairs looks for live sides whose process is stopped, for pairs without a connection, and for
// bridges that cannot pass messages on.
func pairs(m *machine) Finding {
	all, err := m.livePairs()
	if err != nil {
		return note("fix /dev/shm first", "not tried: %v", err)
	}
	if len(all) == 0 {
		return ok("no live side is stopped, no pair uses different sockets, and no bridge is cut off")
	}
	report := note
	var found, fix []string
	for _, t := range all {
		found = append(found, t.name+": "+verdict.Reason(&t.verdict))
		fix = append(fix, t.name+": "+verdict.Advice(&t.verdict))
		if t.verdict.Kind == pressure.Unconnected { // a process may be stopped on purpose
			report = problem
		}
	}
	return report(strings.Join(fix, "; "), "%s", strings.Join(found, "; "))
}

// observeInterval is the time between two snapshots of the live sides. A consumer that has just
// started is without a connection for less than that.
const observeInterval = 250 * time.Millisecond

// findLiveTrouble takes two snapshots of each segment with a live side, as an observer. Segments
// that cannot be read are left out: the check segments reports them.
func findLiveTrouble() ([]pairTrouble, error) {
	names, err := shm.List()
	if err != nil {
		return nil, err
	}
	before := map[string]pressure.Snapshot{}
	for _, name := range names {
		if s, err := observe(name); err == nil && (s.Producer.Alive || s.Consumer.Alive) {
			before[name] = s
		}
	}
	if len(before) == 0 {
		return nil, nil
	}
	time.Sleep(observeInterval)
	var all []pairTrouble
	for _, name := range names {
		first, live := before[name]
		if !live {
			continue
		}
		now, err := observe(name)
		if err != nil {
			continue // its last side has just ended
		}
		i := pressure.Between(&first, &now)
		if v := pressure.Judge(&i, &now); v.Kind == pressure.Stopped || v.Kind == pressure.Unconnected || v.Cause.Broken() {
			all = append(all, pairTrouble{name, v})
		}
	}
	return all, nil
}

// observe takes a snapshot of a segment.
func observe(name string) (pressure.Snapshot, error) {
	v, err := shm.OpenView(name)
	if err != nil {
		return pressure.Snapshot{}, err
	}
	defer v.Close()
	return pressure.Observe(v)
}
