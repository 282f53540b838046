//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// aptTimeout bounds one run of apt-get. A slow mirror needs minutes for the index of packages.
const aptTimeout = 5 * time.Minute

// A debFile is one package as the archive has it.
type debFile struct {
	name string // Of the file.
	size int64
}

// An archive is Debian's, as far as the tests need it: packages are located, fetched and unpacked once in a run. It is
// safe for concurrent use.
type archive struct {
	mu    sync.Mutex         // Guards files, and what is being fetched.
	files map[string]debFile // By the name of the package; all of them are in the cache directory.

	unpacking sync.Mutex // Guards trees.
	trees     map[string]string
}

// debian is shared by the tests, which would otherwise ask apt-get a hundred times.
var debian = archive{files: make(map[string]debFile), trees: make(map[string]string)}

// allPackages are those of every server here, so that apt-get is asked once about all.
var allPackages = [][]string{
	postfixPackages, postgreyPackages, eximPackages, opensmtpdPackages, sendmailPackages, courierPackages, nsdPackages,
	unboundPackages, nodePackages, sqlgreyPackages, greylistdPackages,
}

// unpack unpacks the packages, without their maintainers' scripts, into root.
func unpack(t testing.TB, root string, packages []string) {
	t.Helper()
	for _, name := range packages {
		if err := linkTree(debian.tree(t, name), root); err != nil {
			t.Fatalf("unpack %s: %v", name, err)
		}
	}
}

// tree is a directory with what a package has, which is not to be changed.
func (a *archive) tree(t testing.TB, name string) string {
	t.Helper()
	file := a.file(t, name)
	a.unpacking.Lock()
	defer a.unpacking.Unlock()
	if dir, ok := a.trees[name]; ok {
		return dir
	}
	dir := filepath.Join(os.Getenv(binEnv), "packages", file.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "dpkg", "-x", filepath.Join(cacheDir(t), file.name), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("dpkg -x %s: %v\n%s", file.name, err, out)
	}
	a.trees[name] = dir
	return dir
}

// file is a package's file, which is in the cache directory when this returns.
func (a *archive) file(t testing.TB, name string) debFile {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if f, ok := a.files[strings.SplitN(name, "/", 2)[0]]; ok {
		return f
	}
	names := slices.Concat(allPackages...)
	slices.Sort(names)
	names = slices.Compact(names)
	for _, f := range fetch(t, cacheDir(t), names) {
		name, _, _ := strings.Cut(f.name, "_")
		a.files[name] = f
	}
	plain, _, _ := strings.Cut(name, "/") // Without the release to take it from.
	f, ok := a.files[plain]
	if !ok {
		t.Fatalf("%s is not among the packages of allPackages", name)
	}
	return f
}

// linkTree copies a tree by links to its programs and libraries, and by copies of what a server may change.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch top, _, _ := strings.Cut(rel, "/"); {
		case entry.IsDir():
			return copyDir(info, target)
		case entry.Type() == fs.ModeSymlink:
			return copySymlink(path, target)
		case top == "etc" || top == "var":
			return copyFile(path, info, target)
		default:
			return os.Link(path, target)
		}
	})
}

func copyDir(info fs.FileInfo, target string) error {
	err := os.Mkdir(target, 0o755)
	if errors.Is(err, fs.ErrExist) { // Another package's too.
		return nil
	}
	owner := info.Sys().(*syscall.Stat_t)
	return errors.Join(err, os.Chown(target, int(owner.Uid), int(owner.Gid)), os.Chmod(target, info.Mode()))
}

func copySymlink(path, target string) error {
	to, err := os.Readlink(path)
	if err != nil {
		return err
	}
	return os.Symlink(to, target)
}

func copyFile(path string, info fs.FileInfo, target string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return errors.Join(os.WriteFile(target, text, info.Mode()),
		os.Chown(target, int(owner.Uid), int(owner.Gid)), os.Chmod(target, info.Mode()))
}

// version is the upstream version of a package, as the archive has it: "3.7.11" of postfix_3.7.11-0+deb12u1_amd64.deb.
func version(t testing.TB, name string) string {
	t.Helper()
	file := debian.file(t, name).name
	_, v, _ := strings.Cut(file, "_")
	v, _, _ = strings.Cut(v, "_")
	if _, noEpoch, ok := strings.Cut(v, "%3a"); ok {
		v = noEpoch
	}
	v, _, _ = strings.Cut(v, "-")
	return v
}

// cacheDir is where packages are kept between runs.
func cacheDir(t testing.TB) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil { // No HOME, as under some CI runners.
		base = os.TempDir()
	}
	dir := filepath.Join(base, "verimaild-interop")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fetch makes sure that dir has the packages, and returns their files. The index of packages is fetched only if it is
// missing or too old to find them.
func fetch(t testing.TB, dir string, packages []string) []debFile {
	t.Helper()
	defer lock(t, dir)()
	files, err := locate(t, packages)
	if err == nil {
		err = download(t, dir, packages, files)
	}
	if err == nil {
		return files
	}
	t.Logf("updating apt's index of packages: %v", err)
	if _, err := apt(t, dir, "update"); err != nil {
		t.Fatalf("the interop tests need apt-get and Debian's archive: %v", err)
	}
	files, err = locate(t, packages)
	if err == nil {
		err = download(t, dir, packages, files)
	}
	if err != nil {
		t.Fatalf("the interop tests need Debian 12's packages: %v", err)
	}
	return files
}

// lock keeps other test processes from using dir, until the function that it returns is called.
func lock(t testing.TB, dir string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock %s: %v", f.Name(), err)
	}
	return func() { f.Close() }
}

// locate asks apt-get which files the packages are. Its lines are
//
//	'http://deb.debian.org/…/postfix_3.7.11-0%2bdeb12u1_amd64.deb' postfix_3.7.11-0+deb12u1_amd64.deb 1510172 SHA256:…
//
// It is asked in an empty directory, for it does not print files that are where it runs.
func locate(t testing.TB, packages []string) ([]debFile, error) {
	t.Helper()
	out, err := apt(t, t.TempDir(), append([]string{"download", "--print-uris"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var files []debFile
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || !strings.HasPrefix(line, "'") {
			continue
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("apt-get download --print-uris: %q: %w", line, err)
		}
		files = append(files, debFile{name: fields[1], size: size})
	}
	if len(files) != len(packages) {
		return nil, fmt.Errorf("apt-get download --print-uris: %d files for %d packages:\n%s", len(files), len(packages), out)
	}
	return files, nil
}

// download fetches the packages unless all their files are there.
func download(t testing.TB, dir string, packages []string, files []debFile) error {
	t.Helper()
	complete := true
	for _, f := range files {
		info, err := os.Stat(filepath.Join(dir, f.name))
		complete = complete && err == nil && info.Size() == f.size
	}
	if complete {
		return nil
	}
	_, err := apt(t, dir, append([]string{"download"}, packages...)...)
	return err
}

// apt runs apt-get in dir and returns what it printed.
func apt(t testing.TB, dir string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), aptTimeout)
	defer cancel()
	// The user _apt, which apt-get becomes for downloads, can't write to a cache below root's home directory.
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
