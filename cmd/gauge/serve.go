package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/observe/exporter"
	"sluice/internal/observe/webui"
)

func serveCommand() cli.App {
	return cli.App{
		Name:  "serve",
		Usage: "serve Prometheus metrics and a live page of the segments",
		About: "Metrics are at /metrics, read at each scrape; the page at / shows which side is slower,\n" +
			"now and in the last five minutes. There is no password: on an address other than\n" +
			"loopback, anyone who can connect can read them. The server is read-only.",
		Examples: []string{
			"gauge serve",
			"gauge serve --listen 127.0.0.1:0         on any free port",
			"curl -s localhost:9464/metrics | grep sluice_fill_ratio",
		},
		Flags: []urfave.Flag{
			cli.NamesFlag(""),
			&urfave.StringFlag{Name: "listen", Value: "127.0.0.1:9464", Usage: "`ADDRESS` and port; port 0 = any free port, no address = all addresses of this machine"},
		},
		File:   "listen",
		IsFile: func(arg string) bool { _, _, err := net.SplitHostPort(arg); return err == nil },
		Run: func(ctx context.Context, c *urfave.Context) error {
			names, err := cli.GetNames(c)
			if err != nil {
				return err
			}
			return serve(ctx, names, cli.FlagSource(c, "listen"), c.String("listen"))
		},
	}
}

// shutdownTimeout is how long requests may take that are being answered when the command is
// stopped.
const shutdownTimeout = time.Second

// serve answers on addr, which the user gave as the flag or variable flagName, until ctx is done.
// names are those of the segments to show, or patterns of them.
func serve(ctx context.Context, names []string, flagName, addr string) error {
	l, err := listen(ctx, flagName, addr)
	if err != nil {
		return cli.IgnoreStop(err)
	}
	live := webui.New(names)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", exporter.Handler(logger, names, live.Observed, live.Removed()))
	mux.Handle("GET /", live)
	s := &http.Server{
		Handler:           limitRequests(mux, maxRequests),
		ErrorLog:          logger,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	if at := l.Addr().(*net.TCPAddr); at.IP.IsLoopback() {
		s.Handler = webui.LoopbackHostsOnly(s.Handler)
	} else {
		logger.Printf("anyone who can connect to %v can read the names and metrics of all segments; there is no password", at)
	}
	logger.Printf("a live page at http://%v/, Prometheus metrics at http://%[1]v/metrics", l.Addr())

	ctx, stop := context.WithCancelCause(ctx)
	go live.Run(ctx)
	go func() { stop(fmt.Errorf("serve on %v: %w", l.Addr(), s.Serve(limitConnections(l, maxConnections)))) }()
	<-ctx.Done()
	shutdownCtx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if s.Shutdown(shutdownCtx) != nil {
		s.Close() // browsers keep unused connections open, which Shutdown waits for
	}
	return cli.IgnoreStop(context.Cause(ctx))
}

// listen is net.Listen; its errors have hints.
func listen(ctx context.Context, flagName, addr string) (net.Listener, error) {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return nil, cli.UsageError("%s: invalid address %q (examples: 127.0.0.1:9464, :9464, [::1]:9464)", flagName, addr)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	var unknown *net.DNSError
	var malformed *net.AddrError
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, unix.EADDRINUSE):
		return nil, cli.WithHint(fmt.Errorf("listen on %s: another process already listens there", addr), "choose another address with --listen; port 0 is any that is free")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return nil, cli.UsageError("%s: invalid address %q: this machine has no such address", flagName, addr)
	case errors.As(err, &unknown):
		return nil, cli.UsageError("%s: invalid address %q: %s: %s", flagName, addr, unknown.Name, unknown.Err)
	case errors.As(err, &malformed):
		return nil, cli.UsageError("%s: invalid address %q: %s", flagName, addr, malformed.Err)
	case errors.Is(err, fs.ErrPermission):
		return nil, cli.WithHint(fmt.Errorf("listen on %s: permission denied", addr), "choose a port from 1024 on with --listen")
	}
	return nil, fmt.Errorf("listen on %s: %w", addr, err)
}
