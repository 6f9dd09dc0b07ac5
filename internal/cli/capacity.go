package cli

import (
	"math/bits"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice/layout"
)

// CheckCapacity returns a usage error if a ring cannot have these values of --capacity, in bytes,
// and --slots.
func CheckCapacity(c *urfave.Context, capacity, slots uint64) error {
	_, err := layout.RingGeometry(capacity, slots, uint64(os.Getpagesize()))
	if err == nil {
		return nil
	}
	flag, text, _ := strings.Cut(err.Error(), " ") // the error begins with "capacity" or "slots"
	err = UsageError("%s: %s", FlagSource(c, flag), text)
	if near := capacityHint(capacity); near != "" {
		err = WithHint(err, "%s", near)
	}
	return err
}

// capacityHint returns the nearest valid capacity, such as 1MiB for 1M, which is 1,000,000; ""
// for a valid one.
func capacityHint(capacity uint64) string {
	least := max(layout.MinCapacity, uint64(os.Getpagesize()))
	next := uint64(1) << bits.Len64(capacity)
	switch {
	case capacity < least:
		return "the smallest is " + (&Size{Bytes: least}).String()
	case capacity > layout.MaxCapacity:
		return "the largest is " + (&Size{Bytes: layout.MaxCapacity}).String()
	case bits.OnesCount64(capacity) > 1:
		return "the next one is " + (&Size{Bytes: next}).String()
	}
	return ""
}
