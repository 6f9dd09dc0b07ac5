package cli

import (
	"errors"
	"io/fs"
	"net"
	"slices"
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

// errorRule maps an error to the exit code and the hint of a command.
type errorRule struct {
	err       error
	match     func(error) bool // used instead of err if not nil
	code      int
	hint      func(command string, p part) string // nil = no hint
	printOnce bool                                // several steps of a shutdown may return it: print one
}

// ErrorRule is the exit code and the hint of an error that only one command has, for an [App]:
// packages that the others do not link are not imported here.
type ErrorRule struct {
	Err   error
	Match func(error) bool // used instead of Err if not nil
	Code  int
	Hint  string // "" = none
}

// addErrorRules gives rules precedence over all others except those of wrong usage.
func addErrorRules(rules []ErrorRule) {
	own := make([]errorRule, 0, len(rules))
	for _, r := range rules {
		rule := errorRule{err: r.Err, match: r.Match, code: r.Code}
		if r.Hint != "" {
			rule.hint = fixedHint(r.Hint)
		}
		own = append(own, rule)
	}
	errorRules = slices.Insert(errorRules, 1, own...)
}

// errorRules are in order of precedence: the first match applies.
var errorRules = []errorRule{
	{err: errUsage, code: ExitUsage},
	{err: shm.ErrName, code: ExitUsage},
	{err: ring.ErrType, code: ExitUsage, hint: hintByCommand{ // of a producer with a live consumer see cmd/producer
		"":          "choose another --name",
		"producer":  "let a consumer drain it, discard it with --fresh, or choose another --name",
		"bridge in": "let a consumer drain it, or remove it with gauge rm --yes",
	}.hint},
	{err: ring.ErrGeometry, code: ExitUsage, hint: hintByCommand{
		"":          "omit --capacity and --slots to reuse it, let a consumer drain it, or discard it with --fresh",
		"bridge in": "omit --capacity and --slots to reuse it, let a consumer drain it, or remove it with gauge rm --yes",
	}.hint},
	{err: ring.ErrFraming, code: ExitUsage, hint: fixedHint("let a consumer receive them first, discard them with --fresh, or choose another --name")},
	{err: sink.ErrFault, code: ExitFault},
	{err: transfer.ErrSocketTaken, code: ExitRoleTaken, hint: fixedHint("stop the process that listens there, or choose another --socket on both sides")},
	{err: shm.ErrRoleTaken, code: ExitRoleTaken, hint: hintByCommand{
		"":            "stop that process, or choose another --name",
		"consumer":    "stop that process: a segment has one consumer at a time",
		"bridge out":  "stop that process: a bridge takes the place of the consumer",
		"bridge in":   "stop that process: a bridge takes the place of the producer",
		"gauge rm":    "stop that process first",
		"gauge drain": "stop that process first, or let it receive the messages",
	}.hint},
	{err: source.ErrTooLarge, code: ExitFailed}, // the hint depends on the mode
	{err: transfer.ErrLimit, code: ExitLimit, hint: fixedHint(LimitHint)},
	{err: transfer.ErrOtherUser, code: ExitFailed, hint: fixedHint("run both sides as the same user, or set --group on both sides")},
	{err: transfer.ErrSharedDirectory, code: ExitFailed, hint: fixedHint("choose a --socket in a directory that you own and only you can write to (chmod go-w, or umask 022 before mkdir)")},
	{err: transfer.ErrNoDirectory, code: ExitFailed, hint: fixedHint(NoDirectoryHint)},
	{err: transfer.ErrElsewhere, code: ExitFailed, hint: fixedHint("give both sides the same --socket, or the same XDG_RUNTIME_DIR")},
	{err: transfer.ErrSocketRemoved, code: ExitFailed, hint: fixedHint("restart the consumer, and its socket unit if it has one; no message is lost while the producer runs")},
	{err: transfer.ErrPeer, code: ExitFailed, hint: fixedHint("choose another --socket on both sides, in a directory that you own")},
	{err: unix.ENFILE, code: ExitFailed, hint: fixedHint("the limit of this machine is reached: end processes with many open files (lsof), or raise it (sysctl fs.file-max)")},
	{err: transfer.ErrDescriptors, code: ExitFailed, hint: hintByCommand{
		"":         moreDescriptors,
		"consumer": moreDescriptors + " and restart the consumer: the producer resends unreleased messages",
	}.hint},
	{err: unix.EMFILE, code: ExitFailed, hint: fixedHint(moreDescriptors)},
	{err: transfer.ErrTooLarge, code: ExitFailed, hint: fixedHint("choose a larger --limit, or cut the input into smaller messages")},
	{err: ring.ErrSize, code: ExitFailed, hint: fixedHint("gauge stat shows the size of the slots; choose that, or another --name")},
	{err: unix.ENAMETOOLONG, code: ExitFailed, hint: fixedHint("choose a shorter path")},
	{err: ring.ErrFull, code: ExitLimit, hint: fixedHint("speed the consumer up, choose a larger --capacity, or let the producer wait with --on-full block")},
	{err: shm.ErrOtherUser, code: ExitCorrupt, printOnce: true, hint: hintByCommand{
		"":      "choose another --name, or set --group on both sides to share the segment",
		"gauge": "run as that user",
	}.hint},
	{err: shm.ErrUntrusted, code: ExitCorrupt, printOnce: true, hint: hintByCommand{
		"":      "find out who created it and remove it, or choose another --name",
		"gauge": "find out who created it and remove it",
	}.hint},
	{err: shm.ErrGroup, code: ExitUsage, hint: fixedHint("add this user to the group and start the command again, or omit --group")},
	{err: shm.ErrRemoved, code: ExitFailed, printOnce: true, hint: fixedHint("it was deleted by rm, by a clean-up of /dev/shm, or by RemoveIPC= of systemd; restart both sides")},
	{err: shm.ErrTruncated, code: ExitCorrupt, printOnce: true, hint: hintByCommand{
		"":       "another program truncated the file; restart both sides, the producer with --fresh",
		"bridge": "another program truncated the file; remove it with gauge rm --yes, and restart both sides",
		"gauge":  "another program truncated the file; gauge rm --yes removes it",
	}.hint},
	{err: layout.ErrNotSegment, code: ExitCorrupt, printOnce: true, hint: hintByCommand{
		"":         "remove the file, start the producer with --fresh, or choose another --name",
		"producer": "remove the file, start with --fresh, or choose another --name",
		"bridge":   "remove the file with gauge rm --yes, or choose another --name",
		"gauge":    "gauge rm --yes removes the file",
	}.hint},
	{err: layout.ErrVersion, code: ExitCorrupt, printOnce: true, hint: hintByCommand{
		"":         "run both sides from the same build (see --version); receive the unread messages with the consumer of the build that wrote them, or discard them by starting the producer with --fresh",
		"producer": "run both sides from the same build (see --version); receive the unread messages with the consumer of the build that wrote them, or discard them with --fresh",
		"bridge":   "run all commands from the same build (see --version); receive the unread messages with the consumer of the build that wrote them, or remove it with gauge rm --yes",
		"gauge":    "use gauge from the build that created it (see --version), or remove it with gauge rm --yes",
	}.hint},
	{err: layout.ErrMode, code: ExitUsage, hint: hintByCommand{ // for the producer see cmd/producer
		"consumer": "omit --mode: the consumer uses the mode of the segment; or choose another --name",
		"bridge":   "choose another --name: a bridge connects rings",
	}.hint},
	{err: layout.ErrCorrupt, code: ExitCorrupt, printOnce: true, hint: hintByCommand{
		"":         "another program wrote to it: stop both sides, and start the producer with --fresh",
		"producer": "another program wrote to it: stop both sides, and start the producer with --fresh",
		"bridge":   "another program wrote to it: stop both sides, and remove it with gauge rm --yes",
		"gauge":    "another program wrote to it: stop both sides, and remove it with gauge rm --yes",
	}.hint},
	{err: shm.ErrNoSpace, code: ExitFailed, hint: fixedHint("free space there, choose a smaller --capacity, or enlarge it: mount -o remount,size=... /dev/shm")},
	{err: stdio.ErrClosed, code: ExitFailed, hint: hintByCommand{
		"":         "redirect it to a file or a pipe, or > /dev/null" + readWriteNote,
		"consumer": "redirect it to a file or a pipe; to discard messages, leave --output out, or > /dev/null" + readWriteNote,
		"producer": "redirect it from a file or a pipe; for no input, < /dev/null" + readWriteNote,
	}.hint},
	{err: unix.EPIPE, code: ExitFailed, printOnce: true, hint: hintForMessages("the reader has exited: data left in the pipe is lost; the next consumer receives the messages that were not written", hintByCommand{
		"":             "the reader exited before it had read everything",
		"gauge record": "the reader has exited; to record to a file: --output FILE",
	}.hint)},
	{err: sink.ErrNotRead, code: ExitFailed, hint: fixedHint("keep the reader of the output running until the consumer has exited")},
	{err: unix.ENOSPC, code: ExitFailed, printOnce: true, hint: hintNotWritten("free some space")},
	{err: unix.EDQUOT, code: ExitFailed, printOnce: true, hint: hintNotWritten("free some space, or raise the quota")},
	{err: unix.EFBIG, code: ExitFailed, printOnce: true, hint: hintNotWritten("allow larger files (ulimit -f)")},
	{err: unix.EISDIR, code: ExitFailed, hint: fixedHint("choose a file, not a directory")},
	{err: sink.ErrExists, code: ExitUsage, hint: hintByCommand{
		"":            "choose another file",
		"gauge drain": "choose another file, or append to this one: --output - >> FILE",
	}.hint},
	{err: sink.ErrSegment, code: ExitFailed, hint: fixedHint("choose another file")},
	{err: unix.ENOMEM, code: ExitFailed, hint: hintByCommand{
		"":         "allow more memory (ulimit -v, the limit of the container), or choose a smaller --capacity (--limit in transfer mode)",
		"consumer": "allow more memory (ulimit -v, the limit of the container), or let the producer choose a smaller --capacity",
		"gauge":    "allow more memory (ulimit -v, the limit of the container)",
	}.hint},
	{match: isDeniedCall, code: ExitFailed, hint: hintDeniedCall},
	{match: cannotCreateFiles, code: ExitFailed, hint: fixedHint("let this user create files in /dev/shm: as root, chmod 1777 /dev/shm, or change the rules of a sandbox (Landlock, AppArmor, SELinux); gauge doctor finds other problems")},
	{err: unix.EROFS, code: ExitFailed, hint: hintReadOnly},
	{err: layout.ErrIncomplete, code: ExitIncomplete, hint: hintByCommand{
		"":       "the received part was kept; restart both sides for the whole stream",
		"bridge": "the far consumer is told the same; restart producer, consumer and both bridges for the whole stream",
	}.hint},
	{err: fs.ErrPermission, code: ExitFailed, hint: hintNamingFlag("run as a user with permission, or choose another")},
	{err: fs.ErrNotExist, code: ExitFailed, hint: func(_ string, p part) string {
		if p.op != "" {
			return "" // the file of a segment, not one that the user named
		}
		return "check the path"
	}},
	{err: unix.ENOTDIR, code: ExitFailed, hint: fixedHint("check the path")},
	// Last, because an error that is joined with it is the cause.
	{err: transfer.ErrUndelivered, code: ExitFailed, hint: fixedHint("keep a consumer running until the producer has ended")},
}

// NoDirectoryHint is the hint for a --socket in a directory that does not exist.
const NoDirectoryHint = "create it (mkdir -m 700), or choose another --socket on both sides"

// LimitHint is the hint for a transfer that has reached its --limit.
const LimitHint = "speed the consumer up, slow the producer down (--rate), allow more (--limit), or let the producer wait (--on-limit block, or --mode ring)"

// readWriteNote names the case that cannot be told from a closed descriptor: see stdio.Check.
const readWriteNote = "; /dev/null opened for both reading and writing counts as closed"

// moreDescriptors is the hint for a process that has reached its limit of descriptors.
const moreDescriptors = "allow more descriptors (ulimit -n)"

// hintByCommand maps a command ("gauge rm", or "gauge" for all of gauge) to its hint; "" is
// for commands without an entry.
type hintByCommand map[string]string

func (b hintByCommand) hint(command string, _ part) string {
	for name := command; name != ""; name = name[:max(0, strings.LastIndexByte(name, ' '))] {
		if h, ok := b[name]; ok {
			return h
		}
	}
	return b[""]
}

// fixedHint returns a hint that is the same for all commands.
func fixedHint(hint string) func(string, part) string {
	return func(string, part) string { return hint }
}

// hintForMessages returns hint for the output that a consumer writes messages to, and the
// result of other for any other output.
func hintForMessages(hint string, other func(string, part) string) func(string, part) string {
	return func(command string, p part) string {
		if (command == "consumer" || command == "gauge drain") && p.segment != "" {
			return hint
		}
		return other(command, p)
	}
}

// hintNotWritten is the hint for an output that cannot be written to any more. Messages that
// a consumer could not write are not released, so they are not lost.
func hintNotWritten(hint string) func(string, part) string {
	return hintForMessages(hint+", and continue with --output - >> FILE: messages that were not written are kept for the next consumer", fixedHint(hint))
}

// hintReadOnly is the hint for a read-only file system.
func hintReadOnly(command string, p part) string {
	if path := (*fs.PathError)(nil); errors.As(p.err, &path) && strings.HasPrefix(path.Path, shm.Dir) {
		return "as root: mount -o remount,rw " + shm.Dir + "; gauge doctor finds other problems"
	}
	return hintNamingFlag("choose another")(command, p)
}

// hintNamingFlag appends to hint the flag (or "path") that the error is about.
func hintNamingFlag(hint string) func(string, part) string {
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

// rule returns the index in errorRules of the first match, len(errorRules) if there is none.
func (p *part) rule() int {
	for i := range errorRules {
		m := &errorRules[i]
		if m.match != nil && m.match(p.err) || m.match == nil && errors.Is(p.err, m.err) {
			return i
		}
	}
	return len(errorRules)
}
