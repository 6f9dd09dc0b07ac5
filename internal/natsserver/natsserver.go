// Package natsserver runs a NATS server with JetStream in this process, for bridge serve and for
// tests. It is the only package that imports nats-server.
package natsserver

import _ "github.com/nats-io/nats-server/v2/server"
