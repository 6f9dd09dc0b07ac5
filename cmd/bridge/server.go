package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
)

// defaultURL is that of --nats: a server on this machine.
const defaultURL = "nats://127.0.0.1:4222"

func connectionFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "nats", Value: defaultURL, DefaultText: defaultURL, Usage: "`URL` of the server, or several with commas between: nats, tls, ws and wss. One with a password or a token belongs into SLUICE_NATS, because all users can read command lines"},
		&urfave.StringFlag{Name: "context", DefaultText: "none", Usage: "take the connection, with its credentials, from the context `NAME` of the nats command, or a file of one"},
		&urfave.StringFlag{Name: "creds", DefaultText: "none", Usage: "credentials (a JWT and its key) in `FILE`"},
		&urfave.StringFlag{Name: "nkey", DefaultText: "none", Usage: "the seed of an nkey in `FILE`"},
		&urfave.StringFlag{Name: "tls-ca", DefaultText: "those of this machine", Usage: "certificates of the authorities that may have signed that of the server, in `FILE`"},
		&urfave.StringFlag{Name: "tls-cert", DefaultText: "none", Usage: "certificate of this client in `FILE`, for a server that verifies clients"},
		&urfave.StringFlag{Name: "tls-key", DefaultText: "none", Usage: "key of that certificate in `FILE`"},
	}
}

// server says where and how to connect.
type server struct {
	context     string // of the nats command; "" = none
	contextFlag string // its cli.FlagSource
	urls        string // with commas between
	options     []nats.Option
	credentials string // where they are from, for hints; "" = none
}

// parseServer reads connectionFlags and the files that they name. No error has a secret in it.
func parseServer(c *urfave.Context) (*server, error) {
	s := &server{}
	if s.useContext(c) {
		s.context, s.contextFlag = c.String("context"), cli.FlagSource(c, "context")
		s.credentials = s.contextFlag + " " + s.context
		return s, s.checkAlone(c)
	}
	if err := s.parseURLs(c); err != nil {
		return s, err
	}
	return s, errors.Join(s.parseCredentials(c), s.parseTLS(c))
}

// useContext reports whether the connection is that of --context. One from the environment does not
// count when the command line has a connection.
func (s *server) useContext(c *urfave.Context) bool {
	onLine := func(flag string) bool { return cli.SetOnCommandLine(c, flag) }
	return onLine("context") || c.String("context") != "" && !slices.ContainsFunc(besidesContext, onLine)
}

// besidesContext are the flags of what a context has.
var besidesContext = []string{"nats", "creds", "nkey", "tls-ca", "tls-cert", "tls-key"}

// checkAlone rejects what would be ignored beside a context.
func (s *server) checkAlone(c *urfave.Context) error {
	if s.context == "" {
		return cli.UsageError("--context: a value is missing")
	}
	for _, flag := range besidesContext {
		if cli.SetOnCommandLine(c, flag) {
			return cli.WithHint(cli.UsageError("--%s cannot be used with %s", flag, s.contextFlag), "a context has the URL and the credentials: give one or the other")
		}
	}
	return nil
}

// parseURLs parses --nats.
func (s *server) parseURLs(c *urfave.Context) error {
	source := cli.FlagSource(c, "nats")
	secret := false
	var urls []string
	for text := range strings.SplitSeq(c.String("nats"), ",") {
		u, err := parseURL(strings.TrimSpace(text))
		if err != nil {
			return cli.UsageError("%s: %w", source, err)
		}
		secret = secret || u.User != nil
		urls = append(urls, u.String())
	}
	if secret && cli.SetOnCommandLine(c, "nats") {
		return cli.WithHint(cli.UsageError("--nats: a URL on the command line must not have a user, a password or a token in it, because all users of this machine can read it"),
			"set it in the environment as SLUICE_NATS, or use --creds, --nkey or --context")
	}
	if secret {
		s.credentials = source
	}
	s.urls = strings.Join(urls, ",")
	return nil
}

// parseURL parses the URL of a server, which may lack its scheme. The error does not have the text
// in it if that may have a secret.
func parseURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	const want = "want one such as nats://host:4222"
	switch {
	case err == nil && slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) && u.Hostname() != "":
		return u, nil
	case strings.Contains(text, "@"):
		return nil, errors.New("invalid URL of a server (not shown, because it may have a password in it): " + want)
	}
	return nil, fmt.Errorf("invalid URL %q of a server: %s", text, want)
}

// parseCredentials parses --creds and --nkey.
func (s *server) parseCredentials(c *urfave.Context) error {
	creds, nkey := c.String("creds"), c.String("nkey")
	switch {
	case creds != "" && nkey != "":
		return cli.WithHint(cli.UsageError("%s cannot be used with %s", cli.FlagSource(c, "nkey"), cli.FlagSource(c, "creds")), "give one of them: each says who this client is")
	case creds != "":
		s.credentials = cli.FlagSource(c, "creds") + " " + creds
		option := nats.UserCredentials(creds)
		if err := checkCredentials(option); err != nil {
			return fileError(c, "creds", "a file as nsc makes it, with a JWT and the seed of its key", err)
		}
		s.options = append(s.options, option)
	case nkey != "":
		s.credentials = cli.FlagSource(c, "nkey") + " " + nkey
		option, err := nats.NkeyOptionFromSeed(nkey)
		if err != nil {
			return fileError(c, "nkey", "a file with the seed of a user's nkey, which begins with SU", err)
		}
		s.options = append(s.options, option)
	}
	return nil
}

// checkCredentials reads the file of nats.UserCredentials, as a connection will.
func checkCredentials(option nats.Option) error {
	var o nats.Options
	if err := option(&o); err != nil {
		return err
	}
	if _, err := o.UserJWT(); err != nil {
		return err
	}
	_, err := o.SignatureCB([]byte("nonce"))
	return err
}

// parseTLS parses the flags of TLS.
func (s *server) parseTLS(c *urfave.Context) error {
	ca, cert, key := c.String("tls-ca"), c.String("tls-cert"), c.String("tls-key")
	switch {
	case cert != "" && key == "":
		return cli.WithHint(cli.UsageError("%s: the key of the certificate is missing", cli.FlagSource(c, "tls-cert")), "add --tls-key FILE")
	case key != "" && cert == "":
		return cli.WithHint(cli.UsageError("%s: the certificate of the key is missing", cli.FlagSource(c, "tls-key")), "add --tls-cert FILE")
	}
	if ca != "" {
		if err := s.addTLS(nats.RootCAs(ca)); err != nil {
			return fileError(c, "tls-ca", "certificates in PEM", err)
		}
	}
	if cert != "" {
		if err := s.addTLS(nats.ClientCert(cert, key)); err != nil {
			return fileError(c, "tls-cert", "a certificate and, in that of --tls-key, its key, both in PEM", err)
		}
		if s.credentials == "" {
			s.credentials = cli.FlagSource(c, "tls-cert") + " " + cert
		}
	}
	return nil
}

// addTLS adds an option that reads files.
func (s *server) addTLS(option nats.Option) error {
	s.options = append(s.options, option)
	return option(&nats.Options{})
}

// fileError returns the error about the file of a flag. content is what it should have in it.
func fileError(c *urfave.Context, flag, content string, err error) error {
	source := cli.FlagSource(c, flag)
	if path := (*fs.PathError)(nil); errors.As(err, &path) { // which says more than what is around it
		return fmt.Errorf("%s: %w", source, path)
	}
	text := strings.TrimPrefix(err.Error(), "nats: ")
	return cli.WithHint(fmt.Errorf("%s %s: %s", source, c.String(flag), text), "want %s", content)
}
