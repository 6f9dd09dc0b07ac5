package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// architectures are those of a release.
var architectures = []string{"amd64", "arm64"}

// module is a module, or the standard library.
type module struct {
	name     string // path and version
	dir      string
	packages []string // directories of the packages that are linked
}

// linked returns the modules of which packages are linked into the commands, sorted by name,
// without the module of the commands.
func linked(root string) ([]module, error) {
	found := map[string]*module{}
	for _, arch := range architectures {
		if err := list(root, arch, found); err != nil {
			return nil, fmt.Errorf("list what is linked for %s: %w", arch, err)
		}
	}
	all := make([]module, 0, len(found))
	for _, m := range found {
		slices.Sort(m.packages)
		m.packages = slices.Compact(m.packages)
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// standard returns the name and the directory of the Go that builds the commands.
func standard(root string) (name, dir string, err error) {
	cmd := exec.Command("go", "env", "GOVERSION", "GOROOT")
	cmd.Dir = root
	text, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("go env: %w", err)
	}
	version, dir, ok := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if !ok {
		return "", "", fmt.Errorf("go env printed %q", text)
	}
	return "Go standard library " + version, dir, nil
}

// list adds what is linked for an architecture to found, by name.
func list(root, arch string, found map[string]*module) error {
	goName, goDir, err := standard(root)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module,Standard", "./cmd/...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p struct {
			Dir      string
			Standard bool
			Module   *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		var m module
		switch {
		case p.Standard:
			m.name, m.dir = goName, goDir
			p.Dir = goDir // one licence for all of it
		case p.Module == nil || p.Module.Main:
			continue
		default:
			m.name, m.dir = p.Module.Path+" "+p.Module.Version, p.Module.Dir
		}
		if found[m.name] == nil {
			found[m.name] = &m
		}
		found[m.name].packages = append(found[m.name].packages, p.Dir)
	}
}
