package compare

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/internal/format"
	"sluice/pressure"
)

// Load is what the producer has to send, what the consumer does with it, and what happens
// meanwhile. A load with a Rate is open-loop: when each message is due is fixed at the start, and
// a producer that is held back sends late.
type Load struct {
	ID    string
	Title string

	Size  int           // bytes of a message
	Rate  float64       // messages a second on average; 0 = closed-loop, as fast as the two sides can
	Burst int           // messages that are due at the same time; 0 = 1
	Work  time.Duration // that the consumer does for a message

	Length time.Duration
	// The consumer is stopped (SIGSTOP) from StallAt to StallEnd, shares of Length; 0, 0 = never.
	StallAt, StallEnd float64
	// Forever: more is due than the consumer can take, or there is no schedule. Both sides are
	// killed at Length, or when a limit is reached, whatever is queued. Other loads end when all
	// that was due in Length is taken.
	Forever bool

	Capacity int // bytes of the ring (hard)
	Slots    int // messages of the ring (hard); 0 = as many as its capacity takes
	Limit    int // of memory (credit)
	Soft     int // limit of memory (soft); 0 = the default, which the load does not reach
}

// The bounds under the open-loop loads are room for as many messages in each model that has one. A
// sealed buffer takes whole pages, so 256 KiB are room for 64 messages of 1 KiB.
const (
	boundMessages = 64
	boundCapacity = 128 << 10
	boundLimit    = boundMessages * page
	page          = 4096
)

// Loads returns the open-loop loads, which every model runs, each unit long or a little longer.
func Loads(unit time.Duration) []Load {
	loads := []Load{
		{ID: "time-to-spare", Title: "Time to spare", Rate: 20_000, Burst: 20},
		{ID: "slow-producer", Title: "Slow producer", Rate: 500},
		{ID: "bursts", Title: "Bursts", Rate: 4000, Burst: 2000, Work: 200 * time.Microsecond},
		{ID: "stall", Title: "Stall", Rate: 2000, Work: 200 * time.Microsecond, StallAt: 0.3, StallEnd: 0.3 + 1.0/3},
		{ID: "slow-consumer", Title: "Slow consumer", Rate: 1500, Work: time.Millisecond, Forever: true},
		// The limit is reached within the length in each form of the soft model.
		{ID: "overload", Title: "Overload", Rate: 20_000, Burst: 20, Work: 100 * time.Microsecond, Forever: true, Soft: int(unit.Seconds() * (8 << 20))},
	}
	for i := range loads {
		l := &loads[i]
		l.Size, l.Length = 1<<10, unit
		l.Capacity, l.Slots, l.Limit = boundCapacity, boundMessages, boundLimit
	}
	return loads
}

// Count returns how many messages are due in Length, 0 if the load is closed-loop.
func (l *Load) Count() int { return int(l.Rate * l.Length.Seconds()) }

// Stalled returns how long the consumer is stopped.
func (l *Load) Stalled() time.Duration {
	return time.Duration((l.StallEnd - l.StallAt) * float64(l.Length))
}

// About describes the load in a sentence without a full stop.
func (l *Load) About() string {
	size := format.Size(l.Size)
	s := fmt.Sprintf("messages of %s as fast as the two sides can", size)
	if l.Rate > 0 {
		s = fmt.Sprintf("%s messages of %s are due a second", format.Count(int64(l.Rate)), size)
		if l.Burst > 1 {
			s += fmt.Sprintf(", %s at a time", format.Count(l.Burst))
		}
	}
	switch {
	case l.Work > 0 && l.Forever:
		s += fmt.Sprintf("; the consumer needs %s for each, so it falls behind", span(l.Work))
	case l.Work > 0:
		s += fmt.Sprintf("; the consumer needs %s for each", span(l.Work))
	case l.Rate > 0:
		s += "; the consumer takes them at once"
	}
	if l.StallEnd > 0 {
		s += fmt.Sprintf("; it is stopped for %s of %s", span(l.Stalled()), span(l.Length))
	} else if l.Rate > 0 {
		s += fmt.Sprintf("; for %s", span(l.Length))
	}
	if l.Soft > 0 && l.Rate > 0 {
		s += fmt.Sprintf(", soft until its limit of %s", format.Size(l.Soft))
	}
	return s
}

// producerFlags returns the flags of the producer with a model, without those that are the same
// in each run.
func (l *Load) producerFlags(m Model) []string {
	flags := slices.Concat(m.flags(), []string{"--size", strconv.Itoa(l.Size)})
	add := func(flag string, n int) {
		if n > 0 {
			flags = append(flags, flag, strconv.Itoa(n))
		}
	}
	if l.Rate > 0 {
		flags = append(flags, "--open-loop", "--rate", strconv.FormatFloat(l.Rate, 'f', -1, 64))
	}
	add("--burst", l.Burst)
	if !l.Forever {
		add("--count", l.Count())
	}
	switch m.Kind {
	case pressure.Hard:
		add("--capacity", l.Capacity)
		add("--slots", l.Slots)
	case pressure.Credit:
		add("--limit", l.Limit)
	case pressure.Soft:
		add("--limit", l.Soft)
	}
	return flags
}

func (l *Load) consumerFlags() []string {
	if l.Work > 0 {
		return []string{"--work", l.Work.String()}
	}
	return nil
}
