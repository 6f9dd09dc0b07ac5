// Package format writes counts, rates, sizes, shares and times as people read them: in
// reports, in messages and on the screen. A figure looks the same wherever it is shown.
//
// All functions are pure, and may be called from any goroutine. None fails, whatever the
// value: a corrupt segment may hold any 64 bits. What programs read (JSON, CSV,
// Prometheus) is not written here, but in package metrics.
package format

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// integer is what is counted.
type integer interface {
	~int | ~int64 | ~uint64
}

// Count returns n with commas: 1,234,567.
func Count[N integer](n N) string {
	if n > 0 && uint64(n) > math.MaxInt64 {
		return humanize.Comma(math.MaxInt64)
	}
	return humanize.Comma(int64(n))
}

// Number returns n and the noun, which gets an s unless n is 1: 1 message, 1,234 messages.
func Number[N integer](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// Messages is [Number] of messages.
func Messages[N integer](n N) string { return Number(n, "message") }

// Times returns how often: once, 1,234 times.
func Times[N integer](n N) string {
	if n == 1 {
		return "once"
	}
	return Count(n) + " times"
}

// ShortCount returns n in at most 6 characters: 99,999, 123 k, 12.3 M.
func ShortCount(n uint64) string { return Rate(float64(n)) }

// Rate returns a number a second, without a unit, in at most 6 characters: 1,234, 123 k,
// 12.3 M.
func Rate(perSecond float64) string {
	if perSecond < 99_999.5 {
		return humanize.Comma(int64(math.Round(perSecond)))
	}
	return SI(perSecond, "")
}

// SI returns x in three digits with a decimal prefix: 250, 12.3 k, 640 MB/s with the unit B/s.
func SI(x float64, unit string) string {
	value, prefix := humanize.ComputeSI(x)
	if value >= 999.5 { // 1 M, not 1000 k
		_, prefix = humanize.ComputeSI(1.001 * x)
		value = 1
	}
	return strings.TrimSpace(decimal(value, 99.95) + " " + prefix + unit)
}

// decimal is x with one digit after the point, unless that is 0 or x is at least whole.
func decimal(x, whole float64) string {
	if x >= whole {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

var binaryUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// Size returns bytes with a binary prefix: 512 B, 1 MiB, 1.5 GiB, 128 MiB.
func Size[N integer](bytes N) string {
	x, i := float64(uint64(bytes)), 0
	for x >= 1023.5 && i < len(binaryUnits)-1 {
		x, i = x/1024, i+1
	}
	return decimal(x, 9.95) + " " + binaryUnits[i]
}

// FlagSize returns bytes as a flag takes them, and exactly: 64KiB, 1MiB, 4097.
func FlagSize(bytes uint64) string {
	i := 0
	for bytes != 0 && bytes%1024 == 0 {
		bytes, i = bytes/1024, i+1
	}
	if i == 0 {
		return strconv.FormatUint(bytes, 10)
	}
	return strconv.FormatUint(bytes, 10) + binaryUnits[i]
}

// Percent returns a share of 1: 95 %.
func Percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 0, 64) + " %" }

// NarrowPercent is [Percent] in a column: 95%.
func NarrowPercent(share float64) string { return strings.Replace(Percent(share), " ", "", 1) }

// Duration returns d in Go's notation, in about three digits: 12.3µs, 280ms, 5.01s, 1m5.4s.
func Duration(d time.Duration) string {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit || unit > time.Hour {
			return d.Round(unit).String()
		}
	}
}

// Seconds returns d in seconds with one digit after the point: 12.0 s.
func Seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s" }

// Age returns d in one unit: 12s, 5m, 3h, 2d.
func Age(d time.Duration) string {
	n, unit := d.Seconds(), "s"
	switch {
	case d < time.Minute:
	case d < time.Hour:
		n, unit = d.Minutes(), "m"
	case d < 48*time.Hour:
		n, unit = d.Hours(), "h"
	default:
		n, unit = d.Hours()/24, "d"
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + unit
}
