package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/sink"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// printed returns what Exit prints and returns.
func printed(t *testing.T, command string, asJSON bool, err error) (text string, code int) {
	t.Helper()
	r, w, pipeErr := os.Pipe()
	if pipeErr != nil {
		t.Fatal(pipeErr)
	}
	stderr := os.Stderr
	os.Stderr = w
	code = Exit(command, asJSON, err)
	os.Stderr = stderr
	w.Close()
	out, _ := io.ReadAll(r)
	r.Close()
	return string(out), code
}

func TestExit_Text_ErrorAndHintLines(t *testing.T) {
	in := func(op string, err error) error { return shm.InSegment(op, "x", err) }
	for _, c := range []struct {
		what, command string
		err           error
		code          int
		want          string
	}{
		{"nothing", "producer", nil, 0, ""},
		{"an unknown error", "producer", errors.New("odd"), 1, "producer: error: odd\n"},
		{"a mistake", "gauge stat", UsageError("--count: bad"), 2, "gauge: error: --count: bad\n"},
		{"a mistake with its own hint", "gauge stat", WithHint(UsageError("unknown flag --x"), "did you mean --y?"), 2,
			"gauge: error: unknown flag --x\ngauge: hint: did you mean --y?\n"},
		{"the segment, named by each layer", "consumer", WithSegment("x", in("open", fmt.Errorf("%w: a live process is its consumer", shm.ErrRoleTaken))), 4,
			"consumer: error: open segment \"x\": role is taken: a live process is its consumer\nconsumer: hint: stop that process: a segment has one consumer at a time\n"},
		{"an error of the library, joined with one of the command", "consumer", WithSegment("x", WithHint(errors.Join(in("receive from", layout.ErrIncomplete), fmt.Errorf("output: %w", unix.ENOSPC)), "do that")), 1,
			"consumer: error: receive from segment \"x\": the stream is not complete; output: no space left on device\nconsumer: hint: do that\n"},
		{"an output that is full, joined with an error of the library", "consumer", WithSegment("x", errors.Join(in("receive from", layout.ErrIncomplete), fmt.Errorf("output: %w", unix.ENOSPC))), 1,
			"consumer: error: receive from segment \"x\": the stream is not complete; output: no space left on device\nconsumer: hint: free some space, and continue with --output - >> FILE: messages that were not written are kept for the next consumer\n"},
		{"several faults in one call", "producer", shm.InSegment("close", "x", shm.ErrRemoved, fmt.Errorf("%w: 5", transfer.ErrUndelivered)), 1,
			"producer: error: close segment \"x\": segment was removed; messages were lost: 5\nproducer: hint: it was deleted by rm, by a clean-up of /dev/shm, or by RemoveIPC= of systemd; restart both sides\n"},
		{"the same of gauge rm", "gauge rm", in("remove", shm.ErrRoleTaken), 4,
			"gauge: error: remove segment \"x\": role is taken\ngauge: hint: stop that process first\n"},
		{"a segment in the middle of an error", "producer", fmt.Errorf("input: %w", in("", shm.ErrRemoved)), 1,
			"producer: error: segment \"x\": input: segment was removed\nproducer: hint: it was deleted by rm, by a clean-up of /dev/shm, or by RemoveIPC= of systemd; restart both sides\n"},
		{"an error of the loop and of Close", "producer", errors.Join(in("", fmt.Errorf("%w (fault at 0x7f)", shm.ErrTruncated)), in("leave", fmt.Errorf("%w: it has 0 bytes", shm.ErrTruncated))), 6,
			"producer: error: segment \"x\": segment was truncated under its mapping (fault at 0x7f)\nproducer: hint: another program truncated the file; restart both sides, the producer with --fresh\n"},
		{"the same text twice", "consumer", errors.Join(errors.New("odd"), errors.New("odd")), 1, "consumer: error: odd\n"},
		{"the longer of two that say the same", "producer", errors.Join(in("leave", shm.ErrRemoved), in("", fmt.Errorf("%w; 5 unread messages are lost", shm.ErrRemoved))), 1,
			"producer: error: segment \"x\": segment was removed; 5 unread messages are lost\nproducer: hint: it was deleted by rm, by a clean-up of /dev/shm, or by RemoveIPC= of systemd; restart both sides\n"},
		{"a hint that replaces the usual one", "producer", WithHint(in("", shm.ErrRoleTaken), "do that"), 4,
			"producer: error: segment \"x\": role is taken\nproducer: hint: do that\n"},
		{"a hint for an unknown error", "producer", WithHint(errors.New("odd"), "do that"), 1, "producer: error: odd\nproducer: hint: do that\n"},
		{"a hint in the middle of an error", "producer", fmt.Errorf("input: %w", WithHint(errors.New("odd"), "do that")), 1, "producer: error: input: odd\nproducer: hint: do that\n"},
		{"an error in another segment", "producer", in("", shm.InSegment("open", "y", errors.New("odd"))), 1, "producer: error: open segment \"y\": odd\n"},
		{"two faults in one segment", "producer", errors.Join(in("", transfer.ErrLimit), in("", fmt.Errorf("%w: 5", transfer.ErrUndelivered))), 5,
			"producer: error: segment \"x\": memory limit reached; messages were lost: 5\nproducer: hint: speed the consumer up, slow the producer down (--rate), allow more (--limit), or let the producer wait (--on-limit block, or --mode ring)\n"},
		{"the error whose rule comes first sets the code", "producer", errors.Join(errors.New("odd"), in("", ring.ErrFull)), 5,
			"producer: error: odd; segment \"x\": queue is full\nproducer: hint: speed the consumer up, choose a larger --capacity, or let the producer wait with --on-full block\n"},
		{"a closed pipe at a consumer", "consumer", in("", fmt.Errorf("output: %w", unix.EPIPE)), 1,
			"consumer: error: segment \"x\": output: broken pipe\nconsumer: hint: the reader has exited: data left in the pipe is lost; the next consumer receives the messages that were not written\n"},
		{"a closed pipe at gauge", "gauge ls", fmt.Errorf("output: %w", unix.EPIPE), 1, "gauge: error: output: broken pipe\ngauge: hint: the reader exited before it had read everything\n"},
		{"a closed pipe at gauge record", "gauge record", fmt.Errorf("output: %w", unix.EPIPE), 1, "gauge: error: output: broken pipe\ngauge: hint: the reader has exited; to record to a file: --output FILE\n"},
		{"a closed pipe at a consumer's help", "consumer", fmt.Errorf("write: %w", unix.EPIPE), 1, "consumer: error: write: broken pipe\nconsumer: hint: the reader exited before it had read everything\n"},
		{"a full disk at a consumer", "consumer", in("", fmt.Errorf("output: %w", unix.ENOSPC)), 1,
			"consumer: error: segment \"x\": output: no space left on device\nconsumer: hint: free some space, and continue with --output - >> FILE: messages that were not written are kept for the next consumer\n"},
		{"a full disk at a consumer's help", "consumer", fmt.Errorf("write: %w", unix.ENOSPC), 1, "consumer: error: write: no space left on device\nconsumer: hint: free some space\n"},
		{"no descriptor of this process", "gauge stat", in("look at", &fs.PathError{Op: "open", Path: shm.Path("x"), Err: unix.EMFILE}), 1,
			"gauge: error: look at segment \"x\": open /dev/shm/sluice.x: too many open files\ngauge: hint: allow more descriptors (ulimit -n)\n"},
		{"no descriptor of a transfer", "producer", in("create", fmt.Errorf("%w: eventfd2: %w", transfer.ErrDescriptors, unix.EMFILE)), 1,
			"producer: error: create segment \"x\": out of descriptors: eventfd2: too many open files\nproducer: hint: allow more descriptors (ulimit -n)\n"},
		{"no descriptor of this machine", "producer", in("create", fmt.Errorf("%w: eventfd2: %w", transfer.ErrDescriptors, unix.ENFILE)), 1,
			"producer: error: create segment \"x\": out of descriptors: eventfd2: too many open files in system\nproducer: hint: the limit of this machine is reached: end processes with many open files (lsof), or raise it (sysctl fs.file-max)\n"},
		{"a call that a sandbox forbids", "producer", in("create", os.NewSyscallError("memfd_create", unix.EPERM)), 1,
			"producer: error: create segment \"x\": memfd_create: operation not permitted\nproducer: hint: a container's profile or another sandbox (seccomp, AppArmor, SELinux) forbids memfd_create: allow it there; gauge doctor finds other problems\n"},
		{"an unknown call", "producer", in("create", fmt.Errorf("reserve 9 bytes: %w", os.NewSyscallError("fallocate", unix.ENOSYS))), 1,
			"producer: error: create segment \"x\": reserve 9 bytes: fallocate: function not implemented\nproducer: hint: this kernel has no fallocate, or a container's profile or another sandbox (seccomp, AppArmor, SELinux) hides it: allow it there; gauge doctor finds other problems\n"},
		{"lost messages after their cause", "producer", errors.Join(in("", os.NewSyscallError("sendmsg", unix.EPERM)), in("", fmt.Errorf("%w: 5 that were not delivered", transfer.ErrUndelivered))), 1,
			"producer: error: segment \"x\": sendmsg: operation not permitted; messages were lost: 5 that were not delivered\nproducer: hint: a container's profile or another sandbox (seccomp, AppArmor, SELinux) forbids sendmsg: allow it there; gauge doctor finds other problems\n"},
		{"a /dev/shm without permission", "producer", in("create", &fs.PathError{Op: "open(O_TMPFILE)", Path: shm.Dir, Err: unix.EACCES}), 1,
			"producer: error: create segment \"x\": open(O_TMPFILE) /dev/shm: permission denied\nproducer: hint: let this user create files in /dev/shm: as root, chmod 1777 /dev/shm, or change the rules of a sandbox (Landlock, AppArmor, SELinux); gauge doctor finds other problems\n"},
		{"a /dev/shm that is read-only", "producer", in("create", &fs.PathError{Op: "open(O_TMPFILE)", Path: shm.Dir, Err: unix.EROFS}), 1,
			"producer: error: create segment \"x\": open(O_TMPFILE) /dev/shm: read-only file system\nproducer: hint: as root: mount -o remount,rw /dev/shm; gauge doctor finds other problems\n"},
		{"an output that is on a read-only file system", "consumer", in("", fmt.Errorf("output: %w", &fs.PathError{Op: "write", Path: "/usr/x", Err: unix.EROFS})), 1,
			"consumer: error: segment \"x\": output: write /usr/x: read-only file system\nconsumer: hint: choose another path\n"},
		{"a denied link", "producer", in("create", &fs.PathError{Op: "link", Path: shm.Path("x"), Err: unix.EPERM}), 1,
			"producer: error: create segment \"x\": link /dev/shm/sluice.x: operation not permitted\nproducer: hint: a container's profile or another sandbox (seccomp, AppArmor, SELinux) forbids link: allow it there; gauge doctor finds other problems\n"},
		{"another user's socket", "producer", in("", &net.OpError{Op: "dial", Net: "unixpacket", Err: os.NewSyscallError("connect", unix.EACCES)}), 1,
			"producer: error: segment \"x\": dial unixpacket: connect: permission denied\nproducer: hint: run as a user with permission, or choose another --socket\n"},
		{"an immutable file", "consumer", in("", fmt.Errorf("output: %w", &fs.PathError{Op: "open", Path: "/x", Err: unix.EPERM})), 1,
			"consumer: error: segment \"x\": output: open /x: operation not permitted\nconsumer: hint: run as a user with permission, or choose another path\n"},
		{"no memory", "consumer", in("open", fmt.Errorf("reserve 9 bytes of addresses: %w", os.NewSyscallError("mmap", unix.ENOMEM))), 1,
			"consumer: error: open segment \"x\": reserve 9 bytes of addresses: mmap: cannot allocate memory\nconsumer: hint: allow more memory (ulimit -v, the limit of the container), or let the producer choose a smaller --capacity\n"},
		{"a full disk at gauge", "gauge record", fmt.Errorf("output: %w", unix.ENOSPC), 1, "gauge: error: output: no space left on device\ngauge: hint: free some space\n"},
		{"a segment that may not be opened", "producer", in("open", &fs.PathError{Op: "open", Path: shm.Path("x"), Err: unix.EACCES}), 1,
			"producer: error: open segment \"x\": permission denied\nproducer: hint: run as a user with permission, or choose another --name\n"},
		{"a file that may not be opened", "producer", in("", fmt.Errorf("input: %w", &fs.PathError{Op: "open", Path: "/f", Err: unix.EACCES})), 1,
			"producer: error: segment \"x\": input: open /f: permission denied\nproducer: hint: run as a user with permission, or choose another path\n"},
		{"several lines in one error", "producer", fmt.Errorf("odd: %w", errors.Join(errors.New("a"), errors.New("b"))), 1, "producer: error: odd: a; b\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, code := printed(t, c.command, false, c.err); got != c.want || code != c.code {
				t.Errorf("exit code %d, want %d:\n%swant:\n%s", code, c.code, got, c.want)
			}
		})
	}
}

