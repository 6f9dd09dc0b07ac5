package transfer

import (
	"context"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

// What a process that ends now takes with it is what is not in the socket, and all where
// nobody listens at it.
func TestStopSending_TellsWhatIsNotHandedOver(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "a", "b", "c")
		s.Flush()
		wantMessages(t, r, "a")
		r.Release()
		testenv.Eventually(t, "all sent", func() bool { waiting, _ := s.queue.counts(); return waiting == 0 })
		testenv.Eventually(t, "a send loop that has noted it", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseNone) })
		if n, exact := s.StopSending(); n != 0 || !exact {
			t.Errorf("%d, exact: %v; all is in the socket", n, exact)
		}
		s.Abort()
		wantMessages(t, r, "b", "c")
		r.Release()
	})
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		send(t, s, "a", "b", "c")
		if n, exact := s.StopSending(); n != 3 || !exact {
			t.Errorf("%d, exact: %v; nobody has any of 3", n, exact)
		}
	})
}

// What StopSending has counted is what is lost: until Abort, nothing more is published.
func TestStopSending_NothingPublishedAfter(t *testing.T) {
	for what, publish := range map[string]func(*Sender) error{
		"Send":     func(s *Sender) error { return s.Send(context.Background(), []byte("late")) },
		"Shutdown": func(s *Sender) error { return s.Shutdown(context.Background()) },
	} {
		t.Run(what, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, opt endOptions) {
				s, _ := pair(t, opt)
				send(t, s, "a")
				s.Flush()
				room, err := s.Reserve(context.Background(), 4)
				testenv.WantErr(t, err, nil)
				s.Commit(copy(room, "more"))
				published := s.cursor.Count.Load()
				s.StopSending()
				late := make(chan error, 1)
				go func() { late <- publish(s) }()
				select {
				case err := <-late:
					t.Fatalf("it returned %v before Abort, with %d published, %d at StopSending", err, s.cursor.Count.Load(), published)
				case <-time.After(20 * time.Millisecond):
				}
				if got := s.cursor.Count.Load(); got != published {
					t.Errorf("%d published, %d at StopSending", got, published)
				}
				s.Abort()
				if err := <-late; err == nil {
					t.Error("no error after Abort")
				}
			})
		})
	}
}

// A consumer that has died takes what it had with it.
func TestStopSending_ConsumerDied(t *testing.T) {
	s, r := pair(t, endOptions{})
	send(t, s, "a", "b", "c")
	wantMessages(t, r, "a")
	r.Release()
	testenv.Eventually(t, "all sent", func() bool { waiting, _ := s.queue.counts(); return waiting == 0 })
	r.Close()
	if n, exact := s.StopSending(); n != 2 || !exact {
		t.Errorf("%d, exact: %v; one of 3 was released", n, exact)
	}
}

// A Shutdown that waits for the consumer does not go on, and Abort ends it.
func TestStopSending_DuringShutdown(t *testing.T) {
	s, _ := pair(t, endOptions{})
	send(t, s, "a", "b")
	drained := make(chan error, 1)
	go func() { err := s.Shutdown(context.Background()); drained <- err }()
	testenv.Eventually(t, "the end is sent", func() bool { waiting, unread := s.queue.counts(); return waiting == 0 && unread == 2 })
	if n, exact := s.StopSending(); n != 0 || !exact {
		t.Errorf("%d, exact: %v; all is in the socket", n, exact)
	}
	select {
	case err := <-drained:
		t.Errorf("drained: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	s.Abort()
	testenv.WantErr(t, <-drained, ErrUndelivered)
}
