package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is the user and the group of the commands: the one that distroless images call nonroot.
const user = 65532

// accounts is /etc/passwd and /etc/group. The commands need neither; tools that print names do.
const (
	passwd = "root:x:0:0:root:/:/sbin/nologin\nsluice:x:65532:65532:sluice:/:/sbin/nologin\n"
	group  = "root:x:0:\nsluice:x:65532:\n"
)

// file is a file or a directory (its name ends in a slash) of the image.
type file struct {
	name string // without a leading slash
	mode int64
	uid  int // and gid
	body []byte
}

// rootFiles returns everything that is in the image. There is no shell.
func rootFiles(bin string, docs []string) ([]file, error) {
	files := []file{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, body: []byte(group)},
		{name: "etc/passwd", mode: 0o644, body: []byte(passwd)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, body: certificates()},
		{name: "run/", mode: 0o755},
		// For sockets of transfer mode: a volume that is mounted here takes its owner and mode.
		{name: "run/sluice/", mode: 0o700, uid: user},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
	}
	for _, c := range commands {
		body, err := os.ReadFile(filepath.Join(bin, c.built))
		if err != nil {
			return nil, fmt.Errorf("read a command: %w", err)
		}
		files = append(files, file{name: "usr/bin/" + c.name, mode: 0o755, body: body})
	}
	for _, dir := range []string{"usr/share/", "usr/share/doc/", "usr/share/doc/sluice/"} {
		files = append(files, file{name: dir, mode: 0o755})
	}
	for _, path := range docs {
		body, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read a document: %w", err)
		}
		files = append(files, file{name: "usr/share/doc/sluice/" + filepath.Base(path), mode: 0o644, body: body})
	}
	return files, nil
}

// certificates returns the roots of Mozilla's trust store, as of the version of the module that
// has them, for a bridge to a server with a public certificate. Roots with a constraint (trusted
// up to a date only) are left out: a file of certificates has no place for one.
func certificates() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writing to a bytes.Buffer does not fail.
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return text.Bytes()
}

// archive returns files as a tar file, all of one time.
func archive(files []file, at time.Time) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.uid, Size: int64(len(f.body)), ModTime: at, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
		if f.name[len(f.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("tar: %w", err)
	}
	return buf.Bytes(), nil
}
