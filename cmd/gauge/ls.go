package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/flow"
	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/observe/monitor"
	"sluice/internal/report"
	"sluice/shm"
)

func listCommand() cli.App {
	return cli.App{
		Name:   "ls",
		Prints: true,
		Usage:  "list the segments, with the processes in them and the verdict",
		Flags: []urfave.Flag{
			cli.NamesFlag(""),
			&urfave.BoolFlag{Name: "json", Usage: "print one object per line, as stat does"},
		},
		Argument: "name",
		Run: func(ctx context.Context, c *urfave.Context) error {
			names, err := cli.GetNames(c)
			if err != nil {
				return err
			}
			return list(ctx, names, c.Bool("json"))
		},
	}
}

// list prints the segments with these names, or that match these patterns; all if there is none.
func list(ctx context.Context, names []string, asJSON bool) error {
	f := monitor.New(names, 1)
	f.Connect = true
	defer f.Close()
	pairs, err := sampleTwice(ctx, f, rateInterval)
	if err != nil {
		return cli.IgnoreStop(err)
	}
	if f.Omitted > 0 {
		shown := "1 segment is"
		if len(pairs) != 1 {
			shown = fmt.Sprintf("%d segments are", len(pairs))
		}
		cli.Note("gauge", "", fmt.Sprintf("%s shown, this user's first; there are %s more", shown, format.Count(f.Omitted)), "")
	}
	absent := missing(names, pairs)
	if asJSON {
		return errors.Join(listJSON(pairs), absent)
	}
	if len(pairs) == 0 {
		if absent != nil {
			return absent
		}
		fmt.Fprintf(os.Stderr, "no segments in %s; producer creates one\n", shm.Dir)
		return nil
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	scheduled := monitor.AnyScheduled(pairs)
	bridged := slices.ContainsFunc(pairs, func(p *monitor.Pair) bool { return p.Err == nil && report.BridgeRows(&p.Now) != nil })
	head := []string{"NAME", "MODE", "PRODUCER", "CONSUMER", "DEPTH", "FILL"}
	if scheduled {
		head = append(head, "UNSENT", "LAT.P99", "RESP.P99")
	}
	if bridged {
		head = append(head, "BRIDGE", "LAG")
	}
	row := func(fields ...string) { fmt.Fprintln(out, strings.Join(fields, "\t")) }
	row(append(head, "AGE", "VERDICT")...)
	for _, p := range pairs {
		if p.Err != nil {
			row(append(append([]string{p.Name}, slices.Repeat([]string{"-"}, len(head))...), p.Reason())...)
			continue
		}
		fill := "-"
		if p.Now.Bounded() {
			fill = format.NarrowPercent(p.Now.Fill())
		}
		fields := []string{p.Name, p.Now.Geometry.Mode.String(), metrics.Holder(&p.Now.Producer), metrics.Holder(&p.Now.Consumer),
			format.Count(p.Now.Depth()), fill}
		if scheduled {
			fields = append(fields, format.Count(p.Now.Waiting()), report.Quantile(&p.LastSecond.Latency, 0.99), report.Quantile(&p.LastSecond.Response, 0.99))
		}
		if bridged {
			fields = append(fields, report.ShortBridge(&p.Now), report.ShortLag(&p.Now))
		}
		row(append(fields, format.Age(time.Since(p.Now.Created)), string(p.Verdict.Kind))...)
	}
	return errors.Join(out.Flush(), listConnections(os.Stdout, pairs, f.Graph), absent)
}

// connectionIndent is the column of what follows the kind of a connection.
const connectionIndent = 9

// listConnections prints the groups and the chains that the pairs are in, and who holds up whom
// there; nothing if there are none.
func listConnections(out io.Writer, pairs []*monitor.Pair, g *flow.Graph) error {
	var b strings.Builder
	for _, item := range report.Connections(g, func(name string) bool {
		return slices.ContainsFunc(pairs, func(p *monitor.Pair) bool { return p.Name == name })
	}) {
		fmt.Fprintf(&b, "\n%-9s", item.Kind)
		wrap(&b, item.What, connectionIndent, min(textWidth(), 80))
		for _, text := range item.Says {
			fmt.Fprintf(&b, "%*s", connectionIndent, "")
			wrap(&b, text, connectionIndent, min(textWidth(), 80))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// listJSON prints an object for each segment; for one that cannot be read, the name and the error.
func listJSON(pairs []*monitor.Pair) error {
	var errs []error
	for _, p := range pairs {
		if p.Err != nil {
			errs = append(errs, json.NewEncoder(os.Stdout).Encode(map[string]string{"name": p.Name, "error": p.Reason()}))
			continue
		}
		errs = append(errs, report.JSON(os.Stdout, p.Report()))
	}
	return errors.Join(errs...)
}
