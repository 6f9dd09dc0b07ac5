package transfer

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestRole_OneHolder(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	_, err := Create(t.Context(), name, opt.sender())
	testenv.WantErr(t, err, ErrRoleTaken)
	r := open(t, name, opt)
	_, err = Open(t.Context(), name, opt.receiver())
	testenv.WantErr(t, err, ErrRoleTaken)
	opt.Fresh = true
	_, err = Create(t.Context(), name, opt.sender())
	testenv.WantErr(t, err, ErrRoleTaken)
	send(t, s, "undisturbed")
	wantMessages(t, r, "undisturbed")
	r.Release()
	ended(t, s, r)
}

// aRing makes a segment of the other mode, of which this process is the producer.
func aRing(t *testing.T, name string) *shm.Segment {
	t.Helper()
	g, err := layout.RingGeometry(4096, 0, pageSize)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

func TestOpen_RingSegment_Refused(t *testing.T) {
	name, opt := place(t)
	seg := aRing(t, name)
	_, err := Open(t.Context(), name, opt.receiver())
	testenv.WantErr(t, err, layout.ErrMode)
	_, err = Create(t.Context(), name, opt.sender())
	testenv.WantErr(t, err, ErrRoleTaken)
	seg.Header().Producer.Index.Store(8) // something is left in it
	seg.Leave(never)
	_, err = Create(t.Context(), name, opt.sender())
	testenv.WantErr(t, err, layout.ErrMode)
	seg, err = shm.Open(t.Context(), name, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	seg.Header().Producer.Index.Store(0)
	seg.Leave(never)
	create(t, name, opt) // nothing is, so it makes way
}

func TestSocket_OwnerOnly(t *testing.T) {
	name, opt := place(t)
	t.Setenv("XDG_RUNTIME_DIR", testenv.PrivateDir(t))
	opt.Socket = SocketPath(name)
	create(t, name, opt)
	r := open(t, name, opt)
	for path, want := range map[string]os.FileMode{opt.Socket: 0o600 | os.ModeSocket, filepath.Dir(opt.Socket): 0o700 | os.ModeDir} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(opt.Socket); !os.IsNotExist(err) {
		t.Errorf("after Close: %v", err)
	}
}

// What it would make there it would leave there.
func TestSocket_Directory_MadeOnlyAtDefault(t *testing.T) {
	name, opt := place(t)
	create(t, name, opt)
	parent := testenv.PrivateDir(t)
	for _, missing := range []string{"missing", "missing/deeper"} {
		opt.Socket = filepath.Join(parent, missing, "socket")
		_, err := Open(t.Context(), name, opt.receiver())
		testenv.WantErr(t, err, ErrNoDirectory)
		if !strings.Contains(err.Error(), filepath.Dir(opt.Socket)) {
			t.Errorf("%v", err)
		}
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("it made %v (%v)", entries, err)
	}
}

func TestSocket_StaleReplacedLiveKept(t *testing.T) {
	name, opt := place(t)
	create(t, name, opt)
	other, _ := place(t)
	create(t, other, endOptions{Socket: filepath.Join(testenv.PrivateDir(t), "elsewhere")})
	r := open(t, name, opt)
	_, err := Open(t.Context(), other, opt.receiver())
	testenv.WantErr(t, err, ErrRoleTaken)
	r.accept.socket.listener.SetUnlinkOnClose(false) // as when it is killed
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(opt.Socket); err != nil {
		t.Fatal(err)
	}
	open(t, other, opt)
}

func TestSocket_UnsafeDirectory_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		socket func(t *testing.T) string
		want   error
	}{
		"a file is there": {func(t *testing.T) string {
			path := filepath.Join(testenv.PrivateDir(t), "file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, ErrPeer},
		"a link to a socket is there": {func(t *testing.T) string {
			path := filepath.Join(testenv.PrivateDir(t), "link")
			if err := os.Symlink("nowhere", path); err != nil {
				t.Fatal(err)
			}
			return path
		}, ErrPeer},
		"everybody may write there": {func(t *testing.T) string { return filepath.Join(directory(t, 0o777, -1), "socket") }, ErrPeer},
		"a group may write there":   {func(t *testing.T) string { return filepath.Join(directory(t, 0o770, -1), "socket") }, ErrPeer},
		"a path that is too long":   {func(t *testing.T) string { return "/tmp/" + strings.Repeat("x", maxPath) }, unix.ENAMETOOLONG},
		"no directory":              {func(t *testing.T) string { return "/dev/null/socket" }, unix.ENOTDIR},
	} {
		t.Run(name, func(t *testing.T) {
			name, opt := place(t)
			create(t, name, opt)
			before := opened()
			opt.Socket = c.socket(t)
			_, err := Open(t.Context(), name, opt.receiver())
			testenv.WantErr(t, err, c.want)
			if now := opened(); now > before+1 { // the send loop may be calling
				t.Errorf("%d descriptors are open, there were %d", now, before)
			}
			opt.Socket = filepath.Join(directory(t, 0o777|os.ModeSticky, -1), "socket") // as /tmp
			open(t, name, opt)
		})
	}
}

func TestSocket_OtherUsersDirectory_Refused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can give a directory away")
	}
	name, opt := place(t)
	create(t, name, opt)
	opt.Socket = filepath.Join(directory(t, 0o700, testenv.Nobody), "socket")
	_, err := Open(t.Context(), name, opt.receiver())
	testenv.WantErr(t, err, ErrPeer)
}

// directory makes one with that mode and owner.
func directory(t testing.TB, mode os.FileMode, owner int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, owner, -1); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What listens there is somebody's, but no consumer.
func TestSocket_WrongKind_SenderEnds(t *testing.T) {
	name, opt := place(t)
	l, err := net.Listen("unix", opt.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := create(t, name, opt)
	testenv.Eventually(t, "an error", func() bool { return s.loop.failed() != nil })
	testenv.WantErr(t, s.Send(t.Context(), []byte("x")), unix.EPROTOTYPE)
	_, err = Create(t.Context(), name, SenderOptions{Socket: strings.Repeat("x", maxPath+1)})
	testenv.WantErr(t, err, unix.ENAMETOOLONG)
}

func TestSocket_DefaultPath(t *testing.T) {
	run, name := t.TempDir(), "transfertest.path"
	t.Setenv("XDG_RUNTIME_DIR", run)
	if got, want := SocketPath(name), run+"/sluice/"+name+".sock"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, nowhere := range []string{"", filepath.Join(run, "missing")} {
		t.Setenv("XDG_RUNTIME_DIR", nowhere)
		want := fmt.Sprintf("/tmp/sluice-%d/%s.sock", os.Geteuid(), name)
		if dir := fmt.Sprintf("/run/user/%d", os.Geteuid()); isDirectory(dir) {
			want = dir + "/sluice/" + name + ".sock"
		}
		if got := SocketPath(name); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func TestSocket_DefaultPath_BothMeet(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	name, _ := place(t)
	s := create(t, name, endOptions{})
	r := open(t, name, endOptions{})
	send(t, s, "hello")
	wantMessages(t, r, "hello")
	r.Release()
	ended(t, s, r)
}

// A login and a service have other directories for sockets. The segment says where the
// consumer listens, and this user alone can have written that.
func TestSocket_DifferentPaths_MeetAtConsumers(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, endOptions{Socket: filepath.Join(testenv.PrivateDir(t), "elsewhere")})
	send(t, s, "a")
	r := open(t, name, opt)
	wantMessages(t, r, "a")
	r.Release()
	h := r.Segment().Header()
	if h.ConsumerSocket.Load() != opt.Socket || h.ProducerSocket.Load() != s.loop.dialer.path {
		t.Errorf("the sides say that they are at %q and %q", h.ConsumerSocket.Load(), h.ProducerSocket.Load())
	}
	ended(t, s, r)
}

// Where the word of the segment is not to be trusted, or leads nowhere, both would wait
// for ever: the producer stops, and names both places.
func TestSocket_Elsewhere_UntrustedSegment_Error(t *testing.T) {
	group, err := shm.GroupAccess(os.Getegid())
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: ", err)
	}
	for why, c := range map[string]struct {
		access shm.Access
		spoil  func(r *Receiver)
	}{
		"shared with a group":  {group, func(*Receiver) {}},
		"another user's":       {shm.Access{}, func(r *Receiver) { r.own.UID.Store(uint64(os.Geteuid()) + 1) }},
		"nobody listens there": {shm.Access{}, func(r *Receiver) { r.segment.Header().ConsumerSocket.Store("/nowhere/at/all") }},
		"no absolute path":     {shm.Access{}, func(r *Receiver) { r.segment.Header().ConsumerSocket.Store("socket") }},
		"a group may write to the file": {shm.Access{}, func(r *Receiver) {
			if err := os.Chmod(shm.Path(r.segment.Name()), 0o660); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			name, opt := place(t)
			opt.Access = c.access
			elsewhere := opt
			elsewhere.Socket = filepath.Join(testenv.PrivateDir(t), "elsewhere")
			s, err := newSender(t.Context(), name, elsewhere.sender())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Abort() })
			send(t, s, "a")
			r := open(t, name, opt)
			t.Cleanup(func() { r.Close() })
			c.spoil(r)
			there := r.segment.Header().ConsumerSocket.Load()
			go s.loop.run()
			testenv.Eventually(t, "an obstacle", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseElsewhere) })
			testenv.Eventually(t, "an error", func() bool { return s.loop.failed() != nil })
			err = s.loop.failed()
			testenv.WantErr(t, err, ErrElsewhere)
			if text := err.Error(); !strings.Contains(text, there) || !strings.Contains(text, elsewhere.Socket) {
				t.Errorf("%q does not name both places", text)
			}
		})
	}
}

