package doctor

import (
	"strings"
	"time"

	"sluice/internal/verdict"
	"sluice/pressure"
	"sluice/shm"
)

// pairTrouble is a segment with live sides of which one cannot go on, and the verdict that
// says why.
type pairTrouble struct {
	name    string
	verdict pressure.Verdict
}

// pairs looks for live sides whose process is stopped, and for two that do not meet.
func pairs(m *machine) Finding {
	all, err := m.livePairs()
	if err != nil {
		return note("fix /dev/shm first", "not tried: %v", err)
	}
	if len(all) == 0 {
		return ok("no live side is stopped, and no two look for each other in different places")
	}
	report := note
	var says, remedy []string
	for _, t := range all {
		says = append(says, t.name+": "+verdict.Reason(&t.verdict))
		remedy = append(remedy, t.name+": "+verdict.Advice(&t.verdict))
		if t.verdict.Kind == pressure.Unconnected { // a process may be stopped on purpose
			report = problem
		}
	}
	return report(strings.Join(remedy, "; "), "%s", strings.Join(says, "; "))
}

// observeInterval is the time between two looks at the live sides. A consumer that has just
// come is still without a connection for less than that.
const observeInterval = 250 * time.Millisecond

// findLiveTrouble looks twice at the segments that somebody is in, without taking part. What
// cannot be looked at is left out: segments says what is wrong with it.
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
			continue // its last side has just left
		}
		i := pressure.Between(&first, &now)
		if v := pressure.Judge(&i, &now); v.Kind == pressure.Stopped || v.Kind == pressure.Unconnected {
			all = append(all, pairTrouble{name, v})
		}
	}
	return all, nil
}

// observe looks at a segment once.
func observe(name string) (pressure.Snapshot, error) {
	v, err := shm.OpenView(name)
	if err != nil {
		return pressure.Snapshot{}, err
	}
	defer v.Close()
	return pressure.Observe(v)
}