// Of many errors a few are printed, and the one that decides the exit code is one of them, wherever
// it is.
func TestExit_ManyErrors_CodeFromAll(t *testing.T) {
	for at := range 12 {
		var all []error
		for i := range 12 {
			err := layout.ErrIncomplete
			if i == at {
				err = layout.ErrCorrupt
			}
			all = append(all, shm.InSegment("receive from", fmt.Sprintf("ring%02d", i), err))
		}
		text, code := printed(t, "consumer", false, errors.Join(all...))
		if code != ExitCorrupt || !strings.Contains(text, all[at].Error()) || !strings.Contains(text, "; and 4 more errors\n") || strings.Count(text, "receive from") != 8 {
			t.Errorf("error %d of 12 is of a corrupt ring: exit code %d\n%s", at, code, text)
		}
	}
}

// As the README and --help promise them.
func TestExit_Codes(t *testing.T) {
	for code, all := range map[int][]error{
		ExitUsage:      {UsageError("bad"), shm.ErrName, ring.ErrGeometry, ring.ErrType, shm.ErrGroup, layout.ErrMode},
		ExitFault:      {sink.ErrFault},
		ExitRoleTaken:  {shm.ErrRoleTaken, transfer.ErrSocketTaken},
		ExitLimit:      {ring.ErrFull, transfer.ErrLimit},
		ExitCorrupt:    {layout.ErrNotSegment, layout.ErrVersion, layout.ErrCorrupt, shm.ErrUntrusted, shm.ErrOtherUser, shm.ErrTruncated},
		ExitIncomplete: {layout.ErrIncomplete},
		ExitFailed: {errors.New("odd"), shm.ErrRemoved, shm.ErrNoSpace, transfer.ErrPeer, transfer.ErrOtherUser, transfer.ErrElsewhere, transfer.ErrSocketRemoved,
			transfer.ErrUndelivered, transfer.ErrTooLarge, transfer.ErrDescriptors, ring.ErrSize, fs.ErrPermission, fs.ErrNotExist, unix.EPIPE, unix.ENOSPC, unix.ENOMEM},
	} {
		for _, err := range all {
			if _, got := printed(t, "consumer", false, shm.InSegment("open", "x", fmt.Errorf("more: %w", err))); got != code {
				t.Errorf("%v: exit code %d, want %d", err, got, code)
			}
		}
	}
}

