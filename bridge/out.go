package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/ring"
)

// outbound is one Out. All of it is used by one goroutine.
type outbound struct {
	side
	segment string // its name
	opt     OutOptions
	fullAt  time.Time // when a block was refused last because the stream was full

	// A block that another stream would take is refused, and the library does not send one again by
	// itself, which would put it behind those that follow it.
	publish []jetstream.PublishOpt

	endSource, endGeneration uint64 // of the end that was told last

	*sending // nil between two segments
}

func newOutbound(nc *nats.Conn, name string, opt OutOptions) (*outbound, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(ackTimeout), jetstream.WithPublishAsyncMaxPending(64*maxUnderWay))
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	o := &outbound{segment: name, opt: opt, side: side{
		nc: nc, js: js, direction: directionOut, peer: directionIn,
		streamName: opt.Stream, name: opt.Subject, subject: subjectOf(opt.Stream, opt.Subject), note: opt.note,
	}}
	o.publish = []jetstream.PublishOpt{jetstream.WithExpectStream(opt.Stream), jetstream.WithRetryAttempts(0)}
	o.side.report = o.report
	return o, nil
}

func (o *outbound) run(ctx context.Context) error {
	defer o.leave()
	for {
		err := o.runSegment(ctx)
		if o.opt.Follow && errors.Is(err, ring.ErrRemoved) {
			o.note("%v: waiting for another ring", err)
			continue
		}
		if errors.Is(err, errCutAgain) {
			o.forgetStream() // its limit may have changed
			continue
		}
		if err != nil {
			return err
		}
		if !o.opt.Follow {
			return o.endErr
		}
		if o.opt.OnEnd != nil {
			o.opt.OnEnd(o.endErr)
		}
	}
}

// join finds the stream and makes sure that no other bridge sends on the subject. It waits for a
// connection and for the server.
func (o *outbound) join(ctx context.Context) error {
	if o.stream != nil {
		return nil
	}
	if err := o.takeSubject(ctx); err != nil {
		return err
	}
	return o.awaitStream(ctx, o.findStream)
}

// findStream also makes the consumer of an Interest stream, which would discard blocks without one.
func (o *outbound) findStream(ctx context.Context) (jetstream.Stream, error) {
	s, err := findStream(ctx, o.js, o.opt.Stream, o.subject, &o.opt)
	if err == nil && s.CachedInfo().Config.Retention == jetstream.InterestPolicy {
		_, err = s.CreateOrUpdateConsumer(ctx, consumerConfig(o.opt.Subject, o.subject))
	}
	return s, err
}

const (
	ackTimeout = 10 * time.Second
	// slowAck is how long an acknowledgement may take before it is reported.
	slowAck = 3 * time.Second
	// stopWait is how long a bridge that is stopped waits for acknowledgements.
	stopWait = 2 * time.Second
)

