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
			child("child-producer", produce), child("child-consumer", consume), child("child-paced", producePaced),
			child("child-latency", consumeLatency), child("child-idle", consumeIdle), child("child-holder", hold),
			child("child-share", consumeShare), child("child-echo", echo), child("child-numbers", produceNumbers),
			child("child-check", consumeChecked), child("child-fanout", fanOut),
		},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "many: error: %v\n", err)
		os.Exit(1)
	}
}

// child is a subcommand that the others start as a process.
func child(name string, run func(ctx context.Context, args []string) error) *urfave.Command {
	return &urfave.Command{Name: name, Hidden: true, SkipFlagParsing: true, Action: func(c *urfave.Context) error {
		args := c.Args().Slice()
		if err := pin(args[0]); err != nil {
			return err
		}
		return run(c.Context, args[1:])
	}}
}
