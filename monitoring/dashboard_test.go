package monitoring

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// board is the classic model of a dashboard, which every version of Grafana reads; the one that
// follows it, only the latest.
type board = dashboard.Dashboard //nolint:staticcheck // it is deprecated for new programs

// panels returns the dashboard's panels that are no rows, decoded with the types of Grafana: a
// field that those do not have is an error.
func panels(t *testing.T) (all []*dashboard.Panel) {
	t.Helper()
	text, err := os.ReadFile("grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	// Without an error it returns an empty list, and leaves out the panels.
	if errs := (cog.BuildErrors)(nil); !errors.As(new(board).UnmarshalJSONStrict(text), &errs) || len(errs) > 0 {
		t.Fatal(errs)
	}
	var d board
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Panel != nil {
			all = append(all, p.Panel)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d panels", len(all))
	}
	return all
}

// variable matches a variable in a query.
var variable = regexp.MustCompile(`\$\{?(\w+)\}?`)

// query is an expression of the dashboard as Grafana sends it, with each variable at one of the
// values that it may have.
func query(expr string) string {
	return variable.ReplaceAllStringFunc(expr, func(v string) string {
		if strings.Contains(v, "interval") {
			return "1m"
		}
		return ".*"
	})
}

// queries returns all expressions of the dashboard, by the title of their panel.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	of := map[string][]string{}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			q, ok := target.(*prometheus.Dataquery)
			if !ok {
				t.Fatalf("%s: a query of type %T", *p.Title, target)
			}
			of[*p.Title] = append(of[*p.Title], query(q.Expr))
		}
	}
	return of
}

// A panel says what it shows and what an empty one means, has its data from the chosen source, and
// covers no other one.
func TestDashboard_Panels(t *testing.T) {
	ids, cells := map[uint32]bool{}, map[[2]uint32]string{}
	for _, p := range panels(t) {
		title := *p.Title
		if p.Description == nil || *p.Description == "" {
			t.Errorf("%s: no description", title)
		}
		if p.FieldConfig == nil || p.FieldConfig.Defaults.NoValue == nil {
			t.Errorf("%s: says nothing when it is empty", title)
		}
		if p.Datasource == nil || p.Datasource.Uid == nil || *p.Datasource.Uid != "${datasource}" {
			t.Errorf("%s: another data source than the variable", title)
		}
		if p.Id == nil || ids[*p.Id] {
			t.Fatalf("%s: no id, or one that is in use", title)
		}
		ids[*p.Id] = true
		if g := p.GridPos; g.X+g.W > 24 {
			t.Errorf("%s: wider than the page", title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]uint32{p.GridPos.X + x, p.GridPos.Y + y}
				if cells[at] != "" {
					t.Fatalf("%s covers %s", title, cells[at])
				}
				cells[at] = title
			}
		}
	}
}

// What a query uses as a variable is one, or one of Grafana's own.
func TestDashboard_Variables(t *testing.T) {
	text, err := os.ReadFile("grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"__rate_interval": true, "__field": true}
	for _, v := range d.Templating.List {
		known[v.Name] = true
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(string(text), -1) {
		used[m[1]] = true
		if !known[m[1]] && m[1] != "__all" {
			t.Errorf("$%s is no variable", m[1])
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("$%s is not used", name)
		}
	}
}
