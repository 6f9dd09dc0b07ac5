package ring

import (
	"context"
	"errors"
	"io"
	"testing"

	"sluice/internal/endpoint"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// end closes w in the given way, and the process that it stands for is gone.
func end(w writerEnd, how layout.End) {
	w.EndAs(how)
	w.Close()
}

func TestEnd_CompleteOrIncomplete(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, c := range []struct {
			name string
			run  func(t *testing.T, mem Memory, w writerEnd, r readerEnd)
			want error
		}{
			{"complete", func(t *testing.T, _ Memory, w writerEnd, r readerEnd) {
				send(t, w, "a")
				end(w, layout.EndComplete)
				wantMessages(t, r, "a")
			}, io.EOF},
			{"closed without a word", func(t *testing.T, _ Memory, w writerEnd, r readerEnd) {
				send(t, w, "a")
				w.Close()
				wantMessages(t, r, "a")
			}, io.EOF},
			{"stopped", func(t *testing.T, _ Memory, w writerEnd, r readerEnd) {
				send(t, w, "a")
				end(w, layout.EndStopped)
				wantMessages(t, r, "a")
			}, ErrIncomplete},
			{"failed", func(t *testing.T, _ Memory, w writerEnd, r readerEnd) {
				send(t, w, "a")
				end(w, layout.EndFailed)
				wantMessages(t, r, "a")
			}, ErrIncomplete},
			{"failed before the first message", func(_ *testing.T, _ Memory, w writerEnd, r readerEnd) {
				end(w, layout.EndFailed)
			}, ErrIncomplete},
			{"half of a stream and all of the next", func(t *testing.T, mem Memory, w writerEnd, r readerEnd) {
				send(t, w, "a")
				end(w, layout.EndStopped)
				next := k.writerOn(t, mem, WriterOptions{})
				send(t, next, "a", "b")
				end(next, layout.EndComplete)
				wantMessages(t, r, "a", "a", "b")
			}, ErrIncomplete},
			{"nothing of a stream and all of the next", func(t *testing.T, mem Memory, w writerEnd, r readerEnd) {
				end(w, layout.EndFailed)
				next := k.writerOn(t, mem, WriterOptions{})
				send(t, next, "a", "b")
				end(next, layout.EndComplete)
				wantMessages(t, r, "a", "b")
			}, io.EOF},
			{"killed, and gone on with", func(t *testing.T, mem Memory, w writerEnd, r readerEnd) {
				send(t, w, "a") // and killed here
				next := k.writerOn(t, mem, WriterOptions{})
				send(t, next, "b")
				end(next, layout.EndComplete)
				wantMessages(t, r, "a", "b")
			}, io.EOF},
		} {
			t.Run(c.name, func(t *testing.T) {
				w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
				c.run(t, mem, w, r)
				for range 2 { // it stays so
					_, err := r.TryNext()
					wantErr(t, err, c.want)
					if complete := errors.Is(err, io.EOF); complete != (c.want == io.EOF) || !complete && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("%v: io.EOF %v", err, complete)
					}
				}
			})
		}
	})
}

// Who is told of an end, when consumers come and go.
func TestEnd_ToldOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, c := range []struct {
			name string
			end  layout.End
			how  func(r readerEnd) // the first Reader leaves
			want error             // of the second
		}{
			{"killed before it was told", layout.EndStopped, func(readerEnd) {}, ErrIncomplete},
			{"killed before it was told", layout.EndComplete, func(readerEnd) {}, io.EOF},
			{"told, and killed", layout.EndStopped, func(r readerEnd) { r.TryNext() }, ErrIncomplete},
			{"told, and closed", layout.EndStopped, func(r readerEnd) { r.TryNext(); r.Close() }, ErrEmpty},
			{"closed without asking", layout.EndComplete, func(r readerEnd) { r.Close() }, ErrEmpty},
		} {
			t.Run(c.name, func(t *testing.T) {
				w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
				send(t, w, "a")
				wantMessages(t, r, "a")
				r.Release()
				end(w, c.end)
				c.how(r)
				second := k.readerOn(t, mem, ReaderOptions{})
				_, err := second.TryNext()
				wantErr(t, err, c.want)
			})
		}
	})
}

func TestEnd_UnreleasedMessages_ToldAgain(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "a", "b")
		end(w, layout.EndStopped)
		wantMessages(t, r, "a", "b")
		_, err := r.TryNext()
		wantErr(t, err, ErrIncomplete)
		r.Close() // holding both

		second := k.readerOn(t, mem, ReaderOptions{})
		wantMessages(t, second, "a", "b")
		_, err = second.TryNext()
		wantErr(t, err, ErrIncomplete)
	})
}

func TestEnd_Follow_EachToldOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		var told []error
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{Follow: true, OnEnd: func(err error) { told = append(told, err) }})
		for _, how := range []layout.End{layout.EndStopped, layout.EndComplete, layout.EndFailed} {
			send(t, w, "a")
			wantMessages(t, r, "a")
			r.Release()
			end(w, how)
			for range 3 {
				_, err := r.TryNext()
				wantErr(t, err, ErrEmpty)
			}
			w = k.writerOn(t, mem, WriterOptions{})
		}
		if len(told) != 3 || !errors.Is(told[0], ErrIncomplete) || told[1] != nil || !errors.Is(told[2], ErrIncomplete) {
			t.Errorf("%v", told)
		}
	})
}