// Permissions of files have another remedy than calls that a sandbox forbids.
func TestExit_RefusedCall_Named(t *testing.T) {
	path := func(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }
	for _, c := range []struct {
		err   error
		call  string
		known bool
	}{
		{os.NewSyscallError("mmap", unix.EACCES), "mmap", true},
		{os.NewSyscallError("mmap", unix.EINVAL), "mmap", false},
		{os.NewSyscallError("mmap", unix.ENOMEM), "", false},
		{os.NewSyscallError("connect", unix.EPERM), "connect", true},
		{os.NewSyscallError("connect", unix.EACCES), "", false},
		{os.NewSyscallError("bind", unix.ENOSYS), "bind", false},
		{os.NewSyscallError("bind", unix.EACCES), "", false},
		{path("open", shm.Path("x"), unix.EACCES), "", false},
		{path("ftruncate", shm.Path("x"), unix.EACCES), "ftruncate", true},
		{path("link", shm.Path("x"), unix.EPERM), "link", true},
		{path("open(O_TMPFILE)", shm.Dir, unix.EACCES), "", false}, // what follows is of /dev/shm itself
		{path("link", shm.Path("x"), unix.EACCES), "", false},
		{path("remove", shm.Path("x"), unix.EACCES), "", false},
		{path("fsync", "/x", unix.EPERM), "fsync", true},
		{path("fsync", "/x", unix.EACCES), "", false},
		{path("read", "/x", unix.EINVAL), "", false},
		{path("read", "/x", unix.ENOSYS), "read", false},
		{errors.New("odd"), "", false},
	} {
		if call, known := deniedCall(fmt.Errorf("more: %w", c.err)); call != c.call || known != c.known {
			t.Errorf("%v: %q, known %v; want %q, %v", c.err, call, known, c.call, c.known)
		}
	}
}

