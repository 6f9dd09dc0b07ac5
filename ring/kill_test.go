package ring

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// diary is what the processes of a test write about what they do, in memory that outlives them. It
// knows the messages by their numbers, and the segment has no part in that.
type diary struct {
	mayBeSent, sent         layout.Uint64 // messages that the Writer has begun to send, and has sent
	mayBeReleased, released layout.Uint64 // likewise of the Reader
	stop                    layout.Uint64 // 1 = the Writer is to close
	failed                  layout.Uint64 // 1 = a process has found a fault, and has printed it
}

// openDiary maps the diary in a file for as long as the process lives.
func openDiary(path string) (*diary, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return diaryIn(b), nil
}

// kindsToKill are by name, for another process.
func kindsToKill() map[string]kind {
	all := map[string]kind{"records": records}
	for _, size := range []uint64{1, 3, 4, 24, 1 << 20} {
		all[fmt.Sprintf("slots of %d bytes", size)] = slotsOfBytes(size)
	}
	all["values of 1 byte"] = slotsOf[uint8]()
	all["values of 3 bytes"] = slotsOf[[3]uint8]()
	all["values of 4 bytes"] = slotsOf[uint32]()
	all["values of 24 bytes"] = slotsOf[[3]uint64]()
	all["values of 1048576 bytes"] = slotsOf[[1 << 20]byte]()
	return all
}

// content makes message n of a kind: bytes that follow from n and the kind, in buf, whose size is
// that of the largest. It does not end with 0.
func (k kind) content(buf []byte, n uint64) []byte {
	if k.slotSize == 0 {
		buf = buf[:1+n%uint64(len(buf))]
	}
	x := n
	for at := range slices.Chunk(buf, 8) {
		x = x*6364136223846793005 + 1442695040888963407
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], x)
		copy(at, word[:])
	}
	buf[len(buf)-1] |= 1
	return buf
}

// contentOf makes messages from n on.
func (k kind) contentOf(n, many uint64) (all [][]byte) {
	for i := range many {
		all = append(all, k.content(make([]byte, k.largest()), n+i))
	}
	return all
}

// sendToBeKilled sends messages of a kind, in every form, until it is killed or told to stop. Its
// arguments are a kind, the name of a segment, the number of slots, and the file of the diary.
func sendToBeKilled(args []string) error {
	k, name := kindsToKill()[args[0]], args[1]
	slots, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	d, err := openDiary(args[3])
	if err != nil {
		return err
	}
	err = k.sendToBeKilled(d, name, slots)
	if err != nil {
		d.failed.Store(1)
	}
	return err
}

func (k kind) sendToBeKilled(d *diary, name string, slots uint64) error {
	ctx := context.Background()
	w, err := k.create(ctx, name, WriterOptions{Slots: slots})
	if err != nil {
		return err
	}
	n := w.Segment().Header().Count(layout.Producer)
	if sent, most := d.sent.Load(), d.mayBeSent.Load(); n < sent || n > most {
		return fmt.Errorf("goes on at message %d; %d were sent, and at most %d", n, sent, most)
	}
	d.sent.Store(n)
	const batch = 5
	for turn := 0; d.stop.Load() == 0; turn++ {
		d.mayBeSent.Store(n + batch)
		some := uint64(1)
		msg := k.contentOf(n, 1)[0]
		switch turn % 4 {
		case 0:
			err = w.Send(ctx, msg)
		case 1:
			var buf []byte
			if buf, err = w.Reserve(ctx, len(msg)); err == nil {
				w.Commit(copy(buf, msg))
				w.Publish()
			}
		case 2:
			some = batch
			_, err = w.SendBatch(ctx, k.contentOf(n, batch))
		case 3:
			if some, err = k.sendWindow(w, n, batch); some == 0 { // it has none
				continue
			}
		}
		if err != nil {
			return err
		}
		n += some
		d.sent.Store(n)
	}
	d.mayBeSent.Store(n)
	return w.Close()
}

// sendWindow sends messages from n on in a window.
func (k kind) sendWindow(w writerEnd, n uint64, most int) (uint64, error) {
	windows, ok := w.(windowWriter)
	if !ok {
		return 0, nil
	}
	window, err := windows.window(context.Background(), most)
	if err != nil {
		return 0, err
	}
	for i, slot := range window {
		k.content(slot, n+uint64(i))
	}
	windows.PublishN(len(window))
	return uint64(len(window)), nil
}

