package pressure

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

func count(n uint64) string { return humanize.Comma(int64(min(n, 1<<62))) }

// rate is a number of messages a second.
func rate(perSec float64) string { return humanize.CommafWithDigits(math.Round(perSec), 0) }

func messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return count(n) + " messages"
}

func more(n uint64) string {
	if n == 1 {
		return "1 more message"
	}
	return count(n) + " more messages"
}

// were is "1 message was" or "2 messages were".
func were(n uint64) string {
	if n == 1 {
		return messages(n) + " was"
	}
	return messages(n) + " were"
}

// lost says, after a sentence, that n messages were; "" when none was.
func lost(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s lost with a producer that died or gave up", were(n))
}

// size is a number of bytes for people.
func size(n uint64) string { return strings.Replace(humanize.IBytes(n), ".0 ", " ", 1) }

// queued says what is in the queue.
func queued(s *Snapshot) string {
	switch n := s.Depth(); n {
	case 0:
		return "the queue is empty"
	case 1:
		return "1 message is queued"
	default:
		return messages(n) + " are queued"
	}
}

// pid names a side's process, with a space before it.
func pid(s *RoleStats) string {
	if s.Foreign {
		return fmt.Sprintf(" (process %d of another pid namespace)", s.PID)
	}
	return fmt.Sprintf(" (pid %d)", s.PID)
}

// about is a duration with two digits or so.
func about(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < time.Minute:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// partOf is a share of a time.
func partOf(share float64, of time.Duration) time.Duration {
	return time.Duration(share * float64(of))
}
