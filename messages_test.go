package sluice_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"sluice"
	"sluice/shm"
)

func TestMessages_EachWriteIsOne_ConsumerClosedAfter(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		w := sluice.MessageWriter(t.Context(), p)
		wantErr(t, json.NewEncoder(w).Encode(map[string]int{"a": 1}), nil)
		if n, err := fmt.Fprintf(w, "%d %s", 2, "b"); n != 3 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		closed := make(chan error, 1)
		go func() { closed <- errors.Join(p.Drain(t.Context()), p.Close()) }()
		var got []string
		for msg, err := range sluice.Messages(t.Context(), name, sluice.ConsumerOptions{}) {
			wantErr(t, err, nil)
			got = append(got, string(msg))
		}
		if want := []string{"{\"a\":1}\n", "2 b"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q, want %q", got, want)
		}
		wantErr(t, <-closed, nil)
		if _, err := os.Stat(shm.Path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the segment after both ends have closed: %v", err)
		}
	})
}

// The consumer is closed whichever way the loop ends, and its message stays.
func TestMessages_LoopLeft_ConsumerClosed(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		p.Flush()
		for range sluice.Messages(t.Context(), name, sluice.ConsumerOptions{}) {
			break
		}
		func() {
			defer func() { recover() }()
			for range sluice.Messages(t.Context(), name, sluice.ConsumerOptions{}) {
				panic("left")
			}
		}()
		canceled, cancel := context.WithCancel(t.Context())
		defer cancel()
		turns := 0
		for msg, err := range sluice.Messages(canceled, name, sluice.ConsumerOptions{}) {
			cancel()
			if turns++; turns == 1 && string(msg) == "x" && err == nil {
				continue
			}
			if err != context.Canceled || msg != nil {
				t.Errorf("%q, %v", msg, err)
			}
		}
		if turns != 2 {
			t.Errorf("%d turns, want a message and an error", turns)
		}
		open(t, name, sluice.ConsumerOptions{}) // the role is free
	})
}

func TestMessages_ErrorsOfOpenAndSend(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		var all []error
		for _, err := range sluice.Messages(t.Context(), "a b", sluice.ConsumerOptions{}) {
			all = append(all, err)
		}
		if len(all) != 1 {
			t.Fatalf("%v, want one error", all)
		}
		wantErr(t, all[0], sluice.ErrName)
		p := create(t, name, opt)
		n, err := sluice.MessageWriter(t.Context(), p).Write(make([]byte, p.MaxMessage()+1))
		wantErr(t, err, sluice.ErrTooLarge)
		if n != 0 {
			t.Errorf("%d bytes of a message that was not sent", n)
		}
	})
}
