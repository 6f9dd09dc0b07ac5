package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/edsrzf/mmap-go"
	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/trial"
	"sluice/layout"
)

var killsCommand = &urfave.Command{
	Name: "kills", Usage: "kills of random producers and of the consumer: nothing that was published is lost, and each ring keeps its order",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rings", Value: 8},
		&urfave.IntFlag{Name: "kills", Value: 500},
	},
	Action: kills,
}

// kills starts producers of numbered messages and a consumer that notes what it has seen in a file,
// kills one of them after the other, and compares the file with what was published.
func kills(c *urfave.Context) error {
	all := trial.Names("many", c.Int("rings"))
	defer trial.Remove(all)
	diary, err := os.CreateTemp("", "many")
	if err != nil {
		return err
	}
	defer os.Remove(diary.Name())
	if err := diary.Truncate(int64(len(all)+1) * 8); err != nil {
		return err
	}
	producers := make([]*trial.Process, len(all))
	begin := func(i int) (err error) {
		producers[i], err = trial.StartChild(-1, "child-numbers", all[i])
		return err
	}
	var consumer *trial.Process
	beginConsumer := func() (err error) {
		consumer, err = trial.StartChild(-1, "child-check", strings.Join(all, ","), diary.Name())
		return err
	}
	for i := range all {
		if err := begin(i); err != nil {
			return err
		}
	}
	if err := beginConsumer(); err != nil {
		return err
	}
	for _, name := range all { // each ring has messages, however soon and often its producer is killed
		for c.Context.Err() == nil {
			if s, err := trial.Observe(name); err == nil && s.Produced > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	defer func() {
		for _, p := range append(producers, consumer) {
			p.Kill()
		}
	}()
	ofConsumer := 0
	for range c.Int("kills") {
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		if i := rand.IntN(2 * len(all)); i < len(all) {
			producers[i].Kill()
			trial.WaitGone(all[i], layout.Producer)
			if err := begin(i); err != nil {
				return err
			}
		} else {
			ofConsumer++
			consumer.Kill()
			if rand.IntN(4) == 0 { // meanwhile all rings fill up
				time.Sleep(5 * time.Millisecond)
			}
			for _, name := range all {
				trial.WaitGone(name, layout.Consumer)
			}
			if err := beginConsumer(); err != nil {
				return err
			}
		}
	}
	for i, p := range producers {
		p.Kill()
		trial.WaitGone(all[i], layout.Producer)
	}
	// What is left of each ring is taken.
	published := make([]uint64, len(all))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left := uint64(0)
		for i, name := range all {
			s, err := trial.Observe(name)
			if err != nil {
				return err
			}
			published[i] = s.Produced
			left += s.Depth()
		}
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d messages are not taken", left)
		}
	}
	consumer.Kill()
	notes, err := os.ReadFile(diary.Name())
	if err != nil {
		return err
	}
	var total uint64
	for i := range all {
		if seen := binary.NativeEndian.Uint64(notes[8*i:]); seen != published[i] {
			return fmt.Errorf("ring %d: %d published, seen up to %d", i, published[i], seen)
		}
		total += published[i]
	}
	again := binary.NativeEndian.Uint64(notes[8*len(all):])
	fmt.Printf("%d kills, %d of them of the consumer: %d messages published, all seen, in the order of each ring; %d came again\n",
		c.Int("kills"), ofConsumer, total, again)
	return nil
}

// produceNumbers sends the numbers that follow those which the ring has had.
func produceNumbers(ctx context.Context, args []string) error {
	p, err := sluice.Create(ctx, args[0], sluice.ProducerOptions{Capacity: 1 << 17})
	if err != nil {
		return err
	}
	s, err := sluice.Stats(p)
	if err != nil {
		return err
	}
	for n := s.Produced; ; n++ {
		if err := p.Send(ctx, append(binary.LittleEndian.AppendUint64(nil, n), make([]byte, rand.IntN(200))...)); err != nil {
			return err
		}
	}
}

// consumeChecked notes for each ring how many messages it has seen, and stops at a gap.
func consumeChecked(ctx context.Context, args []string) error {
	all := strings.Split(args[0], ",")
	file, err := os.OpenFile(args[1], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	diary, err := mmap.Map(file, mmap.RDWR, 0)
	if err != nil {
		return err
	}
	f, err := sluice.OpenFanIn(ctx, all, sluice.FanInOptions{})
	if err != nil {
		return err
	}
	seen := func(i int) uint64 { return binary.NativeEndian.Uint64(diary[8*i:]) }
	last := make(map[string]uint64)
	msgs := make([][]byte, 64)
	for {
		n, from, err := f.NextBatch(ctx, msgs, 1<<14)
		if err != nil {
			return err
		}
		i := slices.Index(all, from.Name())
		for _, msg := range msgs[:n] {
			number := binary.LittleEndian.Uint64(msg)
			next, known := last[from.Name()]
			switch {
			case known && number != next, number > seen(i):
				fmt.Fprintf(os.Stderr, "%s: message %d, seen %d, the next one is %d\n", from.Name(), number, seen(i), next)
				os.Exit(1)
			case number < seen(i):
				binary.NativeEndian.PutUint64(diary[8*len(all):], seen(len(all))+1)
			default:
				binary.NativeEndian.PutUint64(diary[8*i:], number+1)
			}
			last[from.Name()] = number + 1
			for began := now(); now()-began < 2000; { // so that rings are full, and kills find messages held
			}
		}
		f.Release()
	}
}
