package socketfile

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckDir(t *testing.T) {
	me := os.Geteuid()
	for _, c := range []struct {
		name string
		make func(dir string) error
		want error  // nil = no error of that kind
		says string // of a SharedError; "" = none
	}{
		{"own", func(dir string) error { return os.Mkdir(dir, 0o700) }, nil, ""},
		{"readable", func(dir string) error { return os.Mkdir(dir, 0o755) }, nil, ""},
		{"sticky", func(dir string) error { return errors.Join(os.Mkdir(dir, 0), os.Chmod(dir, 0o777|os.ModeSticky)) }, nil, ""},
		{"group writable", func(dir string) error { return errors.Join(os.Mkdir(dir, 0), os.Chmod(dir, 0o770)) }, nil, "is writable by others (mode 0770)"},
		{"missing", func(string) error { return nil }, os.ErrNotExist, ""},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, unix.ENOTDIR, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			err := CheckDir(dir, me)
			shared := new(SharedError)
			switch {
			case c.says != "":
				if !errors.As(err, &shared) || shared.Dir != dir || shared.Reason != c.says {
					t.Errorf("%v, want %q", err, c.says)
				}
			case !errors.Is(err, c.want) || (err == nil) != (c.want == nil):
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	// Whoever runs this owns it, so it is another user's to somebody else: but root's is anybody's.
	err := CheckDir(t.TempDir(), me+7)
	if shared := errors.As(err, new(*SharedError)); shared != (me != 0) {
		t.Errorf("of user %d for user %d: %v", me, me+7, err)
	}
}

func TestListening(t *testing.T) {
	dir, err := os.MkdirTemp("", "socketfile") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	if _, err := Listening(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	l, err := net.ListenUnix(Network, &net.UnixAddr{Name: path, Net: Network})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if there, err := Listening(path); !there || err != nil {
		t.Errorf("of a listener: %v, %v", there, err)
	}
	l.Close()
	if there, err := Listening(path); there || err != nil {
		t.Errorf("of one that has ended: %v, %v", there, err)
	}
	if _, err := Listening(dir + "/" + strings.Repeat("x", MaxPath)); err == nil {
		t.Error("of a path that is too long")
	}
}
