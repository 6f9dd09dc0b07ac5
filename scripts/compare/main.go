// Command compare runs hard, credit and soft back-pressure under the same loads and writes a
// report. scripts/compare.sh builds what it needs and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/compare"
)

func main() {
	// Pdeathsig kills the started processes when the thread that started them ends.
	runtime.LockOSThread()
	quick := flag.Bool("quick", false, "less exact figures, in less than a minute")
	out := flag.String("out", "", "write the report to `DIR`; a new temporary directory without it")
	bin := flag.String("bin", "bin", "`DIR` of producer, consumer and gauge")
	flag.CommandLine.Init("compare", flag.ContinueOnError)
	if done, err := cli.ParseProgram(flag.CommandLine, "run hard, credit and soft back-pressure under the same loads, and write a report", os.Args[1:]); done {
		os.Exit(cli.Exit("compare", false, err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	err := run(ctx, *quick, *out, *bin)
	switch {
	case err == nil:
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)): // a signal, which Go 1.26.0 does not call context.Canceled
		fmt.Fprintln(os.Stderr, "compare: stopped; no report was written")
		os.Exit(130)
	default:
		os.Exit(cli.Exit("compare", false, err))
	}
}

func run(ctx context.Context, quick bool, out, bin string) error {
	if err := canSave(out); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sluice-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := compare.Runner{Bin: bin, Dir: work}
	began := time.Now()
	p := newProgress(began)
	rep, err := r.All(ctx, quick, p.show)
	p.end()
	if err != nil {
		return err
	}
	fmt.Print(rep.Text())
	out, err = save(rep, out)
	if err != nil {
		return err
	}
	fmt.Printf("\nwritten after %.0f s: %s and, in the same directory, report.md, pictures, figures and recordings\n", time.Since(began).Seconds(), filepath.Join(out, "report.html"))
	return nil
}
