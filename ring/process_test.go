package ring

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary starts itself as the peer process: a consumer that checks
// what it takes, or one that answers.
const peerEnv = "SLUICE_TEST_PEER"

func TestMain(m *testing.M) {
	if how := os.Getenv(peerEnv); how != "" {
		if err := peer(how, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func peer(how string, args []string) error {
	runtime.LockOSThread()
	ctx := context.Background()
	r, err := Open(ctx, args[0], Options{})
	if err != nil {
		return err
	}
	switch how {
	case "consume":
		var sum uint64
		for {
			msg, err := r.Take(ctx)
			if err == ErrClosed {
				break
			}
			if err != nil {
				return err
			}
			sum += binary.LittleEndian.Uint64(msg)
		}
		if want := args[1]; strconv.FormatUint(sum, 10) != want {
			return fmt.Errorf("sum %d, want %s", sum, want)
		}
	case "echo":
		w, err := Create(ctx, args[0]+".back", Options{})
		if err != nil {
			return err
		}
		for msg, err := range r.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := w.Send(ctx, msg); err != nil {
				return err
			}
		}
		if _, err := w.Close(); err != nil {
			return err
		}
	}
	_, err = r.Close()
	return err
}

// startPeer starts the peer on the second processor and pins the caller's
// thread to the first.
func startPeer(b testing.TB, how string, args ...string) *exec.Cmd {
	b.Helper()
	runtime.LockOSThread()
	pin(b, 1)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), peerEnv+"="+how)
	cmd.Stderr = os.Stderr
	err := cmd.Start()
	pin(b, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func pin(b testing.TB, cpu int) {
	var set unix.CPUSet
	set.Set(cpu % runtime.NumCPU())
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		b.Logf("not pinned: %v", err)
	}
}

func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{8, 64, 1024, 65536} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			name := fmt.Sprintf("bench.%d", os.Getpid())
			ctx := context.Background()
			w, err := Create(ctx, name, Options{Fresh: true})
			if err != nil {
				b.Fatal(err)
			}
			n := uint64(b.N)
			cmd := startPeer(b, "consume", name, strconv.FormatUint(n*(n-1)/2, 10))
			b.SetBytes(int64(size))
			b.ResetTimer()
			buf := make([]byte, size)
			for i := range n {
				binary.LittleEndian.PutUint64(buf, i)
				if err := w.Send(ctx, buf); err != nil {
					b.Fatal(err)
				}
			}
			w.Close()
			if err := cmd.Wait(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
		})
	}
}
