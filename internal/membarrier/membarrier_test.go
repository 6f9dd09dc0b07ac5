package membarrier

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// Commands of membarrier(2), which are also the bits of what it offers.
const (
	membarrierQuery            = 0
	membarrierGetRegistrations = 1 << 9 // since Linux 6.3
)

// needMembarrier skips where membarrier(2) does not offer all of the commands.
func needMembarrier(t *testing.T, commands uintptr) {
	t.Helper()
	offered, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierQuery, 0, 0)
	if errno != 0 || offered&commands != commands {
		t.Skipf("NOT TESTED: this kernel offers the membarriers %#x (%v), not %#x", offered, errno, commands)
	}
}

func TestBarrier_KernelSupports(t *testing.T) {
	needMembarrier(t, 1<<1)
	if !Global() {
		t.Error("the kernel offers it, Global is false")
	}
}

func TestBarrier_Offered_Used(t *testing.T) {
	needMembarrier(t, 1<<1|1<<2)
	for range 2 {
		if !Register() {
			t.Error("the kernel offers it, Register is false")
		}
	}
}

func TestRegister_Process(t *testing.T) {
	needMembarrier(t, membarrierGetRegistrations)
	if !Register() {
		t.Skip("NOT TESTED: there is no barrier to rely on")
	}
	registered, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierGetRegistrations, 0, 0)
	if errno != 0 || registered&(1<<2) == 0 {
		t.Errorf("registered for %#x, %v", registered, errno)
	}
}

func TestPrepare_RegistersInBackground(t *testing.T) {
	needMembarrier(t, membarrierGetRegistrations)
	if !Register() {
		t.Skip("NOT TESTED: there is no barrier to rely on")
	}
	Prepare()
	const both = membarrierRegisterGlobalExpedited | membarrierRegisterPrivateExpedited
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		registered, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierGetRegistrations, 0, 0)
		if errno != 0 || time.Now().After(deadline) {
			t.Fatalf("registered for %#x, %v", registered, errno)
		}
		if registered&both == both {
			return
		}
	}
}

// runElsewhere runs another process on every processor, one after the other. The kernel may
// have passed over one of them when this process registered (docs/protocol.md); each notices
// the registration when it comes back from the other process.
func runElsewhere(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &all)
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		left--
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(os.Args[0], "-test.run=^$").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// One side publishes and then looks whether the other sleeps, with no fence in
// between; the other lies down, issues the barrier, and looks for news. If both
// can miss each other, a sleeper sleeps on. It is a matter of nanoseconds:
// without the barrier they do in about one round of a thousand.
func TestBarrier_StoreLoad_NeverMissed(t *testing.T) {
	if !layout.StoreReleaseOvertaken || !Register() {
		t.Skip("NOT TESTED: no store is overtaken, or there is no barrier to rely on")
	}
	t.Run("within a process", func(t *testing.T) { neverMissEachOther(t, Private) })
	runElsewhere(t)
	t.Run("between processes", func(t *testing.T) { neverMissEachOther(t, Global) })
}

func neverMissEachOther(t *testing.T, barrier func() bool) {
	const rounds = 50000
	var h layout.Header
	deadline := time.Now().Add(5 * time.Second) // enough rounds on a busy machine
	var stop atomic.Bool
	// side plays round after round in step with the other side, and keeps what
	// it saw of the other's word in each.
	side := func(me, other *layout.Uint64, play func(round uint64) uint64, saw *[]uint64) func() {
		return func() {
			for round := uint64(1); round <= rounds; round++ {
				me.Store(round)
				for other.Load() < round {
					if stop.Load() {
						return
					}
				}
				*saw = append(*saw, play(round))
				stop.CompareAndSwap(false, time.Now().After(deadline))
			}
		}
	}
	contend := func(round uint64) { // so that the store that counts has to queue
		for i := range 32 {
			h.Latency.Buckets[i*8].StoreRelaxed(round)
		}
	}
	var awake, asleep []uint64
	var sides sync.WaitGroup
	sides.Go(side(&h.ProducerStats.Spins, &h.ConsumerStats.Spins, func(round uint64) uint64 {
		contend(round)
		h.Producer.Index.StoreRelease(round)
		return h.ConsumerSleep.Flag.Load()
	}, &awake))
	sides.Go(side(&h.ConsumerStats.Spins, &h.ProducerStats.Spins, func(round uint64) uint64 {
		h.ConsumerSleep.Flag.StoreRelaxed(round)
		done := barrier()
		news := h.Producer.Index.Load()
		contend(round)
		if !done {
			t.Error("the kernel does no barrier")
		}
		return news
	}, &asleep))
	sides.Wait()
	for i := range min(len(awake), len(asleep)) {
		if round := uint64(i + 1); awake[i] < round && asleep[i] < round {
			t.Fatalf("in round %d of %d both missed each other", round, len(awake))
		}
	}
}
