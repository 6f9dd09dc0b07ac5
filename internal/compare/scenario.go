// Package compare runs the two models of passing messages under the same loads and reports the
// results: bounded and blocking (a ring) against elastic (a transfer, in three forms).
package compare

import (
	"fmt"
	"time"

	"sluice/internal/format"
)

// Model is a way of passing messages.
type Model struct {
	ID    string
	Name  string
	Flags []string // of the producer; the consumer finds out
	Soft  bool
}

// Models are the ones that are compared.
var Models = []Model{
	{"ring", "ring", nil, false},
	{"transfer", "transfer", []string{"--mode", "transfer"}, true},
	{"packed", "transfer, packed", []string{"--mode", "transfer", "--buffer", "64KiB"}, true},
	{"recycled", "transfer, recycled", []string{"--mode", "transfer", "--recycle"}, true},
}

// Scenario is a load, and what happens during it.
type Scenario struct {
	ID    string
	Title string
	About string // what it is, in a sentence

	Producer, Consumer []string // flags
	Ring               []string // more of them, for a ring alone
	Soft               []string // for a transfer alone

	Length time.Duration
	// The consumer is stopped (SIGSTOP) from StallAt to StallEnd, shares of Length.
	StallAt, StallEnd float64
	// Cut: both sides are killed at Length, or when a limit is reached, whatever is queued.
	Cut bool
}

// Loads returns the scenarios that every model runs, unit long or a little longer.
func Loads(unit time.Duration) []Scenario {
	return []Scenario{
		{
			ID: "balanced", Title: "A consumer with time to spare", About: "20,000 messages of 1 KiB a second, and a consumer that could take more",
			Producer: []string{"--rate", "20000", "--burst", "20", "--size", "1KiB"}, Length: unit,
		},
		{
			ID: "slow-consumer", Title: "Slow consumer", About: "1,500 messages a second are offered, the consumer needs a millisecond for each",
			Producer: []string{"--rate", "1500", "--size", "1KiB"}, Consumer: []string{"--work", "1ms"}, Ring: []string{"--slots", "256"}, Length: unit,
		},
		{
			ID: "slow-producer", Title: "Slow producer", About: "500 messages a second, and a consumer that only waits for them",
			Producer: []string{"--rate", "500", "--size", "1KiB"}, Length: unit,
		},
		{
			ID: "bursts", Title: "Bursts", About: "2,000 messages at once, 4,000 a second on average; the consumer can take 5,000",
			Producer: []string{"--rate", "4000", "--burst", "2000", "--size", "1KiB"}, Consumer: []string{"--work", "200us"}, Ring: []string{"--slots", "256"}, Length: unit,
		},
		{
			ID: "stall", Title: "A consumer that stalls and comes back", About: "2,000 messages a second; the consumer could take 5,000, and is stopped for a third of the time",
			Producer: []string{"--rate", "2000", "--size", "1KiB"}, Consumer: []string{"--work", "200us"}, Ring: []string{"--slots", "256"}, Length: unit, StallAt: 0.3, StallEnd: 0.63,
		},
		{
			ID: "overload", Title: "Overload, until a limit is hit", About: "as fast as the producer can, the consumer needs 0.1 ms for each; transfers may use 64 MiB",
			Producer: []string{"--size", "1KiB"}, Consumer: []string{"--work", "100us"}, Ring: []string{"--slots", "256"},
			Soft: []string{"--limit", overloadLimit}, Length: unit, Cut: true,
		},
	}
}

const overloadLimit = "64MiB" // as a flag

// Sizes are the message sizes of the sweep, in bytes.
var Sizes = []int{8, 64, 1 << 10, 64 << 10, 1 << 20}

const (
	sizesAbout = "messages of one size as fast as the two sides can, for as long as memory lasts; rings of 4 MiB, transfers of at most 256 MiB"
	roomsAbout = "messages of 64 B as fast as the two sides can, through rings of different bounds"
)

// sizeLoad returns the scenario of messages of one size at full speed.
func sizeLoad(size int, length time.Duration) Scenario {
	return Scenario{
		ID: fmt.Sprintf("size-%d", size), Title: fmt.Sprintf("As fast as it goes, %s", format.Size(size)), About: sizesAbout,
		Producer: []string{"--size", fmt.Sprint(size)}, Ring: []string{"--capacity", "4MiB"}, Soft: []string{"--limit", "256MiB"},
		Length: length, Cut: true,
	}
}

// Room is a bound of a ring, and its name.
type Room struct {
	Name  string
	Flags []string
}

// Rooms are the bounds of the capacity sweep.
var Rooms = []Room{
	{"8 slots", []string{"--slots", "8"}},
	{"64 slots", []string{"--slots", "64"}},
	{"4 KiB", []string{"--capacity", "4KiB"}},
	{"64 KiB", []string{"--capacity", "64KiB"}},
	{"1 MiB", []string{"--capacity", "1MiB"}},
	{"16 MiB", []string{"--capacity", "16MiB"}},
}

// roomLoad returns the scenario of small messages at full speed through a ring of that bound.
func roomLoad(i int, length time.Duration) Scenario {
	return Scenario{
		ID: fmt.Sprintf("room-%d", i), Title: "As fast as it goes, 64 B, " + Rooms[i].Name, About: roomsAbout,
		Producer: []string{"--size", "64"}, Ring: Rooms[i].Flags, Length: length, Cut: true,
	}
}
