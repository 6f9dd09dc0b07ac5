package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/edsrzf/mmap-go"

	"sluice"
	"sluice/internal/trial"
)

func (s *storm) beginProducer() (err error) {
	s.producer, err = trial.StartChild(-1, "child-numbers", s.near)
	return err
}

func (s *storm) beginConsumer() (err error) {
	s.consumer, err = trial.StartChild(-1, "child-check", s.far, s.diary)
	return err
}

// sendNumbers sends the numbers that follow those which the ring has had: message k of the ring is
// the number k, in each of its 8 bytes.
func sendNumbers(ctx context.Context, args []string) error {
	p, err := sluice.Create(ctx, args[0], sluice.ProducerOptions{Capacity: 1 << 17, Keep: true})
	if err != nil {
		return err
	}
	s, err := sluice.Stats(p)
	if err != nil {
		return err
	}
	slow := rand.IntN(2) == 0
	for k := s.Produced; ctx.Err() == nil; k++ { // until SIGTERM
		msg, err := p.Reserve(ctx, sizeOf(k))
		if err != nil && ctx.Err() == nil {
			return errors.Join(err, p.Close())
		} else if err != nil {
			break
		}
		fill(msg, k)
		p.Commit(len(msg))
		p.Publish()
		if slow && k%64 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	if rand.IntN(2) == 0 {
		p.EndAs(sluice.EndStopped)
	}
	return p.Close()
}

// sizeOf returns how many bytes message k has, 8 to 512.
func sizeOf(k uint64) int { return 8 + 8*int(k*0x9e3779b97f4a7c15>>58) }

// The diary of the consumers is a file of these words, which stay when one is killed.
const (
	diarySeen  = iota // messages that consumers have seen
	diaryAgain        // times that one saw a message that an earlier one had not released
	diaryEnds         // ends of streams
	diaryWords
)

// checkNumbers takes messages and compares each with its position in the ring: how many were
// released before this consumer came, plus what it has taken. A message that the ring was given
// twice, not at all, or not in its place, is not the number of its position. A message that comes
// again because a killed consumer had not released it has its old position.
func checkNumbers(ctx context.Context, args []string) error {
	file, err := os.OpenFile(args[1], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	diary, err := mmap.Map(file, mmap.RDWR, 0)
	if err != nil {
		return err
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(diary[8*i:]) }
	note := func(i int, v uint64) { binary.NativeEndian.PutUint64(diary[8*i:], v) }
	c, err := sluice.Open(ctx, args[0], sluice.ConsumerOptions{Follow: true, Keep: true, OnEnd: func(error) {
		note(diaryEnds, word(diaryEnds)+1)
	}})
	if err != nil {
		return err
	}
	s, err := sluice.Stats(c)
	if err != nil {
		return err
	}
	position := s.Consumed
	msgs := make([][]byte, 64)
	work := time.Millisecond // of each batch, so that kills find messages that are held
	if rand.IntN(2) == 0 {
		work *= 20 // so that the far ring is full
	}
	for {
		n, err := c.NextBatch(ctx, msgs, 1<<14)
		for _, msg := range msgs[:n] {
			if len(msg) != sizeOf(position) || !filled(msg, position) {
				number := uint64(0)
				if len(msg) >= 8 {
					number = binary.LittleEndian.Uint64(msg)
				}
				return fmt.Errorf("message %d of the far ring is %d, of %d bytes", position, number, len(msg))
			}
			switch seen := word(diarySeen); {
			case position > seen:
				return fmt.Errorf("this consumer begins at %d, and those before it have seen %d", position, seen)
			case position < seen:
				note(diaryAgain, word(diaryAgain)+1)
			default:
				note(diarySeen, position+1)
			}
			position++
		}
		time.Sleep(work)
		c.Release()
		if ctx.Err() != nil { // SIGTERM
			return c.Close()
		}
		if err != nil {
			return err
		}
	}
}
