package ring

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
)

// A publish has no error: who may not wake the peer would leave it asleep for the length
// of a slice each time, and nobody would know why.
func TestOpen_FutexWakeRefused_Error(t *testing.T) {
	const sharedWake = 1 // FUTEX_WAKE without FUTEX_PRIVATE_FLAG, which the runtime uses
	name, other := testenv.SegmentName(t), testenv.SegmentName(t)
	create(t, name, WriterOptions{})
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL} {
		var writerErr, readerErr error
		err := seccomp.Under(errno, func() {
			_, writerErr = Create(t.Context(), other, WriterOptions{})
			_, readerErr = Open(t.Context(), name, ReaderOptions{})
		}, seccomp.CallWith(unix.SYS_FUTEX, 2, sharedWake))
		if err != nil {
			t.Skipf("SKIPPED, NOT TESTED: %v", err)
		}
		for _, err := range []error{writerErr, readerErr} {
			if !errors.Is(err, errno) || !strings.Contains(err.Error(), "futex wake") || !strings.Contains(err.Error(), "segment \"") {
				t.Errorf("%v: %v", errno, err)
			}
		}
		wantSegment(t, other, false)
	}
}
