package natsserver

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Defaults of Options.
const (
	DefaultListen       = "127.0.0.1:4222"
	DefaultMaxPayload   = 8 << 20
	DefaultReadyTimeout = 30 * time.Second
	// MaxMaxPayload is what nats-server allows: its limit for bytes that a client has yet to read.
	MaxMaxPayload = 64 << 20
)

// Options say what server Start starts. What is set here goes before the same in ConfigFile.
type Options struct {
	// ConfigFile is a configuration file of nats-server, for users, TLS and limits; "" = none.
	ConfigFile string
	// Listen is the address for clients, HOST:PORT; port 0 or -1 chooses one. "" = that of
	// ConfigFile, else DefaultListen.
	Listen string
	// StoreDir is where JetStream keeps its streams; it is made if it is not there. "" = that of
	// ConfigFile; without either, Start fails.
	StoreDir string
	// MaxPayload is the most bytes of a message, up to MaxMaxPayload; 0 = that of ConfigFile, else
	// DefaultMaxPayload.
	MaxPayload int
	// Name is the server's name, which is unique in a cluster; "" = one that is made up.
	Name string
	// Cluster makes the server one of a cluster; the zero value does not.
	Cluster Cluster

	// ReadyTimeout is how long Start waits until clients are accepted, which includes the recovery
	// of the streams; 0 = DefaultReadyTimeout.
	ReadyTimeout time.Duration
	// Log is called with what the server logs, from any of its goroutines; nil drops it.
	Log func(level Level, text string)
}

// Cluster says which cluster a server belongs to.
type Cluster struct {
	// Name of the cluster; "" = none.
	Name string
	// Listen is the address for the other servers, HOST:PORT.
	Listen string
	// Routes are the addresses of all servers of the cluster, HOST:PORT; this one may be among
	// them. Their number is the size of the cluster, of which JetStream needs more than half.
	Routes []string
}

func (o Options) readyTimeout() time.Duration {
	if o.ReadyTimeout > 0 {
		return o.ReadyTimeout
	}
	return DefaultReadyTimeout
}

// server returns the options in the form of nats-server.
func (o Options) server() (*server.Options, error) {
	so := &server.Options{}
	if o.ConfigFile != "" {
		var err error
		if so, err = server.ProcessConfigFile(o.ConfigFile); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrConfig, o.ConfigFile, err)
		}
	}
	so.NoSigs, so.JetStream, so.DisableJetStreamBanner = true, true, true
	if err := o.listen(so); err != nil {
		return nil, err
	}
	if o.StoreDir != "" {
		so.StoreDir = o.StoreDir
	}
	if so.StoreDir == "" {
		return nil, ErrNoStore
	}
	switch {
	case o.MaxPayload < 0 || o.MaxPayload > MaxMaxPayload:
		return nil, fmt.Errorf("%w: a maximum payload of %d bytes, want 1 to %d", ErrConfig, o.MaxPayload, MaxMaxPayload)
	case o.MaxPayload > 0:
		so.MaxPayload = int32(o.MaxPayload)
	case so.MaxPayload == 0:
		so.MaxPayload = DefaultMaxPayload
	}
	if o.Name != "" {
		so.ServerName = o.Name
	}
	return so, o.Cluster.add(so)
}

// listen sets the address for clients.
func (o Options) listen(so *server.Options) error {
	at := o.Listen
	if at == "" {
		if so.Host != "" || so.Port != 0 { // of the file, in which either may be missing
			return nil
		}
		at = DefaultListen
	}
	var err error
	so.Host, so.Port, err = hostPort(at)
	return err
}

func (c Cluster) add(so *server.Options) error {
	if c.Name == "" {
		return nil
	}
	var err error
	so.Cluster.Name = c.Name
	so.Cluster.Host, so.Cluster.Port, err = hostPort(c.Listen)
	for _, route := range c.Routes {
		so.Routes = append(so.Routes, &url.URL{Scheme: "nats-route", Host: route})
	}
	return err
}

// hostPort splits an address; a port of 0 is -1, with which nats-server chooses one.
func hostPort(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < -1 || port > 65535 {
		return "", 0, fmt.Errorf("%w: address %s: port %s, want 0 to 65535", ErrConfig, addr, text)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if host == "" {
		host = server.DEFAULT_HOST // as net.Listen does
	}
	return host, port, nil
}
