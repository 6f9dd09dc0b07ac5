// Command bridge measures and tests bridges between rings, with real processes on one machine: the
// commands bridge, producer and consumer, and sides of its own where a figure needs them.
//
//	go build -o bin/ ./cmd/... && go build -o measure ./scripts/bridge
//	./measure throughput    rates from a ring through a stream to a ring, beside plain NATS
//	./measure latency       response times of an open-loop load, beside plain NATS
//	./measure stopped       how soon a stopped far consumer blocks the near producer
//	./measure kills         kills and stops of bridges, server and sides
//
// Each prints lines of Markdown. --help lists the flags of each. scripts/bridge.sh runs all.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/heapfloor"
	"sluice/internal/trial"
)

func main() {
	heapfloor.Raise() // for plain NATS, as bridge does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	app := &urfave.App{
		Name: "bridge", Usage: "measure and test bridges between rings",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "bin", Value: "bin", Usage: "directory of the commands"},
		},
		Commands: []*urfave.Command{
			throughputCommand, latencyCommand, stoppedCommand, killsCommand,
			trial.Child("child-send", send), trial.Child("child-take", take),
			trial.Child("child-publish", publish), trial.Child("child-pull", pull),
			trial.Child("child-due", sendDue), trial.Child("child-response", takeDue),
			trial.Child("child-publish-due", publishDue), trial.Child("child-pull-due", pullDue),
			trial.Child("child-numbers", sendNumbers), trial.Child("child-check", checkNumbers),
		},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "bridge: error: %v\n", err)
		os.Exit(1)
	}
}
