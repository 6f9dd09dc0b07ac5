package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/bridge"
	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/natsserver"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/shm"
)

func serveCommand() cli.App {
	return cli.App{
		Name:  "serve",
		Usage: "run a NATS server with JetStream, for bridges that have none",
		About: "One server is enough for any number of bridges: on either machine, or on a third one. It is\n" +
			"a nats-server in this process: it keeps the streams in --store, and other programs of NATS\n" +
			"can use it too. By default it listens on loopback. Elsewhere it needs credentials and TLS,\n" +
			"which a configuration file of nats-server gives it:\n\n" +
			"    authorization { user: bridge, password: $BRIDGE_PASSWORD }\n" +
			"    tls { cert_file: server.pem, key_file: server.key }\n\n" +
			"A message is acknowledged when it is written, and the file synced to the disk within two\n" +
			"minutes: a crash of the machine, not of this process, may lose what came in between. To\n" +
			"sync each message before it is acknowledged, which is slow: jetstream { sync_interval: always }.",
		Examples: []string{
			"bridge serve --store /var/lib/sluice",
			"bridge serve --store streams --listen 127.0.0.1:0            on any free port",
			"bridge serve --store streams --listen :4222 --config n.conf  for other machines",
		},
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "listen", Category: "Server", DefaultText: natsserver.DefaultListen, Usage: "`ADDRESS` and port; port 0 = any free port, no address = all addresses of this machine"},
			&urfave.StringFlag{Name: "store", DefaultText: "that of --config", Usage: "keep the streams in the directory `DIR`, which is made if it is not there"},
			&urfave.StringFlag{Name: "config", DefaultText: "none", Usage: "configuration of nats-server in `FILE`: users, TLS, limits; flags that are given go before it"},
			cli.SizeFlag("max-payload", natsserver.DefaultMaxPayload, "largest message in `BYTES` that the server takes, up to 64MiB; larger than a message of a ring by its headers"),
		},
		File:   "store",
		IsFile: func(arg string) bool { return true },
		Run:    serve,
	}
}

// serve runs a server until ctx is done.
func serve(ctx context.Context, c *urfave.Context) error {
	opt, err := parseServe(c)
	if err != nil {
		return err
	}
	notifier := systemd.New(ctx, layout.Producer, "starting the server")
	s, err := natsserver.Start(opt)
	if err != nil {
		return explainStart(c, opt, err)
	}
	defer s.Shutdown()
	cli.Note("bridge", "", fmt.Sprintf("NATS server at %s, streams in %s", s.URL(), s.StoreDir()),
		fmt.Sprintf("bridge out NAME --stream S --nats %s", s.URL()))
	if !s.Loopback() && s.Open() {
		cli.Warn("bridge", "", "anyone who can connect to "+s.Options().Listen+" can read, add and delete messages: there are no credentials",
			"--config FILE with authorization { user: U, password: P } and tls { cert_file: C, key_file: K }, or --listen "+natsserver.DefaultListen)
	}
	warnOfRoom(s.StoreDir())
	notifier.ReadyWith(func() string { return "serving at " + s.URL() }, func(func(*shm.Segment)) {})
	defer notifier.Detach()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return cli.IgnoreStop(context.Cause(ctx))
		case <-look.C:
			if err := s.Err(); err != nil {
				return cli.WithHint(err, "free some space in %s, and start it again", s.StoreDir())
			}
		}
	}
}

func parseServe(c *urfave.Context) (natsserver.Options, error) {
	opt := natsserver.Options{
		ConfigFile: c.String("config"), Listen: c.String("listen"), StoreDir: c.String("store"), Log: logServer,
	}
	if c.IsSet("listen") {
		_, port, err := net.SplitHostPort(opt.Listen)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return opt, cli.UsageError("%s: invalid address %q (examples: 127.0.0.1:4222, :4222, [::1]:4222)", cli.FlagSource(c, "listen"), opt.Listen)
		}
	}
	if opt.StoreDir == "" && opt.ConfigFile == "" {
		return opt, cli.UsageError("--store: a value is missing")
	}
	if size := cli.GetSize(c, "max-payload"); size < 1 || size > natsserver.MaxMaxPayload {
		return opt, cli.UsageError("%s: invalid size %d: want 1 to %d", cli.FlagSource(c, "max-payload"), size, natsserver.MaxMaxPayload)
	} else if c.IsSet("max-payload") {
		opt.MaxPayload = int(size)
	}
	return opt, nil
}

// explainStart adds a hint to the error of natsserver.Start.
func explainStart(c *urfave.Context, opt natsserver.Options, err error) error {
	var unknown *net.DNSError
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return cli.WithHint(err, "another process listens there, perhaps a NATS server that can be used; else choose another --listen; port 0 is any that is free")
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.As(err, &unknown):
		return cli.UsageError("%s: invalid address %q: this machine has no such address", cli.FlagSource(c, "listen"), opt.Listen)
	case errors.As(err, new(*net.OpError)) && errors.Is(err, fs.ErrPermission):
		return cli.WithHint(err, "choose a port from 1024 on with --listen")
	case errors.Is(err, natsserver.ErrStoreTaken):
		return cli.WithHint(err, "use that server, or choose another --store")
	case errors.Is(err, natsserver.ErrConfig) && errors.As(err, new(*fs.PathError)):
		return fmt.Errorf("%s: %w", cli.FlagSource(c, "config"), err)
	case errors.Is(err, natsserver.ErrNoStore):
		return cli.WithHint(cli.UsageError("%s %s: %w", cli.FlagSource(c, "config"), opt.ConfigFile, err), "add --store DIR, or jetstream { store_dir: DIR } in the file")
	case errors.Is(err, natsserver.ErrConfig):
		return cli.WithHint(cli.UsageError("%w", err), "%s is a configuration of nats-server: docs.nats.io/running-a-nats-service/configuration", cli.FlagSource(c, "config"))
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return cli.WithHint(err, "free some space there, or choose another --store")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOTDIR):
		return cli.WithHint(err, "choose another --store, a directory that this user can write to")
	}
	return err
}

// logServer prints what the server warns of. Its notices are for those who run many of them.
func logServer(level natsserver.Level, text string) {
	if level >= natsserver.Warning {
		cli.Warn("bridge", "", "server: "+text, "")
	}
}

// warnOfRoom warns when the disk has no room for a stream of the default size. JetStream promises
// streams three quarters of what is free.
func warnOfRoom(dir string) {
	var at unix.Statfs_t
	if unix.Statfs(dir, &at) != nil {
		return
	}
	room := at.Bavail * uint64(at.Bsize) / 4 * 3
	if room < bridge.DefaultMaxBytes {
		cli.Warn("bridge", "", fmt.Sprintf("the disk of %s has room for %s of streams", dir, format.Size(room)),
			fmt.Sprintf("bridge out makes a stream of %s: give it a smaller --max-bytes, or free some space", format.FlagSize(bridge.DefaultMaxBytes)))
	}
}
