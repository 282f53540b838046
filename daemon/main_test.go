package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
)

// childEnv makes this test binary serve the configuration file it names, as a second daemon on this host.
const childEnv = "VERIMAILD_TEST_SERVE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

// child serves until standard input ends.
func child(path string) int {
	cfg, err := config.Load(path, nil)
	if err == nil {
		var d *Daemon
		if d, err = New(Options{Config: cfg, Logger: zap.NewNop()}); err == nil {
			if err = d.Start(context.Background()); err == nil {
				fmt.Println("ready")
				_, _ = io.Copy(io.Discard, os.Stdin)
				err = d.Stop(context.Background())
			}
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// startWorld runs a world for the length of a test, and holds the daemon to its manners.
func startWorld(t *testing.T, spec mailworld.Spec) *mailworld.World {
	t.Helper()
	w, err := mailworld.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Check(t)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// smallWorld has one host and one domain, example.test, where ada is.
func smallWorld(t *testing.T, change ...func(*mailworld.Host)) *mailworld.World {
	t.Helper()
	host := mailworld.Host{Name: "mx.example.test"}
	for _, f := range change {
		f(&host)
	}
	return startWorld(t, mailworld.Spec{
		Hosts:   []mailworld.Host{host},
		Domains: []mailworld.Domain{{Name: "example.test", MX: mailworld.MXs(host.Name), Mailboxes: []string{"ada"}}},
	})
}

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// configText is the configuration of a daemon in dir that lives in w.
func configText(dir string, w *mailworld.World) string {
	return fmt.Sprintf(`socket: {path: %[1]s/s}
state_dir: %[1]s/state
resolver: {servers: ["%[2]s"], timeout: 500ms}
drain_timeout: 5s
egress:
  sender: probe@source0.egress.test
  port: %[3]d
  allow_networks: [127.0.0.0/8]
  sources: [{name: a, ipv4: %[4]v, ehlo: source0.egress.test}]
  dials_per_second: 0
  source_limits: {sessions: 0, dials_per_minute: 0}
  limits: {ramp: false, dial_interval: 0, sessions_per_hour: 0, refusals_per_hour: 0, controls_per_hour: 0,
           refusal_ratio: 0, probes_per_minute: 0}
`, dir, w.DNSAddr(), w.Port(), w.SourceAddr(0))
}

// load reads a configuration from text, as from a file in dir.
func load(t testing.TB, dir, text string) *config.Config {
	t.Helper()
	path := filepath.Join(dir, "verimaild.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A running daemon, and its client.
type running struct {
	*Daemon
	client *client.Client
	log    *observer.ObservedLogs
}

// start runs a daemon in w for the length of a test; change may alter its configuration.
func start(t *testing.T, w *mailworld.World, change ...func(*config.Config)) *running {
	t.Helper()
	dir := shortDir(t)
	cfg := load(t, dir, configText(dir, w))
	for _, f := range change {
		f(cfg)
	}
	return startWith(t, Options{Config: cfg})
}

// startWith runs a daemon for the length of a test.
func startWith(t *testing.T, opts Options) *running {
	t.Helper()
	core, log := observer.New(zap.DebugLevel)
	opts.Logger = zap.New(core)
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &running{Daemon: d, client: &client.Client{Socket: d.Socket(), MaxRetries: -1}, log: log}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		r.client.CloseIdleConnections()
	})
	return r
}

// ask asks about one address, and fails the test if there is no answer.
func (r *running) ask(t *testing.T, email string) apitype.Answer {
	t.Helper()
	return r.askFor(t, email, client.VerifyOptions{})
}

func (r *running) askFor(t *testing.T, email string, opts client.VerifyOptions) apitype.Answer {
	t.Helper()
	a, err := r.client.Verify(t.Context(), email, opts)
	if err != nil {
		t.Fatalf("Verify(%q): %v", email, err)
	}
	return a
}

// wantReason asks about one address, and fails the test if the answer has another reason.
func (r *running) wantReason(t *testing.T, email, want string) apitype.Answer {
	t.Helper()
	a := r.ask(t, email)
	if a.Reason != want {
		t.Errorf("Verify(%q).Reason = %s (%s), want %s", email, a.Reason, a.Explanation, want)
	}
	return a
}

// ready asks GET /readyz.
func (r *running) isReady(t *testing.T) apitype.Ready {
	t.Helper()
	got, err := r.client.Ready(t.Context())
	if err != nil {
		t.Fatalf("Ready(): %v", err)
	}
	return got
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// openFiles is how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("descriptors cannot be counted here: %v", err)
	}
	return len(list)
}

// trap listens at an address that must never be dialled, and fails the test if it is.
func trap(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("%s was dialled, from %v", address, c.RemoteAddr())
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}
