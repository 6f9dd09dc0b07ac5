package monitoring

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// ofPrometheus are the labels that Prometheus adds to what it scrapes, and those of its own series.
var ofPrometheus = []string{"job", "instance"}

var ownSeries = map[string][]string{
	"up":     nil,
	"ALERTS": {"alertname", "alertstate", "severity", "name", "mode"},
}

// Every metric, label and state that a rule or the dashboard uses is one that gauge serve gives of
// pairs in different states.
func TestExpressions_UseWhatThereIs(t *testing.T) {
	t.Parallel()
	exprs := map[string][]string{}
	recorded := map[string]bool{}
	for _, r := range rules(t) {
		exprs[r.String()] = append(exprs[r.String()], r.Expr)
		recorded[r.Record] = r.Record != ""
	}
	maps.Copy(exprs, queries(t))
	var want []string
	for _, all := range exprs {
		for _, expr := range all {
			for _, s := range selectors(parse(t, expr)) {
				if _, own := ownSeries[s.Name]; !own && !recorded[s.Name] {
					want = append(want, s.Name)
				}
			}
		}
	}
	there := scrapePairs(t, slices.Compact(slices.Sorted(slices.Values(want))))
	for series, names := range ownSeries {
		there[series] = values{}
		for _, l := range names {
			there[series][l] = nil
		}
	}
	for of, all := range exprs {
		for _, expr := range all {
			checkExpr(t, of, parse(t, expr), there, recorded)
		}
	}
}

// checkExpr checks one expression, that of the rule or panel called of.
func checkExpr(t *testing.T, of string, expr parser.Expr, there map[string]values, recorded map[string]bool) {
	t.Helper()
	grouping := ofPrometheus
	for _, s := range selectors(expr) {
		if recorded[s.Name] {
			grouping = append(grouping, "name", "mode")
			continue
		}
		has, ok := there[s.Name]
		if !ok {
			t.Errorf("%s: there is no %s", of, s.Name)
			continue
		}
		grouping = slices.AppendSeq(slices.Clip(grouping), maps.Keys(has))
		for _, m := range s.LabelMatchers {
			if m.Name == model.MetricNameLabel || slices.Contains(ofPrometheus, m.Name) {
				continue
			}
			known, ok := has[m.Name]
			if !ok {
				t.Errorf("%s: %s has no label %s", of, s.Name, m.Name)
				continue
			}
			if known == nil || m.Name == "name" { // any value
				continue
			}
			for _, v := range wordsOf(m) {
				if !known[v] {
					t.Errorf("%s: %s never has %s=%q", of, s.Name, m.Name, v)
				}
			}
		}
	}
	for _, l := range labelNames(expr) {
		if !slices.Contains(grouping, l) {
			t.Errorf("%s: groups by %s, which nothing in it has", of, l)
		}
	}
}

// wordsOf returns the values that a matcher names.
func wordsOf(m *labels.Matcher) []string {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return []string{m.Value}
	}
	return regexp.MustCompile(`[\w-]+`).FindAllString(strings.ReplaceAll(m.Value, ".*", ""), -1)
}

// selectors returns the selectors of series in an expression.
func selectors(expr parser.Expr) (all []*parser.VectorSelector) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	return all
}

// labelNames returns the labels that an expression matches, joins and groups by.
func labelNames(expr parser.Expr) (all []string) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			all = append(all, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				all = append(all, n.VectorMatching.MatchingLabels...)
			}
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					all = append(all, m.Name)
				}
			}
		}
		return nil
	})
	return all
}
