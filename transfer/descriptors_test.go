package transfer

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// few leaves this process n descriptors more than it has, until the end of the test
// or the call of restore.
func few(t *testing.T, n int) (restore func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	free, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	restore = func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	after := before
	after.Cur = uint64(free + n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &after); err != nil {
		t.Fatal(err)
	}
	return restore
}

func TestDescriptors_PacketDoesNotFit_ErrorAndClosed(t *testing.T) {
	for _, room := range []int{0, 1, 7} {
		t.Run(fmt.Sprintf("%d of 8 fit", room), func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			in.gives([]int{file(t, "from him", sealed)}, one)
			wantMessages(t, r, "from him") // it is connected
			var files []int
			var entries []entry
			for range 8 {
				files, entries = append(files, file(t, "from him", sealed)), append(entries, one)
			}
			in.put(packet(in.head(kindBuffers), entries...), files...)
			restore := few(t, room)
			fails(t, r, ErrDescriptors)
			restore()
			in.sentAway(r)
			in.serves(r)
		})
	}
}

func TestDescriptors_PacketDidNotFit_SentAgain(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Buffer = min(opt.Buffer, 64) // several buffers
		s, r := pair(t, opt)
		send(t, s, "0")
		s.Flush()
		wantMessages(t, r, "0")
		for i := range 50 {
			send(t, s, fmt.Sprint("number ", i))
		}
		s.Flush()
		restore := few(t, 0)
		fails(t, r, ErrDescriptors)
		restore()
		for i := range 50 {
			wantMessages(t, r, fmt.Sprint("number ", i))
		}
		r.Release()
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
	})
}

func TestDescriptors_ConnectionDoesNotFit_TakenLater(t *testing.T) {
	in, r := newRawProducer(t)
	restore := few(t, 1) // for the rawProducer's end
	in.greet()
	fails(t, r, unix.EMFILE)
	restore()
	in.gives([]int{file(t, "from him", sealed)}, one)
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Timeout)
	defer cancel()
	msg, err := r.Next(ctx)
	for errors.Is(err, unix.EMFILE) { // it was tried again before there were more
		msg, err = r.Next(ctx)
	}
	if string(msg) != "from him" || err != nil {
		t.Errorf("took %q, %v", msg, err)
	}
}

// It leaves an eighth or more to the rest of the process, says how many it takes at
// most, and has the other messages wait in ordinary memory.
func TestDescriptors_SenderKeepsToBudget(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		number := func(i int) string { return fmt.Sprintf("number %1000d", i) }
		name, at := place(t)
		opt.Socket = at.Socket
		restore := few(t, 40)
		var files unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
			t.Fatal(err)
		}
		s := create(t, name, opt)
		most := int(s.own.MaxDescriptors.Load())
		if most < 1 || most > int(files.Cur/8*7) {
			t.Errorf("it says it may have %d of %d", most, files.Cur)
		}
		for i := range 500 {
			send(t, s, number(i))
			if memfds() > most {
				t.Fatalf("%d descriptors, of %d", memfds(), most)
			}
		}
		s.Flush()
		if n := memfds(); n != most {
			t.Errorf("%d descriptors, of %d, for 500 messages", n, most)
		}
		restore() // for the Receiver
		r := open(t, name, opt)
		testenv.Eventually(t, "a lack of descriptors", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseNoDescriptor) })
		for i := range 500 {
			wantMessages(t, r, number(i))
			r.Release()
		}
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
	})
}

// One that got a buffer before an older one could keep the last of them, while the
// older one, which has to go first, waits for it.
func TestDescriptors_OldestMessageFirst(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt) // without a consumer the send loop makes none
		s.queue.memory.fds.max = 4
		for i := range 20 {
			if i == 10 {
				s.queue.memory.fds.max = 7 // as when some have come back
			}
			send(t, s, fmt.Sprint(i))
			s.Flush()
		}
		if held, unbacked := s.queue.memory.fds.held.Load(), s.queue.unbacked.Load(); held != 7 || unbacked != 13 {
			t.Errorf("%d messages have a buffer, %d have none; want 7 and 13", held, unbacked)
		}
		s.queue.mu.Lock()
		for i := range s.queue.buffers.len() {
			if has := s.queue.buffers.at(i).data == nil; has != (i < 7) {
				t.Errorf("message %d has a buffer: %v", i, has)
			}
		}
		s.queue.mu.Unlock()
		r := open(t, name, opt)
		for i := range 20 {
			wantMessages(t, r, fmt.Sprint(i))
			r.Release()
		}
		ended(t, s, r)
	})
}
