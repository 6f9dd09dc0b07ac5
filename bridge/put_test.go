package bridge

import (
	"context"
	"errors"
	"testing"
)

// fullRing has no room. It calls stop when a wait for some is over.
type fullRing struct {
	farRing
	stop func()
}

func (r fullRing) put(ctx context.Context, _ *block, _ uint64) (uint64, error) {
	<-ctx.Done()
	r.stop()
	return 0, context.Cause(ctx)
}

func TestIn_StoppedWhenAWaitForRoomIsOver_ReturnsTheCause(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(context.Background())
	in := &inbound{far: fullRing{stop: func() { stop(stopped) }}}
	if err := in.put(ctx, &block{count: 1}, nil); err != stopped {
		t.Errorf("%v, want %v", err, stopped)
	}
}
