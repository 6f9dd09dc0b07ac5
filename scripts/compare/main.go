// Command compare runs a ring and a transfer under the same loads and writes a report.
// scripts/compare.sh builds what it needs and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

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
	if done, err := cli.ParseProgram(flag.CommandLine, "run the two modes under the same loads, and write a report", os.Args[1:]); done {
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
	live := term.IsTerminal(int(os.Stderr.Fd()))
	rep, err := r.All(ctx, quick,
		func(i, of int, s compare.Scenario, m compare.Model) {
			text := fmt.Sprintf("%3.0f s  %d/%d  %s, %s", time.Since(began).Seconds(), i, of, s.Title, m.Name)
			if live {
				fmt.Fprintf(os.Stderr, "\r\033[K%s", text)
			} else {
				fmt.Fprintln(os.Stderr, text)
			}
		}, func(*compare.Result) {})
	if live {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	if err != nil {
		return err
	}
	fmt.Print(rep.Table())
	for _, s := range rep.FindingLines() {
		fmt.Println(s)
	}
	out, err = save(rep, out)
	if err != nil {
		return err
	}
	fmt.Printf("\nwritten after %.0f s: %s and, in the same directory, report.md, pictures and recordings\n", time.Since(began).Seconds(), filepath.Join(out, "report.html"))
	return nil
}

// canSave returns an error if save cannot create files in out, so that this is known before
// minutes of measuring. It creates nothing that stays, because the run may be stopped.
func canSave(out string) error {
	if out == "" {
		return nil
	}
	dir := filepath.Clean(out)
	for {
		_, err := os.Stat(dir)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	try, err := os.MkdirTemp(dir, ".sluice-report-")
	if err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = e.Err // its path is a temporary name
		}
		return fmt.Errorf("cannot write the report to %s: %w", out, err)
	}
	return os.Remove(try)
}

// save writes all files under temporary names, then renames them, so that an error leaves no
// incomplete report.
func save(rep *compare.Report, out string) (string, error) {
	if out == "" {
		var err error
		if out, err = os.MkdirTemp("", "sluice-report-"); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return "", err
	}
	files, err := rep.Files()
	if err != nil {
		return "", err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name+".part"), content, 0o666); err != nil {
			return "", err
		}
	}
	for name := range files {
		if err := os.Rename(filepath.Join(out, name+".part"), filepath.Join(out, name)); err != nil {
			return "", err
		}
	}
	return out, nil
}