// Without its path no producer would find the consumer any more.
func TestSocket_Removed_MadeAgain(t *testing.T) {
	name, opt := place(t)
	opt.Follow = true
	r := (*Receiver)(nil)
	for _, msg := range []string{"one", "two"} {
		s := create(t, name, opt)
		if r == nil {
			r = open(t, name, opt)
		}
		took := make(chan error)
		go func() {
			got, err := r.Next(t.Context())
			if string(got) != msg {
				err = fmt.Errorf("took %q: %w", got, err)
			}
			took <- err
		}()
		send(t, s, msg)
		if err := <-took; err != nil {
			t.Fatal(err)
		}
		r.Release()
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
		if err := os.Remove(opt.Socket); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSocket_CannotBeMadeAgain_Error(t *testing.T) {
	t.Run("not one that was inherited", func(t *testing.T) {
		name, opt := place(t)
		opt.Listener = handOver(t, keeper(t, opt.Socket))
		_, r := apart(t, name, opt)
		if err := os.Remove(opt.Socket); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
		defer cancel()
		_, err := r.Next(ctx)
		testenv.WantErr(t, err, context.DeadlineExceeded)
	})
	t.Run("not in a directory that was removed, outside the default place", func(t *testing.T) {
		name, opt := place(t)
		dir := filepath.Join(testenv.PrivateDir(t), "directory")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		opt.Socket = filepath.Join(dir, "socket")
		_, r := apart(t, name, opt)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		fails(t, r, ErrNoDirectory)
		closes(t, r)
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			t.Errorf("it was made again: %v", err)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		name, opt := place(t)
		_, r := apart(t, name, opt)
		if err := os.Remove(opt.Socket); err != nil {
			t.Fatal(err)
		}
		keeper(t, opt.Socket)
		fails(t, r, ErrSocketRemoved)
		closes(t, r)
		if _, err := os.Lstat(opt.Socket); err != nil {
			t.Errorf("it has removed somebody else's socket: %v", err)
		}
	})
}

// A consumer that is refused at its socket was none: it leaves no trace in the segment.
func TestSocket_ConsumerRefused_NotVisible(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	if err := os.WriteFile(opt.Socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), name, opt.receiver())
	testenv.WantErr(t, err, ErrPeer)
	if state, holders := s.peer.State.Load(), s.peer.Generation.Load(); state != uint64(layout.StateNone) || holders != 0 {
		t.Errorf("state %v, held %d times", layout.State(state), holders)
	}
}

// A socket is bound first, and opened to whom it is for after that.
func TestSocket_PermissionDenied_Retried(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("SKIPPED, NOT TESTED: root may connect to any socket")
	}
	name, opt := place(t)
	l := keeper(t, opt.Socket)
	if err := os.Chmod(opt.Socket, 0); err != nil {
		t.Fatal(err)
	}
	s := create(t, name, opt)
	send(t, s, "a")
	testenv.Eventually(t, "a try", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseNoConsumer) })
	if err := os.Chmod(opt.Socket, 0o600); err != nil {
		t.Fatal(err)
	}
	opt.Listener = handOver(t, l)
	r := open(t, name, opt)
	wantMessages(t, r, "a")
}
