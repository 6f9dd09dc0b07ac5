package shm

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// own is the Access for a group that every process is in.
func own(t *testing.T) Access {
	t.Helper()
	a, err := GroupAccess(os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mode(t *testing.T, name string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(Path(name), &st); err != nil {
		t.Fatal(err)
	}
	return st.Mode & 0o777
}

func TestAccess_Default_OwnerOnly(t *testing.T) {
	name := testenv.SegmentName(t)
	newSegment(t, name)
	if got := mode(t, name); got != 0o600 {
		t.Errorf("mode %o", got)
	}
	shared := testenv.SegmentName(t)
	s, err := Create(shared, ring(t, 4096), layout.Producer, own(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Leave(keep)
	if got := mode(t, shared); got != 0o660 {
		t.Errorf("mode %o, shared", got)
	}
}

func TestAccess_ResumeOwn_SharedWithGroup(t *testing.T) {
	name := abandoned(t)
	leave(t, join(t, name, layout.Producer), keep)
	if got := mode(t, name); got != 0o600 {
		t.Errorf("mode %o before", got)
	}
	s, err := Open(t.Context(), name, layout.Producer, own(t))
	if err != nil {
		t.Fatal(err)
	}
	leave(t, s, keep)
	if got := mode(t, name); got != 0o660 {
		t.Errorf("mode %o after", got)
	}
}

func TestAccess_OtherUsersSegment_OfGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can give a file away")
	}
	const nobody = 65534
	group := os.Getegid()
	for _, c := range []struct {
		what string
		gid  int
		mode uint32
		with []Option
		want error
	}{
		{"shared and asked for", group, 0o660, []Option{own(t)}, nil},
		{"not asked for", group, 0o660, nil, ErrUntrusted},
		{"of another group", group + 1, 0o660, []Option{own(t)}, ErrUntrusted},
		{"that the group may only read", group, 0o640, []Option{own(t)}, ErrUntrusted},
		{"that everybody may write", group, 0o662, []Option{own(t)}, ErrUntrusted},
	} {
		t.Run(c.what, func(t *testing.T) {
			name := abandoned(t)
			if err := errors.Join(os.Chown(Path(name), nobody, c.gid), unix.Chmod(Path(name), c.mode)); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), name, layout.Consumer, c.with...)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err == nil {
				leave(t, s, keep)
			}
		})
	}
}

func TestAccess_ForeignGroup_Refused(t *testing.T) {
	mine, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	other := 1 << 20
	for _, gid := range mine {
		other = max(other, gid+1)
	}
	for _, gid := range []int{other, unmapped} {
		if a, err := GroupAccess(gid); !errors.Is(err, ErrGroup) {
			t.Errorf("group %d: %v, %v", gid, a, err)
		}
	}
	if gid, ok := own(t).Group(); !ok || gid != os.Getegid() {
		t.Errorf("%d, %v", gid, ok)
	}
	if _, ok := (Access{}).Group(); ok {
		t.Error("the zero value is for a group")
	}
}
