package ring

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/membarrier"
	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Children{"peer": peer, "loops": runLoops, "send": sendToBeKilled, "receive": receiveToBeKilled})
}

// peer is another process: it does to the segment that is its first argument what the words
// after that say, in order.
func peer(args []string) error {
	name, todo := args[0], args[1:]
	opt := WriterOptions{}
	for _, word := range todo {
		var err error
		switch word {
		case "forbid-barriers":
			err = seccomp.Refuse(unix.EPERM, seccomp.Call(unix.SYS_MEMBARRIER))
		case "forbid-waitv":
			err = seccomp.Refuse(unix.ENOSYS, seccomp.Call(unix.SYS_FUTEX_WAITV))
		case "never-spin":
			opt.Spin = SpinNever
		case "three-slots":
			opt.Slots = 3
		case "produce":
			err = produce(name, opt)
		case "consume":
			err = consume(name, ReaderOptions{Spin: opt.Spin})
		case "discard":
			err = discard(name, ReaderOptions{Spin: opt.Spin})
		case "sum":
			err = sum(name, ReaderOptions{Spin: opt.Spin})
		case "ready-and-next":
			err = readyAndNext()
		case "echo":
			err = echo(name, ReaderOptions{Spin: opt.Spin})
		default:
			err = fmt.Errorf("unknown word %q", word)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return nil
}

// streamed is how many messages produce sends and consume expects.
const streamed = 50_000

// produce and consume leave the segment, so that the test can look at it.
func produce(name string, opt WriterOptions) error {
	opt.Keep = true
	w, err := Create(context.Background(), name, opt)
	if err != nil {
		return err
	}
	buf := make([]byte, 128)
	for i := range uint64(streamed) {
		if err := w.Send(context.Background(), message(buf, i)); err != nil {
			return err
		}
	}
	err = w.Close()
	return err
}

func consume(name string, opt ReaderOptions) error {
	opt.Keep = true
	r, err := Open(context.Background(), name, opt)
	if err != nil {
		return err
	}
	buf := make([]byte, 128)
	var i uint64
	for msg, err := range r.Messages(context.Background()) {
		if err != nil {
			return err
		}
		if want := message(buf, i); string(msg) != string(want) {
			return fmt.Errorf("message %d is % x, want % x", i, msg, want)
		}
		i++
	}
	if i != streamed {
		return fmt.Errorf("%d messages, want %d", i, streamed)
	}
	err = r.Close()
	return err
}

// start starts a peer that does those words, separated by spaces.
func start(t testing.TB, name, words string) *exec.Cmd {
	t.Helper()
	return testenv.StartChild(t, "peer", append([]string{name}, strings.Fields(words)...)...).Cmd
}

// Where the kernel refuses barriers to one process, the other must fence for
// both. Nobody spins, so that everything hangs on the wake-ups.
func TestFence_ProcessesAgree(t *testing.T) {
	if !layout.StoreReleaseOvertaken || !membarrier.Register() {
		t.Skip("SKIPPED: membarrier is not available (the kernel, a sandbox, or the race detector), so there is only one kind of fence")
	}
	const free, forbidden = "never-spin ", "forbid-barriers never-spin "
	for _, c := range []struct {
		name               string
		producer, consumer string
		want               layout.Fence
	}{
		{"both may use barriers, and sleep often", free, free, layout.FenceForNow},
		{"the producer may not", forbidden, free, layout.FenceFull},
		{"the consumer may not", free, forbidden, layout.FenceFull},
		{"neither may", forbidden, forbidden, layout.FenceFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := testenv.SegmentName(t)
			for _, cmd := range []*exec.Cmd{start(t, name, c.consumer+"consume"), start(t, name, c.producer+"three-slots produce")} {
				if err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			h := look(t, name)
			for _, side := range []*layout.RoleStats{&h.ProducerStats, &h.ConsumerStats} {
				if got := layout.Fence(side.Fence.Load()); got != c.want {
					t.Errorf("fence %d, want %d", got, c.want)
				}
				if side.Waits.Load() == 0 {
					t.Error("it never slept, so nothing was tested")
				}
			}
		})
	}
}

// look reads the header of a segment, as it is now.
func look(t testing.TB, name string) *layout.Header {
	t.Helper()
	b, err := os.ReadFile(shm.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	h, err := layout.At(b)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
