package main

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) { testenv.MainWithCommands(m, "./cmd/bridge") }

// pages reads all Markdown pages of the repository, by their paths from its root.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	all := map[string]*page{}
	err := fs.WalkDir(os.DirFS(testenv.Root()), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || path == "build" || path == "dist"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		source, err := os.ReadFile(filepath.Join(testenv.Root(), path))
		if err != nil {
			return err
		}
		all[path], err = parsePage(path, source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages found: is this the root?", len(all))
	}
	return all
}

// A link within the repository leads to a file, and to a heading of it.
func TestPages_LinksResolve(t *testing.T) {
	t.Parallel()
	all, checked := pages(t), 0
	for _, p := range all {
		for _, link := range p.links {
			if problem := problemOfLink(all, p, link.text); problem != "" {
				t.Errorf("%s:%d: link to %s: %s", p.path, link.line, link.text, problem)
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d links found", checked)
	}
}

// problemOfLink returns why a link leads nowhere, "" if it does lead somewhere.
func problemOfLink(all map[string]*page, from *page, link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" {
		return "" // another site
	}
	target := from.path
	if u.Path != "" {
		target = filepath.Join(filepath.Dir(from.path), u.Path)
	}
	if _, err := os.Stat(filepath.Join(testenv.Root(), target)); errors.Is(err, fs.ErrNotExist) {
		return "there is no " + target
	}
	if to := all[target]; to != nil && u.Fragment != "" && !to.anchors[u.Fragment] {
		return target + " has no such heading"
	}
	return ""
}

func TestParsePage_Anchors(t *testing.T) {
	p, err := parsePage("x.md", []byte("# One `two` & *three*: 4_5\n\n## Same\n\n## Same\n"))
	testenv.WantErr(t, err, nil)
	for _, want := range []string{"one-two--three-4_5", "same", "same-1"} {
		if !p.anchors[want] {
			t.Errorf("no %q in %v", want, p.anchors)
		}
	}
}

func TestParsePage_Annotations(t *testing.T) {
	const fence = "\n```sh\nx\n```\n"
	for comment, want := range map[string]annotation{
		"<!-- another comment -->":                        {},
		"<!-- run: network -->":                           {network: true},
		"<!-- run: network, exit 4 -->":                   {network: true, exit: 4},
		"<!-- run: terminals, stay -->":                   {terminals: true},
		"<!-- run: terminals, 2500ms -->":                 {terminals: true, after: 2500e6},
		"<!-- run: not, needs a cluster, really -->":      {not: "needs a cluster, really"},
		"<!-- run: not,\nneeds a cluster -->":             {not: "needs a cluster"},
		"<!-- run: file main.go -->":                      {file: "main.go"},
		"<!-- run: hidden\nx\n-->\n\n<!-- run: exit 1-->": {exit: 1},
	} {
		p, err := parsePage("x.md", []byte(comment+fence))
		if err != nil || p.blocks[len(p.blocks)-1].annotation != want {
			t.Errorf("%s: %+v, %v", comment, p.blocks, err)
		}
	}
	for _, wrong := range []string{
		"<!-- run: terminal, 3s -->" + fence, "<!-- run: terminals -->" + fence, "<!-- run: terminals, 3s, stay -->" + fence,
		"<!-- run: 3s -->" + fence, "<!-- run: not -->" + fence, "<!-- run: exit x -->" + fence, "<!-- run: file -->" + fence,
		"<!-- run: network -->\n\nSome text.\n" + fence, "<!-- run: network -->\n```\nx\n```\n", "<!-- run: network -->\n",
	} {
		if p, err := parsePage("x.md", []byte(wrong)); err == nil {
			t.Errorf("no error for %q: %+v", wrong, p.blocks)
		}
	}
}

func TestBlock_Statements(t *testing.T) {
	p, err := parsePage("x.md", []byte("<!-- run: hidden\nmkdir d\n-->\n\n```sh\ncd d && \\\n  x # y\ncat <<EOF >f # z\n1\nEOF\na; b |\nc\n```\n"))
	testenv.WantErr(t, err, nil)
	var got []statement
	for _, b := range p.blocks {
		statements, err := b.statements(p.path)
		testenv.WantErr(t, err, nil)
		got = append(got, statements...)
	}
	want := []statement{
		{2, "mkdir d\n"}, {6, "cd d && \\\n  x # y\n"}, {8, "cat <<EOF >f # z\n1\nEOF\n"}, {11, "a; "}, {11, "b |\nc\n"},
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}
