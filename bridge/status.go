package bridge

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/layout"
)

// Directions of a bridge, in the subjects outside of the stream.
const (
	directionOut = "out"
	directionIn  = "in"
)

// status is what the two bridges of a ring tell each other, each statusInterval, and when it
// changes. It moves no message: without it only the lag is unknown.
type status struct {
	Source   uint64 `json:"source"`   // of the near ring
	Position uint64 `json:"position"` // out: messages that the near ring was given; in: that the far ring has
	Waits    string `json:"waits"`    // what the bridge waits for: layout.PeerWaits in a word
	Acked    uint64 `json:"acked"`    // out: position up to which the near ring is released

	// Of out, which knows both ends of the lag: see layout.Link.
	LagBytes uint64        `json:"lagBytes,omitempty"`
	LagTime  time.Duration `json:"lagNanoseconds,omitempty"`
}

const (
	statusInterval = time.Second
	// statusPause is the shortest time between two.
	statusPause = 100 * time.Millisecond
)

// statusLine sends the status of one bridge and keeps the last one of the other.
type statusLine struct {
	nc      *nats.Conn
	subject string // own
	sub     *nats.Subscription
	sent    status
	sentAt  time.Time

	mu     sync.Mutex
	peer   status
	peerAt time.Time // zero = never
}

func newStatusLine(nc *nats.Conn, stream, name, own, peer string) (*statusLine, error) {
	s := &statusLine{nc: nc, subject: controlSubject(stream, name, "status."+own)}
	var err error
	subject := controlSubject(stream, name, "status."+peer)
	if s.sub, err = nc.Subscribe(subject, s.received); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return s, nil
}

func (s *statusLine) received(msg *nats.Msg) {
	var peer status
	if json.Unmarshal(msg.Data, &peer) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer, s.peerAt = peer, time.Now()
}

// heard returns the last status of the other bridge, and when it came, about this source.
func (s *statusLine) heard(source uint64) (status, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer.Source != source {
		return status{}, time.Time{}
	}
	return s.peer, s.peerAt
}

// send sends the status unless the last one is the same, or only just went.
func (s *statusLine) send(own status) {
	since := time.Since(s.sentAt)
	if since < statusPause || own == s.sent && since < statusInterval || !s.nc.IsConnected() {
		return
	}
	data, err := json.Marshal(own)
	if err != nil {
		panic(err) // it has no part that could fail
	}
	if s.nc.Publish(s.subject, data) == nil {
		s.sent, s.sentAt = own, time.Now()
	}
}

func (s *statusLine) close() { _ = s.sub.Unsubscribe() }

// peerWaits is the opposite of layout.PeerWaits.String.
func peerWaits(word string) layout.PeerWaits {
	for _, w := range []layout.PeerWaits{layout.PeerRuns, layout.PeerFull, layout.PeerEmpty} {
		if w.String() == word {
			return w
		}
	}
	return layout.PeerUnknown
}
