package ring

import (
	"context"
	"errors"
	"io"
	"testing"

	"sluice/internal/endpoint"
	"sluice/internal/testenv"
	"sluice/layout"
)

type endingWriter interface {
	Send(ctx context.Context, msg []byte) error
	EndAs(end layout.End)
	Close() error
}

type leavingReader interface {
	Take(ctx context.Context) ([]byte, error)
	TryNext() ([]byte, error)
	Release()
	KeepEnd()
	LeaveEnd()
	Close() error
}

// A Reader that passes a stream on, and leaves before it has passed on the end, leaves that to the
// next one: the Writer may end before it, or after it.
func TestReader_KeepEnd_NextReaderIsTold(t *testing.T) {
	for _, c := range []struct {
		name                        string
		endsFirst, wasTold, inOrder bool
		end                         layout.End
		want                        error
	}{
		{"the Writer ends after it", false, false, false, layout.EndComplete, io.EOF},
		{"the Writer ends before it", true, false, false, layout.EndComplete, io.EOF},
		{"it was told", true, true, false, layout.EndComplete, io.EOF},
		{"it was told of an incomplete stream", true, true, false, layout.EndStopped, ErrIncomplete},
		{"it leaves in good order", true, false, true, layout.EndComplete, io.EOF},
		{"it leaves in good order, and was told", true, true, true, layout.EndStopped, ErrIncomplete},
	} {
		for kind, ends := range map[string]struct {
			write func(ctx context.Context, name string) (endingWriter, error)
			read  func(ctx context.Context, name string) (leavingReader, error)
		}{
			"records": {
				func(ctx context.Context, name string) (endingWriter, error) {
					return Create(ctx, name, WriterOptions{})
				},
				func(ctx context.Context, name string) (leavingReader, error) {
					return Open(ctx, name, ReaderOptions{})
				},
			},
			"slots": {
				func(ctx context.Context, name string) (endingWriter, error) {
					return CreateSlots(ctx, name, 1, WriterOptions{})
				},
				func(ctx context.Context, name string) (leavingReader, error) {
					return OpenSlots(ctx, name, ReaderOptions{})
				},
			},
		} {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				ctx, name := t.Context(), testenv.SegmentName(t)
				w, err := ends.write(ctx, name)
				if err != nil {
					t.Fatal(err)
				}
				r, err := ends.read(ctx, name)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Send(ctx, []byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := r.Take(ctx); err != nil {
					t.Fatal(err)
				}
				r.Release()
				w.EndAs(c.end)
				if c.endsFirst {
					testenv.WantErr(t, w.Close(), nil)
				}
				if c.wasTold {
					_, err := r.TryNext()
					testenv.WantErr(t, err, c.want)
				}
				if c.inOrder {
					r.LeaveEnd()
				} else {
					r.KeepEnd()
				}
				testenv.WantErr(t, r.Close(), nil)
				if died := endpoint.Died(&testenv.Header(name).ConsumerStats); died == c.inOrder {
					t.Errorf("the Reader counts as one that has died: %v", died)
				}
				if !c.endsFirst {
					testenv.WantErr(t, w.Close(), nil)
				}
				r, err = ends.read(ctx, name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Take(ctx); !errors.Is(err, c.want) {
					t.Errorf("the next Reader gets %v, want %v", err, c.want)
				}
				testenv.WantErr(t, r.Close(), nil)
				testenv.WantNoSegment(t, name)
			})
		}
	}
}
