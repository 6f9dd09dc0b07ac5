package transfer

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestAuthorize_PeerGroups_FromKernel(t *testing.T) {
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: network})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.DialUnix(network, nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var got []uint32
	if err := control(conn, func(fd int) (err error) { got, err = peerGroups(fd); return err }); err != nil {
		t.Fatal(err)
	}
	mine, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	var want []uint32
	for _, gid := range mine {
		want = append(want, uint32(gid))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := control(conn, func(int) error { _, err := peerGroups(-1); return err }); err == nil {
		t.Error("no error for a descriptor that is none")
	}
}
