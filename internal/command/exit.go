package command

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/sink"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// Exit codes.
const (
	ExitOK        = 0 // done in good order
	ExitFailed    = 1 // failed while running
	ExitUsage     = 2
	ExitFault     = 3 // --verify found a fault
	ExitRoleTaken = 4 // a live process holds the role
	ExitLimit     = 5 // a limit was reached
	ExitCorrupt   = 6 // the segment or the peer is corrupt or of another version
)

var errUsage = errors.New("wrong usage")

// Usage returns an error of wrong usage, for exit code 2.
func Usage(format string, args ...any) error {
	return fmt.Errorf("%w%w", hidden{errUsage}, fmt.Errorf(format, args...))
}

// hidden is an error for errors.Is that does not show in the text.
type hidden struct{ error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.error }

// meanings is what errors mean to the caller of a command. The first match
// counts.
var meanings = []struct {
	err    error
	code   int
	remedy string // what to do about it
}{
	{errUsage, ExitUsage, "--help shows the flags"},
	{shm.ErrName, ExitUsage, "choose another --name"},
	{ring.ErrGeometry, ExitUsage, "leave --capacity and --slots out to resume it, or drain it and stop its consumer, or discard it with --fresh"},
	{sink.ErrFault, ExitFault, ""},
	{shm.ErrRoleTaken, ExitRoleTaken, "stop that process or choose another --name"},
	{ring.ErrTooLarge, ExitFailed, "choose a larger --capacity"},
	{transfer.ErrLimit, ExitLimit, "speed the consumer up, slow the producer down (--rate), allow more (--limit), or use --mode ring, where the producer waits"},
	{transfer.ErrLost, ExitFailed, "start a consumer before the producer is stopped"},
	{transfer.ErrPeer, ExitFailed, "choose a --socket in a directory of your own, or share it (both sides: --group)"},
	{transfer.ErrDescriptors, ExitFailed, "allow more (ulimit -n) and start it again: nothing is lost"},
	{transfer.ErrTooLarge, ExitFailed, "choose a larger --limit, or cut the input into smaller messages"},
	{ring.ErrFull, ExitLimit, "the consumer is slower: speed it up, choose a larger --capacity, or let the producer wait with --on-full block"},
	{shm.ErrForeign, ExitCorrupt, "find out who put it there; remove it, or choose another --name, or share it (both sides: --group)"},
	{shm.ErrGroup, ExitUsage, "make this user a member and start it again, or leave --group out"},
	{shm.ErrRemoved, ExitFailed, "something deleted it: rm, a clean-up of /dev/shm, or RemoveIPC= of systemd; start both sides again"},
	{shm.ErrTruncated, ExitCorrupt, "somebody shortened the file; start both sides again, with --fresh"},
	{layout.ErrNotSegment, ExitCorrupt, "remove the file, start the producer with --fresh, or choose another --name"},
	{layout.ErrVersion, ExitCorrupt, "use producer and consumer of one version, or start the producer with --fresh"},
	{layout.ErrMode, ExitUsage, "give both sides the same --mode, let a consumer take what is left, start the producer with --fresh, or choose another --name"},
	{layout.ErrCorrupt, ExitCorrupt, "something else wrote to it: stop both sides and start the producer with --fresh"},
	{shm.ErrNoSpace, ExitFailed, "free some, choose a smaller --capacity, or enlarge it: mount -o remount,size=... /dev/shm"},
	{unix.EPIPE, ExitFailed, "its reader went away; what it did not get comes again to the next consumer"},
	{unix.ENOSPC, ExitFailed, "make room and go on with --output - >> FILE: what was not written is still there"},
	{unix.EISDIR, ExitFailed, "name a file"},
	{fs.ErrPermission, ExitFailed, "run as a user who may, or choose another path"},
	{fs.ErrNotExist, ExitFailed, "check the path"},
}

// Named says which segment an error is about. An orderly stop is no error.
func Named(segment string, err error) error {
	if err = Orderly(err); err == nil {
		return nil
	}
	return fmt.Errorf("segment %q: %w", segment, err)
}

// exit prints what is wrong, one line, and returns the exit code.
func exit(name string, err error) int {
	if err == nil {
		return ExitOK
	}
	code, remedy := ExitFailed, ""
	for _, m := range meanings {
		if errors.Is(err, m.err) {
			code, remedy = m.code, m.remedy
			break
		}
	}
	text := strings.Join(strings.Split(err.Error(), "\n"), "; ")
	if remedy != "" {
		text += "; " + remedy
	}
	complain("%s: %s\n", name, text)
	return code
}
