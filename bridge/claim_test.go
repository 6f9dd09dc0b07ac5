package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/internal/natsserver"
)

func connections(t *testing.T, n int) []*nats.Conn {
	t.Helper()
	s, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0", StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	var all []*nats.Conn
	for range n {
		nc, err := nats.Connect(s.URL(), ConnectOptions(t.Name())...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		all = append(all, nc)
	}
	return all
}

func TestClaim_SecondIsRefused_UntilTheFirstLeaves(t *testing.T) {
	nc, ctx := connections(t, 2), context.Background()
	first, err := takeClaim(ctx, nc[0], "c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeClaim(ctx, nc[1], "c"); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), fmt.Sprint("process ", first.own.PID)) {
		t.Errorf("second: %v, want ErrTaken that names process %d", err, first.own.PID)
	}
	if other, err := takeClaim(ctx, nc[1], "d"); err != nil {
		t.Errorf("another subject: %v", err)
	} else {
		other.release()
	}
	if err := first.check(); err != nil {
		t.Errorf("the first lost its claim to one that was refused: %v", err)
	}
	first.release()
	second, err := takeClaim(ctx, nc[1], "c")
	if err != nil {
		t.Fatalf("after the first has left: %v", err)
	}
	second.release()
}

// The connection is lost between the look whether there is one and the question.
func TestClaim_WithoutConnection_AsksWhenThereIsOne(t *testing.T) {
	s, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0", StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.URL(), ConnectOptions(t.Name())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s.Shutdown()
	for nc.IsConnected() {
		time.Sleep(time.Millisecond)
	}
	ctx := context.Background()
	if _, err := takeClaim(ctx, nc, "c"); !passing(err) {
		t.Fatalf("without a connection: %v", err)
	}
	waited := false
	c, err := awaitClaim(ctx, nc, "c", func(ctx context.Context) error {
		if !waited {
			waited = true
			if s, err = natsserver.Start(s.Options()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Shutdown)
		}
		return awaitConnection(ctx, nc, func() {}, func() {})
	})
	if err != nil {
		t.Fatal(err)
	}
	c.release()
}

func TestClaim_AtTheSameMoment_OneStays(t *testing.T) {
	const sides = 4
	nc, ctx := connections(t, sides), context.Background()
	for round := range 5 {
		var all [sides]*claim
		var errs [sides]error
		var group sync.WaitGroup
		for i := range sides {
			group.Go(func() { all[i], errs[i] = takeClaim(ctx, nc[i], "c") })
		}
		group.Wait()
		stay := 0
		for i, c := range all {
			if c == nil {
				if !errors.Is(errs[i], ErrTaken) {
					t.Errorf("round %d: %v", round, errs[i])
				}
				continue
			}
			if c.check() == nil {
				stay++
			}
			c.release()
		}
		if stay != 1 {
			t.Errorf("round %d: %d of %d stay, want 1", round, stay, sides)
		}
	}
}

// Two that were cut off from each other do not know of each other when both are connected again.
func TestClaim_Again_OneOfTwoSettledStays(t *testing.T) {
	nc, ctx := connections(t, 2), context.Background()
	var both [2]*claim
	for i := range both {
		c, err := takeClaim(ctx, nc[i], fmt.Sprint("c", i))
		if err != nil {
			t.Fatal(err)
		}
		c.release()
		c.subject = "c"
		if c.sub, err = nc[i].Subscribe("c", c.answer); err != nil {
			t.Fatal(err)
		}
		if err := nc[i].Flush(); err != nil {
			t.Fatal(err)
		}
		defer c.release()
		both[i] = c
	}
	errA, errB := both[0].again(ctx), both[1].again(ctx)
	left := 0
	for i, err := range []error{errA, errB} {
		if err != nil || both[i].check() != nil {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d of 2 leave, want 1: %v, %v", left, errA, errB)
	}
}
