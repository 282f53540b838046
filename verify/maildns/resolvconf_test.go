package maildns

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseResolvConf(t *testing.T) {
	tests := []struct {
		name, text string
		want       hostConf
	}{
		{"empty", "", hostConf{}},
		{
			"usual", "# by hand\nsearch example.com\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n",
			hostConf{servers: []string{"192.0.2.53", "2001:db8::53"}},
		},
		{"zone", "nameserver fe80::1%eth0", hostConf{servers: []string{"fe80::1%eth0"}}},
		{
			"at most three", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
			hostConf{servers: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
		},
		{
			"no addresses", "nameserver\nnameserver dns.example\n; nameserver 192.0.2.1\nnameserver 192.0.2.2 # why\n",
			hostConf{servers: []string{"192.0.2.2"}},
		},
		{
			"options", "options timeout:7 attempts:4 ndots:2 rotate edns0 use-vc\r\nnameserver 192.0.2.1\r\n",
			hostConf{servers: []string{"192.0.2.1"}, timeout: 7 * time.Second, attempts: 4, tcp: true},
		},
		{"bounds", "options timeout:99 attempts:99", hostConf{timeout: 30 * time.Second, attempts: 5}},
		{"nonsense", "options timeout:0 attempts:-1 timeout: attempts:x\noptions", hostConf{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseResolvConf(strings.NewReader(tt.text))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("parseResolvConf = %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestResolvConfWithoutServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if _, err := New(Options{ResolvConf: path}); !errors.Is(err, ErrNoServers) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: New = %v, want ErrNoServers and os.ErrNotExist", err)
	}
	writeConf(t, path, "search example.com\n")
	if _, err := New(Options{ResolvConf: path}); !errors.Is(err, ErrNoServers) || !strings.Contains(err.Error(), path) {
		t.Errorf("no nameserver: New = %v, want ErrNoServers that names the file", err)
	}
	writeConf(t, path, "nameserver 192.0.2.1"+strings.Repeat(" ", 1<<20))
	if _, err := New(Options{ResolvConf: path}); !errors.Is(err, ErrNoServers) {
		t.Errorf("endless line: New = %v, want ErrNoServers", err)
	}
}

func TestOptionsOutweighResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	writeConf(t, path, "nameserver 192.0.2.1\nnameserver 192.0.2.1\noptions timeout:7 attempts:4\n")
	tests := []struct {
		name     string
		opts     Options
		servers  int
		timeout  time.Duration
		attempts int
	}{
		{"the file's", Options{ResolvConf: path}, 1, 7 * time.Second, 4},
		{"ours", Options{ResolvConf: path, Timeout: time.Second, Attempts: 1}, 1, time.Second, 1},
		{"the file is not read", Options{ResolvConf: path, Servers: []string{"192.0.2.1", "192.0.2.2"}}, 2, 3 * time.Second, 2},
	}
	for _, tt := range tests {
		set, err := newSettings(tt.opts)
		if err != nil {
			t.Fatal(err)
		}
		if len(set.servers) != tt.servers || set.timeout != tt.timeout || set.attempts != tt.attempts {
			t.Errorf("%s: %d servers, timeout %s, attempts %d; want %d, %s, %d",
				tt.name, len(set.servers), set.timeout, set.attempts, tt.servers, tt.timeout, tt.attempts)
		}
	}
}

func TestResolvConfIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	writeConf(t, path, "nameserver 192.0.2.1\n")
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var dialled string
		r, err := New(Options{ResolvConf: path, Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = addr
			return nil, net.ErrClosed
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		steps := []struct {
			name string
			wait time.Duration
			text string // "" leaves the file alone, "-" removes it.
			want string
		}{
			{"at first", 0, "", "192.0.2.1:53"},
			{"changed, too soon to look", time.Second, "nameserver 192.0.2.22\n", "192.0.2.1:53"},
			{"looked at", 5 * time.Second, "", "192.0.2.22:53"},
			{"unchanged", 6 * time.Second, "", "192.0.2.22:53"},
			{"emptied", 6 * time.Second, "#\n", "192.0.2.22:53"},
			{"gone", 6 * time.Second, "-", "192.0.2.22:53"},
			{"back", 6 * time.Second, "nameserver 192.0.2.3\n", "192.0.2.3:53"},
		}
		for _, s := range steps {
			time.Sleep(s.wait)
			switch s.text {
			case "":
			case "-":
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			default:
				writeConf(t, path, s.text)
			}
			if _, err := r.LookupTXT(t.Context(), "example"); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			if dialled != s.want {
				t.Errorf("%s: asked %s, want %s", s.name, dialled, s.want)
			}
			mu.Unlock()
		}
	})
}

func writeConf(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
