package format

import (
	"math"
	"testing"
	"time"
)

func check(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		n                                  uint64
		count, messages, times, shortCount string
	}{
		{0, "0", "0 messages", "0 times", "0"},
		{1, "1", "1 message", "once", "1"},
		{1234, "1,234", "1,234 messages", "1,234 times", "1,234"},
		{99_999, "99,999", "99,999 messages", "99,999 times", "99,999"},
		{100_000, "100,000", "100,000 messages", "100,000 times", "100 k"},
		{123_456, "123,456", "123,456 messages", "123,456 times", "123 k"},
		{12_345_678, "12,345,678", "12,345,678 messages", "12,345,678 times", "12.3 M"},
		{math.MaxUint64, "9,223,372,036,854,775,807", "9,223,372,036,854,775,807 messages", "9,223,372,036,854,775,807 times", "18.4 E"},
	} {
		check(t, "Count", Count(c.n), c.count)
		check(t, "Messages", Messages(c.n), c.messages)
		check(t, "Times", Times(c.n), c.times)
		check(t, "ShortCount", ShortCount(c.n), c.shortCount)
	}
	check(t, "Count of an int", Count(-5000), "-5,000")
	check(t, "Number", Number(1, "send"), "1 send")
	check(t, "Number", Number(2000, "send"), "2,000 sends")
}

// Columns of reports leave 6 characters for a count, and 7 for a rate.
func TestShortCount_FitsItsColumn(t *testing.T) {
	for n := uint64(1); n < 1<<60; n += n/2 + 1 {
		for _, text := range []string{ShortCount(n), ShortCount(n - 1)} {
			if len(text) > 6 {
				t.Errorf("%d is %q", n, text)
			}
		}
	}
}

func TestRatesAndDecimalPrefixes(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.4: "0", 184.5: "185", 4834.7: "4,835", 99_999.4: "99,999", 99_999.6: "100 k", 1_234_567: "1.2 M", 1_048_576: "1 M", 999_499: "999 k", 999_500: "1 M"} {
		check(t, "Rate", Rate(x), want)
	}
	for x, want := range map[float64]string{0: "0 B/s", 250: "250 B/s", 999_900: "1 MB/s", 640e6: "640 MB/s", 11.12e9: "11.1 GB/s", 2.04e9: "2 GB/s"} {
		check(t, "SI", SI(x, "B/s"), want)
	}
	check(t, "SI without a unit", SI(42, ""), "42")
}

func TestSize_ParseAndFormat(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 10 << 20: "10 MiB", 1<<30 - 1: "1 GiB", 128 << 20: "128 MiB",
		math.MaxUint64: "16 EiB",
	} {
		check(t, "Size", Size(n), want)
	}
	for n, want := range map[uint64]string{0: "0", 100: "100", 1024: "1KiB", 4097: "4097", 1536: "1536", 1 << 20: "1MiB", 3 << 29: "1536MiB", 1 << 60: "1EiB"} {
		check(t, "FlagSize", FlagSize(n), want)
	}
}

func TestShares(t *testing.T) {
	for x, want := range map[float64]string{0: "0 %", 0.004: "0 %", 0.954: "95 %", 1: "100 %"} {
		check(t, "Percent", Percent(x), want)
	}
	check(t, "NarrowPercent", NarrowPercent(0.5), "50%")
}

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 12_345: "12.3µs", 280 * time.Millisecond: "280ms", 5012 * time.Millisecond: "5.01s", 65_432 * time.Millisecond: "1m5.4s",
		4 * time.Minute: "4m0s", time.Hour + 10*time.Second + 400*time.Millisecond: "1h0m10s",
	} {
		check(t, "Duration", Duration(d), want)
	}
	check(t, "Duration of a corrupt header", Duration(math.MaxInt64), "2562047h13m20s")
	check(t, "Seconds", Seconds(12_040*time.Millisecond), "12.0 s")
	for d, want := range map[time.Duration]string{
		12 * time.Second: "12s", 5 * time.Minute: "5m", 3 * time.Hour: "3h", 47 * time.Hour: "47h", 48 * time.Hour: "2d",
	} {
		check(t, "Age", Age(d), want)
	}
}
