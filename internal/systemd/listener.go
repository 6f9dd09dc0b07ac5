package systemd

import (
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
)

// Started reports whether systemd has started this process as a service with notifications.
func Started() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// Listener returns the socket that systemd has passed to this process, nil if there is none. The
// caller must close it. Later calls return nil.
func Listener() (*net.UnixListener, error) {
	all, err := activation.Listeners()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	l, ok := all[0].(*net.UnixListener)
	if ok && len(all) == 1 && l.Addr().Network() == "unixpacket" {
		return l, nil
	}
	for _, l := range all {
		if l != nil {
			l.Close()
		}
	}
	return nil, fmt.Errorf("socket activation: got %d sockets, want one with ListenSequentialPacket=", len(all))
}
