package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"sluice/internal/buildinfo"
	"sluice/layout"
)

// version is the output of --version with --format json.
type version struct {
	Command       string `json:"command"`
	Version       string `json:"version"`
	Commit        string `json:"commit"`
	Modified      bool   `json:"modified"`
	Go            string `json:"go"`
	Platform      string `json:"platform"`
	LayoutVersion int    `json:"layoutVersion"`
}

func versionOf(name string) version {
	b := buildinfo.Read()
	return version{
		Command: name, Version: b.Version, Commit: b.Commit, Modified: b.Modified,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, LayoutVersion: layout.Version,
	}
}

func (v version) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	commit := v.Commit
	if v.Modified {
		commit += ", modified"
	}
	_, err := fmt.Fprintf(out, "%s %s\ncommit %s\n%s, %s\nsegment layout version %d\n", v.Command, v.Version, commit, v.Go, v.Platform, v.LayoutVersion)
	return err
}
