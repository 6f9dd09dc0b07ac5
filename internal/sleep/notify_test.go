package sleep

import (
	"os"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// after is the condition that the peer has published more than seen; once it was asked so many
// times, the peer publishes, right after the look.
type after struct {
	beyond
	peer  *end
	looks int
}

func (c *after) Ready() (bool, error) {
	ok, err := c.beyond.Ready()
	if c.looks--; c.looks == 0 {
		c.peer.publish()
	}
	return ok, err
}

// The peer publishes between two steps of Arm, after each look that this takes.
func TestNotifier_Arm_PublishBetweenItsLooks(t *testing.T) {
	for looks := 1; looks <= 3; looks++ {
		producer, consumer, _ := pair(never)
		n := consumer.NewNotifier()
		c := &after{beyond: beyond{consumer, consumer.words.PeerIndex.Load()}, peer: producer, looks: looks}
		members := []*Member{NewMember(consumer.Sleeper, c)}
		n.Arm(members)
		if looks == 3 { // there is no third look
			producer.publish()
		}
		wantEvent(t, n)
		if consumer.words.Own.Flag.Load() != 0 {
			t.Errorf("published after look %d: the flag is up", looks)
		}
		n.Close()
	}
}

// The wait of the goroutine counts as blocked, as one of the owner does.
func TestNotifier_WaitCountsAsBlocked(t *testing.T) {
	producer, consumer, h := pair(never)
	n := consumer.NewNotifier()
	defer n.Close()
	n.Arm([]*Member{NewMember(consumer.Sleeper, beyond{consumer, 0})})
	time.Sleep(20 * time.Millisecond)
	producer.publish()
	<-n.Channel()
	n.Disarm()
	s := &h.ConsumerStats
	if waits, blocked := s.Waits.Load(), time.Duration(s.Blocked.Load()); waits != 1 || blocked < 20*time.Millisecond {
		t.Errorf("%d waits, %v", waits, blocked)
	}
}

// wantEvent expects that the event is set.
func wantEvent(t *testing.T, n *Notifier) {
	t.Helper()
	select {
	case <-n.Channel():
	case <-time.After(testenv.Timeout):
		t.Fatal("no event")
	}
}

// The memory of one side may go while the goroutine sleeps on several.
func TestNotifier_MemoryOfOneGone_SleepOfOthersEnds(t *testing.T) {
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	testenv.WantErr(t, err, nil)
	name := testenv.SegmentName(t)
	seg, err := shm.Create(name, g, layout.Consumer)
	testenv.WantErr(t, err, nil)
	defer seg.Leave(func() bool { return true })
	gone := newEnd(seg.Header(), layout.Consumer, never)
	_, other, h := pair(never)
	many := NewMany(never, func() bool { return false })
	many.Add(gone.Sleeper, beyond{gone, 0})
	many.Add(other.Sleeper, beyond{other, 0})
	n := many.NewNotifier()
	defer n.Close()
	n.Arm(many.Members())
	testenv.WantErr(t, os.Truncate(shm.Path(name), 0), nil)
	many.Interrupt()
	wantEvent(t, n)
	n.Disarm()
	if flag, blocked := h.ConsumerSleep.Flag.Load(), int64(h.ConsumerStats.Blocked.Load()); flag != 0 || blocked < 0 {
		t.Errorf("flag %d, blocked %d: it still sleeps", flag, blocked)
	}
}

// Close may come before the goroutine has begun.
func TestNotifier_CloseAfterArm_FlagDown(t *testing.T) {
	for range 300 {
		_, consumer, h := pair(never)
		n := consumer.NewNotifier()
		n.Arm([]*Member{NewMember(consumer.Sleeper, beyond{consumer, 0})})
		n.Close()
		if flag := h.ConsumerSleep.Flag.Load(); flag != 0 {
			t.Fatalf("flag %d", flag)
		}
	}
}

// A peer may publish without seeing the flag, where the kernel has missed its processor. That is no
// reason to ask the peers of other rings for fences.
func TestNotifier_MissedBarrier_OfThatSide(t *testing.T) {
	var consumers, producers [3]*end
	for i := range consumers {
		producers[i], consumers[i], _ = pair(never)
	}
	if !consumers[0].barrier {
		t.Skip("NOT TESTED: there is no barrier to rely on")
	}
	const missed = 1
	producers[missed].words.Peer = new(layout.SleepState)
	n := consumers[0].NewNotifier()
	defer n.Close()
	// A goroutine that does not sleep yet when the message comes finds it in time.
	for try := 0; try < 20 && consumers[missed].barrier; try++ {
		var members []*Member
		for _, c := range consumers {
			members = append(members, NewMember(c.Sleeper, beyond{c, c.words.PeerIndex.Load()}))
		}
		n.Arm(members)
		time.Sleep(time.Millisecond)
		producers[missed].publish()
		wantEvent(t, n)
		n.Disarm()
	}
	for i, c := range consumers {
		if c.barrier != (i != missed) {
			t.Errorf("ring %d relies on its barrier: %v", i, c.barrier)
		}
	}
}
