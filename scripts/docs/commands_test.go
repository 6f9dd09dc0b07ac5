package main

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"sluice/internal/testenv"
)

// Commands of this repository that pages name exist, and take what they are given: in blocks, also
// in those that are not run, and in sentences.
func TestPages_CommandsExist(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("SKIPPED: no make here, so no command of the pages is tested")
	}
	checked := 0
	for _, p := range pages(t) {
		if p.path == "CHANGELOG.md" {
			continue // the commands of its time
		}
		texts := p.spans
		for _, b := range p.blocks {
			if b.file == "" {
				texts = append(texts, span{b.line, b.text})
			}
		}
		for _, text := range texts {
			for _, call := range callsIn(text.text) {
				problem, ours := problemOfCall(t, call)
				if problem != "" {
					t.Errorf("%s:%d: %s: %s", p.path, text.line, strings.Join(call, " "), problem)
				}
				if ours {
					checked++
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d commands found", checked)
	}
	t.Logf("%d commands", checked)
}

// callsIn returns the commands of a shell text with their arguments, nil if it is not one.
// Redirections are left out, and so is sudo with its flags. A command with variables in it is not
// returned: what it is called with is not known.
func callsIn(text string) (calls [][]string) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		words, err := expand.Fields(noVariables, call.Args...)
		if err != nil {
			return true
		}
		if len(words) > 0 && words[0] == "sudo" {
			words = slices.Delete(words, 0, 1)
			for len(words) > 1 && words[0] == "-u" {
				words = slices.Delete(words, 0, 2)
			}
		}
		if len(words) > 0 {
			calls = append(calls, words)
		}
		return true
	})
	return calls
}

// noVariables makes the use of a variable an error.
var noVariables = &expand.Config{NoUnset: true}

// problemOfCall returns why a command of this repository cannot be called so, and whether it is
// one.
func problemOfCall(t *testing.T, call []string) (problem string, ours bool) {
	t.Helper()
	switch name := call[0]; {
	case name == "make":
		return problemOfMake(t, call[1:]), true
	case strings.HasPrefix(strings.TrimPrefix(name, "./"), "scripts/"), name == ".ci/run":
		files, err := filepath.Glob(filepath.Join(testenv.Root(), name))
		if err != nil || len(files) == 0 {
			return "there is no such file", true
		}
		return "", true
	case slices.Contains([]string{"producer", "consumer", "gauge", "bridge"}, strings.TrimPrefix(path.Base(name), "sluice-")):
		return problemOfFlags(t, call), len(call) > 1
	}
	return "", false
}

var target = regexp.MustCompile(`(?m)^([a-z-]+):`)

func problemOfMake(t *testing.T, targets []string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range target.FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	for _, name := range targets {
		if !strings.Contains(name, "=") && !slices.Contains(all, name) {
			return "there is no such target"
		}
	}
	return ""
}

// unknownFlag is a flag that no command has. The commands parse flags in their order, so an error
// about it means that those before it are valid; and nothing is started.
const unknownFlag = "--no-such-flag"

// placeholder is a value in an error message that stands for one: N, NAME, HOST:PORT, "...".
var placeholder = regexp.MustCompile(`"([A-Z][A-Z_]*(:[A-Z]+)?|[^"]*\.\.\.)"`)

func problemOfFlags(t *testing.T, call []string) string {
	t.Helper()
	args := slices.DeleteFunc(slices.Clone(call[1:]), func(arg string) bool { return arg == "..." })
	if len(args) == 0 || slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--generate-") }) {
		return ""
	}
	name := strings.TrimPrefix(path.Base(call[0]), "sluice-")
	out, err := exec.Command(testenv.Command(name), append(args, unknownFlag)...).CombinedOutput()
	said, _, _ := strings.Cut(string(out), "\n")
	switch {
	case err == nil && slices.ContainsFunc(args, func(arg string) bool { return arg == "--help" || arg == "--version" }):
		return ""
	case strings.Contains(said, unknownFlag), placeholder.MatchString(said):
		return ""
	}
	return said
}
