package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"sluice/bridge"
	"sluice/internal/cli"
)

// connection is a connection to a server, or the wait for one. Its methods are called by goroutines
// of nats.go.
type connection struct {
	*nats.Conn
	from *server
	fail context.CancelCauseFunc // ends the command

	mu      sync.Mutex
	ever    bool            // it was connected once
	waiting bool            // it is not connected, and that was said
	closing bool            // by Close
	expired error           // why the server has ended it: attempts after that do not say so
	denied  map[string]bool // what the server does not permit, that was said
	first   chan struct{}   // closed when ever is set
}

// connect connects to the server, and goes on to try for as long as ctx is not done while there is
// none. The context that it returns is done when ctx is, and when the server refuses this client
// for good, with that as its cause.
func (s *server) connect(ctx context.Context, who string) (*connection, context.Context, error) {
	ctx, fail := context.WithCancelCause(ctx)
	c := &connection{from: s, fail: fail, denied: map[string]bool{}, first: make(chan struct{})}
	options := append(bridge.ConnectOptions(clientName(who)), s.options...)
	options = append(options,
		nats.ConnectHandler(c.connected), nats.ReconnectHandler(c.connected), nats.DisconnectErrHandler(c.disconnected),
		nats.ReconnectErrHandler(c.attemptFailed), nats.ClosedHandler(c.closed), nats.ErrorHandler(c.asyncError),
	)
	var err error
	if s.context != "" {
		err = c.connectContext(options)
	} else if c.Conn, err = nats.Connect(s.urls, options...); err != nil {
		err = fmt.Errorf("connect to %s: %w", shownURLs(s.urls), err)
	}
	if err != nil {
		fail(err)
		return nil, ctx, err
	}
	go c.watchFirst(ctx)
	return c, ctx, nil
}

// connectContext connects as a context of the nats command says.
func (c *connection) connectContext(options []nats.Option) error {
	findContexts()
	nc, settings, err := natscontext.Connect(c.from.context, options...)
	if err != nil {
		// Its text may be that of a URL that cannot be parsed.
		if parse := (*url.Error)(nil); errors.As(err, &parse) {
			err = errors.New("invalid URL of a server (not shown, because it may have a password in it)")
		}
		return cli.WithHint(cli.UsageError("%s %s: %w", c.from.contextFlag, c.from.context, err), "nats context ls shows the contexts of this user; nats context add makes one")
	}
	c.Conn = nc
	for key, value := range map[string]string{"jetstream_domain": settings.JSDomain, "jetstream_api_prefix": settings.JSAPIPrefix, "nsc": settings.NSCLookup, "user_jwt": settings.UserJwt} {
		if value != "" {
			c.Close()
			return cli.WithHint(cli.UsageError("%s %s: a bridge does not support its setting %s", c.from.contextFlag, c.from.context, key), "use --nats with --creds or --nkey")
		}
	}
	return nil
}

// Close closes the connection.
func (c *connection) Close() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.Conn.Close()
}

// clientName is how the server's lists show this client.
func clientName(who string) string {
	host, err := os.Hostname()
	if err != nil {
		return "sluice bridge " + who
	}
	return fmt.Sprintf("sluice bridge %s at %s", who, host)
}

// shownURLs returns a list of URLs without users, passwords and tokens.
func shownURLs(urls string) string {
	var shown []string
	for text := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(text)
		if err != nil {
			shown = append(shown, "a server")
			continue
		}
		u.User = nil
		shown = append(shown, u.String())
	}
	return strings.Join(shown, ", ")
}

// servers returns the servers of a connection, to show them.
func servers(nc *nats.Conn) string {
	return shownURLs(strings.Join(nc.Opts.Servers, ","))
}

// connected is called with each connection.
func (c *connection) connected(nc *nats.Conn) {
	c.mu.Lock()
	waited, ever := c.waiting, c.ever
	c.waiting, c.ever, c.expired = false, true, nil
	c.mu.Unlock()
	if !ever {
		close(c.first)
	}
	if waited {
		cli.Note("bridge", "", "connected to "+shownURLs(nc.ConnectedUrl()), "")
	}
}

// disconnected is called when a connection is lost.
func (c *connection) disconnected(nc *nats.Conn, err error) {
	why := ""
	if err != nil && !errors.Is(err, io.EOF) { // which says no more than that it is lost
		why = ": " + reason(err)
	}
	c.wait("lost the connection to " + servers(nc) + why + "; waiting for a server")
}

// attemptFailed is called when an attempt to connect has failed.
func (c *connection) attemptFailed(nc *nats.Conn, err error) {
	c.mu.Lock()
	ever := c.ever
	c.mu.Unlock()
	if !ever && forGood(err) {
		c.fail(c.refused(nc, err))
		return
	}
	c.wait("cannot connect to " + servers(nc) + ": " + reason(err) + "; waiting for a server")
}

