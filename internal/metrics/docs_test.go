package metrics

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

// markdown is the table of docs/metrics.md.
func markdown() string {
	var b strings.Builder
	code := func(name string) string {
		if name == "" {
			return ""
		}
		return "`" + name + "`"
	}
	b.WriteString("| key | unit | mode | record | Prometheus | meaning |\n|---|---|---|---|---|---|\n")
	for i := range Table {
		m := &Table[i]
		mode, column, series := "", "", code(m.Series)
		if m.Mode != 0 {
			mode = m.Mode.String()
		}
		if m.CSV {
			column = code(m.Column())
		}
		if kind := map[Type]string{Counter: "counter", Histogram: "histogram"}[m.Type]; kind != "" && series != "" {
			series += " " + kind
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", code(m.Key), m.Unit, mode, column, series, m.Help)
	}
	return b.String()
}

func TestDocument_ShowsTheTable(t *testing.T) {
	testenv.DocumentTable(t, "../../docs/metrics.md", "table of metrics", markdown())
}

// The README shows some of the metrics, in the same words.
func TestREADME_SaysTheSame(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "| key | meaning |")
	table, _, found := strings.Cut(rest, "\n\n")
	if !found {
		t.Fatal("README.md has no table of metrics")
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(table, -1)
	if len(rows) < 4 || len(rows) != strings.Count(table, "\n| ") {
		t.Errorf("README.md: %d of %d rows name a key", len(rows), strings.Count(table, "\n| "))
	}
	help := map[string]string{}
	for i := range Table {
		help[Table[i].Key] = Table[i].Help
	}
	for _, r := range rows {
		if key, said := r[1], r[2]; help[key] != said {
			t.Errorf("README.md says of %s: %q, the table: %q", key, said, help[key])
		}
	}
}
