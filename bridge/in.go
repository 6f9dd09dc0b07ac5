package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/ring"
)

// inbound is one In. All of it is used by one goroutine.
type inbound struct {
	side
	segment   string // its name
	opt       InOptions
	workQueue bool // the retention of the stream

	far    farRing // nil = not attached
	shape  shape   // of the near ring, as far was made
	header *layout.Header

	// Where the far ring is in the messages of the near ring. It is in the header of the far ring
	// too, and here for a far ring that is made again.
	known bool   // source and due are
	from  place  // of which base and begin change with the far ring
	due   uint64 // position of the message that comes next

	before reached // the source before

	delivery
	odd       uint64    // the due position at which a session has begun because of what was missing, and 1
	movedAt   time.Time // when due has moved last
	settledAt time.Time // Interest: when blocks that another In had taken have come again
	freshEnd  bool      // the stream of the far ring had ended, and nothing was published since
	skips     bool      // the far ring was told of missing messages: where to go on is in the blocks
	placing   placing
	waitsRoom bool   // it had to wait for most of the time since the last report
	waited    uint64 // ns that it had waited in the far ring at that report
	lastBlock time.Time
	over      bool  // the near ring's stream has ended, and this ends with it
	last      bool  // likewise, but the stream has not confirmed that it knows
	result    error // of run then
}

// delivery is what is known of the blocks of one session: of one consumer of the stream, which
// delivers in order what it has not delivered yet.
type delivery struct {
	held      []heldBlock // beyond the due position, in their order of arrival
	heldBytes int
}

// heldBlock is a block whose messages another block will bring: Out sends it again with what is
// missing before it.
type heldBlock struct {
	next uint64
	msg  jetstream.Msg
}

// placing finds where to begin with a source of which nothing is known.
type placing struct {
	source, lowest, acked uint64 // lowest first position seen, highest acknowledged one
	blocks                int
}

// errAgain: the session ends, and another one begins with a new consumer.
var errAgain = errors.New("again")

func newInbound(nc *nats.Conn, name string, opt InOptions) (*inbound, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	in := &inbound{segment: name, opt: opt, side: side{
		nc: nc, js: js, direction: directionIn, peer: directionOut,
		streamName: opt.Stream, name: opt.Subject, subject: subjectOf(opt.Stream, opt.Subject), note: opt.note,
	}}
	in.side.report = in.report
	return in, nil
}

func (in *inbound) run(ctx context.Context) (err error) {
	defer func() {
		in.leave()
		if in.far != nil {
			if ctx.Err() != nil {
				in.link.set(layout.LinkStopped)
			} else if err != nil {
				in.link.set(layout.LinkFailed)
			}
			err = errors.Join(err, in.detach(layout.EndNone))
		}
	}()
	there, err := look(in.segment)
	if err != nil {
		return err
	}
	if there.exists { // else its kind is not known before the near ring is
		if err := in.attach(ctx, there.shape); err != nil {
			return err
		}
	}
	for {
		if err := in.join(ctx); err != nil {
			return err
		}
		if err := in.session(ctx); !errors.Is(err, errAgain) {
			return err
		}
	}
}

// join finds the stream and makes sure that no other bridge receives from the subject. It waits for
// a connection, and until there is a stream.
func (in *inbound) join(ctx context.Context) error {
	if err := in.takeSubject(ctx); err != nil {
		return err
	}
	err := in.awaitStream(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		return findStream(ctx, in.js, in.opt.Stream, in.subject, nil)
	})
	if err == nil {
		in.workQueue = in.stream.CachedInfo().Config.Retention == jetstream.WorkQueuePolicy
	}
	return err
}