// runSegment sends one stream of the ring. It returns nil when the end is in the stream, with
// endErr.
func (o *outbound) runSegment(ctx context.Context) (err error) {
	if o.stream == nil && o.nc.IsConnected() { // a mistake shows before the ring is there
		if err := o.join(ctx); err != nil {
			return err
		}
	}
	r, err := openNear(ctx, o.segment, ring.ReaderOptions{
		Keep: o.opt.Keep, Access: o.opt.Access, Spin: o.opt.Spin, Populate: o.opt.Populate, Replaceable: layout.ReplaceableByMode,
	})
	if err != nil {
		return err
	}
	o.sending = newSending(r)
	o.link.attach(o.header, layout.Consumer)
	if o.opt.OnAttach != nil {
		o.opt.OnAttach(r.Segment(), func() uint64 { return o.moved })
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			o.link.set(layout.LinkStopped)
		} else if err != nil {
			o.link.set(layout.LinkFailed)
		}
		o.link.detach()
		if o.opt.OnDetach != nil {
			o.opt.OnDetach()
		}
		if !o.told { // the next Out tells it, also one that is there only after the producer
			r.KeepEnd()
		}
		err = errors.Join(err, r.Close())
	}()
	if err := o.join(ctx); err != nil {
		return err
	}
	o.size = sizeOf(o.nc, o.stream.CachedInfo().Config)
	o.window = append(o.window, &sentBlock{block: o.newBlock(kindOpen)})
	for !o.told {
		if err := o.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf returns how large a block may be. A stream that has room for a few blocks only would
// refuse most of them.
func sizeOf(nc *nats.Conn, c jetstream.StreamConfig) blockSize {
	most := nc.MaxPayload()
	if c.MaxMsgSize > 0 {
		most = min(most, int64(c.MaxMsgSize))
	}
	target := int64(targetBlock)
	if c.MaxBytes > 0 {
		most, target = min(most, c.MaxBytes), min(target, c.MaxBytes/8)
	}
	most = max(most-headerRoom, 0)
	return blockSize{target: int(max(1, min(target, most))), max: int(most)}
}

// sending is what Out knows of the ring that it is attached to.
type sending struct {
	ring   nearRing
	header *layout.Header
	source uint64
	size   blockSize
	base   uint64 // position at which this Out has begun
	bytes  uint64 // payload bytes that the near ring had released then

	window   []*sentBlock // not acknowledged, in order
	underWay int          // of them, the first ones, are sent
	limit    int          // of those that may be
	inFlight uint64       // payload bytes of window
	next     uint64       // position of the next message to put in a block
	acked    uint64       // position up to which the ring is released

	filling   []byte // the payload of the next block
	fillCount int
	fillSince time.Time
	waiting   bool // a goroutine of the ring waits for its next message: Ready

	failures  int // attempts in a row without an acknowledgement
	retryAt   time.Time
	roundTrip time.Duration
	marks     marks

	shape  shape // of the messages that were sent last
	failed error // of the ring, to be returned when the window is empty

	over       bool // the stream of the ring has ended
	end        layout.End
	endErr     error // nil = complete
	generation uint64
	told       bool // the end is in the stream
}

// sentBlock is a block that is in the window.
type sentBlock struct {
	block
	future jetstream.PubAckFuture // nil = not under way
	sentAt time.Time
}

func newSending(r nearRing) *sending {
	h := r.Segment().Header()
	base := h.Count(layout.Consumer)
	return &sending{
		ring: r, header: h, source: h.Identity.CreatedAt.Load(), base: base, next: base, acked: base,
		bytes: endpoint.Bytes(h, layout.Consumer), limit: 1, marks: marks{position: base},
	}
}

// Blocks under way, and their size, at most. Measured with messages of 8 bytes and of 64 KiB on
// loopback; smaller blocks cost the server more for each message, larger ones wait longer.
const (
	maxUnderWay = 64
	targetBlock = 512 << 10
	// A block of less than minBlock bytes waits for more while others are under way, for linger at
	// most.
	minBlock = 16 << 10
	linger   = time.Millisecond
	// maxSending is how long Out sends without a look at acknowledgements.
	maxSending = 20 * time.Millisecond
	// fullPause is how long a stream must have taken messages before it is said again that it is
	// full.
	fullPause = 10 * time.Second
)

// step looks at everything once, and waits until there may be something to do.
func (o *outbound) step(ctx context.Context) error {
	if err := o.collect(ctx); err != nil {
		return err
	}
	if o.told {
		return nil
	}
	if ctx.Err() != nil {
		return o.stop(ctx)
	}
	if err := o.checkServer(ctx); err != nil {
		return err
	}
	wants, err := o.send(ctx)
	if err != nil {
		return err
	}
	o.report()
	return o.wait(ctx, wants)
}

// collect releases what the stream has acknowledged, in order.
func (o *outbound) collect(ctx context.Context) error {
	for o.underWay > 0 {
		b := o.window[0]
		select {
		case <-b.future.Ok():
			o.acknowledged(b)
		case err := <-b.future.Err():
			return o.goBack(ctx, err)
		default:
			return nil
		}
	}
	return nil
}

// acknowledged releases the messages of the oldest block.
func (o *outbound) acknowledged(b *sentBlock) {
	took := time.Since(b.sentAt)
	if o.roundTrip == 0 {
		o.roundTrip = took
	}
	o.roundTrip += (took - o.roundTrip) / 8
	o.window[0] = nil
	o.window = o.window[1:]
	o.underWay--
	o.inFlight -= uint64(len(b.payload))
	o.failures = 0
	o.limit = min(o.limit+1, maxUnderWay)
	if since := o.link.since; o.link.set(layout.LinkRunning) && monotonic.Now()-since > uint64(slowAck) {
		o.note("the stream takes messages again")
	}
	if b.kind == kindEnd {
		o.told = true
		return
	}
	o.acked += b.count
	o.moved += b.count
	o.ring.ReleaseN(int(b.count))
	o.marks.released(o.acked, endpoint.Bytes(o.header, layout.Consumer)-o.bytes)
	recycle(b.payload)
}

// goBack prepares to send everything again from the oldest block on. What was sent after it may be
// in the stream or not: In takes only the position that is due.
func (o *outbound) goBack(ctx context.Context, err error) error {
	for _, b := range o.window[:o.underWay] {
		b.future = nil
	}
	o.underWay, o.limit = 0, 1
	o.retryAt = time.Now().Add(min(minRetry<<min(o.failures, 10), maxRetry))
	o.failures++
	state, note := layout.LinkRefused, ""
	var api *jetstream.APIError
	switch {
	case full(err):
		state, note = layout.LinkFull, "the stream is full: the messages stay in the ring"
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		if o.streamGone(ctx) {
			return o.deletedError()
		}
		state, note = layout.LinkNoStream, "the stream does not answer"
	case errors.Is(err, jetstream.ErrAsyncPublishTimeout), errors.Is(err, jetstream.ErrTooManyStalledMsgs):
		state, note = layout.LinkNoAck, "no acknowledgement: sending again"
	case !o.nc.IsConnected(), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrReconnectBufExceeded):
		return nil // checkServer says so
	case errors.Is(err, nats.ErrMaxPayload), errors.As(err, &api) && api.ErrorCode == errCodeTooLarge:
		largest := slices.MaxFunc(o.window, func(a, b *sentBlock) int { return cmp.Compare(len(a.payload), len(b.payload)) })
		if largest.count > 1 { // the limit has fallen
			return errCutAgain
		}
		return fmt.Errorf("subject %s: %w", o.subject, &PayloadError{Size: len(largest.payload), Max: o.size.max})
	default:
		note = fmt.Sprintf("the stream refuses messages: %v", err)
	}
	again := state == layout.LinkFull && time.Since(o.fullAt) < fullPause // it takes one now and then
	if state == layout.LinkFull {
		o.fullAt = time.Now()
	}
	if o.link.set(state) && !again {
		o.note("%s", note)
	}
	return nil
}

