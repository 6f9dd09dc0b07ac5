package sleep

import (
	"testing"
	"time"

	"sluice/internal/testenv"
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
		select {
		case <-n.Channel():
		case <-time.After(testenv.Timeout):
			t.Errorf("published after look %d: no event", looks)
		}
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