// attach takes the producer's role in the far ring, and finds in its header where it is.
func (in *inbound) attach(ctx context.Context, s shape) error {
	far, ended, err := createFar(ctx, in.segment, s, &in.opt)
	for told := false; errors.Is(err, ring.ErrFraming); told = true {
		if !told {
			in.note("waiting for the consumer to receive messages of another framing: %v", err)
		}
		if err := sleep(ctx, statusPause); err != nil {
			return err
		}
		far, ended, err = createFar(ctx, in.segment, s, &in.opt)
	}
	if err != nil {
		return err
	}
	in.far, in.shape, in.header = far, s, far.Segment().Header()
	in.freshEnd, in.movedAt = ended, time.Now()
	in.waited = endpoint.BlockedAt(&in.header.ProducerStats, monotonic.Now())
	in.link.attach(in.header, layout.Producer)
	if in.opt.OnAttach != nil {
		in.opt.OnAttach(far.Segment(), func() uint64 { return in.moved })
	}
	count := in.header.Count(layout.Producer)
	p, ok := loadPlace(in.header)
	switch {
	case ok && in.skips: // where to go on is not in there
	case ok:
		switch {
		case p.ended == p.told || p.endAt != p.base+count:
		case ended || in.known && in.from.told == p.ended:
			p.told = p.ended
			currentPlace(in.header).Told.Store(p.told)
		default: // a bridge was killed before it had told this end: it comes again
			p.ended = 0
			currentPlace(in.header).Ended.Store(0)
		}
		in.known, in.from, in.due = true, p, p.base+count
	case in.known: // another segment than before
		in.from.base, in.from.begin = in.due-count, count
		storePlace(in.header, in.from)
	}
	if before := sourceBefore(in.header); before.source != 0 {
		in.before = before
	}
	return nil
}

// fit makes the far ring one that takes what the near ring carries, if it is not.
func (in *inbound) fit(ctx context.Context, s shape) error {
	if in.far != nil {
		if s.slotSize == in.shape.slotSize && s.framing == in.shape.framing && s.fingerprint == in.shape.fingerprint {
			return nil
		}
		if err := in.detach(layout.EndNone); err != nil {
			return err
		}
	}
	return in.attach(ctx, s)
}

// detach ends the far ring's stream, or, as layout.EndNone, leaves it to the next producer.
func (in *inbound) detach(end layout.End) error {
	in.far.EndAs(end)
	if end != layout.EndNone {
		in.far.KeepEnd() // for a consumer that is still to come
	}
	in.link.detach()
	if in.opt.OnDetach != nil {
		in.opt.OnDetach()
	}
	far := in.far
	in.far, in.header = nil, nil
	return far.Close()
}

// session receives blocks until it has to begin anew (errAgain), the near ring's stream ends (nil),
// or something fails.
func (in *inbound) session(ctx context.Context) error {
	in.delivery = delivery{}
	in.placing = placing{}
	blocks, err := in.consume(ctx)
	if err != nil {
		return err
	}
	defer blocks.Stop()
	silent := 0
	for {
		if err := in.check(ctx); err != nil {
			return err
		}
		in.report()
		tick, cancel := context.WithTimeout(ctx, blockTick)
		msg, err := blocks.Next(jetstream.NextContext(tick))
		cancel()
		switch {
		case err == nil:
			silent = 0
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			if in.last && in.workQueue { // the end does not come again: the stream knows
				return in.result
			}
			continue
		case errors.Is(err, jetstream.ErrNoHeartbeat) && silent == 0:
			if in.flush(ctx) {
				silent++
			}
			continue
		default: // the consumer or the connection is gone
			return in.again(ctx)
		}
		if err := in.receive(ctx, msg); err != nil {
			return err
		}
		if in.over {
			return in.result
		}
	}
}

// flush reports whether all has arrived that the server had sent: on a slow network a block takes
// longer than heartbeats are apart.
func (in *inbound) flush(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, statusInterval)
	defer cancel()
	return in.nc.FlushWithContext(ctx) == nil
}