// Whoever is killed while it tells of an end has not recorded that it did.
func TestEnd_Follow_RecordedAfterOnEnd(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		told := 0
		var h *layout.Header
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{Follow: true, OnEnd: func(error) {
			told++
			if seen := h.ConsumerStats.EndSeen.Load(); seen != 0 {
				t.Errorf("recorded %d before it is told", seen)
			}
		}})
		h = mem.Header
		end(w, layout.EndComplete)
		_, err := r.TryNext()
		wantErr(t, err, ErrEmpty)
		if seen := h.ConsumerStats.EndSeen.Load(); told != 1 || seen != 1 {
			t.Errorf("told %d times, recorded %d", told, seen)
		}
	})
}

// Once, though it looks again and again; and whoever takes what it held is told as well.
func TestEnd_Follow_SameEndToldOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		told := 0
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{Follow: true, OnEnd: func(err error) { told++; wantErr(t, err, ErrIncomplete) }})
		send(t, w, "a")
		end(w, layout.EndStopped)
		wantMessages(t, r, "a")
		for range 5 {
			_, err := r.TryNext()
			wantErr(t, err, ErrEmpty)
		}
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		r.Close()
		next := k.readerOn(t, mem, ReaderOptions{})
		wantMessages(t, next, "a")
		next.Release()
		_, err := next.TryNext()
		wantErr(t, err, ErrIncomplete)
	})
}

// A Reader may leave before it has asked how the stream ended. Then somebody else has to be
// told, unless it was complete.
func TestEnd_NotAskedFor_ToldToNextReader(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, end := range []layout.End{layout.EndComplete, layout.EndStopped, layout.EndFailed} {
			for _, asks := range []bool{false, true} {
				name := testenv.SegmentName(t)
				w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
				send(t, w, "a")
				wantMessages(t, r, "a")
				r.Release()
				w.EndAs(end)
				w.Close()
				if asks {
					_, err := r.Next(context.Background())
					wantErr(t, err, map[bool]error{true: io.EOF, false: ErrIncomplete}[end == layout.EndComplete])
				}
				r.Close()
				pending := end != layout.EndComplete && !asks
				wantSegment(t, name, pending)
				if pending {
					r := k.opens(t, name, ReaderOptions{})
					_, err := r.Next(context.Background())
					wantErr(t, err, ErrIncomplete)
					r.Close()
					wantSegment(t, name, false)
				}
			}
		}
	})
}

// Whoever comes after half of a stream is told at the end of what goes on with it, whenever it
// comes, and however the next Writer wants its ring; and nobody after it.
func TestEnd_UntoldIncomplete_NextIncomplete(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, next := range []WriterOptions{{}, {Capacity: 2 * layout.DefaultCapacity}, {Slots: 8}} {
			for _, first := range []bool{false, true} { // the message, and then the Reader
				name := testenv.SegmentName(t)
				w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
				send(t, w, "a")
				wantMessages(t, r, "a")
				r.Release()
				r.Close()
				w.KeepEnd()
				end(w, layout.EndStopped)

				w = k.creates(t, name, next)
				if first {
					send(t, w, "b")
				}
				r = k.opens(t, name, ReaderOptions{})
				if !first {
					send(t, w, "b")
				}
				end(w, layout.EndComplete)
				wantMessages(t, r, "b")
				r.Release()
				_, err := r.Next(context.Background())
				wantErr(t, err, ErrIncomplete)
				r.Close()
				wantSegment(t, name, false)
			}
		}
	})
}

// A Reader that leaves without asking leaves the word that an earlier stream was not complete,
// whatever the last one was.
func TestEnd_UntoldEarlierEnd_KeptByReaderThatDoesNotAsk(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, killed := range []bool{false, true} {
			name := testenv.SegmentName(t)
			w := k.creates(t, name, WriterOptions{})
			send(t, w, "a")
			end(w, layout.EndStopped)
			w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
			wantMessages(t, r, "a")
			r.Release()
			if killed {
				w.Segment().Leave(never)
			} else {
				end(w, layout.EndComplete)
			}
			r.Close()
			wantSegment(t, name, true)
			r = k.opens(t, name, ReaderOptions{})
			if killed { // it has not ended the stream
				end(k.creates(t, name, WriterOptions{}), layout.EndComplete)
			}
			_, err := r.Next(context.Background())
			wantErr(t, err, ErrIncomplete)
			r.Close()
			wantSegment(t, name, false)
		}
	})
}

// Messages that went with a transfer's producer, and that no Receiver has counted as lost, are
// missing from the stream that goes on in a ring.
func TestEnd_LossesOfEarlierTransfer_Incomplete(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, c := range []struct {
			produced, consumed uint64
			want               error
		}{{3, 2, ErrIncomplete}, {3, 3, io.EOF}} {
			name := testenv.SegmentName(t)
			seg, err := shm.Create(name, layout.Geometry{Mode: layout.ModeTransfer}, layout.Producer)
			if err != nil {
				t.Fatal(err)
			}
			h := seg.Header()
			endpoint.Begin(&h.ProducerStats) // and is killed
			h.Producer.Count.Store(c.produced)
			h.Consumer.Count.Store(c.consumed)
			if _, err := seg.Leave(never); err != nil {
				t.Fatal(err)
			}
			w, r := k.creates(t, name, WriterOptions{}), k.opens(t, name, ReaderOptions{})
			send(t, w, "a")
			end(w, layout.EndComplete)
			wantMessages(t, r, "a")
			r.Release()
			_, err = r.Next(context.Background())
			wantErr(t, err, c.want)
			r.Close()
			wantSegment(t, name, false)
		}
	})
}
