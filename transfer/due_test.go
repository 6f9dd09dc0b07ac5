package transfer

import (
	"testing"
	"time"

	"sluice/internal/endpoint"
)

// A due time holds for what is committed after it was set, whenever the buffer is sent.
func TestSender_SetDue_FirstAndLastOfBuffer(t *testing.T) {
	base := time.Now()
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	reserve := func(s *Sender) {
		if _, err := s.Reserve(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name        string
		send        func(s *Sender)
		first, last time.Time
	}{
		{"never set", func(s *Sender) { send(t, s, "a", "b") }, time.Time{}, time.Time{}},
		{"once", func(s *Sender) { s.SetDue(at(1)); send(t, s, "a", "b", "c") }, at(1), at(1)},
		{"for each", func(s *Sender) {
			for i := range 4 {
				s.SetDue(at(i))
				send(t, s, "a")
			}
		}, at(0), at(3)},
		{"for one that is not sent yet", func(s *Sender) {
			s.SetDue(at(1))
			send(t, s, "a")
			s.SetDue(at(2))
			s.SetDue(at(3))
		}, at(1), at(1)},
		{"not before", func(s *Sender) {
			send(t, s, "a")
			s.SetDue(at(1)) // begins a buffer
			send(t, s, "b")
		}, at(1), at(1)},
		{"not any more", func(s *Sender) {
			s.SetDue(at(1))
			send(t, s, "a")
			s.SetDue(time.Time{})
			send(t, s, "b")
		}, time.Time{}, time.Time{}},
		{"while one is reserved", func(s *Sender) {
			send(t, s, "a")
			reserve(s)
			s.SetDue(at(1))
			s.Commit(1)
		}, time.Time{}, at(1)},
		{"between Reserve and Commit", func(s *Sender) {
			s.SetDue(at(1))
			reserve(s)
			s.SetDue(at(2))
			s.Commit(1)
		}, at(2), at(2)},
	} {
		name, opt := place(t)
		opt.Buffer = 4096
		s := create(t, name, opt)
		c.send(s)
		if first, last := s.first.due, s.due.last(s.count); first != endpoint.DueAt(c.first) || last != endpoint.DueAt(c.last) {
			t.Errorf("%s: the buffer is due from %d to %d, want %d to %d", c.name, first, last, endpoint.DueAt(c.first), endpoint.DueAt(c.last))
		}
		s.Abort()
		s.SetDue(at(9)) // does nothing
	}
}
