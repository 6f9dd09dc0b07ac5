package transfer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// rawProducer holds the producer role of a segment as a Sender does, and writes to
// the consumer's socket what no Sender would.
type rawProducer struct {
	t       *testing.T
	name    string
	opt     endOptions
	segment *shm.Segment
	conn    *net.UnixConn
	at      position // of its stream, as far as that was accepted
	before  int      // descriptors that were open before it came
}

// newRawProducer returns a rawProducer, and the Receiver of its segment.
func newRawProducer(t *testing.T, access ...shm.Access) (*rawProducer, *Receiver) {
	t.Helper()
	in := &rawProducer{t: t}
	in.name, in.opt = place(t)
	for _, a := range access {
		in.opt.Access = a
	}
	var err error
	in.segment, err = shm.Create(in.name, layout.Geometry{Mode: layout.ModeTransfer}, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.leave)
	r := open(t, in.name, in.opt)
	in.before = opened()
	return in, r
}

// leave releases the role, with what was accepted in the books.
func (in *rawProducer) leave() {
	if in.segment == nil {
		return
	}
	h := in.segment.Header()
	h.ProducerStats.Buffers.Store(in.at.buffers)
	h.Producer.Index.Store(in.at.bytes)
	h.Producer.Count.Store(in.at.messages)
	in.segment.Leave(never)
	in.segment = nil
	in.hangUp()
}

// connect connects, without a word.
func (in *rawProducer) connect() {
	in.t.Helper()
	in.hangUp()
	var err error
	in.conn, err = net.DialUnix(network, nil, &net.UnixAddr{Name: in.opt.Socket, Net: network})
	if err != nil {
		in.t.Fatal(err)
	}
}

func (in *rawProducer) hangUp() {
	if in.conn != nil {
		in.conn.Close()
		in.conn = nil
	}
}

// claim writes into the header page that the producer has made a thousand buffers more
// than were accepted: what is wrong with a packet is never that it is beyond those.
func (in *rawProducer) claim() {
	h := in.segment.Header()
	h.Producer.Index.Store(in.at.bytes + 1<<40)
	h.Producer.Count.Store(in.at.messages + 1000)
	h.ProducerStats.Buffers.Store(in.at.buffers + 1000)
}

// greet connects and says hello.
func (in *rawProducer) greet() {
	in.t.Helper()
	in.claim()
	in.connect()
	in.put(packet(in.head(kindHello)))
}

// head is the right head for the next packet.
func (in *rawProducer) head(k kind) head {
	id := in.segment.Header().Identity.CreatedAt.Load()
	return head{kind: k, segment: id, buffers: in.at.buffers, messages: in.at.messages, bytes: in.at.bytes}
}

func packet(h head, entries ...entry) []byte {
	p := h.append(nil)
	for _, e := range entries {
		p = e.append(p)
	}
	return p
}

// put sends a packet, and closes the files that went with it.
func (in *rawProducer) put(p []byte, files ...int) {
	in.t.Helper()
	if err := in.try(p, files...); err != nil {
		in.t.Fatal(err)
	}
}

// try is put that may fail: the Receiver has hung up.
func (in *rawProducer) try(p []byte, files ...int) error {
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	err := control(in.conn, func(fd int) error {
		if len(p) == 0 {
			return sendNothing(fd, rights)
		}
		return unix.Sendmsg(fd, p, rights, nil, unix.MSG_NOSIGNAL)
	})
	for _, fd := range files {
		unix.Close(fd)
	}
	return err
}

// gives sends buffers as they should be: one packet, whose entries the Receiver
// will accept.
func (in *rawProducer) gives(files []int, entries ...entry) {
	in.t.Helper()
	in.put(packet(in.head(kindBuffers), entries...), files...)
	for _, e := range entries {
		in.at.buffers++
		in.at.messages += uint64(e.messages)
		in.at.bytes += e.memory()
	}
}

// refused expects that the Receiver answers with want, has closed what came and
// the connection, has let go of nothing, and serves the next sender.
func (in *rawProducer) refused(r *Receiver, want error) {
	in.t.Helper()
	fails(in.t, r, want)
	in.sentAway(r)
	in.serves(r)
}

// sentAway expects that nothing of the raw producer's is left.
func (in *rawProducer) sentAway(r *Receiver) {
	in.t.Helper()
	hasHungUp(in.t, in.conn)
	in.hangUp()
	if now := opened(); now != in.before || memfds() != 0 {
		in.t.Errorf("%d descriptors are open, of %d memfds; there were %d", now, memfds(), in.before)
	}
	h := r.Segment().Header()
	if count, buffers := h.Consumer.Count.Load(), h.ConsumerStats.Buffers.Load(); count != 0 || buffers != 0 {
		in.t.Errorf("%d messages and %d buffers count as released", count, buffers)
	}
}

// hasHungUp expects that the other end of a connection is closed.
func hasHungUp(t *testing.T, conn *net.UnixConn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(testenv.Timeout))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) && !disconnected(err) {
		t.Errorf("the connection is open: %d bytes, %v", n, err)
	}
}

// serves expects that a Sender in the raw producer's place delivers.
func (in *rawProducer) serves(r *Receiver) {
	in.t.Helper()
	in.leave()
	s := create(in.t, in.name, in.opt)
	in.t.Cleanup(func() { r.Close() }) // first, or a failed test waits for it in s.Close
	send(in.t, s, "from a sender")
	wantMessages(in.t, r, "from a sender")
	r.Release()
	if lost, err := finish(in.t.Context(), s); lost != 0 || err != nil {
		in.t.Errorf("%d lost, %v", lost, err)
	}
	fails(in.t, r, io.EOF)
	if lost := r.own.Lost.Load(); lost != 0 {
		in.t.Errorf("%d messages count as lost", lost)
	}
}

// one is the entry of what file makes, when that is of eight bytes.
var one = entry{size: 8, length: 8, messages: 1, flags: flagDescriptor}

// file makes a memfd with that content and those seals.
func file(t *testing.T, content string, seals int) (fd int) {
	t.Helper()
	fd, err := unix.MemfdCreate("sluice", memfdFlags())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pwrite(fd, []byte(content), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

// record is a message as it lies in a packed buffer; length is what it says of
// itself.
func record(length uint64, payload string) string {
	text := binary.LittleEndian.AppendUint64(nil, length)
	text = append(text, payload...)
	return string(append(text, make([]byte, -len(payload)&7)...))
}

// opened returns how many descriptors this process has open, but for those of the
// runtime's poller and of a Receiver's alarm, which are made when they are first needed.
func opened() (n int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		file, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(file, "anon_inode:[event") && file != timer { // an error is the directory itself
			n++
		}
	}
	return n
}

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
