//go:build interop

package interop

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An npmPackage is a line of a lock file: a package, of one version and with one digest.
type npmPackage struct {
	dir     string // Where it goes.
	name    string
	version string
	digest  string // sha512- and base64, as npm writes it.
}

// readLock reads a lock file.
func readLock(t testing.TB, file string) []npmPackage {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []npmPackage
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) != 3 {
			t.Fatalf("%s: %q is no package", file, line)
		}
		at := strings.LastIndexByte(fields[1], '@')
		list = append(list, npmPackage{dir: fields[0], name: fields[1][:at], version: fields[1][at+1:], digest: fields[2]})
	}
	return list
}

// url is where the registry has the package: npm's own, or the one that npm's users name in the environment.
func (p npmPackage) url() string {
	registry := cmp.Or(os.Getenv("npm_config_registry"), os.Getenv("NPM_CONFIG_REGISTRY"), "https://registry.npmjs.org")
	return fmt.Sprintf("%s/%s/-/%s-%s.tgz", strings.TrimRight(registry, "/"), p.name, path.Base(p.name), p.version)
}

// installNPM puts the packages of a lock file below root, without running any script of theirs. What was fetched once is
// kept beside Debian's packages.
func installNPM(t testing.TB, root, lockFile string) {
	t.Helper()
	dir := cacheDir(t)
	defer lock(t, dir)()
	ctx, cancel := context.WithTimeout(t.Context(), aptTimeout)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 8)
	for _, p := range readLock(t, lockFile) {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			text, err := p.fetch(ctx, client, dir)
			if err == nil {
				err = extract(text, filepath.Join(root, p.dir))
			}
			if err != nil {
				t.Errorf("the interop tests need npm's registry: %s %s: %v", p.name, p.version, err)
			}
		})
	}
	if wg.Wait(); t.Failed() {
		t.FailNow()
	}
}

// fetch returns a package's archive, from dir if it is there.
func (p npmPackage) fetch(ctx context.Context, client *http.Client, dir string) ([]byte, error) {
	want, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.digest, "sha512-"))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "npm-"+hex.EncodeToString(want[:16])+".tgz")
	text, err := os.ReadFile(file)
	for range 3 { // A registry has its bad moments.
		if err == nil {
			break
		}
		if text, err = get(ctx, client, p.url()); err != nil {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if got := sha512.Sum512(text); !bytes.Equal(got[:], want) {
		return nil, errors.Join(fmt.Errorf("its digest is %x, want %x", got, want), os.RemoveAll(file))
	}
	return text, os.WriteFile(file, text, 0o644)
}

// get returns what is at a URL.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return text, nil
}

// extract unpacks the files of an archive into dir, without the directory that they all have in common.
func extract(archive []byte, dir string) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%q leads out of the archive", h.Name)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, text, 0o644)); err != nil {
			return err
		}
	}
}
