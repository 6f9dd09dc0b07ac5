package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeArchive writes the image as one tar file in the form that docker save has since version 25:
// an OCI layout, which containerd, podman and skopeo read, with the manifest.json that all versions
// of docker read.
func writeArchive(out string, img v1.Image, b build) (err error) {
	dir, err := os.MkdirTemp("", "sluice-image-")
	if err != nil {
		return fmt.Errorf("make a directory for the layout: %w", err)
	}
	defer os.RemoveAll(dir)
	ref := title + ":" + b.version
	index, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	err = index.AppendImage(img, layout.WithPlatform(v1.Platform{OS: "linux", Architecture: b.arch}), layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          "docker.io/library/" + ref, // what docker takes ref for
		"org.opencontainers.image.ref.name": b.version,
	}))
	if err != nil {
		return fmt.Errorf("write the image into the layout: %w", err)
	}
	if err := writeManifest(filepath.Join(dir, "manifest.json"), img, ref); err != nil {
		return err
	}
	files, err := readTree(dir)
	if err != nil {
		return err
	}
	data, err := archive(files, b.created)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, data, 0o644); err != nil { //nolint:gosec // is to be given away
		return fmt.Errorf("write the image: %w", err)
	}
	return nil
}

// writeManifest writes the list of images that docker load reads, with paths into the layout.
func writeManifest(path string, img v1.Image, ref string) error {
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	blob := func(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	e := entry{Config: blob(manifest.Config.Digest), RepoTags: []string{ref}}
	for _, l := range manifest.Layers {
		e.Layers = append(e.Layers, blob(l.Digest))
	}
	text, err := json.Marshal([]entry{e})
	if err != nil {
		return fmt.Errorf("encode manifest.json: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write manifest.json: %w", err)
	}
	return nil
}

// readTree returns the files and directories below dir, in the order of their names.
func readTree(dir string) (files []file, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			files = append(files, file{name: name + "/", mode: 0o755})
			return nil
		}
		body, err := os.ReadFile(path)
		files = append(files, file{name: name, mode: 0o644, body: body})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the layout: %w", err)
	}
	return files, nil
}
