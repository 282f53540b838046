package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDefaultPaths(t *testing.T) {
	for _, row := range []struct {
		name          string
		root          bool
		environ       []string
		socket, state string
	}{
		{"root", true, []string{"HOME=/root", "XDG_RUNTIME_DIR=/run/user/0"}, "/run/verimaild/verimaild.sock", "/var/lib/verimaild"},
		{
			"a user with all variables", false,
			[]string{"HOME=/home/ada", "XDG_RUNTIME_DIR=/run/user/1000", "XDG_STATE_HOME=/home/ada/state"},
			"/run/user/1000/verimaild/verimaild.sock", "/home/ada/state/verimaild",
		},
		{
			"a user with a home", false,
			[]string{"HOME=/home/ada"},
			"/home/ada/.local/state/verimaild/verimaild.sock", "/home/ada/.local/state/verimaild",
		},
		{
			"relative variables are ignored", false,
			[]string{"HOME=/home/ada", "XDG_RUNTIME_DIR=run", "XDG_STATE_HOME=state"},
			"/home/ada/.local/state/verimaild/verimaild.sock", "/home/ada/.local/state/verimaild",
		},
		{"a user without anything", false, nil, "", ""},
		{
			"a user in a systemd unit", false,
			[]string{"HOME=/var/lib/v", "RUNTIME_DIRECTORY=/run/v", "STATE_DIRECTORY=/var/lib/v:/var/lib/w"},
			"/run/v/verimaild.sock", "/var/lib/v",
		},
		{
			"root in a systemd unit", true,
			[]string{"RUNTIME_DIRECTORY=/run/v", "STATE_DIRECTORY=/var/lib/v"},
			"/run/v/verimaild.sock", "/var/lib/v",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := Default(row.root, row.environ)
			if c.Socket.Path != row.socket || c.StateDir != row.state {
				t.Errorf("Default = socket %q, state %q, want %q, %q", c.Socket.Path, c.StateDir, row.socket, row.state)
			}
		})
	}
}

func TestNoPlaceForState(t *testing.T) {
	want := "socket.path: must not be empty; where neither XDG_RUNTIME_DIR nor HOME is set, there is no default\n" +
		"state_dir: must not be empty; where neither XDG_STATE_HOME nor HOME is set, there is no default"
	if _, err := load("", host{}); err == nil || err.Error() != want {
		t.Errorf("load = %v, want %q", err, want)
	}
	c, err := load("", host{environ: []string{"VERIMAILD_SOCKET_PATH=/tmp/v.sock", "VERIMAILD_STATE_DIR=/tmp/v"}})
	if err != nil || c.StateDir != "/tmp/v" {
		t.Errorf("load with both set = %v, %v", c, err)
	}
}

// TestWhichFile holds the order in which files are looked for.
func TestWhichFile(t *testing.T) {
	named, system := write(t, "{}"), write(t, "{}")
	home := t.TempDir()
	xdg := filepath.Join(home, "verimaild", "verimaild.yaml")
	if err := os.Mkdir(filepath.Dir(xdg), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(xdg, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(home, "none.yaml")
	configHome := "XDG_CONFIG_HOME=" + home
	for _, row := range []struct {
		name, path string
		host       host
		want       string
	}{
		{"the one that is named", named, host{system: system, environ: []string{configHome, "VERIMAILD_CONFIG=" + none}}, named},
		{"the one in the variable", "", host{system: system, environ: []string{configHome, "VERIMAILD_CONFIG=" + named}}, named},
		{"the system's", "", host{system: system, environ: []string{configHome}}, system},
		{"the user's", "", host{system: none, environ: []string{configHome}}, xdg},
		{"none", "", host{system: none, environ: []string{"HOME=" + home}}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.host.root = true
			c, err := load(row.path, row.host)
			if err != nil || c.File() != row.want {
				t.Errorf("load = file %q, %v, want %q", c.File(), err, row.want)
			}
		})
	}
	t.Run("the one in the variable must exist", func(t *testing.T) {
		if c, err := load("", host{root: true, environ: []string{"VERIMAILD_CONFIG=" + none}}); err == nil {
			t.Errorf("load = %v, want an error", c)
		}
	})
	t.Run("one that is there must be readable", func(t *testing.T) {
		if c, err := load("", host{root: true, system: home}); err == nil {
			t.Errorf("load of a directory = %v, want an error", c)
		}
	})
}
