package metrics

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of metrics into docs/metrics.md")

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
	const (
		path  = "../../docs/metrics.md"
		begin = "<!-- table of metrics -->\n"
		end   = "<!-- end of table of metrics -->"
	)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(text), begin)
	shown, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no lines %q and %q", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+markdown()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != markdown() {
		t.Errorf("%s does not show the table as it is; after a change on purpose run go test ./internal/metrics -update", path)
	}
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