func TestStop_Second_SaysWhatIsLost(t *testing.T) {
	defer SetLossReport(nil)
	for _, c := range []struct {
		ask  func() string
		want string
	}{
		{nil, "nothing is lost"},
		{func() string { return "5 messages" }, "5 messages"},
		{nil, "nothing is lost"},
	} {
		SetLossReport(c.ask)
		if got := lossReport.text(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// --duration is a stop like any other.
func TestStop_Duration_InGoodOrder(t *testing.T) {
	ctx, _, stop := WithDuration(t.Context(), time.Nanosecond)
	defer stop()
	<-ctx.Done()
	if err := context.Cause(ctx); IgnoreStop(err) != nil || !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
	if ctx, _, stop := WithDuration(t.Context(), 0); ctx != t.Context() {
		t.Error("there is an end to a duration of 0")
		stop()
	}
}

// Links, pipes and directories do not become shared by a group.
func TestExit_OtherUser_HintGroup(t *testing.T) {
	for err, want := range map[error]bool{
		shm.ErrOtherUser: true, shm.ErrUntrusted: false, transfer.ErrOtherUser: true, transfer.ErrPeer: false,
	} {
		got, _ := printed(t, "producer", false, fmt.Errorf("%w: /dev/shm/sluice.x", err))
		if strings.Contains(got, "--group") != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestExit_Hints_OnlyFlagsOfTheCommand(t *testing.T) {
	for command, lacks := range map[string][]string{
		"producer": {"--yes", "--output", "--verify"},
		"consumer": {"--yes"},
		"gauge":    {"--fresh", "--capacity", "--limit", "--group", "--socket", "--rate"},
	} {
		for _, m := range errorRules {
			if command == "gauge" && !errors.Is(m.err, shm.ErrUntrusted) && !errors.Is(m.err, layout.ErrVersion) && !errors.Is(m.err, shm.ErrTruncated) &&
				!errors.Is(m.err, layout.ErrCorrupt) && !errors.Is(m.err, layout.ErrNotSegment) && !errors.Is(m.err, unix.ENOSPC) && !errors.Is(m.err, unix.EPIPE) {
				continue // gauge cannot return these
			}
			got, _ := printed(t, command, false, m.err)
			for _, flag := range lacks {
				if strings.Contains(got, flag) {
					t.Errorf("%s", got)
				}
			}
		}
	}
}

func TestExit_JSON_OneObject(t *testing.T) {
	got, code := printed(t, "producer", true, shm.InSegment("open", "x", shm.ErrRoleTaken))
	var object map[string]any
	if err := json.Unmarshal([]byte(got), &object); err != nil || strings.Count(got, "\n") != 1 {
		t.Fatalf("%v:\n%s", err, got)
	}
	want := map[string]any{"error": `open segment "x": role is taken`, "hint": "stop that process, or choose another --name", "segment": "x", "exitCode": 4.0}
	if fmt.Sprint(object) != fmt.Sprint(want) || code != 4 {
		t.Errorf("%v\nwant %v", object, want)
	}
	got, _ = printed(t, "producer", true, errors.New("odd"))
	if got != `{"error":"odd","exitCode":1,"hint":null,"segment":null}`+"\n" {
		t.Error(got)
	}
}

func TestExit_JSON_WhenAsked(t *testing.T) {
	for _, c := range []struct {
		args, format string
		want         bool
		json         string
	}{
		{"--format json", "", true, ""},
		{"--format=json --nope", "", true, ""},
		{"-format json", "", true, ""},
		{"--format text", "json", false, ""},
		{"", "json", true, ""},
		{"stat --json", "", true, ""},
		{"stat --json=false", "", false, ""},
		{"stat --json=1", "", true, ""},
		{"stat --json=T", "", true, ""},
		{"stat --json=maybe", "", false, ""},
		{"stat", "", true, "true"},
		{"stat", "", true, "1"},
		{"stat --json=false", "", false, "true"},
		{"--name json", "", false, ""},
		{"-- --json", "", false, ""},
		{"--format", "", false, ""},
	} {
		if got := asJSON(strings.Fields(c.args), c.format, c.json); got != c.want {
			t.Errorf("%q with %q, %q: %v", c.args, c.format, c.json, got)
		}
	}
}

func TestStop_OtherError_NotHidden(t *testing.T) {
	odd := errors.New("odd")
	for _, c := range []struct{ err, want error }{
		{nil, nil},
		{odd, odd},
		{ErrStopped, nil},
		{fmt.Errorf("wait: %w", ErrStopped), nil},
		{shm.InSegment("wait for", "x", ErrStopped), nil},
		{errors.Join(ErrStopped, odd), odd},
		{shm.InSegment("close", "x", ErrStopped, odd), odd},
		{errors.Join(ErrStopped, errors.Join(ErrStopped)), nil},
		{context.Canceled, context.Canceled},
	} {
		if got := IgnoreStop(c.err); (got == nil) != (c.want == nil) || got != nil && !errors.Is(got, c.want) || got != nil && errors.Is(got, ErrStopped) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
