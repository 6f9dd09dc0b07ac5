package main

import (
	"sluice/bridge"
	"sluice/internal/cli"
)

// errorRules are the exit codes and hints of what only a bridge finds.
var errorRules = []cli.ErrorRule{
	{Err: bridge.ErrTaken, Code: cli.ExitRoleTaken, Hint: "stop that bridge, or choose another --stream or --name on both sides"},
	{Err: bridge.ErrStream, Code: cli.ExitUsage, Hint: "choose another --stream, for which bridge out makes one, or change this one with the nats command"},
	{Err: bridge.ErrStreamDeleted, Code: cli.ExitFailed, Hint: "what had been sent and not received is lost; start bridge out again, which makes the stream again"},
	{Err: bridge.ErrMaxPayload, Code: cli.ExitFailed, Hint: "raise max_payload of the server (bridge serve --max-payload), or send smaller messages"},
	{Err: bridge.ErrMissing, Code: cli.ExitIncomplete, Hint: "they were deleted from the stream, or it was; --skip-missing goes on behind them"},
	{Err: bridge.ErrProtocol, Code: cli.ExitCorrupt, Hint: "run both bridges from the same build (see --version), and let nothing else publish to the subject"},
}
