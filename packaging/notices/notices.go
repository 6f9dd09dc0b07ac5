package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licence matches the names of files that have a licence or a notice.
var licence = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|copyright|notices?|patents)([.-].*)?$`)

const heading = `The commands contain code of the following modules, under these licences.
`

// notices returns the text. A licence that several modules share is printed once for each of them:
// the copyright lines differ.
func notices(modules []module) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString(heading)
	for _, m := range modules {
		files, err := licences(m)
		if err != nil {
			return nil, err
		}
		for _, path := range files {
			body, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("read a licence: %w", err)
			}
			name, err := filepath.Rel(m.dir, path)
			if err != nil {
				return nil, fmt.Errorf("name of a licence: %w", err)
			}
			fmt.Fprintf(&text, "\n%s\n%s: %s\n%[1]s\n\n%[4]s\n", strings.Repeat("=", 80), m.name, name,
				strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")))
		}
	}
	return text.Bytes(), nil
}

// licences returns the files of the linked packages of a module, and of the directories above them.
func licences(m module) (files []string, err error) {
	seen := map[string]bool{}
	for _, dir := range m.packages {
		for ; len(dir) >= len(m.dir) && !seen[dir]; dir = filepath.Dir(dir) {
			seen[dir] = true
			entries, err := os.ReadDir(dir)
			if err != nil {
				return nil, fmt.Errorf("look for licences of %s: %w", m.name, err)
			}
			for _, e := range entries {
				if e.Type().IsRegular() && filepath.Ext(e.Name()) != ".go" && licence.MatchString(e.Name()) {
					files = append(files, filepath.Join(dir, e.Name()))
				}
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no file with a licence", m.name)
	}
	slices.Sort(files)
	return files, nil
}