// wait says once what the command waits for.
func (c *connection) wait(text string) {
	c.mu.Lock()
	say := !c.waiting && !c.closing
	c.waiting = true
	c.mu.Unlock()
	if say {
		cli.Note("bridge", "", text, "")
	}
}

// watchFirst looks for an error that ends the command before there has been a connection: nats.go
// tells nobody of those after its first attempt, unless a server is not there.
func (c *connection) watchFirst(ctx context.Context) {
	look := time.NewTicker(250 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.first:
			return
		case <-look.C:
			if err := c.LastError(); forGood(err) && !c.IsConnected() {
				c.fail(c.refused(c.Conn, err))
				return
			}
		}
	}
}

// closed is called when nats.go closes the connection: the server has refused the credentials
// twice.
func (c *connection) closed(nc *nats.Conn) {
	c.mu.Lock()
	closing, expired := c.closing, c.expired
	c.mu.Unlock()
	if closing {
		return
	}
	err := cmp.Or(expired, nc.LastError())
	if err == nil {
		err = nats.ErrConnectionClosed
	}
	c.fail(c.refused(nc, err))
}

// asyncError is called with errors that are of no call.
func (c *connection) asyncError(nc *nats.Conn, _ *nats.Subscription, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isAuth(err) { // closed is called when it is for good
		if !errors.Is(err, nats.ErrAuthorization) {
			c.expired = err
		}
		return
	}
	said := c.denied[err.Error()] || c.closing || len(c.denied) > maxDenied
	c.denied[err.Error()] = true
	if said {
		return
	}
	hint := ""
	if errors.Is(err, nats.ErrPermissionViolation) {
		hint = "a bridge needs the subjects sluice.>, _sluice.>, $JS.API.>, $JS.ACK.> and _INBOX.>"
	}
	cli.Warn("bridge", "", servers(nc)+": "+reason(err), hint)
}

// maxDenied bounds how many different errors are printed.
const maxDenied = 16

// refusal is an error that is about the connection, and not about a ring.
type refusal struct{ error }

// refused returns the error that ends the command.
func (c *connection) refused(nc *nats.Conn, err error) error {
	return cli.WithHint(refusal{fmt.Errorf("connect to %s: %s", servers(nc), reason(err))}, "%s", c.from.remedy(err))
}

// explain returns err, or the refusal alone if that, or that the connection is closed, is what err
// says. ctx is that of connect.
func (c *connection) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		<-ctx.Done() // nats.go has closed it, and is about to call closed
		return context.Cause(ctx)
	case errors.As(err, new(refusal)):
		return context.Cause(ctx)
	}
	return err
}

// reason returns an error of nats.go in words for people.
func reason(err error) string {
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return "no server answers"
	case errors.Is(err, nats.ErrAuthorization):
		return "the server refuses the credentials"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "the server has no TLS"
	}
	return strings.TrimPrefix(err.Error(), "nats: ")
}

// remedy returns the hint for an error of forGood.
func (s *server) remedy(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return "get new credentials from whoever runs the server"
	case isAuth(err) && s.credentials == "":
		return "give credentials: --creds, --nkey, --context, or a URL with user and password in SLUICE_NATS"
	case isAuth(err):
		return "the credentials are those of " + s.credentials + ": check that the server has this user"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "omit the flags of TLS, or set up TLS on the server"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "--tls-ca FILE names the authority that signed the server's certificate, which must be for the host in the URL"
	case isAlert(err):
		return "the server does not accept the certificate of this client: check --tls-cert and --tls-key"
	}
	return "check the URL"
}

// forGood reports whether trying again is of no use.
func forGood(err error) bool {
	return isAuth(err) || errors.Is(err, nats.ErrSecureConnWanted) || errors.Is(err, nats.ErrSecureConnRequired) ||
		errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(tls.RecordHeaderError)) || isAlert(err)
}

// isAlert reports whether the server has ended the handshake of TLS: crypto/tls exports no type for
// that.
func isAlert(err error) bool {
	op := (*net.OpError)(nil)
	return errors.As(err, &op) && op.Op == "remote error"
}

// isAuth reports whether the server refuses the credentials of this client.
func isAuth(err error) bool {
	for _, is := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// findContexts says where the contexts of a user are who is in no database of users, as in a
// container: the library looks for the home directory nowhere else.
func findContexts() {
	if _, err := user.Current(); err == nil || os.Getenv("XDG_CONFIG_HOME") != "" {
		return
	}
	if dir, err := os.UserConfigDir(); err == nil {
		os.Setenv("XDG_CONFIG_HOME", dir)
	}
}