// consume begins to receive what is in the stream. On a WorkQueue stream that is a new consumer,
// which delivers everything that was not acknowledged at once and in order; on an Interest stream a
// new one would not get what was published before it.
func (in *inbound) consume(ctx context.Context) (jetstream.MessagesContext, error) {
	ask, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	config := consumerConfig(in.opt.Subject, in.subject)
	if in.workQueue {
		if err := in.stream.DeleteConsumer(ask, config.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, in.consumeError(ctx, err)
		}
	}
	c, err := in.stream.CreateOrUpdateConsumer(ask, config)
	if err != nil {
		return nil, in.consumeError(ctx, err)
	}
	if !in.workQueue && c.CachedInfo().NumAckPending > 0 {
		in.settledAt = time.Now().Add(2 * ackWait)
	}
	blocks, err := c.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(maxPulled, int(max(maxPulledBytes, in.nc.MaxPayload()+headerRoom))),
		jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(10*time.Second),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return nil, in.consumeError(ctx, err)
	}
	return blocks, nil
}

// Blocks that were received and not looked at, and their bytes, at most.
const (
	maxPulled      = 32
	maxPulledBytes = 16 << 20
)

const (
	// heartbeat is how often the server says that it has nothing. Without two of them the request
	// is lost, for example with the server that led the consumer. blockTick is longer than that.
	heartbeat = 500 * time.Millisecond
	blockTick = 3 * heartbeat
)

// consumeError returns errAgain, after a while, for what may pass.
func (in *inbound) consumeError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case passing(err), errors.Is(err, jetstream.ErrStreamNotFound):
		return in.again(ctx)
	}
	return fmt.Errorf("receive from stream %q: %w", in.opt.Stream, err)
}

func (in *inbound) again(ctx context.Context) error {
	if err := sleep(ctx, 5*minRetry); err != nil {
		return err
	}
	return errAgain
}

// check returns errAgain after a lost connection, and notes what the far ring waits for.
func (in *inbound) check(ctx context.Context) error {
	if err := in.claim.check(); err != nil {
		return err
	}
	if !in.nc.IsConnected() || in.nc.Stats().Reconnects != in.reconnects {
		return errAgain
	}
	if in.watch.last.Load().gone {
		if in.link.set(layout.LinkNoStream) {
			in.note("stream %q was deleted", in.opt.Stream)
		}
		return in.again(ctx)
	}
	if len(in.held) > 0 && time.Since(in.movedAt) > in.redelivery() && in.nearIsRefused() {
		return in.dropHeld(ctx)
	}
	switch waits := time.Since(in.lastBlock) > slowAck; {
	case waits && len(in.held) > 0 && in.link.set(layout.LinkMissing):
		in.note("message %d is not in the stream yet, and later ones are: waiting for bridge out to send it again", in.due)
	case waits && in.placing.blocks > 0 && in.link.set(layout.LinkMissing):
		in.note("the stream does not say where the near ring begins: waiting for bridge out, which does")
	}
	return nil
}

// nearIsRefused reports whether Out is there, the stream does not take what it sends, and it still
// has what is due here.
func (in *inbound) nearIsRefused() bool {
	peer, at := in.line.heard(in.from.source)
	return time.Since(at) < slowAck && peerWaits(peer.Waits) == layout.PeerFull && peer.Acked <= in.due
}

// redelivery returns how long it takes at most until what is before a block has come, if it is in
// the stream. On an Interest stream what another In had taken comes again only after a while.
func (in *inbound) redelivery() time.Duration {
	if in.workQueue {
		return blockTick
	}
	return 2 * ackWait
}

// dropHeld is for a stream that is full of blocks beyond the due position: the due one was refused,
// and finds no room as long as these are kept. It was not stored before them, or it would have been
// delivered before them, which a second session makes sure of; so Out sends them again after it.
func (in *inbound) dropHeld(ctx context.Context) error {
	if in.lookAgain() {
		return in.again(ctx)
	}
	for _, h := range in.held {
		if err := in.acknowledge(ctx, h.msg); err != nil {
			return err
		}
	}
	in.held, in.heldBytes = nil, 0
	return nil
}

// lookAgain reports whether another session is to show first that what is due is not in the stream:
// the client may have dropped it. On a WorkQueue stream it does, once for each due position.
func (in *inbound) lookAgain() bool {
	if !in.workQueue || in.odd == in.due+1 {
		return false
	}
	in.odd = in.due + 1
	return true
}

