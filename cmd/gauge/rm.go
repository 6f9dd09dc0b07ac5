package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/socketfile"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
	"sluice/transfer"
)

func removeCommand() cli.App {
	return cli.App{
		Name:   "rm",
		Prints: true,
		Usage:  "remove segments that no process uses",
		About: "Fails while a producer or a consumer is alive, and, without --yes, while there are unread\n" +
			"messages in it. Also removes the socket of a transfer if no process listens on it. Of\n" +
			"several segments it removes those that it can; a file that is not a segment has to be\n" +
			"named in full.",
		Examples: []string{
			"gauge rm demo",
			"gauge rm --yes 'sensor-*'   those too in which messages are unread",
		},
		Flags: []urfave.Flag{
			cli.NamesFlag("demo"),
			&urfave.BoolFlag{Name: "yes", Usage: "discard unread messages, or a file that is not a segment"},
		},
		Argument: "name",
		Run:      remove,
	}
}

func remove(ctx context.Context, c *urfave.Context) error {
	names, err := cli.GetNames(c)
	if err != nil {
		return err
	}
	var all []target
	var errs []error
	for _, name := range names {
		if !shm.IsPattern(name) {
			all = append(all, target{name, true})
			continue
		}
		there, err := shm.List()
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		matching := slices.DeleteFunc(there, func(n string) bool { return !shm.Match(name, n) })
		if len(matching) == 0 {
			errs = append(errs, noSegment(name))
		}
		for _, n := range matching {
			if !slices.ContainsFunc(all, func(t target) bool { return t.name == n }) {
				all = append(all, target{n, false})
			}
		}
	}
	return errors.Join(append(errs, removeAll(ctx, all, c.Bool("yes")))...)
}

// target is a segment to remove.
type target struct {
	name   string
	inFull bool // the user has given the name, not a pattern
}

// removeAll removes segments until ctx is done, and says how many it has left then.
func removeAll(ctx context.Context, all []target, yes bool) error {
	var errs []error
	for i, t := range all {
		if ctx.Err() != nil {
			errs = append(errs, fmt.Errorf("%s not removed: the command was stopped", format.Number(len(all)-i, "segment")))
			break
		}
		errs = append(errs, removeOne(ctx, t.name, yes, t.inFull))
	}
	return errors.Join(errs...)
}

// removeOne removes the segment called name. yes discards the messages in it, and a file that is
// not a segment if the user has named it in full.
func removeOne(ctx context.Context, name string, yes, inFull bool) error {
	unread, bridged, err := unreadIn(name)
	damaged := errors.Is(err, layout.ErrNotSegment) || errors.Is(err, layout.ErrVersion) || errors.Is(err, layout.ErrCorrupt)
	switch {
	case damaged && !yes:
		return cli.WithHint(cli.UsageError("%w", err), "--yes removes it anyway")
	case damaged && !inFull:
		return cli.WithHint(cli.UsageError("%w", err), "gauge rm --yes %s removes it anyway", name)
	case err != nil && !damaged:
		return err
	case unread > 0 && !yes && bridged:
		return cli.WithHint(cli.UsageError("%w", cli.WithSegment(name, fmt.Errorf("%s unread would be lost", format.Messages(unread)))),
			"%s out --name %s sends them; --yes discards them", bridgeCommand(), name)
	case unread > 0 && !yes:
		return cli.WithHint(cli.UsageError("%w", cli.WithSegment(name, fmt.Errorf("%s unread would be lost", format.Messages(unread)))),
			"gauge peek %s shows them, gauge drain %s or consumer --name %s saves them; --yes discards them", name, name, name)
	}
	socket := socketOf(name)
	if err := shm.Remove(ctx, name); errors.Is(err, fs.ErrNotExist) {
		return noSegment(name)
	} else if err != nil {
		return err
	}
	if unread > 0 {
		fmt.Printf("removed %s with %s unread\n", shm.Path(name), format.Messages(unread))
	} else {
		fmt.Printf("removed %s\n", shm.Path(name))
	}
	switch removed, err := removeSocket(socket); {
	case err != nil:
		return fmt.Errorf("remove the consumer's socket: %w", err)
	case removed:
		fmt.Printf("removed %s\n", socket)
	}
	return nil
}

// socketOf returns the socket path of a transfer's consumer: the one in the segment if segment and
// consumer belong to this user, else the default path for the name.
func socketOf(name string) string {
	var st unix.Stat_t
	if v, err := shm.OpenView(name); err == nil {
		defer v.Close()
		var noted string
		err := shm.Guard(func() error {
			if h := v.Header(); h.ConsumerStats.UID.Load() == uint64(os.Geteuid()) {
				noted = h.ConsumerSocket.Load()
			}
			return nil
		})
		own := unix.Lstat(shm.Path(name), &st) == nil && int(st.Uid) == os.Geteuid()
		if err == nil && own && filepath.IsAbs(noted) {
			return noted
		}
	}
	return transfer.SocketPath(name)
}

// removeSocket removes a socket of this user at which no process listens.
func removeSocket(path string) (removed bool, err error) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != os.Geteuid() {
		return false, nil
	}
	if listening, err := socketfile.Listening(path); listening || err != nil {
		return false, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, nil
}

// bridgeCommand returns the name of the command bridge beside this one: an installed one is called
// sluice-bridge, because iproute2 has a bridge too.
func bridgeCommand() string {
	const installed = "sluice-bridge"
	if self, err := exec.LookPath(os.Args[0]); err == nil { // of a link the link
		if _, err := os.Stat(filepath.Join(filepath.Dir(self), installed)); err == nil {
			return installed
		}
	}
	return "bridge"
}

// unreadIn returns how many messages would be lost with the segment, and whether a bridge received
// from it last. Those of a transfer are in the memory of its producer.
func unreadIn(name string) (n uint64, bridged bool, err error) {
	v, err := openView(name)
	if err != nil {
		return 0, false, err
	}
	defer v.Close()
	s, err := pressure.Observe(v)
	switch {
	case err != nil:
		return 0, false, err
	case s.Producer.Alive || s.Consumer.Alive:
		return 0, false, nil // shm.Remove returns the error
	case s.Geometry.Mode != layout.ModeRing:
		return 0, false, nil
	}
	return s.Depth(), s.Consumer.Bridge.Present(), nil
}
