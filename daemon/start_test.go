package daemon

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/store"
)

// A second is another daemon on this host, in a process of its own.
type second struct {
	cmd   *exec.Cmd
	stdin interface{ Close() error }
}

// startSecond runs a daemon by the configuration in text, and returns once it serves.
func startSecond(t *testing.T, text string) *second {
	t.Helper()
	path := filepath.Join(shortDir(t), "second.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &second{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	s.cmd.Env = append(os.Environ(), childEnv+"="+path)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.stdin.Close()
		_ = s.cmd.Wait() // Killed, in some tests.
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != "ready" {
		t.Fatalf("the second daemon says %q, %v, want ready", line, err)
	}
	return s
}

// kill ends the second daemon as kill -9 does.
func (s *second) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // Says that it was killed.
}

// textIn is the configuration of a daemon in a new directory.
func textIn(t *testing.T, w *mailworld.World) (dir, text string) {
	t.Helper()
	dir = shortDir(t)
	return dir, configText(dir, w)
}

func TestStateDirInUse(t *testing.T) {
	w := smallWorld(t)
	dir, text := textIn(t, w)
	other := startSecond(t, text)
	before := openFiles(t)

	mine := load(t, dir, strings.Replace(text, "path: "+dir+"/s", "path: "+dir+"/mine", 1))
	_, err := New(Options{Config: mine, Logger: zap.NewNop()})
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), dir+"/state") {
		t.Errorf("New() = %v, want store.ErrInUse and the directory", err)
	}
	if got := openFiles(t); got > before {
		t.Errorf("%d descriptors after the failed start, %d before", got, before)
	}
	missing(t, dir+"/mine")
	c := client.Client{Socket: dir + "/s"}
	defer c.CloseIdleConnections()
	if err := c.Health(t.Context()); err != nil {
		t.Errorf("the first daemon: %v, want it unharmed", err)
	}

	// One that was killed holds nothing up, neither by its lock nor by its socket.
	other.kill(t)
	if _, err := os.Lstat(dir + "/s"); err != nil {
		t.Fatalf("the killed daemon left no socket: %v", err)
	}
	r := startWith(t, Options{Config: load(t, dir, text)})
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
}

func TestSocketInUse(t *testing.T) {
	w := smallWorld(t)
	dir, text := textIn(t, w)
	startSecond(t, text)
	before := openFiles(t)

	own := shortDir(t)
	cfg := load(t, dir, strings.Replace(text, "state_dir: "+dir, "state_dir: "+own, 1))
	for range 2 { // The state directory is free again after a failed start.
		d, err := New(Options{Config: cfg, Logger: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Start(t.Context()); !errors.Is(err, api.ErrSocketInUse) || !strings.Contains(err.Error(), dir+"/s") {
			t.Errorf("Start() = %v, want api.ErrSocketInUse and the path", err)
		}
		if err := d.Stop(t.Context()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	}
	if got := openFiles(t); got > before {
		t.Errorf("%d descriptors after the failed starts, %d before", got, before)
	}
	c := client.Client{Socket: dir + "/s"}
	defer c.CloseIdleConnections()
	if err := c.Health(t.Context()); err != nil {
		t.Errorf("the first daemon: %v, want it unharmed", err)
	}
}

// TestSocketPath starts where no socket can be.
func TestSocketPath(t *testing.T) {
	w := smallWorld(t)
	for _, row := range []struct {
		name string
		path func(dir string) string
		want error
	}{
		{"a file", func(dir string) string { return write(t, dir, "file", "precious") }, api.ErrNotSocket},
		{"a directory that is missing", func(dir string) string { return dir + "/a/b/s" }, fs.ErrNotExist},
		{"a path that is too long", func(dir string) string { return dir + "/" + strings.Repeat("x", 120) }, api.ErrSocketPath},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, text := textIn(t, w)
			cfg := load(t, dir, text)
			cfg.Socket.Path = row.path(dir)
			d, err := New(Options{Config: cfg, Logger: zap.NewNop()})
			if err == nil {
				err = d.Start(t.Context())
			}
			if !errors.Is(err, row.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Start() = %v, want %v and the path", err, row.want)
			}
			if b, err := os.ReadFile(dir + "/file"); err == nil && string(b) != "precious" {
				t.Errorf("the file is %q now", b)
			}
		})
	}
}

// TestStartFaults names what is wrong with a configuration, and makes nothing.
func TestStartFaults(t *testing.T) {
	w := smallWorld(t)
	for _, row := range []struct {
		name, old, new, want string
		passes               bool // It may be right later.
	}{
		{"a source this host does not have", w.SourceAddr(0).String(), "192.0.2.1", "egress.sources[0].ipv4: 192.0.2.1 is not an address of this host", true},
		{"a group that does not exist", "/s}", "/s, group: no-such-group}", `socket.group: "no-such-group": there is no such group on this host`, false},
		{"a sender that is none", "probe@source0.egress.test", "a..b@source0.egress.test", "egress.sender: ", false},
		{"a name server that is a name", `["` + w.DNSAddr() + `"]`, "[localhost]", "resolver.servers: ", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, text := textIn(t, w)
			_, err := New(Options{Config: load(t, dir, strings.Replace(text, row.old, row.new, 1)), Logger: zap.NewNop()})
			faults, ok := errors.AsType[config.Faults](err)
			if !ok || len(faults) != 1 || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("New() = %v, want one fault: %s", err, row.want)
			}
			if got := MayPass(err); got != row.passes {
				t.Errorf("MayPass(%v) = %t, want %t", err, got, row.passes)
			}
			if faults[0].Line == 0 || faults[0].File != dir+"/verimaild.yaml" {
				t.Errorf("the fault is at %s:%d, want its line", faults[0].File, faults[0].Line)
			}
			missing(t, dir+"/state")
			missing(t, dir+"/s")
		})
	}
}

// TestStateDirNotADirectory starts where no state can be kept.
func TestStateDirNotADirectory(t *testing.T) {
	w := smallWorld(t)
	dir, text := textIn(t, w)
	file := write(t, dir, "state", "precious")
	_, err := New(Options{Config: load(t, dir, text), Logger: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("New() = %v, want an error that names %s", err, file)
	}
}

// TestFirstRun starts without any configuration, as a user who is not root.
func TestFirstRun(t *testing.T) {
	dir := shortDir(t)
	cfg := config.Default(false, []string{"HOME=" + dir})
	cfg.Resolver.Servers = []string{"127.0.0.1:1"}
	r := startWith(t, Options{Config: cfg})
	if want := dir + "/.local/state/verimaild/verimaild.sock"; r.Socket() != want {
		t.Errorf("Socket() = %q, want %q", r.Socket(), want)
	}
	if r.isReady(t).Ready {
		t.Error("ready without a sender")
	}
	r.wantReason(t, "a@b@c", "invalid_syntax")
	if info, err := os.Stat(cfg.StateDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v, want mode 0700", info, err)
	}
}

// write makes a file in dir.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// missing fails the test if there is something at path.
func missing(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want that nothing was made there", path, err)
	}
}
