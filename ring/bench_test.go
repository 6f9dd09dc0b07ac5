package ring

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/shm"
)

// Two processes, each pinned to a processor of its own where there are two.

func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{8, 64, 1024, 65536} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			name, ctx := testenv.SegmentName(b), context.Background()
			w, err := Create(ctx, name, WriterOptions{})
			if err != nil {
				b.Fatal(err)
			}
			peer := startPinned(b, name, "sum")
			b.SetBytes(int64(size))
			b.ResetTimer()
			buf := make([]byte, size)
			for i := range uint64(b.N) {
				binary.LittleEndian.PutUint64(buf, i)
				if err := w.Send(ctx, buf); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			if err := peer.Wait(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
		})
	}
}

// sum takes numbered messages and checks that none is missing.
func sum(name string, opt ReaderOptions) error {
	runtime.LockOSThread()
	r, err := Open(context.Background(), name, opt)
	if err != nil {
		return err
	}
	var sum, n uint64
	for {
		msg, err := r.Take(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		sum += binary.LittleEndian.Uint64(msg)
		n++
	}
	if want := n * (n - 1) / 2; sum != want {
		return fmt.Errorf("%d messages have the sum %d, want %d", n, sum, want)
	}
	err = r.Close()
	return err
}

// BenchmarkRoundTrip sends a message of 8 bytes and waits for its echo, through
// two rings. With spin=never each hop is a sleep and a wake.
func BenchmarkRoundTrip(b *testing.B) {
	for _, spin := range []struct {
		name, word string
		spin       time.Duration
	}{
		{"spin=adaptive", "", SpinAdaptive},
		{"spin=never", "never-spin ", SpinNever},
	} {
		b.Run(spin.name, func(b *testing.B) {
			name, ctx := testenv.SegmentName(b), context.Background()
			back := name + backward
			b.Cleanup(func() { os.Remove(shm.Path(back)) })
			w, err := Create(ctx, name, WriterOptions{Spin: spin.spin})
			if err != nil {
				b.Fatal(err)
			}
			peer := startPinned(b, name, spin.word+"echo")
			r, err := Open(ctx, back, ReaderOptions{Spin: spin.spin})
			if err != nil {
				b.Fatal(err)
			}
			var buf [8]byte
			b.ResetTimer()
			for i := range uint64(b.N) {
				binary.LittleEndian.PutUint64(buf[:], i)
				if err := w.Send(ctx, buf[:]); err != nil {
					b.Fatal(err)
				}
				msg, err := r.Take(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if got := binary.LittleEndian.Uint64(msg); got != i {
					b.Fatalf("echo %d of %d", got, i)
				}
			}
			b.StopTimer()
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			if err := peer.Wait(); err != nil {
				b.Fatal(err)
			}
			r.Release()
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// backward names the ring that echo answers in.
const backward = ".back"

func echo(name string, opt ReaderOptions) error {
	runtime.LockOSThread()
	r, err := Open(context.Background(), name, opt)
	if err != nil {
		return err
	}
	w, err := Create(context.Background(), name+backward, WriterOptions{Spin: opt.Spin})
	if err != nil {
		return err
	}
	for msg, err := range r.Messages(context.Background()) {
		if err != nil {
			return err
		}
		if err := w.Send(context.Background(), msg); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	err = r.Close()
	return err
}

// startPinned starts the peer on the second processor and pins the caller's
// thread to the first.
func startPinned(b *testing.B, name, todo string) *exec.Cmd {
	b.Helper()
	runtime.LockOSThread()
	b.Cleanup(runtime.UnlockOSThread)
	pin(b, 1) // which the new process inherits
	peer := start(b, name, todo)
	pin(b, 0)
	return peer
}

func pin(b *testing.B, processor int) {
	var set unix.CPUSet
	set.Set(processor % runtime.NumCPU())
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		b.Logf("not pinned: %v", err)
	}
}
