package ring

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"
	"time"

	"sluice/internal/gate"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// create and open use a segment in /dev/shm; what is left of it goes with the
// test.
func create(t *testing.T, name string, opt WriterOptions) *Writer {
	t.Helper()
	w, err := Create(context.Background(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func open(t *testing.T, name string, opt ReaderOptions) *Reader {
	t.Helper()
	r, err := Open(context.Background(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func wantSegment(t *testing.T, name string, want bool) {
	t.Helper()
	if _, err := os.Lstat(shm.Path(name)); errors.Is(err, fs.ErrNotExist) == want {
		t.Errorf("%s: %v, want it to exist: %v", shm.Path(name), err, want)
	}
}

func TestSegment_Drained_LastSideRemoves(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		t.Run("reader last", func(t *testing.T) {
			name := testenv.SegmentName(t)
			w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
			send(t, w, "a")
			if err := w.Close(); w.Unread() != 1 || err != nil {
				t.Errorf("%d unread, %v", w.Unread(), err)
			}
			wantSegment(t, name, true)
			wantMessages(t, r, "a")
			r.Release()
			if err := r.Close(); r.Unread() != 0 || err != nil {
				t.Errorf("%d unread, %v", r.Unread(), err)
			}
			wantSegment(t, name, false)
		})
		t.Run("writer last", func(t *testing.T) {
			name := testenv.SegmentName(t)
			w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
			r.Close()
			wantSegment(t, name, true)
			w.Close()
			wantSegment(t, name, false)
		})
	})
}

func TestSegment_UnreadMessages_Kept(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		send(t, w, "a", "b")
		w.Close()
		r := k.opens(t, name, ReaderOptions{})
		wantMessages(t, r, "a")
		if err := r.Close(); r.Unread() != 2 || err != nil {
			t.Errorf("%d unread, %v", r.Unread(), err)
		}
		wantSegment(t, name, true)
		wantMessages(t, k.opens(t, name, ReaderOptions{}), "a", "b")
	})
}

func TestSegment_KeptEnd_FirstReaderTold(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for before, came := range map[string]func(t *testing.T, name string){
			"nobody came":            func(*testing.T, string) {},
			"somebody came and went": func(t *testing.T, name string) { k.opens(t, name, ReaderOptions{}).Close() },
		} {
			t.Run(before, func(t *testing.T) {
				name := testenv.SegmentName(t)
				w := k.creates(t, name, WriterOptions{})
				came(t, name)
				w.KeepEnd()
				w.Close()
				wantSegment(t, name, true)
				r := k.opens(t, name, ReaderOptions{})
				_, err := r.Next(context.Background())
				wantErr(t, err, io.EOF)
				r.Close()
				wantSegment(t, name, false)
			})
		}
		t.Run("without KeepEnd", func(t *testing.T) {
			name := testenv.SegmentName(t)
			k.creates(t, name, WriterOptions{}).Close()
			wantSegment(t, name, false)
		})
	})
}

func TestSegment_Keep(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, keeps := range []layout.Role{layout.Producer, layout.Consumer} {
			for _, last := range []layout.Role{layout.Producer, layout.Consumer} {
				name := testenv.SegmentName(t)
				w := k.creates(t, name, WriterOptions{Keep: keeps == layout.Producer})
				r := k.opens(t, name, ReaderOptions{Keep: keeps == layout.Consumer})
				if last == layout.Producer {
					r.Close()
					w.Close()
				} else {
					w.Close()
					r.Close()
				}
				wantSegment(t, name, true)
				w, r = k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{}) // who do not ask for it
				w.Close()
				r.Close()
				wantSegment(t, name, false)
			}
		}
	})
}

func TestSegment_RoleTaken(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
		_, err := k.create(canceled, name, WriterOptions{})
		wantErr(t, err, ErrRoleTaken)
		_, err = k.open(canceled, name, ReaderOptions{})
		wantErr(t, err, ErrRoleTaken)
		_, err = k.create(canceled, name, WriterOptions{Fresh: true})
		wantErr(t, err, ErrRoleTaken)
		w.Close()
		_, err = k.create(canceled, name, WriterOptions{Fresh: true}) // the reader lives
		wantErr(t, err, ErrRoleTaken)
		r.Close()
	})
}

func TestOpen_WaitsForSegment(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		_, err := k.open(canceled, name, ReaderOptions{})
		wantErr(t, err, errWaited)
		opening := testenv.Background(func() error {
			r, err := k.open(context.Background(), name, ReaderOptions{})
			if err != nil {
				return err
			}
			msg, err := r.Receive(context.Background(), nil)
			if string(msg) != "hello" {
				t.Errorf("%q", msg)
			}
			closeErr := r.Close()
			return errors.Join(err, closeErr)
		})
		w := k.creates(t, name, WriterOptions{})
		send(t, w, "hello")
		if err := opening(); err != nil {
			t.Error(err)
		}
	})
}

