package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var released = build{version: "0.1.0", commit: strings.Repeat("ab", 20), created: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC), arch: "arm64"}

// builtCommands returns a directory with files in place of the commands.
func builtCommands(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	for _, c := range commands {
		if err := os.WriteFile(filepath.Join(bin, c.built), []byte("program "+c.built), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// written writes an image of these commands, and returns the path of the file.
func written(t *testing.T, bin string) (path string) {
	t.Helper()
	root, err := rootFiles(bin, []string{"image_test.go"})
	if err != nil {
		t.Fatal(err)
	}
	img, err := newImage(released, root)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "image.tar")
	if err := writeArchive(path, img, released); err != nil {
		t.Fatal(err)
	}
	return path
}

// What docker reads of the file, and what others read, is the same valid image.
func TestImage_DockerAndOCI(t *testing.T) {
	path := written(t, builtCommands(t))
	docker, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-C", dir, "-xf", path).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("index: %+v, %v, want one image", manifest, err)
	}
	if name := manifest.Manifests[0].Annotations["io.containerd.image.name"]; name != "docker.io/library/sluice:0.1.0" {
		t.Errorf("containerd will call it %q", name)
	}
	oci, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	for name, img := range map[string]v1.Image{"docker": docker, "OCI": oci} {
		if err := validate.Image(img); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if c := config.Config; c.User != "65532:65532" || c.Entrypoint != nil || strings.Join(c.Env, " ") != "PATH=/usr/bin" || c.Labels["org.opencontainers.image.version"] != "0.1.0" ||
			c.Labels["org.opencontainers.image.revision"] != released.commit {
			t.Errorf("%s: configuration %+v", name, c)
		}
		if config.Architecture != "arm64" || config.OS != "linux" || !config.Created.Equal(released.created) {
			t.Errorf("%s: %s/%s, created %s", name, config.OS, config.Architecture, config.Created)
		}
	}
	var names []struct{ RepoTags []string }
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &names); err != nil || len(names) != 1 || strings.Join(names[0].RepoTags, " ") != "sluice:0.1.0" {
		t.Errorf("manifest.json: %+v, %v", names, err)
	}
}

func TestImage_Files(t *testing.T) {
	img, err := tarball.ImageFromPath(written(t, builtCommands(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(img)
	defer content.Close()
	found := map[string]string{}
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(h.Name, "/")] = string(body)
		wantUID, wantMode := 0, int64(0o755)
		switch {
		case h.Name == "run/sluice" || h.Name == "run/sluice/":
			wantUID, wantMode = user, 0o700
		case h.Name == "tmp" || h.Name == "tmp/":
			wantMode = 0o1777
		case h.Typeflag == tar.TypeReg && !strings.HasPrefix(h.Name, "usr/bin/"):
			wantMode = 0o644
		}
		if h.Uid != wantUID || h.Gid != wantUID || h.Mode != wantMode || !h.ModTime.Equal(released.created) {
			t.Errorf("%s: user %d, group %d, mode %o, time %s", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
	}
	for name, want := range map[string]string{
		"usr/bin/producer": "program producer", "usr/bin/sluice-bridge": "program bridge",
		"usr/share/doc/sluice/image_test.go": "package main", "etc/passwd": "sluice:x:65532:65532:",
	} {
		if !strings.Contains(found[name], want) {
			t.Errorf("%s is %.40q, want %q in it", name, found[name], want)
		}
	}
	if found["usr/bin/bridge"] != "" {
		t.Error("there is a bridge, the name of another program")
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM([]byte(found["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("no certificate can be read")
	} else if n := strings.Count(found["etc/ssl/certs/ca-certificates.crt"], "BEGIN CERTIFICATE"); n < 80 {
		t.Errorf("%d certificates, want 80 at least", n)
	}
}

func TestImage_Reproducible(t *testing.T) {
	bin := builtCommands(t)
	first, err := os.ReadFile(written(t, bin))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(written(t, bin))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two images of the same commands differ")
	}
}

func TestOf_RefusesWhatIsNoRelease(t *testing.T) {
	info := func(version, settings string) *debug.BuildInfo {
		i := &debug.BuildInfo{Main: debug.Module{Version: version}}
		for s := range strings.FieldsSeq("GOOS=linux GOARCH=arm64 CGO_ENABLED=0 vcs.revision=" + released.commit + " vcs.time=2026-12-01T08:00:00Z vcs.modified=false " + settings) {
			key, value, _ := strings.Cut(s, "=")
			i.Settings = append(i.Settings, debug.BuildSetting{Key: key, Value: value})
		}
		return i
	}
	if got, err := of(info("v0.1.0", "")); err != nil || got != released {
		t.Errorf("%+v, %v, want %+v", got, err, released)
	}
	for name, bad := range map[string]*debug.BuildInfo{
		"without a version": info("(devel)", ""), "with changes": info("v0.1.0+dirty", "vcs.modified=true"), "with C": info("v0.1.0", "CGO_ENABLED=1"),
		"without a commit": info("v0.1.0", "vcs.revision="), "of another system": info("v0.1.0", "GOOS=darwin"), "without a time": info("v0.1.0", "vcs.time=today"),
	} {
		if got, err := of(bad); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}
