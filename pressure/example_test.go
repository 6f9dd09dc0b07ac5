package pressure_test

import (
	"fmt"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// A program takes the snapshots with [pressure.Observe], of a segment that it has joined or a
// view of one (shm.OpenView). Here they are made by hand: in one second, 1,000 messages went
// through a ring whose producer waited for 900 ms.
func ExampleJudge() {
	before := pressure.Snapshot{
		Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20},
		Producer: pressure.RoleStats{Alive: true, State: layout.StateRunning},
		Consumer: pressure.RoleStats{Alive: true, State: layout.StateRunning},
	}
	after := before
	after.At += uint64(time.Second)
	after.Produced, after.Consumed = 1000, 1000
	after.Producer.Blocked = 900 * time.Millisecond

	interval := pressure.Between(&before, &after)
	verdict := pressure.Judge(&interval, &after)
	switch verdict.Kind {
	case pressure.ConsumerBound:
		fmt.Printf("%s: the producer waited for %.0f %% of the time\n", verdict.Kind, 100*verdict.ProducerBlocked)
		fmt.Println("a faster consumer helps:", verdict.Advises(pressure.AdviceSpeedUpConsumer))
		fmt.Println("more capacity helps:", verdict.Advises(pressure.AdviceMoreCapacity))
	case pressure.NoConsumer, pressure.Stopped, pressure.Stalled:
		fmt.Println("nobody consumes:", verdict.Depth, "messages are queued")
	}
	// Output:
	// consumer-bound: the producer waited for 90 % of the time
	// a faster consumer helps: true
	// more capacity helps: false
}