// receive takes one block. An error leaves it in the stream.
func (in *inbound) receive(ctx context.Context, msg jetstream.Msg) error {
	in.lastBlock = time.Now()
	b, err := parseBlock(msg.Headers(), msg.Data())
	if err != nil {
		return fmt.Errorf("subject %s: %w", in.subject, err)
	}
	// Until there is something to publish, the consumer can be told of the end before it.
	nothing := in.known && in.from.source == b.source && b.next() <= in.due && !(b.kind == kindEnd && in.ends(&b))
	if in.far == nil && !nothing { // its header may know the source
		if err := in.attach(ctx, b.ring); err != nil {
			return err
		}
	}
	if in.from.source != b.source && in.before.source == b.source && b.next() <= in.before.due {
		return in.acknowledge(ctx, msg) // an acknowledgement was lost
	}
	if !in.known || in.from.source != b.source {
		if err := in.begin(ctx, &b); err != nil {
			return err
		}
		if !in.known || in.from.source != b.source {
			return nil // where to begin is not known yet
		}
	} else if b.kind == kindMessages && !nothing {
		if err := in.fit(ctx, b.ring); err != nil {
			return err
		}
	}
	switch {
	case b.acked > in.due:
		return in.missing(ctx, &b)
	case b.first > in.due:
		return in.hold(ctx, &b, msg)
	case b.kind == kindEnd:
		return in.receiveEnd(ctx, &b, msg)
	case b.next() > in.due:
		if err := in.put(ctx, &b, msg); err != nil {
			return err
		}
	}
	in.link.set(layout.LinkRunning)
	if err := in.acknowledge(ctx, msg); err != nil {
		return err
	}
	return in.releaseHeld(ctx)
}

// acknowledge lets the stream delete a block. If that fails it comes again, and is skipped.
func (in *inbound) acknowledge(ctx context.Context, msg jetstream.Msg) error {
	if err := msg.Ack(); err != nil {
		return in.again(ctx)
	}
	return nil
}

