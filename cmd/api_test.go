package cmd_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/cli"
	"sluice/internal/metrics"
	"sluice/internal/observe/exporter"
	"sluice/internal/testenv"
)

var (
	manCommand = regexp.MustCompile(`^\.SS \\fB(?:sluice-)?(\w+ \w+)\\fR`)
	manFlag    = regexp.MustCompile(`^\\fB--([a-z-]+)\\fR`)
	manDefault = regexp.MustCompile(`\(default: ([^)]*)\)`)

	series = regexp.MustCompile(`^(sluice_\w+)(?:\{(.*)\})? `)
	label  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// What scripts and units write on command lines and into environments is in api/flags.txt, so
// that a change of it is seen.
func TestAPI_Flags(t *testing.T) {
	t.Parallel()
	var lines []string
	for command, path := range manPages(t) {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		of := command // or one of its subcommands
		for part := range strings.SplitSeq(strings.ReplaceAll(string(page), `\-`, "-"), "\n.") {
			part = "." + part
			if m := manCommand.FindStringSubmatch(part); m != nil {
				of = m[1]
				lines = append(lines, of)
			} else if strings.HasPrefix(part, ".SH") {
				of = command
			}
			m := manFlag.FindStringSubmatch(strings.TrimPrefix(part, ".TP\n"))
			if m == nil {
				continue
			}
			line := of + " --" + m[1]
			if d := manDefault.FindStringSubmatch(strings.ReplaceAll(part, "\n", " ")); d != nil {
				line += ", by default " + d[1]
			}
			lines = append(lines, line)
		}
	}
	testenv.WantList(t, "../api/flags.txt", lines)
}

// What dashboards and programs read is in api/metrics.txt, and what scripts test in
// api/exitcodes.txt.
func TestAPI_MetricsAndExitCodes(t *testing.T) {
	t.Parallel()
	var lines []string
	add := func(form, name string, unit metrics.Unit, states []string) {
		line := form + " " + name
		if unit != "" {
			line += ", " + string(unit)
		}
		if states != nil {
			line += ": " + strings.Join(states, " ")
		}
		lines = append(lines, line)
	}
	for _, m := range metrics.Table {
		if m.Key != "" {
			add("JSON", m.Key, m.Unit, nil)
		}
		if m.CSV {
			add("CSV", m.Column(), m.Unit, nil)
		}
		if m.Series != "" {
			add("Prometheus", m.Series, m.Unit, m.States)
		}
	}
	testenv.WantList(t, "../api/metrics.txt", append(lines, ownSeries(t)...))
	testenv.WantList(t, "../api/exitcodes.txt", []string{
		fmt.Sprint(cli.ExitOK, " in good order"),
		fmt.Sprint(cli.ExitFailed, " failed while running"),
		fmt.Sprint(cli.ExitUsage, " wrong usage"),
		fmt.Sprint(cli.ExitFault, " --verify found a fault"),
		fmt.Sprint(cli.ExitRoleTaken, " the role is taken"),
		fmt.Sprint(cli.ExitLimit, " a limit was reached"),
		fmt.Sprint(cli.ExitCorrupt, " corrupt, or of another version"),
		fmt.Sprint(cli.ExitIncomplete, " the stream is not complete"),
	})
}

// ownSeries returns a line for each metric that gauge serve has without a segment: its name, its
// labels, and the values of a label that has several.
func ownSeries(t *testing.T) (lines []string) {
	t.Helper()
	answer := httptest.NewRecorder()
	handler := exporter.Handler(log.New(t.Output(), "", 0), []string{"no-such-segment"}, nil, exporter.NewRemoved())
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	values := map[string][]string{} // of the labels of a metric
	for line := range strings.Lines(answer.Body.String()) {
		m := series.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var names, of []string
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			names, of = append(names, l[1]), append(of, l[2])
		}
		metric := "Prometheus " + m[1]
		if names != nil {
			metric += "{" + strings.Join(names, ",") + "}"
		}
		values[metric] = append(values[metric], strings.Join(of, " "))
	}
	for metric, all := range values {
		if len(all) > 1 {
			metric += ": " + strings.Join(all, " ")
		}
		lines = append(lines, metric)
	}
	return lines
}