func TestCreate_OtherGeometry_UnreadMessages_Refused(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{Capacity: 8192, Slots: 5})
	send(t, w, "kept")
	w.Close()

	for _, opt := range []WriterOptions{{Capacity: 4096}, {Slots: 6}, {Capacity: 8192, Slots: 4}} {
		_, err := Create(canceled, name, opt)
		wantErr(t, err, ErrGeometry)
		if s := layout.State(look(t, name).ProducerStats.State.Load()); s != layout.StateClosed {
			t.Errorf("the refusal has left its mark: %v", s)
		}
	}
	for _, opt := range []WriterOptions{{}, {Capacity: 8192}, {Slots: 5}} { // what it has, or no wish
		w, err := Create(canceled, name, opt)
		if err != nil {
			t.Fatalf("%+v: %v", opt, err)
		}
		if g := w.Segment().Geometry(); g.Capacity != 8192 || g.Slots != 5 || w.Resumed() != 1 {
			t.Errorf("%+v: %+v, %d resumed", opt, g, w.Resumed())
		}
		w.Close()
	}
	fresh := create(t, name, WriterOptions{Capacity: 4096, Fresh: true})
	if g := fresh.Segment().Geometry(); g.Capacity != 4096 || g.Slots != 0 || fresh.Resumed() != 0 {
		t.Errorf("fresh: %+v, %d resumed", g, fresh.Resumed())
	}
}

func TestCreate_OtherGeometry_Empty_Replaced(t *testing.T) {
	name := testenv.SegmentName(t)
	create(t, name, WriterOptions{Capacity: 8192, Keep: true}).Close()
	wantSegment(t, name, true)
	if g := create(t, name, WriterOptions{Capacity: 4096}).Segment().Geometry(); g.Capacity != 4096 {
		t.Errorf("capacity %d", g.Capacity)
	}
}

func TestCreate_BadOptions_NothingMade(t *testing.T) {
	for _, opt := range []WriterOptions{{Capacity: 5000}, {Capacity: 2048}, {Capacity: 1 << 40}, {Slots: 1 << 40}} {
		name := testenv.SegmentName(t)
		if _, err := Create(canceled, name, opt); err == nil {
			t.Errorf("%+v is accepted", opt)
		}
		wantSegment(t, name, false)
	}
	_, err := Create(canceled, "../etc", WriterOptions{})
	wantErr(t, err, shm.ErrName)
	_, err = Open(canceled, "", ReaderOptions{})
	wantErr(t, err, shm.ErrName)
}

func TestOpen_TransferSegment_Refused(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		transfer := layout.Geometry{Mode: layout.ModeTransfer}
		seg, err := shm.Create(name, transfer, layout.Producer)
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.open(canceled, name, ReaderOptions{})
		wantErr(t, err, layout.ErrMode)
		if _, err := seg.Leave(never); err != nil {
			t.Fatal(err)
		}
		seg, err = shm.Open(canceled, name, layout.Consumer)
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.create(canceled, name, WriterOptions{})
		wantErr(t, err, layout.ErrMode)
		wantSegment(t, name, true)
		if _, err := seg.Leave(never); err != nil {
			t.Fatal(err)
		}
		// Nobody is in it, and what it stood for was in its producer's memory.
		w := k.creates(t, name, WriterOptions{})
		if g := w.Segment().Geometry(); g.Mode != layout.ModeRing {
			t.Errorf("%+v", g)
		}
	})
}

func TestOpen_DamagedSegment_RefusedAndKept(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{Capacity: 4096})
		send(t, w, "evidence")
		w.Segment().Header().Producer.Index.Store(12345)
		w.Close()
		_, err := k.create(canceled, name, WriterOptions{})
		wantErr(t, err, ErrCorrupt)
		_, err = k.open(canceled, name, ReaderOptions{})
		wantErr(t, err, ErrCorrupt)
		wantSegment(t, name, true)
	})
}

// A context may be canceled at any time, also just after the call that waited
// with it has ended and the ring with it.
func TestCancel_AfterClose_TouchesNoMemory(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
		ctx, cancel := context.WithCancel(context.Background())
		waiting := testenv.Background(func() error { _, err := r.Next(ctx); return err })
		asleep(t, w.Segment().Header(), layout.Consumer, 1)
		send(t, w, "a")
		wantErr(t, waiting(), nil)
		r.Release()
		w.Close()
		r.Close()
		cancel()
		sideOf(r).sleeper.Interrupt()
	})
}

func TestSegment_Truncated_Error(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
		send(t, w, "a")
		if err := os.Truncate(shm.Path(name), 0); err != nil {
			t.Fatal(err)
		}
		wantErr(t, shm.Guard(func() error { return w.Send(canceled, []byte("b")) }), ErrTruncated)
		wantErr(t, shm.Guard(func() error { _, err := r.TryNext(); return err }), ErrTruncated)
		began := time.Now()
		err := w.Close()
		wantErr(t, err, ErrTruncated)
		err = r.Close()
		wantErr(t, err, ErrTruncated)
		if took := time.Since(began); took > gate.CloseTimeout/2 {
			t.Errorf("they wait %v for calls that have faulted", took)
		}
		if n := w.Published(); n < 1 || n > 2 { // b, perhaps
			t.Errorf("%d published", n)
		}
		w.Publish()
		wantErr(t, w.Send(canceled, nil), ErrClosed) // with nothing of the memory touched
		_, err = r.TryNext()
		wantErr(t, err, ErrClosed)
		if f := r.Framing(); f != layout.FramingNone {
			t.Error(f)
		}
	})
}

func TestSegment_Removed_NotCalledKept(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		send(t, w, "a", "b")
		if err := os.Remove(shm.Path(name)); err != nil {
			t.Fatal(err)
		}
		wantErr(t, w.Close(), ErrRemoved)
		if unread := w.Unread(); unread != 2 {
			t.Errorf("%d unread", unread)
		}
	})
}
