package api

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// mustListen listens until the test ends.
func mustListen(t *testing.T, s Socket) *Listener {
	t.Helper()
	l, err := Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// leaveStale leaves a socket file behind, as a daemon does that is killed.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestListenMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o660, 0o600, 0o666, 0o777} {
		t.Run(mode.String(), func(t *testing.T) {
			path := filepath.Join(shortDir(t), "s")
			mustListen(t, Socket{Path: path, Mode: mode})
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			want := mode
			if mode == 0 {
				want = 0o660
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("mode = %v, want %v", got, want)
			}
		})
	}
}

// TestBindIsPrivate: between bind and chmod nobody else can connect, whatever the umask.
func TestBindIsPrivate(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := bind(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got&0o077 != 0 {
		t.Errorf("mode after bind = %v, want nothing for group and others", got)
	}
}

func TestListenGroup(t *testing.T) {
	own := os.Getegid()
	for _, tt := range []struct {
		name, group string
		optional    bool
		want        int // -1 = refused.
	}{
		{"none", "", false, own},
		{"by number", strconv.Itoa(own), false, own},
		{"unknown", "no-such-group-here", false, -1},
		{"unknown, optional", "no-such-group-here", true, own},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "s")
			l, err := Listen(Socket{Path: path, Group: tt.group, GroupOptional: tt.optional})
			if tt.want < 0 {
				if err == nil || !strings.Contains(err.Error(), tt.group) {
					t.Errorf("Listen() = %v, want an error that names the group", err)
				}
				if _, err := os.Lstat(path); err == nil {
					t.Error("the socket was made all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := int(info.Sys().(*syscall.Stat_t).Gid); got != tt.want {
				t.Errorf("group = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestListenGroupNotOurs(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	asUser(t, 65534, 65534, nil, func() {
		if _, err := Listen(Socket{Path: path, Group: "0"}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Listen() for root's group = %v, want one that is fs.ErrPermission", err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket was left behind")
		}
		l, err := Listen(Socket{Path: path, Group: "0", GroupOptional: true})
		if err != nil {
			t.Errorf("Listen() for root's group, optional = %v, want nil", err)
			return
		}
		l.Close()
	})
}

func TestListenRemovesStale(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	leaveStale(t, path)
	mustListen(t, Socket{Path: path})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("after a stale socket: %v", err)
	}
	conn.Close()
}

func TestListenLeavesAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, path string)
		want  error
	}{
		{"a daemon that answers", func(t *testing.T, path string) { mustListen(t, Socket{Path: path}) }, ErrSocketInUse},
		{"a regular file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrNotSocket},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ErrNotSocket},
		{"a symbolic link to a stale socket", func(t *testing.T, path string) {
			leaveStale(t, path+"2")
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, ErrNotSocket},
		{"a symbolic link to nothing", func(t *testing.T, path string) {
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, ErrNotSocket},
		{"a datagram socket", func(t *testing.T, path string) {
			c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}, ErrNotOurs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "s")
			tt.setup(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Listen(Socket{Path: path})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Listen() = %v, want %v naming the path", err, tt.want)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there is gone: %v", err)
			}
		})
	}
}

func TestListenOthersSocket(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	leaveStale(t, path)
	asUser(t, 65534, 65534, nil, func() {
		if _, err := Listen(Socket{Path: path}); !errors.Is(err, ErrNotOurs) {
			t.Errorf("Listen() over root's stale socket = %v, want ErrNotOurs", err)
		}
	})
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("root's socket is gone: %v", err)
	}
}

func TestListenPath(t *testing.T) {
	dir := shortDir(t)
	long := func(n int) string { return dir + "/" + strings.Repeat("s", n-len(dir)-1) }
	for _, tt := range []struct {
		name, path string
		want       error // nil = listens.
	}{
		{"empty", "", ErrSocketPath},
		{"abstract", "@verimaild", ErrSocketPath},
		{"NUL", dir + "/a\x00b", ErrSocketPath},
		{"108 bytes", long(108), ErrSocketPath},
		{"107 bytes", long(107), nil},
		{"directory missing", dir + "/new/s", nil},
		{"two directories missing", dir + "/new1/new2/s", fs.ErrNotExist},
		{"no way through a file", "/proc/self/status/x/s", syscall.ENOTDIR},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Listen(Socket{Path: tt.path})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Listen() = %v, want %v", err, tt.want)
			}
			if err == nil {
				l.Close()
			}
		})
	}
	info, err := os.Stat(dir + "/new")
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory that was made has mode %v, %v, want 0755", info.Mode(), err)
	}
}

// TestListenRace: of the daemons that start at once over one dead socket, one gets it, and it answers.
func TestListenRace(t *testing.T) {
	for range 20 {
		path := filepath.Join(shortDir(t), "s")
		leaveStale(t, path)
		type outcome struct {
			l   *Listener
			err error
		}
		outcomes := make(chan outcome, 8)
		for range cap(outcomes) {
			go func() {
				l, err := Listen(Socket{Path: path})
				outcomes <- outcome{l, err}
			}()
		}
		var won []*Listener
		for range cap(outcomes) {
			o := <-outcomes
			if o.err == nil {
				won = append(won, o.l)
			} else if !errors.Is(o.err, ErrSocketInUse) {
				t.Errorf("Listen() = %v, want nil or ErrSocketInUse", o.err)
			}
		}
		if len(won) != 1 {
			t.Errorf("%d daemons listen, want 1", len(won))
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("nobody answers: %v", err)
		}
		conn.Close()
		for _, l := range won {
			l.Close()
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestListenLockIsALink(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	if err := os.Symlink(path+".target", path+".lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Socket{Path: path}); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("Listen() = %v, want ELOOP", err)
	}
	if _, err := os.Lstat(path + ".target"); err == nil {
		t.Error("the link was followed")
	}
}

func TestCloseRemovesOnlyItsOwn(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	first := mustListen(t, Socket{Path: path})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := mustListen(t, Socket{Path: path})
	if err := first.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("second Close() = %v, want nil", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the second daemon's socket is gone with the first one's: %v", err)
	}
	conn.Close()
	if err := second.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close the socket file is still there (%v)", err)
	}
}
