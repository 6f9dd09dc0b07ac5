package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/internal/compare"
)

// canSave returns an error if save cannot create files in out, so that this is known before
// minutes of measuring. It creates nothing that stays, because the run may be stopped.
func canSave(out string) error {
	if out == "" {
		return nil
	}
	dir := filepath.Clean(out)
	for {
		_, err := os.Stat(dir)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	try, err := os.MkdirTemp(dir, ".sluice-report-")
	if err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = e.Err // its path is a temporary name
		}
		return fmt.Errorf("cannot write the report to %s: %w", out, err)
	}
	return os.Remove(try)
}

// save writes all files under temporary names, then renames them, so that an error leaves no
// incomplete report.
func save(rep *compare.Report, out string) (string, error) {
	if out == "" {
		var err error
		if out, err = os.MkdirTemp("", "sluice-report-"); err != nil {
			return "", err
		}
	}
	files, err := rep.Files()
	if err != nil {
		return "", err
	}
	for name, content := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return "", err
		}
		if err := os.WriteFile(path+".part", content, 0o666); err != nil {
			return "", err
		}
	}
	for name := range files {
		if err := os.Rename(filepath.Join(out, name+".part"), filepath.Join(out, name)); err != nil {
			return "", err
		}
	}
	return out, nil
}
