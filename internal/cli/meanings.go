package cli

import (
	"errors"
	"io/fs"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/sink"
	"sluice/internal/source"
	"sluice/internal/stdio"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// meaning is what an error means to the caller of a command.
type meaning struct {
	err  error
	is   func(error) bool // in place of err
	code int
	hint func(command string, p part) string // nil = there is none
	once bool                                // each step of an end may find it again
}

// meanings: the first match counts.
var meanings = []meaning{
	{err: errUsage, code: ExitUsage},
	{err: shm.ErrName, code: ExitUsage},
	{err: ring.ErrGeometry, code: ExitUsage, hint: always("leave --capacity and --slots out to go on with it, let a consumer take what is left, or discard it with --fresh")},
	{err: ring.ErrFraming, code: ExitUsage, hint: always("let a consumer take them first, discard them with --fresh, or choose another --name")},
	{err: sink.ErrFault, code: ExitFault},
	{err: transfer.ErrSocketTaken, code: ExitRoleTaken, hint: always("stop the process that listens there, or choose another --socket on both sides")},
	{err: shm.ErrRoleTaken, code: ExitRoleTaken, hint: by{
		"":         "stop that process, or choose another --name",
		"consumer": "stop that process: a segment has one consumer at a time",
		"gauge rm": "stop that process first",
	}.hint},
	{err: source.ErrTooLarge, code: ExitFailed}, // the hint depends on the mode
	{err: transfer.ErrLimit, code: ExitLimit, hint: always(LimitHint)},
	{err: transfer.ErrOtherUser, code: ExitFailed, hint: always("run both sides as one user, or share the pair: --group on both sides")},
	{err: transfer.ErrSharedDirectory, code: ExitFailed, hint: always("choose a --socket in a directory of your own that only you may write to (chmod go-w, or umask 022 before mkdir)")},
	{err: transfer.ErrNoDirectory, code: ExitFailed, hint: always("make it (mkdir -m 700), or choose another --socket on both sides")},
	{err: transfer.ErrElsewhere, code: ExitFailed, hint: always("give both sides the same --socket, or the same XDG_RUNTIME_DIR")},
	{err: transfer.ErrSocketRemoved, code: ExitFailed, hint: always("start the consumer again, and its socket unit if it has one: nothing is lost while the producer lives")},
	{err: transfer.ErrPeer, code: ExitFailed, hint: always("choose another --socket on both sides, in a directory of your own")},
	{err: unix.ENFILE, code: ExitFailed, hint: always("this machine has no more: end what holds them (lsof), or allow more (sysctl fs.file-max)")},
	{err: transfer.ErrDescriptors, code: ExitFailed, hint: by{
		"":         moreFiles,
		"consumer": moreFiles + " and start it again: the producer sends again what was not released",
	}.hint},
	{err: unix.EMFILE, code: ExitFailed, hint: always(moreFiles)},
	{err: transfer.ErrTooLarge, code: ExitFailed, hint: always("choose a larger --limit, or cut the input into smaller messages")},
	{err: unix.ENAMETOOLONG, code: ExitFailed, hint: always("choose a shorter path")},
	{err: ring.ErrFull, code: ExitLimit, hint: always("speed the consumer up, choose a larger --capacity, or let the producer wait with --on-full block")},
	{err: shm.ErrOtherUser, code: ExitCorrupt, once: true, hint: by{
		"":      "choose another --name, or share the segment: --group on both sides",
		"gauge": "run as that user",
	}.hint},
	{err: shm.ErrUntrusted, code: ExitCorrupt, once: true, hint: by{
		"":      "find out who put it there and remove it, or choose another --name",
		"gauge": "find out who put it there and remove it",
	}.hint},
	{err: shm.ErrGroup, code: ExitUsage, hint: always("make this user a member and start it again, or leave --group out")},
	{err: shm.ErrRemoved, code: ExitFailed, once: true, hint: always("something deleted it: rm, a clean-up of /dev/shm, or RemoveIPC= of systemd; start both sides again")},
	{err: shm.ErrTruncated, code: ExitCorrupt, once: true, hint: by{
		"":      "somebody shortened the file; start both sides again, the producer with --fresh",
		"gauge": "somebody shortened the file; gauge rm --yes removes it",
	}.hint},
	{err: layout.ErrNotSegment, code: ExitCorrupt, once: true, hint: by{
		"":         "remove the file, start the producer with --fresh, or choose another --name",
		"producer": "remove the file, start with --fresh, or choose another --name",
		"gauge":    "gauge rm --yes removes the file",
	}.hint},
	{err: layout.ErrVersion, code: ExitCorrupt, once: true, hint: by{
		"":         "run both sides from the same build (--version shows which one it is); messages that another build left: take them with its consumer, or discard them by starting the producer with --fresh",
		"producer": "run both sides from the same build (--version shows which one it is); messages that another build left: take them with its consumer, or discard them with --fresh",
		"gauge":    "use the gauge of the build that made it (--version shows which one this is), or discard it with gauge rm --yes",
	}.hint},
	{err: layout.ErrMode, code: ExitUsage, hint: by{ // the producer's depends on who is there
		"consumer": "leave --mode out: the consumer takes that of the segment; or choose another --name",
	}.hint},
	{err: layout.ErrCorrupt, code: ExitCorrupt, once: true, hint: by{
		"":         "something else wrote to it: stop both sides, and start the producer with --fresh",
		"producer": "something else wrote to it: stop both sides, and start the producer with --fresh",
		"gauge":    "something else wrote to it: stop both sides, and remove it with gauge rm --yes",
	}.hint},
	{err: shm.ErrNoSpace, code: ExitFailed, hint: always("free some, choose a smaller --capacity, or enlarge it: mount -o remount,size=... /dev/shm")},
	{err: stdio.ErrClosed, code: ExitFailed, hint: by{
		"":         "redirect it to a file or a pipe, or > /dev/null" + bothWays,
		"consumer": "redirect it to a file or a pipe; to discard messages, leave --output out, or > /dev/null" + bothWays,
		"producer": "redirect it from a file or a pipe; for no input, < /dev/null" + bothWays,
	}.hint},
	{err: unix.EPIPE, code: ExitFailed, once: true, hint: ofMessages("its reader has ended: what it had not read of the pipe is lost, and the next consumer gets what was not written", by{
		"":             "its reader has ended before it had read everything",
		"gauge record": "its reader has ended; --output FILE records without one",
	}.hint)},
	{err: sink.ErrNotRead, code: ExitFailed, hint: always("let its reader read until the consumer has ended")},
	{err: unix.ENOSPC, code: ExitFailed, once: true, hint: notWritten("free some space")},
	{err: unix.EDQUOT, code: ExitFailed, once: true, hint: notWritten("free some space, or raise the quota")},
	{err: unix.EFBIG, code: ExitFailed, once: true, hint: notWritten("allow larger files (ulimit -f)")},
	{err: unix.EISDIR, code: ExitFailed, hint: always("name a file")},
	{err: sink.ErrSegment, code: ExitFailed, hint: always("name another file")},
	{err: unix.ENOMEM, code: ExitFailed, hint: by{
		"":         "allow more memory (ulimit -v, the limit of the container), or choose a smaller --capacity (--limit in transfer mode)",
		"consumer": "allow more memory (ulimit -v, the limit of the container), or let the producer choose a smaller --capacity",
		"gauge":    "allow more memory (ulimit -v, the limit of the container)",
	}.hint},
	{is: refused, code: ExitFailed, hint: allowCall},
	{is: noFiles, code: ExitFailed, hint: always("let this user make files in /dev/shm (as root: chmod 1777 /dev/shm), also where a sandbox forbids it (Landlock, AppArmor, SELinux); gauge doctor finds other problems")},
	{err: unix.EROFS, code: ExitFailed, hint: writable},
	{err: layout.ErrIncomplete, code: ExitIncomplete, hint: always("what came was kept; for the whole stream, start both sides again")},
	{err: fs.ErrPermission, code: ExitFailed, hint: another("run as a user who may, or choose another")},
	{err: fs.ErrNotExist, code: ExitFailed, hint: func(_ string, p part) string {
		if p.op != "" {
			return "" // a segment's own file
		}
		return "check the path"
	}},
	{err: unix.ENOTDIR, code: ExitFailed, hint: always("check the path")},
	// Last: what else was wrong is why.
	{err: transfer.ErrUndelivered, code: ExitFailed, hint: always("keep a consumer running until the producer has ended")},
}

// LimitHint is the hint for a transfer that has as much in flight as it may have.
const LimitHint = "speed the consumer up, slow the producer down (--rate), allow more (--limit), or use --mode ring, where the producer waits"

// bothWays is what else looks like a closed standard input or output.
const bothWays = "; one that is opened for both reading and writing counts as closed"

// moreFiles is the hint for a process that has as many descriptors as it may have.
const moreFiles = "allow more descriptors (ulimit -n)"

// by is a hint that depends on the command: "gauge rm", "gauge", or "" for those that
// are not there.
type by map[string]string

func (b by) hint(command string, _ part) string {
	for name := command; name != ""; name = name[:max(0, strings.LastIndexByte(name, ' '))] {
		if h, ok := b[name]; ok {
			return h
		}
	}
	return b[""]
}

func always(hint string) func(string, part) string {
	return func(string, part) string { return hint }
}

// ofMessages is one hint for the output that a consumer writes messages to, and another
// for whatever else is written.
func ofMessages(hint string, other func(string, part) string) func(string, part) string {
	return func(command string, p part) string {
		if command == "consumer" && p.segment != "" {
			return hint
		}
		return other(command, p)
	}
}

// notWritten is the hint for an output that takes no more: what a consumer could not
// write is still there.
func notWritten(hint string) func(string, part) string {
	return ofMessages(hint+", and go on with --output - >> FILE: what was not written is kept for the next consumer", always(hint))
}

// writable is the hint for a file system that is mounted read-only.
func writable(command string, p part) string {
	if path := (*fs.PathError)(nil); errors.As(p.err, &path) && strings.HasPrefix(path.Path, shm.Dir) {
		return "as root: mount -o remount,rw " + shm.Dir + "; gauge doctor finds other problems"
	}
	return another("choose another")(command, p)
}

// another names the flag that the error is about.
func another(hint string) func(string, part) string {
	return func(_ string, p part) string {
		switch {
		case errors.As(p.err, new(*net.OpError)):
			return hint + " --socket"
		case p.op != "":
			return hint + " --name"
		}
		return hint + " path"
	}
}

// meaning returns the row of the table for this error, len(meanings) when it is in none.
func (p *part) meaning() int {
	for i := range meanings {
		m := &meanings[i]
		if m.is != nil && m.is(p.err) || m.is == nil && errors.Is(p.err, m.err) {
			return i
		}
	}
	return len(meanings)
}
