package pressure

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/layout"
)

// worthMentioning is the share of the time from which on a full queue is a burst
// and not a chance.
const worthMentioning = 0.01

// tooLong is an interval in which a queue that is full at one time and empty at
// another says nothing of bursts.
const tooLong = 5 * time.Second

// bursts returns the bound that would have kept the producer from waiting, as a
// flag: what the consumer took while the producer slept had no room. That is "" when
// no bound would have: when the consumer is busy all the time, every queue fills.
//
// All of an interval's waiting counts as one burst. With several, less is enough.
func bursts(i *Interval, s *Snapshot) string {
	if s.Geometry.Mode != layout.ModeRing || i.Elapsed < tooShort || i.Elapsed > tooLong || i.ProducerWaits == 0 ||
		i.ProducerBlocked < worthMentioning || i.ConsumerBlocked < noticeable {
		return ""
	}
	busy := i.Elapsed.Seconds() * (1 - i.ConsumerBlocked)
	asleep := i.Elapsed.Seconds() * i.ProducerBlocked
	if busy <= 0 {
		return ""
	}
	took := float64(i.Consumed) / busy * asleep // messages
	if n := s.Geometry.Slots; n > 0 {
		return fmt.Sprintf("--slots %d", n+uint64(took)+1)
	}
	each := float64(i.ConsumedBytes)/float64(max(i.Consumed, 1)) + layout.RecordHeader
	need := uint64(float64(s.Geometry.Capacity) + took*each)
	if need > layout.MaxCapacity {
		return ""
	}
	return "--capacity " + strings.ReplaceAll(humanize.IBytes(1<<bits.Len64(need-1)), " ", "")
}

// part is a share of a time, with two digits or so.
func part(share float64, of time.Duration) time.Duration {
	d := time.Duration(share * float64(of))
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	case d < time.Second:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
