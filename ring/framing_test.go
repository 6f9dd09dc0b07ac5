package ring

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// sent leaves a message with that framing in the segment called name.
func sent(t *testing.T, name string, f layout.Framing) {
	t.Helper()
	w := create(t, name, WriterOptions{Framing: f, Keep: true})
	send(t, w, "sent")
	w.Close()
}

func TestFraming_UnreadMessages_Kept(t *testing.T) {
	framings := []layout.Framing{layout.FramingNone, layout.FramingLines, layout.FramingLength, layout.FramingRaw}
	for _, first := range framings {
		for _, then := range framings {
			t.Run(fmt.Sprintf("%v, then %v", first, then), func(t *testing.T) {
				name := testenv.SegmentName(t)
				sent(t, name, first)
				if then == first {
					w := create(t, name, WriterOptions{Framing: then})
					if w.Resumed() != 1 {
						t.Errorf("%d resumed", w.Resumed())
					}
					return
				}
				_, err := Create(canceled, name, WriterOptions{Framing: then})
				wantErr(t, err, ErrFraming)
				if want := first.String(); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "1 unread") {
					t.Errorf("%v; want %q", err, want)
				}
				h := look(t, name)
				if s := layout.State(h.ProducerStats.State.Load()); s != layout.StateClosed || h.ProducerStats.Generation.Load() != 1 {
					t.Errorf("the refusal has left its mark: %v", s)
				}
				r := open(t, name, ReaderOptions{})
				if r.Framing() != first {
					t.Errorf("a message with framing %v is read as %v", first, r.Framing())
				}
				wantMessages(t, r, "sent")
				_, err = Create(canceled, name, WriterOptions{Framing: then})
				wantErr(t, err, ErrFraming) // it would come again after a kill
				r.Release()
				send(t, create(t, name, WriterOptions{Framing: then}), "after")
				wantMessages(t, r, "after")
				if r.Framing() != then {
					t.Errorf("a message with framing %v is read as %v", then, r.Framing())
				}
			})
		}
	}
}

func TestFraming_Fresh_MayChange(t *testing.T) {
	name := testenv.SegmentName(t)
	sent(t, name, layout.FramingLines)
	w := create(t, name, WriterOptions{Framing: layout.FramingRaw, Fresh: true})
	if w.Resumed() != 0 {
		t.Errorf("%d resumed", w.Resumed())
	}
}

// The producer was killed in its first publish, before the message was there.
func TestFraming_NothingPublished_None(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{Framing: layout.FramingLines, Keep: true})
	c := &w.Segment().Header().Producer
	c.CountBefore.Store(0)
	c.NextIndex.Store(16)
	c.Count.Store(1)
	w.Close()
	create(t, name, WriterOptions{Framing: layout.FramingRaw})
}

func TestFraming_CorruptSegment_ErrCorrupt(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{Capacity: 4096, Framing: layout.FramingLines})
	send(t, w, "evidence")
	w.Segment().Header().Producer.Index.Store(12345)
	w.Close()
	_, err := Create(canceled, name, WriterOptions{Framing: layout.FramingRaw})
	wantErr(t, err, ErrCorrupt)
}

// Its consumer took the last message after the look at it, and left the segment to the
// producer, who was there.
func TestFraming_MessagesTakenMeanwhile_NotRefused(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := create(t, name, WriterOptions{Framing: layout.FramingLines}), open(t, name, ReaderOptions{})
	send(t, w, "sent")
	wantMessages(t, r, "sent")
	w.Close()
	seg, err := shm.Open(canceled, name, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	refused := checkFraming(seg, WriterOptions{Framing: layout.FramingRaw})
	wantErr(t, refused, ErrFraming)
	r.Release()
	r.Close()
	_, err = refuse(t.Context(), seg, refused)
	wantErr(t, err, errRetry)
	create(t, name, WriterOptions{Framing: layout.FramingRaw}).Close()
	wantSegment(t, name, false)
}
