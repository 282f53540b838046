package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestOpenRefusesWhatIsNotSafe(t *testing.T) {
	tests := []struct {
		name string
		do   func(dir string) error
		want string
	}{
		{"directory others may write to", func(dir string) error { return os.Chmod(dir, 0o770) }, "chmod 0700"},
		{"key others may read", func(dir string) error { return os.Chmod(dir+"/key", 0o640) }, "chmod 0600"},
		{"short key", func(dir string) error { return os.Truncate(dir+"/key", 31) }, "31 bytes"},
		{"long key", func(dir string) error { return os.Truncate(dir+"/key", 33) }, "33 bytes"},
		{"key is a symlink", swap("key", func(p string) error { return os.Symlink("/etc/hostname", p) }), "symbolic link"},
		{"key is a directory", swap("key", func(p string) error { return os.Mkdir(p, 0o700) }), "a directory"},
		{"lock is a symlink", swap("lock", func(p string) error { return os.Symlink("/etc/hostname", p) }), "symbolic link"},
		{"state is a symlink", swap("state", func(p string) error { return os.Symlink("/tmp", p) }), "symbolic link"},
		{"cache is a file", swap("cache", func(p string) error { return os.WriteFile(p, nil, 0o600) }), "a file"},
		{"cache others may read", func(dir string) error { return os.Chmod(dir+"/cache", 0o755) }, "chmod 0700"},
		{"symlink in a store", func(dir string) error { return os.Symlink("/etc/hostname", dir+"/state/000009.sst") }, "000009.sst: is a symbolic link"},
		{"directory in a store", func(dir string) error { return os.Mkdir(dir+"/cache/x", 0o700) }, "cache/x: is a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := made(t)
			if err := tt.do(dir); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Options{Dir: dir})
			if err == nil {
				t.Fatalf("Open = nil, want an error with %q; Close() = %v", tt.want, s.Close())
			}
			if _, ok := errors.AsType[*DirError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v (%T), want a DirError with %q", err, err, tt.want)
			}
		})
	}
}

// swap puts something else in the place of an entry of the state directory.
func swap(name string, put func(path string) error) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		return errors.Join(os.RemoveAll(path), put(path))
	}
}

// made makes a state directory as a first start leaves it.
func made(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	for _, name := range []string{"", "key", "state", "cache", "state/MANIFEST"} {
		dir := made(t)
		if err := os.Chown(filepath.Join(dir, name), 12345, -1); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Dir: dir})
		if _, ok := errors.AsType[*DirError](err); !ok || !strings.Contains(err.Error(), "uid 12345") {
			t.Errorf("Open with %q of uid 12345 = %v, want a DirError that names it", name, err)
		}
	}
}

func TestDirectoryMayBeASymlinkItself(t *testing.T) {
	dir := made(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	openTest(t, Options{Dir: link})
}

func TestModes(t *testing.T) {
	dir := made(t)
	for name, want := range map[string]os.FileMode{"": 0o700, "key": 0o600, "lock": 0o600, "state": 0o700, "cache": 0o700} {
		fi, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Mode().Perm(); got != want {
			t.Errorf("mode of %q = %04o, want %04o", name, got, want)
		}
	}
}

func TestKeyLoss(t *testing.T) {
	tests := []struct {
		name string
		do   func(key string) error
		log  string
	}{
		{"key removed", os.Remove, "missing"},
		{"key replaced", func(key string) error { return os.WriteFile(key, bytes.Repeat([]byte{7}, 32), 0o600) }, "another one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s, err := Open(Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			mustPut(t, textRecords(t, s.Cache(), "r/"), "a", "1")
			mustPut(t, textRecords(t, s.State(), "r/"), "a", "1")
			old := s.Key(AddressHashes)
			if err := errors.Join(s.Close(), tt.do(filepath.Join(dir, "key"))); err != nil {
				t.Fatal(err)
			}
			core, logs := observer.New(zap.WarnLevel)
			s = openTest(t, Options{Dir: dir, Logger: zap.New(core)})
			if s.Key(AddressHashes) == old {
				t.Error("the key is the old one")
			}
			wantGet(t, textRecords(t, s.Cache(), "r/"), "a", "")
			wantGet(t, textRecords(t, s.State(), "r/"), "a", "1")
			if n := len(logs.All()); n != 1 || !strings.Contains(logs.All()[0].Message, tt.log) {
				t.Errorf("log: %v, want one line with %q", logs.All(), tt.log)
			}
		})
	}
}

func TestInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	cmd, lines, stdin := child(t, "hold", dir)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the child says %q", lines.Text())
	}
	_, err := Open(Options{Dir: dir})
	in, ok := errors.AsType[*InUseError](err)
	if !ok || !errors.Is(err, ErrInUse) || in.Dir != dir || in.PID != cmd.Process.Pid {
		t.Errorf("Open = %v, want an InUseError for %s and process %d", err, dir, cmd.Process.Pid)
	}
	if err := errors.Join(cmd.Process.Kill(), stdin.Close()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	openTest(t, Options{Dir: dir}) // A killed process holds nothing.
}

func TestSetAsideKeepsFew(t *testing.T) {
	dir := made(t)
	for range keepAside + 2 {
		if err := os.WriteFile(filepath.Join(dir, "cache", "MANIFEST"), []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.ErrorLevel)
		s, err := Open(Options{Dir: dir, Logger: zap.New(core)})
		if err != nil {
			t.Fatalf("Open = %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if logs.Len() != 1 {
			t.Errorf("log: %v, want one line", logs.All())
		}
	}
	aside, err := filepath.Glob(filepath.Join(dir, "cache.damaged-*"))
	if err != nil || len(aside) != keepAside {
		t.Errorf("set aside: %q, %v, want %d", aside, err, keepAside)
	}
}
