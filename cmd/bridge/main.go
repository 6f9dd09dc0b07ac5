// Command bridge connects a ring on one machine with a ring on another one, through a stream of
// NATS JetStream, and runs a server for that where there is none.
package main

import (
	"context"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/heapfloor"
)

func main() {
	heapfloor.Raise()
	os.Exit(cli.Main(cli.App{
		Name:  "bridge",
		Usage: "connect a ring with one on another machine, through NATS JetStream",
		About: "A message leaves the near ring when the stream on the server has acknowledged it, and the\n" +
			"stream when it is in the far ring. A slow consumer over there fills its ring, then the\n" +
			"stream, then the ring over here, whose producer waits. No message is lost, doubled or\n" +
			"reordered in the far ring, whatever is stopped, killed or disconnected on the way.",
		Examples: []string{
			"bridge serve --store /var/lib/sluice                 a server, if there is none",
			"producer --name orders                               here",
			"bridge out orders --stream S --nats nats://far:4222  takes from the ring",
			"bridge in orders --stream S                          there: fills a ring",
			"consumer --name orders                               there",
		},
		Commands:   []cli.App{outCommand(), inCommand(), serveCommand()},
		ErrorRules: errorRules,
		Run: func(context.Context, *urfave.Context) error {
			return cli.WithHint(cli.UsageError("no command was given"), "the commands are %s", strings.Join([]string{"out", "in", "serve"}, ", "))
		},
	}))
}

// required returns a usage error for a flag that has no value.
func required(c *urfave.Context, flag string) error {
	if c.String(flag) != "" {
		return nil
	}
	return cli.UsageError("--%s: a value is missing", flag)
}
