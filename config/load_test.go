package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// root is a host on which nothing is set.
var root = host{root: true}

// write makes a configuration file in a directory of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "verimaild.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustLoad loads text as root.
func mustLoad(t *testing.T, text string, environ ...string) *Config {
	t.Helper()
	c, err := load(write(t, text), host{root: true, environ: environ})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}

func TestLoadValues(t *testing.T) {
	c := mustLoad(t, `
socket: {path: run/v.sock, mode: "0600", group: mail}
state_dir: /srv/verimaild
resolver:
  servers: ["127.0.0.1:5353", "[::1]", 192.0.2.1, "2001:db8::1", unbound:53]
  timeout: 1500ms
egress:
  sender: probe@egress.example.net
  tls: required
  allow_networks: [127.0.0.0/8, "::1/128"]
  sources:
    - {name: a, ipv4: 192.0.2.10, ehlo: a.example.net}
    - {name: b, ipv6: "2001:db8::10", ehlo: "[IPv6:2001:db8::10]"}
  limits: {sessions: 0, idle: 0, session_age: 1h30m}
lists: {role: {add: [more.txt, /etc/roles.txt]}}
replies:
  - {name: quota, code: 552, enhanced: 5.2, words: [quota], class: mailbox_full, retry: 6h}
`)
	dir := filepath.Dir(c.File())
	hour := 90 * time.Minute
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"a path is relative to the file", c.Socket.Path, dir + "/run/v.sock"},
		{"mode", c.Socket.Mode, fs.FileMode(0o600)},
		{"group", c.Socket.Group, "mail"},
		{"an absolute path", c.StateDir, "/srv/verimaild"},
		{"servers with their ports", c.Resolver.HostPorts(), []string{"127.0.0.1:5353", "[::1]:53", "192.0.2.1:53", "[2001:db8::1]:53", "unbound:53"}},
		{"duration", c.Resolver.Timeout, 1500 * time.Millisecond},
		{"text", c.Egress.Sender, "probe@egress.example.net"},
		{"enum", c.Egress.TLS, TLSRequired},
		{"networks", c.Egress.AllowNetworks, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		{"sources", c.Egress.Sources, []Source{
			{Name: "a", IPv4: netip.MustParseAddr("192.0.2.10"), EHLO: "a.example.net"},
			{Name: "b", IPv6: netip.MustParseAddr("2001:db8::10"), EHLO: "[IPv6:2001:db8::10]"},
		}},
		{"a lifted limit", c.Egress.Limits.Sessions, new(0)},
		{"a lifted limit without unit", c.Egress.Limits.Idle, new(time.Duration(0))},
		{"a limit", c.Egress.Limits.SessionAge, &hour},
		{"a limit that is not set", c.Egress.Limits.RefusalsPerSession, new(3)},
		{"a list of paths", c.Lists.Role.Add, []string{dir + "/more.txt", "/etc/roles.txt"}},
		{"numbers for text", c.Replies[0].Code + " " + c.Replies[0].Enhanced, "552 5.2"},
		{"a default beside what is set", c.Egress.Port, 25},
		{"a default of a section that is not there", c.Cache.MailboxAccepted, Ages{Soft: 7 * 24 * time.Hour, Hard: 30 * 24 * time.Hour}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !reflect.DeepEqual(row.got, row.want) {
				t.Errorf("got %#v, want %#v", row.got, row.want)
			}
		})
	}
}

func TestLoadNothing(t *testing.T) {
	want := Default(true, nil)
	for _, row := range []struct{ name, text string }{
		{"an empty file", ""},
		{"only comments", "# socket:\n"},
		{"an empty document", "---\n"},
		{"no keys", "{}"},
		{"a byte order mark", "\ufeff# x\n"},
		{"lines that end in CRLF", "# x\r\nlog:\r\n  level: info\r\n"},
		{"sections without keys", "socket:\negress:\n  limits:\n"},
		{"lists without items", "egress:\n  sources:\n  allow_networks:\nreplies:\n"},
		{"empty lists", "egress: {sources: [], allow_networks: []}\nreplies: []\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := mustLoad(t, row.text)
			got.origin = origin{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("load(%q) = %+v, want the defaults %+v", row.text, got, want)
			}
		})
	}
}

// TestFaults holds the messages for whole files: that each fault is there, with its place.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %v, %v", files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := load(path, root)
			if _, ok := errors.AsType[Faults](err); !ok {
				t.Fatalf("load(%s) = %v, want Faults", path, err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", []byte(err.Error()+"\n"))
		})
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	plain := write(t, "{}")
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	big := write(t, "")
	if err := os.Truncate(big, 100<<20); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, path, want string
		is               error
	}{
		{"missing", filepath.Join(dir, "none.yaml"), "none.yaml: cannot be read: no such file or directory", fs.ErrNotExist},
		{"a directory", dir, dir + ": is a directory; the path of the file is needed", nil},
		{"below a file", filepath.Join(plain, "x"), "cannot be read: not a directory", nil},
		{"a loop of links", loop, "cannot be read: too many levels of symbolic links", nil},
		{"100 MB", big, "is larger than 1024 KiB, the most that is read", nil},
		{"without end", "/dev/zero", "is larger than 1024 KiB, the most that is read", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := load(row.path, root)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("load = %v, want %q", err, row.want)
			}
			if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("load = %v, want one that is %v", err, row.is)
			}
		})
	}
}

func TestForbiddenFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	path := write(t, "{}")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := load(path, root); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("load = %v, want one that is %v", err, fs.ErrPermission)
	}
}

