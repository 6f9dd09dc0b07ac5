// Command many measures and tests sides that have several rings, with real processes:
//
//	go build -o many ./scripts/many
//	./many throughput    8 producers into one consumer, against one ring
//	./many wake          latency of a consumer that sleeps on 8 rings, against one ring
//	./many idle          processor time of a consumer of 64 idle rings
//	./many share         bytes of each ring while the consumer is the bottleneck
//	./many ready         cycles of an event that is set and cleared
//	./many stopped       one producer into 4 rings, the consumer of one of which is stopped
//	./many kills         kills of random producers and of the consumer
//
// Each prints lines of Markdown. --help lists the flags of each. scripts/many.sh runs all.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/trial"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	app := &urfave.App{
		Name: "many", Usage: "measure and test sides that have several rings",
		Flags: []urfave.Flag{
			&urfave.IntFlag{Name: "cpu-producers", Value: 0, Usage: "processor of the producers"},
			&urfave.IntFlag{Name: "cpu-consumer", Value: 1, Usage: "processor of the consumer"},
		},
		Commands: []*urfave.Command{
			throughputCommand, wakeCommand, idleCommand, shareCommand, readyCommand, stoppedCommand, killsCommand,
			trial.Child("child-producer", produce), trial.Child("child-consumer", consume), trial.Child("child-paced", producePaced),
			trial.Child("child-latency", consumeLatency), trial.Child("child-idle", consumeIdle), trial.Child("child-holder", hold),
			trial.Child("child-share", consumeShare), trial.Child("child-echo", echo), trial.Child("child-numbers", produceNumbers),
			trial.Child("child-check", consumeChecked), trial.Child("child-fanout", fanOut),
		},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "many: error: %v\n", err)
		os.Exit(1)
	}
}
