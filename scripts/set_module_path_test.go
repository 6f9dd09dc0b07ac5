package scripts_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newPath is the module path that the copies get.
const newPath = "example.com/some.one/pipes"

// tree is the files of this repository, by their paths from its root.
func tree(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == ".git" || rel == "bin" || rel == "build" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || rel == ".git" { // .git is a file in a worktree
			return nil
		}
		files[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 100 {
		t.Fatalf("only %d files found: is this the root?", len(files))
	}
	return files
}

// copyTree writes the files below a new folder.
func copyTree(t *testing.T, files map[string][]byte) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "tree")
	for rel, text := range files {
		path := filepath.Join(root, rel)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// offline is the environment for commands that use what is in the module cache.
func offline() []string {
	return append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod", "GOWORK=off")
}

// do runs a command, which has to end well, and returns what it printed.
func do(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, offline()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// setPath runs the script of a copy.
func setPath(t *testing.T, root string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "scripts/set-module-path.sh"), args...)
	cmd.Env = offline()
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

func needs(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: there is no %s", c)
		}
	}
}

// user is a program of another module.
const user = `package main

import (
	"context"
	"fmt"
	"os"

	"` + newPath + `"
)

func main() {
	ctx := context.Background()
	p, err := sluice.Create(ctx, os.Args[1], sluice.ProducerOptions{})
	if err != nil {
		panic(err)
	}
	c, err := sluice.Open(ctx, os.Args[1], sluice.ConsumerOptions{})
	if err != nil {
		panic(err)
	}
	if err := p.Send(ctx, []byte("hello")); err != nil {
		panic(err)
	}
	msg, err := c.Next(ctx)
	fmt.Println(string(msg), err)
	c.Release()
	fmt.Println(p.Close(), c.Close())
}
`

func TestSetModulePath_Renames(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "go")
	files := tree(t, "..")
	root := copyTree(t, files)
	modules := exec.Command("go", "list", "-deps", "./...")
	modules.Dir, modules.Env = root, offline()
	if out, err := modules.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: the module cache lacks something:\n%s", out)
	}
	old := strings.TrimSpace(do(t, root, "go", "list", "-m"))
	if code, out := setPath(t, root, newPath); code != 0 || !strings.Contains(out, newPath) {
		t.Fatalf("exit code %d\n%s", code, out)
	}

	do(t, root, "go", "build", "./...")
	do(t, root, "go", "test", "./layout", "./internal/archtest")

	dir := t.TempDir()
	module, required, _ := strings.Cut(string(files["go.mod"]), "\n")
	if module != "module "+old {
		t.Fatalf("go.mod begins with %q", module)
	}
	required, _, _ = strings.Cut(required, "\ntool ")
	for name, text := range map[string]string{
		"main.go": user, "go.sum": string(files["go.sum"]),
		"go.mod": "module example.org/user\n" + required + "\nrequire " + newPath + " v0.0.0\n\nreplace " + newPath + " => " + root + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do(t, dir, "go", "build", "-o", "program", ".")
	name := "module-path." + filepath.Base(filepath.Dir(dir)) + ".test"
	t.Cleanup(func() { os.Remove("/dev/shm/sluice." + name) })
	if out := do(t, dir, "./program", name); out != "hello <nil>\n<nil> <nil>\n" {
		t.Errorf("the program of another module printed %q", out)
	}

	// Nothing was missed, and nothing was taken for the path that is not: back again, it is
	// what it was.
	for rel, text := range tree(t, root) {
		if filepath.Ext(rel) == ".go" && bytes.Contains(text, []byte(`"`+old+`/ring"`)) {
			t.Errorf("%s has the old path", rel)
		}
	}
	if code, out := setPath(t, root, old); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for rel, text := range tree(t, root) {
		if !bytes.Equal(text, files[rel]) {
			t.Errorf("%s is not what it was", rel)
		}
	}
}

func TestSetModulePath_Refuses(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "go", "git")
	files := tree(t, "..")
	root := copyTree(t, files)
	old := strings.TrimSpace(do(t, root, "go", "list", "-m"))
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "PATH is missing", nil},
		{2, "PATH is empty", []string{""}},
		{2, `unknown argument "--nosuch"`, []string{"--nosuch", newPath}},
		{2, "more than one PATH", []string{newPath, "example.com/b"}},
		{2, "omit the https:// of a URL", []string{"https://example.com/a"}},
		{2, "letters, digits", []string{"example.com/a b"}},
		{2, "letters, digits", []string{"example.com/a&b"}},
		{2, "is empty", []string{"example.com//a"}},
		{2, "is empty", []string{"example.com/a/"}},
		{2, "begins or ends with a dot", []string{"example.com/../a"}},
		{2, "other modules cannot import it", []string{"example.com/internal/a"}},
		{2, "for major versions", []string{"example.com/a/v2"}},
		{2, "standard library", []string{"net/sluice"}},
		{2, "is a dependency of this module", []string{"golang.org/x/sys"}},
		{1, "already", []string{old}},
	} {
		code, out := setPath(t, root, c.args...)
		if code != c.code || !strings.Contains(out, c.want) || !strings.Contains(out, "set-module-path.sh: hint: ") {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", c.args, code, c.code, c.want, out)
		}
	}

	do(t, root, "git", "init", "-q")
	do(t, root, "git", "add", "-A")
	do(t, root, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "all")
	readme := filepath.Join(root, "README.md")
	files["README.md"] = append(files["README.md"], "\nA change.\n"...)
	if err := os.WriteFile(readme, files["README.md"], 0o755); err != nil {
		t.Fatal(err)
	}
	if code, out := setPath(t, root, newPath); code != 1 || !strings.Contains(out, "uncommitted") {
		t.Errorf("with a change that is not committed: exit code %d\n%s", code, out)
	}
	for rel, text := range tree(t, root) {
		if !bytes.Equal(text, files[rel]) {
			t.Errorf("%s was changed all the same", rel)
		}
	}
	if code, out := setPath(t, root, "--force", newPath); code != 0 {
		t.Errorf("with --force: exit code %d\n%s", code, out)
	}
	if text, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.HasPrefix(string(text), "module "+newPath+"\n") {
		t.Errorf("go.mod: %v\n%.50s", err, text)
	}
}
