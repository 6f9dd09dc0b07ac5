package main

import (
	"context"
	"math"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	urfave "github.com/urfave/cli/v2"

	"sluice/bridge"
	"sluice/internal/cli"
	"sluice/layout"
)

func outCommand() cli.App {
	return cli.App{
		Name:  "out",
		Usage: "send the messages of a ring to a stream",
		About: "Takes the place of the consumer. A message is released in the ring when the stream has\n" +
			"acknowledged it: while the server is away or the stream is full, the ring fills, and its\n" +
			"producer waits. The stream is made if there is none, with --max-bytes as its only limit.\n" +
			"Several rings, or those that match a pattern, share the connection, and each has its own\n" +
			"subject of the stream; rings that appear later join.",
		Examples: []string{
			"bridge out orders --stream S",
			"bridge out 'sensor-*' --stream S --follow              all rings with such a name, also later ones",
			"bridge out orders --stream S --nats nats://a,nats://b  servers of a cluster",
			"bridge out orders --stream S --creds bridge.creds      credentials in a file",
			"SLUICE_NATS=nats://user:password@a bridge out orders --stream S",
		},
		Flags: sideFlags(cli.NamesFlag("demo"),
			cli.SizeFlag("max-bytes", bridge.DefaultMaxBytes, "limit of a new stream in `BYTES`, which is how far the far side may lag; one that exists keeps its own"),
			cli.ChoiceFlag("storage", nil, "file", "", "`WHERE` a new stream keeps its messages: file or memory", "file", "memory"),
			cli.IntegerFlag("replicas", 1, 1, maxReplicas, "`N` servers of a cluster that keep a new stream: 1 to 5"),
			cli.SizeFlag("in-flight", bridge.DefaultInFlight, "at most `BYTES` of each ring that are sent and not acknowledged"),
		),
		Argument: "name",
		Run:      runOut,
	}
}

const maxReplicas = 5 // of JetStream

func runOut(ctx context.Context, c *urfave.Context) error {
	s, err := parseSide(c, "out")
	if err != nil {
		return err
	}
	if n := cli.GetSize(c, "max-bytes"); n < 1 || n > math.MaxInt64 {
		return cli.UsageError("%s: want 1 to %d bytes", cli.FlagSource(c, "max-bytes"), int64(math.MaxInt64))
	}
	if cli.GetSize(c, "in-flight") == 0 {
		return cli.UsageError("%s: want at least 1 byte", cli.FlagSource(c, "in-flight"))
	}
	opt := bridge.OutOptions{
		Stream: s.stream, Subject: s.subject, MaxBytes: int64(cli.GetSize(c, "max-bytes")), Storage: storages[cli.GetChoice(c, "storage")],
		Replicas: int(c.Uint64("replicas")), InFlight: cli.GetSize(c, "in-flight"),
		Follow: s.follow, Keep: s.Keep, Access: s.Access, Spin: s.Spin, Populate: s.Populate,
	}
	if s.Several() {
		return s.runSeveral(ctx, func(ctx context.Context, nc *nats.Conn, of bridge.RingEvents) error {
			return bridge.OutAll(ctx, nc, s.Names, opt, of)
		})
	}
	return s.runOne(ctx, layout.Consumer, func(ctx context.Context, nc *nats.Conn, events bridge.Events) error {
		opt.Events = events
		return bridge.Out(ctx, nc, s.Name, opt)
	})
}

var storages = map[string]jetstream.StorageType{"file": jetstream.FileStorage, "memory": jetstream.MemoryStorage}