// receiveToBeKilled receives what sendToBeKilled sends, until it is killed or at its end. The
// arguments are the same.
func receiveToBeKilled(args []string) error {
	k, name := kindsToKill()[args[0]], args[1]
	d, err := openDiary(args[3])
	if err != nil {
		return err
	}
	err = k.receiveToBeKilled(d, name)
	if err != nil {
		d.failed.Store(1)
	}
	return err
}

func (k kind) receiveToBeKilled(d *diary, name string) error {
	ctx := context.Background()
	r, err := k.open(ctx, name, ReaderOptions{})
	if err != nil {
		return err
	}
	n := r.Segment().Header().Count(layout.Consumer)
	if released, most := d.released.Load(), d.mayBeReleased.Load(); n < released || n > most {
		return fmt.Errorf("goes on at message %d; %d were released, and at most %d", n, released, most)
	}
	d.released.Store(n)
	want := make([]byte, k.largest())
	check := func(msg []byte) error {
		if want := k.content(want, n); !bytes.Equal(msg, want) {
			return fmt.Errorf("message %d is % .40x, want % .40x", n, msg, want)
		}
		n++
		return nil
	}
	for turn := 0; ; turn++ {
		switch windows, ok := r.(windowEnd); {
		case turn%3 == 0: // some are held
			for held := 0; held == 0 || held < 4 && r.Buffered(); held++ {
				var msg []byte
				if msg, err = r.Next(ctx); err == nil {
					err = check(msg)
				}
				if err != nil {
					break
				}
			}
		case turn%3 == 1:
			d.mayBeReleased.Store(n + 1)
			var msg []byte
			if msg, err = r.Receive(ctx, nil); err == nil {
				err = check(msg)
			}
		case ok:
			var window [][]byte
			window, err = windows.window(ctx, 5)
			for _, slot := range window {
				msg, _ := taken(slot, nil)
				if err == nil {
					err = check(msg)
				}
			}
		}
		d.mayBeReleased.Store(n)
		r.Release()
		d.released.Store(n)
		if err == io.EOF {
			return r.Close()
		}
		if err != nil {
			return err
		}
	}
}

// Both sides are killed again and again, at any instruction. Who comes next goes on where the
// segment says: no message is lost, none comes again but what was not released, and each has the
// content that it was sent with. The slots have every size, and every number.
func TestKill_EachSideAnytime_NothingLost(t *testing.T) {
	for name, k := range kindsToKill() {
		kills, between := 4, 50 // messages
		if k.slotSize == 1<<20 {
			kills, between = 2, 5
		}
		numbers := []uint64{1, 7}
		if !layout.StoreReleaseOvertaken { // the race detector, which sees nothing of it, and starts slowly
			kills, numbers = 1, numbers[1:]
		}
		for _, slots := range numbers {
			t.Run(fmt.Sprintf("%s, %d", name, slots), func(t *testing.T) {
				segment, file := testenv.SegmentName(t), filepath.Join(t.TempDir(), "diary")
				d, err := openDiary(file)
				wantErr(t, err, nil)
				args := []string{name, segment, fmt.Sprint(slots), file}
				start := map[string]*testenv.Child{}
				begin := func(child string) { start[child] = testenv.StartChild(t, child, args...) }
				progress := func() {
					t.Helper()
					from := d.released.Load() + uint64(rand.IntN(between))
					testenv.Eventually(t, "progress", func() bool { return d.released.Load() > from || d.failed.Load() != 0 })
					if d.failed.Load() != 0 {
						t.Fatal("see what a process has printed")
					}
				}
				begin("send")
				begin("receive")
				for range kills {
					progress()
					victims := [][]string{{"send"}, {"receive"}, {"send", "receive"}}[rand.IntN(3)]
					for _, child := range victims {
						start[child].Kill()
					}
					for _, child := range victims {
						begin(child)
					}
				}
				progress()
				d.stop.Store(1)
				for child, c := range start {
					if err := c.Wait(); err != nil {
						t.Errorf("%s: %v", child, err)
					}
				}
				if sent, released := d.sent.Load(), d.released.Load(); sent != released || d.mayBeSent.Load() != sent || d.mayBeReleased.Load() != released {
					t.Errorf("%d were sent, %d released", sent, released)
				}
				wantSegment(t, segment, false)
			})
		}
	}
}
