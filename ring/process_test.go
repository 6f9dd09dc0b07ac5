package ring

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/membarrier"
	"sluice/internal/seccomp"
	"sluice/layout"
	"sluice/shm"
)

// The test binary starts itself as the other process: what it is to do stands
// in the environment, the segment's name is its argument.
const peerEnv = "SLUICE_TEST_PEER"

func TestMain(m *testing.M) {
	if todo := os.Getenv(peerEnv); todo != "" {
		if err := peer(strings.Fields(todo), os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// peer does what the words say, in order.
func peer(todo []string, name string) error {
	opt := Options{}
	for _, word := range todo {
		var err error
		switch word {
		case "forbid-barriers":
			err = seccomp.Refuse(unix.EPERM, seccomp.Call(unix.SYS_MEMBARRIER))
		case "never-spin":
			opt.Spin = SpinNever
		case "three-slots":
			opt.Slots = 3
		case "produce":
			err = produce(name, opt)
		case "consume":
			err = consume(name, opt)
		case "sum":
			err = sum(name, opt)
		case "echo":
			err = echo(name, opt)
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
func produce(name string, opt Options) error {
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

func consume(name string, opt Options) error {
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

// start runs the words in another process; it is gone when the test is over.
func start(t testing.TB, name, todo string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], name)
	cmd.Env = append(os.Environ(), peerEnv+"="+todo)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

var segments atomic.Int64

// segmentName returns a name of its own for each test, and removes what is left
// there.
func segmentName(t testing.TB) string {
	name := fmt.Sprintf("ringtest.%d.%d", os.Getpid(), segments.Add(1))
	t.Cleanup(func() { os.Remove(shm.Path(name)) })
	return name
}

// Where the kernel refuses barriers to one process, the other must fence for
// both. Nobody spins, so that everything hangs on the wake-ups.
func TestFence_ProcessesAgree(t *testing.T) {
	if !layout.StoreReleaseOvertaken || !membarrier.Register() {
		t.Skip("SKIPPED: no membarrier to be had (the kernel, a sandbox, or the race detector), so there is only one kind of fence")
	}
	const free, forbidden = "never-spin ", "forbid-barriers never-spin "
	for _, c := range []struct {
		name               string
		producer, consumer string
		want               layout.Fence
	}{
		{"both may use barriers", free, free, layout.FenceAsymmetric},
		{"the producer may not", forbidden, free, layout.FenceFull},
		{"the consumer may not", free, forbidden, layout.FenceFull},
		{"neither may", forbidden, forbidden, layout.FenceFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := segmentName(t)
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