func TestNotText(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"Latin-1", "log:\n  level: caf\xe9\n", ":2:13: is not UTF-8 text: byte 0xe9"},
		{"UTF-16", "\xff\xfel\x00o\x00g\x00", ":1:1: is not UTF-8 text: byte 0xff"},
		{"a zero byte", "log: {}\n\x00", ":2:1: is not text: control character U+0000"},
		{"an escape", "log: \x1b[31m", ":1:6: is not text: control character U+001B"},
		{"a bare carriage return", "log: {}\rsocket: {}\n", ":1:8: is not text: U+000D ends no line here; write a line feed"},
		{"a line separator in a comment", "# x\u2028log: 1\n", ":1:4: is not text: U+2028 ends no line here; write a line feed"},
		{"an unknown anchor", "log: *x\n", ":1: is not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown version", "%YAML 9.9\n---\nlog: {}", ":1: is not valid YAML between here and line 3: found incompatible YAML document"},
		{"a fault in a second document", "log: {}\n---\nlog: [", ":3: is not valid YAML: did not find expected node content"},
		{"a key of two lines", "\"a\\nb\": 1\n", ":1:1: \"a\\nb\": unknown key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := write(t, row.text)
			_, err := load(path, root)
			if err == nil || err.Error() != path+row.want {
				t.Errorf("load(%q) = %v, want %q", row.text, err, path+row.want)
			}
		})
	}
}

// TestHostile holds loading to a bounded time and size for files made to hurt.
func TestHostile(t *testing.T) {
	for _, row := range []struct{ name, text string }{
		{"deep", strings.Repeat("[", 9000)},
		{"deep and closed", "log: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)},
		{"aliases of aliases", "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nnever_probe: [*c,*c,*c,*c]\n"},
		{"many unknown keys", manyKeys(50000)},
		{"a long key", strings.Repeat("x", 1<<19) + ": 1\n"},
		{"a long value", "log: {level: " + strings.Repeat("x", 1<<19) + "}\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := load(write(t, row.text), root)
			faults, ok := errors.AsType[Faults](err)
			if !ok || len(faults) > maxFaults {
				t.Fatalf("load = %d faults of %v, want some, at most %d", len(faults), reflect.TypeOf(err), maxFaults)
			}
			for _, f := range faults {
				if n := len(f.Error()); n > 1000 {
					t.Errorf("a message of %d bytes: %.200s", n, f.Error())
				}
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("sokcet")
		b.WriteString(strings.Repeat("x", i%9))
		b.WriteByte(byte('a' + i%26))
		b.WriteString(time.Duration(i).String())
		b.WriteString(": 1\n")
	}
	return b.String()
}

func TestIsSet(t *testing.T) {
	c := mustLoad(t, "socket: {group: verimaild}\nresolver:\negress: {sources: [{name: a, ipv4: 192.0.2.1}]}\nlog: {level: debug}\n",
		"VERIMAILD_EGRESS_PORT=2525")
	var set []string
	for _, k := range []string{
		"socket", "socket.group", "socket.mode", "resolver", "egress.port", "egress.sources", "egress.sources[0].name",
		"egress.sources[0].ehlo", "egress.sources[1]", "log.level", "lo", "nothing",
	} {
		if c.IsSet(k) {
			set = append(set, k)
		}
	}
	want := []string{"socket", "socket.group", "egress.port", "egress.sources", "egress.sources[0].name", "log.level"}
	if !slices.Equal(set, want) {
		t.Errorf("IsSet is true for %q, want for %q", set, want)
	}
}

// TestConfigFault holds the places of faults that others find.
func TestConfigFault(t *testing.T) {
	c := mustLoad(t, "egress:\n  sources:\n    - name: a\n      ipv4: 192.0.2.1\n", "VERIMAILD_LOG_LEVEL=debug")
	for _, row := range []struct{ key, want string }{
		{"egress.sources[0].ipv4", c.File() + ":4:13: egress.sources[0].ipv4: wrong"},
		{"egress.sources[0].ehlo", c.File() + ":3:7: egress.sources[0].ehlo: wrong"},
		{"egress.sender", c.File() + ":2:3: egress.sender: wrong"},
		{"socket.group", c.File() + ":1:1: socket.group: wrong"},
		{"log.level", "environment VERIMAILD_LOG_LEVEL: log.level: wrong"},
	} {
		t.Run(row.key, func(t *testing.T) {
			if got := c.Fault(row.key, "wrong").Error(); got != row.want {
				t.Errorf("Fault(%q) = %q, want %q", row.key, got, row.want)
			}
		})
	}
	if got := Default(true, nil).Fault("egress.sender", "wrong").Error(); got != "egress.sender: wrong" {
		t.Errorf("without a file: Fault = %q", got)
	}
}

// TestLoadWith: the faults that others find are reported with one's own, but for keys that have a fault already.
func TestLoadWith(t *testing.T) {
	path := write(t, "egress: {sender: ada, port: 0}\nnever_probe: [a b]\n")
	_, err := LoadWith(path, []string{"HOME=/root"}, func(c *Config) error {
		return Faults{c.Fault("egress.sender", "said twice"), c.Fault("socket.group", "no such group")}.Err()
	})
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("LoadWith() = %v, want Faults", err)
	}
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	slices.Sort(keys)
	if want := []string{"egress.port", "egress.sender", "never_probe[0]", "socket.group"}; !slices.Equal(keys, want) {
		t.Errorf("LoadWith() finds faults of %q, want %q", keys, want)
	}
}