// errCutAgain: the blocks are larger than the server takes now. Another attachment to the ring cuts
// its messages anew.
var errCutAgain = errors.New("cut the blocks again")

// Codes of the server (nats-server, errors.json).
const (
	errCodeStoreFailed jetstream.ErrorCode = 10077 // with the text of what has failed
	errCodeTooLarge    jetstream.ErrorCode = 10054 // larger than max_msg_size
)

// full reports whether a stream has refused a block because it is at its limit.
func full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == errCodeStoreFailed &&
		(api.Description == "maximum bytes exceeded" || api.Description == "maximum messages exceeded")
}

// streamGone asks the server whether the stream was deleted.
func (o *outbound) streamGone(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := o.js.Stream(ctx, o.opt.Stream)
	return errors.Is(err, jetstream.ErrStreamNotFound)
}

func (o *outbound) deletedError() error {
	return fmt.Errorf("stream %q: %w", o.opt.Stream, ErrStreamDeleted)
}

// checkServer notes a lost connection, and what is to be done after one.
func (o *outbound) checkServer(ctx context.Context) error {
	if err := o.claim.check(); err != nil {
		return err
	}
	if o.watch.last.Load().gone {
		return o.deletedError()
	}
	if !o.nc.IsConnected() {
		if err := o.awaitConnection(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	}
	again, err := o.reconnected(ctx)
	if err != nil {
		return err
	}
	if again {
		o.size = sizeOf(o.nc, o.stream.CachedInfo().Config) // of another server
	}
	if o.underWay > 0 {
		if sentAt := o.window[0].sentAt; time.Since(sentAt) > slowAck && o.link.setSince(layout.LinkNoAck, monotonic.At(sentAt)) {
			o.note("no acknowledgement for %v", time.Since(sentAt).Round(time.Second))
		}
	}
	return nil
}

// send puts blocks under way as long as there are some and they may be. It reports whether there
// was room for more than there was.
//
// A send waits for the network when much is under way, so it does not send all at once.
func (o *outbound) send(ctx context.Context) (wants bool, err error) {
	if time.Now().Before(o.retryAt) || !o.nc.IsConnected() {
		return false, nil
	}
	most := min(cmp.Or(o.opt.InFlight, DefaultInFlight), DefaultInFlight*32)
	for began := time.Now(); o.underWay < o.limit && ctx.Err() == nil && time.Since(began) < maxSending; {
		if o.underWay == len(o.window) {
			if o.inFlight >= most {
				return false, nil
			}
			b, err := o.cut()
			if b == nil || err != nil {
				return true, err
			}
			o.window = append(o.window, b)
			o.inFlight += uint64(len(b.payload))
		}
		b := o.window[o.underWay]
		b.acked, b.sentAt = o.acked, time.Now()
		if b.kind != kindMessages {
			b.acked = b.first
		}
		future, err := o.js.PublishMsgAsync(b.message(o.subject), o.publish...)
		if err != nil {
			return false, o.goBack(ctx, err)
		}
		b.future = future
		o.underWay++
	}
	return false, nil
}

func (o *outbound) newBlock(kind string) block {
	return block{kind: kind, source: o.source, first: o.next, ring: shapeOf(o.ring)}
}

// cut returns the next block, nil when it had better wait for more messages, or there are none.
func (o *outbound) cut() (*sentBlock, error) {
	switch {
	case o.over:
		return o.cutEnd(), nil
	case o.failed != nil && len(o.window) > 0:
		return nil, nil
	case o.failed != nil:
		return nil, o.failed
	case o.filling == nil:
		o.filling = newPayload(o.size.target)
	}
	generation := o.header.ProducerStats.Generation.Load() // before an end of it is seen
	payload, n, isFull, err := o.ring.take(o.filling, o.size)
	o.filling = payload
	if o.fillCount == 0 {
		o.fillSince = time.Now()
	}
	o.fillCount += n
	if n > 0 {
		o.waiting = false
	}
	switch {
	case err == nil, errors.Is(err, ring.ErrEmpty):
	case errors.Is(err, io.EOF), errors.Is(err, layout.ErrIncomplete):
		o.ended(err, generation)
	case o.fillCount > 0: // the next call returns it again, when what is before it is sent
	default:
		o.failed = err
		return o.cut()
	}
	if o.fillCount == 0 {
		if o.over {
			return o.cutEnd(), nil
		}
		return nil, nil
	}
	if !isFull && !o.over && o.underWay > 0 && len(o.filling) < minBlock && time.Since(o.fillSince) < linger {
		return nil, nil
	}
	b := &sentBlock{block: o.newBlock(kindMessages)}
	b.payload, b.count = o.filling, uint64(o.fillCount)
	o.shape = b.ring
	o.next += b.count
	o.filling, o.fillCount = nil, 0
	return b, nil
}

// ended notes how the stream of the ring has ended. All of it is in blocks, or in the next one.
// generation is that of its producer, or of one before it: what counts is that it rises.
func (o *outbound) ended(err error, generation uint64) {
	if o.endSource == o.source {
		generation = max(generation, o.endGeneration+1)
	}
	o.endSource, o.endGeneration = o.source, generation
	o.over, o.end, o.generation = true, layout.EndComplete, generation
	if !errors.Is(err, io.EOF) {
		o.endErr = err
		if o.end = endpoint.EndOf(err); o.end == layout.EndNone {
			o.end = layout.EndFailed // an earlier stream was, or was stopped
		}
	}
}

// cutEnd returns the block that tells the end, once everything before it is acknowledged.
func (o *outbound) cutEnd() *sentBlock {
	if len(o.window) > 0 {
		return nil
	}
	b := &sentBlock{block: o.newBlock(kindEnd)}
	if o.shape != (shape{}) { // the next producer may be there already
		b.ring = o.shape
	}
	b.end, b.generation = o.end, o.generation
	return b
}

// wait waits until an acknowledgement comes, the ring has something (wants), it is time for
// something else, or ctx is done.
func (o *outbound) wait(ctx context.Context, wants bool) error {
	d := statusInterval
	if o.link.state != layout.LinkRunning || o.underWay > 0 {
		d = statusPause
	}
	if until := time.Until(o.retryAt); len(o.window) > o.underWay && o.underWay < o.limit && until > 0 {
		d = min(d, until)
	}
	var ready <-chan struct{}
	switch {
	case !wants:
	case o.fillCount > 0:
		d = min(d, linger)
	case !o.over && o.failed == nil:
		ready = o.ring.Ready()
		o.waiting = true
	}
	var ok <-chan *jetstream.PubAck
	var failed <-chan error
	if o.underWay > 0 {
		ok, failed = o.window[0].future.Ok(), o.window[0].future.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ok:
		o.acknowledged(o.window[0])
	case err := <-failed:
		return o.goBack(ctx, err)
	case <-ready:
		o.waiting = false
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// stop waits for acknowledgements of what is under way, for a while.
func (o *outbound) stop(ctx context.Context) error {
	deadline := time.Now().Add(stopWait)
	for o.underWay > 0 && o.nc.IsConnected() && time.Now().Before(deadline) {
		select {
		case <-o.window[0].future.Ok():
			o.acknowledged(o.window[0])
		case <-o.window[0].future.Err():
			return context.Cause(ctx)
		case <-time.After(time.Until(deadline)):
		}
	}
	if o.told {
		return nil
	}
	return context.Cause(ctx)
}

// report writes the header's link and tells In, now and then.
func (o *outbound) report() {
	if o.sending == nil || time.Since(o.notedAt) < statusPause {
		return
	}
	o.notedAt = time.Now()
	f := figures{position: o.acked, inFlight: o.inFlight, roundTrip: o.roundTrip}
	if o.watch != nil {
		s := o.watch.last.Load()
		f.streamBytes, f.streamMost = s.bytes, s.limit
	}
	produced := o.header.Count(layout.Producer)
	own := status{Source: o.source, Position: produced, Acked: o.acked, Waits: o.waits().String()}
	if o.line != nil {
		var peer status
		if peer, f.peerSeen = o.line.heard(o.source); !f.peerSeen.IsZero() {
			o.marks.reached(peer.Position)
			f.peerPosition, f.peerWaits = peer.Position, peerWaits(peer.Waits)
			f.lag = produced - min(peer.Position, produced)
			queued := endpoint.Bytes(o.header, layout.Producer) - endpoint.Bytes(o.header, layout.Consumer)
			f.lagBytes = o.marks.bytesBehind() + queued
			if f.lag > 0 {
				f.lagTime = o.marks.age()
			}
		}
		own.LagBytes, own.LagTime = f.lagBytes, f.lagTime
		o.line.send(own)
	}
	o.link.note(&f, !o.waiting)
}

// waits returns what the bridge waits for.
func (o *outbound) waits() layout.PeerWaits {
	switch {
	case o.link.state != layout.LinkRunning:
		return layout.PeerFull
	case o.waiting:
		return layout.PeerEmpty
	}
	return layout.PeerRuns
}
