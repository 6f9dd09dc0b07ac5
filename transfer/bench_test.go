package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/shm"
)

// A benchmark's consumer is a process of its own: this program again, with the
// segment's name in its environment.
const benchSegment = "SLUICE_TEST_TRANSFER_CONSUMER"

func init() {
	name := os.Getenv(benchSegment)
	if name == "" {
		return
	}
	if err := benchConsumer(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// benchConsumer reads every byte and checks that no message is missing.
func benchConsumer(name string) error {
	r, err := Open(context.Background(), name, ReceiverOptions{})
	if err != nil {
		return err
	}
	var sum uint64
	for next := uint32(0); ; next++ {
		msg, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if got := binary.LittleEndian.Uint32(msg); got != next {
			return fmt.Errorf("message %d where %d was due", got, next)
		}
		for ; len(msg) >= 8; msg = msg[8:] {
			sum += binary.LittleEndian.Uint64(msg)
		}
		if !r.Buffered() {
			r.Release()
		}
	}
	r.Release()
	runtime.KeepAlive(sum)
	return r.Close()
}

// BenchmarkTransfer moves messages to another process. scripts/peers/memfd_pass.c
// is the same without seals, checks and accounts, for comparison.
func BenchmarkTransfer(b *testing.B) {
	for _, form := range []struct {
		name string
		opt  endOptions
	}{
		{"one-a-packet", endOptions{Batch: 1}},
		{"sealed", endOptions{}},
		{"recycled", endOptions{Recycle: true}},
		{"packed", endOptions{Buffer: 64 << 10}},
		{"packed-recycled", endOptions{Buffer: 64 << 10, Recycle: true}},
	} {
		sizes := []int{4, 64 << 10, 1 << 20}
		if form.opt.Buffer > 0 {
			sizes = []int{8}
		}
		for _, size := range sizes {
			b.Run(fmt.Sprintf("%s/size=%d", form.name, size), func(b *testing.B) { benchTransfer(b, form.opt, size) })
		}
	}
}

func benchTransfer(b *testing.B, opt endOptions, size int) {
	name, ctx := fmt.Sprintf("transferbench.%d", os.Getpid()), context.Background()
	b.Cleanup(func() { os.Remove(shm.Path(name)) })
	s, err := Create(ctx, name, opt.sender())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	peer := exec.Command(os.Args[0])
	peer.Env, peer.Stderr = append(os.Environ(), benchSegment+"="+name), os.Stderr
	if err := peer.Start(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	b.ResetTimer()
	for i := range uint32(b.N) {
		msg, err := s.Reserve(ctx, size)
		for errors.Is(err, ErrLimit) { // as a program would that can wait
			runtime.Gosched()
			msg, err = s.Reserve(ctx, size)
		}
		if err != nil {
			b.Fatal(err)
		}
		clear(msg)
		binary.LittleEndian.PutUint32(msg, i)
		s.Commit(size)
		s.Publish()
	}
	if err := s.Shutdown(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if err := peer.Wait(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e3, "kmsg/s")
	var use unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &use) == nil {
		b.ReportMetric(float64(use.Maxrss)/1024, "MiB-rss")
	}
}

// BenchmarkDeadline is by how much deadlines and cancels are missed by a Receiver that has a
// producer, which sends nothing.
func BenchmarkDeadline(b *testing.B) {
	var receivers []*Receiver
	for range testenv.LatenessWaits {
		s, r := pair(b, endOptions{})
		receivers = append(receivers, r)
		if err := s.Send(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Take(b.Context()); err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
	testenv.BenchmarkLateness(b, func(i int, ctx context.Context) { receivers[i].Next(ctx) })
}
