package main

import (
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/bridge"
	"sluice/internal/cli"
)

// Codes of errors of a JetStream server, see errors.json of nats-server.
const (
	errNoMemory   jetstream.ErrorCode = 10028
	errNoStorage  jetstream.ErrorCode = 10047
	errNoPeers    jetstream.ErrorCode = 10005
	errNoReplicas jetstream.ErrorCode = 10074
)

// api returns a function that reports whether an error is of a JetStream server, with one of the
// codes.
func api(codes ...jetstream.ErrorCode) func(error) bool {
	return func(err error) bool {
		e := (*jetstream.APIError)(nil)
		return errors.As(err, &e) && slices.Contains(codes, e.ErrorCode)
	}
}

// errorRules are the exit codes and hints of what only a bridge finds.
var errorRules = []cli.ErrorRule{
	{Err: bridge.ErrTaken, Code: cli.ExitRoleTaken, Hint: "stop that bridge, or choose another --stream or --name on both sides"},
	{Err: bridge.ErrStream, Code: cli.ExitUsage, Hint: "choose another --stream, for which bridge out makes one, or change this one with the nats command"},
	{Err: bridge.ErrStreamDeleted, Code: cli.ExitFailed, Hint: "what had been sent and not received is lost; start bridge out again, which makes the stream again"},
	{Err: bridge.ErrMaxPayload, Code: cli.ExitFailed, Hint: "raise max_payload of the server (bridge serve --max-payload), or send smaller messages"},
	{Err: bridge.ErrMissing, Code: cli.ExitIncomplete, Hint: "they were deleted from the stream, or it was; --skip-missing goes on behind them"},
	{Match: api(errNoStorage, errNoMemory), Code: cli.ExitFailed, Hint: "choose a smaller --max-bytes, or give the server more room"},
	{Match: api(errNoPeers, errNoReplicas), Code: cli.ExitFailed, Hint: "--replicas needs a cluster of that many servers"},
	{Err: bridge.ErrProtocol, Code: cli.ExitCorrupt, Hint: "run both bridges from the same build (see --version), and let nothing else publish to the subject"},
}
