package monitoring

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// rule is a rule of prometheus/sluice.rules.yml.
type rule struct {
	Alert, Record, Expr, For string
	Labels, Annotations      map[string]string
}

func (r *rule) String() string { return r.Alert + r.Record }

// readYAML decodes a file.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// rules returns all of them.
func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	readYAML(t, "prometheus/sluice.rules.yml", &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("only %d rules", len(all))
	}
	return all
}

// alerts returns the names of the alerts, each once.
func alerts(t *testing.T) []string {
	t.Helper()
	names := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert != "" {
			names[r.Alert] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// parse returns the parsed expression.
func parse(t *testing.T, expr string) parser.Expr {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return parsed
}

func TestAlerts_SeverityTextsAndEntry(t *testing.T) {
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		for _, a := range []string{"summary", "description"} {
			if r.Annotations[a] == "" {
				t.Errorf("%s has no %s", r.Alert, a)
			}
		}
		if want := "docs/alerts.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s: runbook %q, want %q", r.Alert, r.Annotations["runbook"], want)
		}
	}
}

// Each alert has an entry in the runbook, and each entry is of an alert.
func TestAlerts_InTheRunbook(t *testing.T) {
	page, err := os.ReadFile("../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(string(page), -1) {
		entries = append(entries, m[1])
	}
	slices.Sort(entries)
	if want := alerts(t); !slices.Equal(entries, want) {
		t.Errorf("docs/alerts.md has entries for\n%q\nthe alerts are\n%q", entries, want)
	}
}

// What the runbook has to be pasted is YAML, and its rules have valid expressions.
func TestRunbook_YAML(t *testing.T) {
	page, err := os.ReadFile("../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```\n").FindAllStringSubmatch(string(page), -1)
	if want := strings.Count(string(page), "```yaml"); len(blocks) != want || want == 0 {
		t.Fatalf("%d blocks of YAML, %d of them can be pasted", want, len(blocks))
	}
	pasted := 0
	for _, b := range blocks {
		if err := yaml.Unmarshal([]byte(b[1]), new(any)); err != nil {
			t.Errorf("%v:\n%s", err, b[1])
		}
		var rules []rule
		if yaml.Unmarshal([]byte(b[1]), &rules) == nil {
			pasted += len(rules)
			for _, r := range rules {
				parse(t, r.Expr)
			}
		}
	}
	if pasted != 1 {
		t.Errorf("%d rules, want the one of a pair that should be there", pasted)
	}
}

// Each alert has a test in which it fires and one in which it does not at any time, and no test is
// of an alert that has gone. The silent test has a series that the alert looks at, and is evaluated
// when the "for" of the alert is over: without either, it would be silent whatever its expression.
func TestAlerts_FiringAndSilentTests(t *testing.T) {
	looksAt, after := map[string][]*parser.VectorSelector{}, map[string]time.Duration{}
	all := rules(t)
	for _, r := range all {
		if r.Alert != "" {
			looksAt[r.Alert] = scraped(t, all, r.Expr)
			after[r.Alert] = duration(t, r.For)
		}
	}
	firing, silent := map[string]bool{}, map[string]bool{}
	for _, path := range caseFiles(t) {
		var file struct {
			Tests []struct {
				InputSeries   []struct{ Series string } `yaml:"input_series"`
				AlertRuleTest []struct {
					EvalTime  string `yaml:"eval_time"`
					Alertname string
					ExpAlerts []any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		readYAML(t, path, &file)
		for _, c := range file.Tests {
			var series []string
			for _, in := range c.InputSeries {
				series = append(series, in.Series)
			}
			fires, isSilent := map[string]bool{}, map[string]bool{}
			for _, at := range c.AlertRuleTest {
				if len(at.ExpAlerts) > 0 {
					fires[at.Alertname] = true
				} else if duration(t, at.EvalTime) > after[at.Alertname] && selectsAny(t, looksAt[at.Alertname], series) {
					isSilent[at.Alertname] = true
				}
			}
			maps.DeleteFunc(isSilent, func(alert string, _ bool) bool { return fires[alert] })
			maps.Copy(firing, fires)
			maps.Copy(silent, isSilent)
		}
	}
	want := alerts(t)
	for what, have := range map[string]map[string]bool{"firing": firing, "silent": silent} {
		if got := slices.Sorted(maps.Keys(have)); !slices.Equal(got, want) {
			t.Errorf("there are %s tests of\n%q\nwant\n%q", what, got, want)
		}
	}
}

// scraped returns the selectors of an expression and of what it takes from recorded rules.
func scraped(t *testing.T, all []rule, expr string) (found []*parser.VectorSelector) {
	t.Helper()
	for _, s := range selectors(parse(t, expr)) {
		i := slices.IndexFunc(all, func(r rule) bool { return r.Record == s.Name })
		if i < 0 {
			found = append(found, s)
		} else {
			found = append(found, scraped(t, all, all[i].Expr)...)
		}
	}
	return found
}

// selectsAny reports whether one of the selectors selects one of the series.
func selectsAny(t *testing.T, selectors []*parser.VectorSelector, series []string) bool {
	t.Helper()
	for _, text := range series {
		metric, err := parser.NewParser(parser.Options{}).ParseMetric(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, s := range selectors {
			if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return !m.Matches(metric.Get(m.Name)) }) {
				return true
			}
		}
	}
	return false
}

// duration returns 0 for an empty text.
func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	if text == "" {
		return 0
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(d)
}

func caseFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("prometheus/tests/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files (%v)", err)
	}
	return files
}

func TestPromtool_Accepts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("SKIPPED: no promtool here, so the rules and their cases are not tested with it")
	}
	for _, args := range [][]string{
		{"check", "rules", "prometheus/sluice.rules.yml"},
		{"check", "config", "prometheus/prometheus.yml"},
		append([]string{"test", "rules"}, caseFiles(t)...),
	} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		} else if strings.Contains(string(out), "duplicate") {
			t.Errorf("%s", out)
		}
	}
}