// put publishes what of a block is due, in parts while there is no room for all of it.
func (in *inbound) put(ctx context.Context, b *block, msg jetstream.Msg) error {
	progressAt := time.Now()
	for b.next() > in.due {
		wait, cancel := context.WithTimeoutCause(ctx, statusPause, errNoRoom)
		n, err := in.far.put(wait, b, in.due-b.first)
		cancel()
		if n > 0 {
			in.due += n
			in.moved += n
			in.movedAt, in.freshEnd = time.Now(), false
		}
		switch {
		case err == nil:
		case errors.Is(err, errNoRoom) && ctx.Err() != nil: // stopped at that moment
			return context.Cause(ctx)
		case errors.Is(err, errNoRoom):
			if err := in.claim.check(); err != nil {
				return err
			}
			if time.Since(progressAt) > ackWait/4 {
				progressAt = time.Now()
				in.inProgress(msg)
			}
			in.report()
		case errors.Is(err, ring.ErrRemoved):
			in.note("the ring was removed: making another one")
			if err := in.detach(layout.EndNone); err != nil && !errors.Is(err, ring.ErrRemoved) {
				return err
			}
			if err := in.attach(ctx, b.ring); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

var errNoRoom = errors.New("no room")

// inProgress tells the server that blocks are not forgotten. A failure is none: they come again,
// and are trimmed.
func (in *inbound) inProgress(msg jetstream.Msg) {
	_ = msg.InProgress()
	if in.workQueue { // else they have to come again
		for _, h := range in.held {
			_ = h.msg.InProgress()
		}
	}
}

// hold keeps a block of which an earlier one is missing. What is in it will be sent again.
func (in *inbound) hold(ctx context.Context, b *block, msg jetstream.Msg) error {
	if in.lookAgain() {
		return in.again(ctx)
	}
	in.held = append(in.held, heldBlock{b.next(), msg})
	in.heldBytes += len(b.payload)
	if len(in.held) <= maxUnacknowledged/2 && (len(in.held) == 1 || in.heldBytes <= maxHeldBytes) {
		return nil
	}
	oldest := in.held[0]
	in.held = in.held[1:]
	in.heldBytes -= len(oldest.msg.Data())
	if !in.workQueue {
		return nil // its turn may come: the server delivers it again
	}
	// The server delivers no more than so many. The oldest can go: what is before it was not stored
	// before it, so Out has not released it, and sends it again.
	return in.acknowledge(ctx, oldest.msg)
}

// maxHeldBytes bounds the memory of held blocks.
const maxHeldBytes = 64 << 20

// releaseHeld acknowledges held blocks whose messages have come with others.
func (in *inbound) releaseHeld(ctx context.Context) error {
	rest := in.held[:0]
	for _, h := range in.held {
		if h.next > in.due {
			rest = append(rest, h)
			continue
		}
		in.heldBytes -= len(h.msg.Data())
		if err := in.acknowledge(ctx, h.msg); err != nil {
			return err
		}
	}
	in.held = rest
	return nil
}

// missing is for a block that proves that messages from the due one on are not in the stream: it
// was sent when all before it were in there. A second session makes sure that they were not
// delivered before.
func (in *inbound) missing(ctx context.Context, b *block) error {
	if in.lookAgain() {
		return in.again(ctx)
	}
	if !in.workQueue && time.Since(in.movedAt) < in.redelivery() {
		return nil // what another In had taken comes again, and then this block
	}
	err := &MissingError{From: in.due, To: b.acked}
	if !in.opt.SkipMissing {
		in.link.set(layout.LinkMissing)
		return fmt.Errorf("subject %s: %w", in.subject, err)
	}
	in.note("%v: going on behind them", err)
	in.known, in.skips = false, true
	if err := in.detach(layout.EndFailed); err != nil {
		return err
	}
	return errAgain
}

// begin finds out where to begin with a source that is not the one of the far ring so far. That of
// the one before is known: its near ring may go on, as with two machines one of which stands in for
// the other.
//
// A block says up to where the stream had acknowledged everything when it was sent. Once that is,
// in some block, the lowest position seen or more, nothing before the lowest is still to come: it
// was stored before that block, so it would have been delivered before, or was received by
// another In.
//
// That holds for what the server delivers in order. On an Interest stream what another In had taken
// comes later: until then nothing is concluded.
func (in *inbound) begin(ctx context.Context, b *block) error {
	if in.before.source == b.source {
		if b.first > in.before.due && b.acked <= in.before.due {
			return nil // the block at the due position comes again, and then this one
		}
		return in.change(ctx, b, in.before.due)
	}
	p := &in.placing
	if p.source != b.source {
		*p = placing{source: b.source, lowest: b.first}
	}
	p.lowest, p.acked = min(p.lowest, b.first), max(p.acked, b.acked)
	p.blocks++
	if p.acked < p.lowest || time.Now().Before(in.settledAt) {
		return nil
	}
	only := p.blocks == 1
	if err := in.change(ctx, b, p.lowest); err != nil || only {
		return err
	}
	return errAgain // to get the blocks that were seen before this one
}

// change goes on with another source at a position.
func (in *inbound) change(ctx context.Context, b *block, due uint64) error {
	if in.known && !in.freshEnd && (in.from.ended == 0 || in.from.endAt != in.due) {
		// The near ring was made again although its stream had not ended.
		in.note("the near ring was made again: its stream before has failed")
		if err := in.detach(layout.EndFailed); err != nil {
			return err
		}
	}
	if in.known && in.from.source != b.source {
		in.before = reached{in.from.source, in.due}
	}
	before := in.before
	in.known, in.due = true, due
	in.from = place{source: b.source}
	in.placing, in.held, in.heldBytes = placing{}, nil, 0
	from := in.from
	s := b.ring
	if b.kind != kindMessages && in.far != nil { // the near producer may not have said its framing yet
		s.framing = in.shape.framing
	}
	if err := in.fit(ctx, s); err != nil { // its header may have a place of another source
		return err
	}
	in.known, in.skips, in.from, in.due, in.before = true, false, from, due, before
	in.from.begin = in.header.Count(layout.Producer)
	in.from.base = due - in.from.begin
	storePlace(in.header, in.from)
	in.movedAt = time.Now()
	return nil
}

// ends reports whether the far ring has everything before an end, and was not told of it.
func (in *inbound) ends(b *block) bool { return b.first == in.due && b.generation > in.from.ended }

// receiveEnd ends the stream of the far ring, unless it has that end already.
func (in *inbound) receiveEnd(ctx context.Context, b *block, msg jetstream.Msg) error {
	if !in.ends(b) {
		if in.last && b.generation == in.from.ended {
			return in.confirm(ctx, msg)
		}
		return in.acknowledge(ctx, msg)
	}
	in.from.ended, in.from.endAt = b.generation, b.first
	p := currentPlace(in.header)
	p.EndAt.Store(b.first)
	p.Ended.Store(b.generation)
	if err := in.detach(b.end); err != nil {
		return err
	}
	in.from.told = b.generation
	in.result = endError(b.end)
	if in.opt.Follow {
		if in.opt.OnEnd != nil {
			in.opt.OnEnd(in.result)
		}
		return errors.Join(in.acknowledge(ctx, msg), in.releaseHeld(ctx))
	}
	in.last = true
	if err := in.releaseHeld(ctx); err != nil {
		return err
	}
	return in.confirm(ctx, msg)
}

// confirm acknowledges the last block, and makes sure that the stream knows: there is no In after
// this one that would skip it.
func (in *inbound) confirm(ctx context.Context, msg jetstream.Msg) error {
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusInterval)
	defer cancel()
	if msg.DoubleAck(ask) == nil || ctx.Err() != nil {
		in.over = true
		return nil
	}
	return in.again(ctx) // then the block comes again, or does not
}

// endError returns what a consumer of the far ring gets at that end, nil for a complete stream.
func endError(end layout.End) error {
	if end == layout.EndComplete {
		return nil
	}
	return endpoint.EndError(end)
}

// report writes the header's link and tells Out, now and then.
func (in *inbound) report() {
	if time.Since(in.notedAt) < statusPause {
		return
	}
	in.noteWaits(time.Since(in.notedAt))
	in.notedAt = time.Now()
	f := figures{position: in.due}
	if in.watch != nil {
		s := in.watch.last.Load()
		f.streamBytes, f.streamMost = s.bytes, s.limit
	}
	if in.line != nil && in.known {
		var peer status
		if peer, f.peerSeen = in.line.heard(in.from.source); !f.peerSeen.IsZero() {
			f.peerPosition, f.peerWaits = peer.Position, peerWaits(peer.Waits)
			f.lag = peer.Position - min(in.due, peer.Position)
			if f.lag > 0 {
				f.lagBytes, f.lagTime = peer.LagBytes, peer.LagTime
			}
		}
		in.line.send(status{Source: in.from.source, Position: in.due, Waits: in.waits().String()})
	}
	in.link.note(&f, true)
}

// noteWaits finds out whether the far ring had no room for most of a time that ends now. Between
// two blocks there is room for a moment, however slow the consumer is.
func (in *inbound) noteWaits(since time.Duration) {
	in.waitsRoom = false
	if in.header == nil {
		return
	}
	waited := endpoint.BlockedAt(&in.header.ProducerStats, monotonic.Now())
	in.waitsRoom = waited > in.waited && time.Duration(waited-in.waited) > since/2
	in.waited = waited
}

// waits returns what the bridge waits for.
func (in *inbound) waits() layout.PeerWaits {
	switch {
	case in.waitsRoom:
		return layout.PeerFull
	case time.Since(in.lastBlock) > 2*statusPause:
		return layout.PeerEmpty
	}
	return layout.PeerRuns
}
