package soak

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/internal/lab"
)

// A daemon is a verimaild in a process of its own.
type daemon struct {
	t       *testing.T
	dir     string // Its socket, configuration, state and log are in there.
	cmd     *exec.Cmd
	exited  <-chan error
	scrape  string // Where it serves metrics.
	config  string // Its configuration, but for what a reload changes.
	reloads int
}

const daemonConfig = `socket: {path: %[1]s/s}
state_dir: %[1]s/state
resolver: {servers: ["%[2]s"]}
metrics: {listen: "%[6]s"}
bulk: {window: 64}
cache: {entries: 2000}
egress:
  sender: probe@egress.test
  port: %[3]d
  preflight: "off"
  allow_networks: [127.0.0.0/8]
  sources:
    - {name: a, ipv4: %[4]s, ehlo: source0.egress.test}
    - {name: b, ipv4: %[5]s, ehlo: source1.egress.test, warmup: "1000, 100000"}
  dials_per_second: 0
  source_limits: {sessions: 0, dials_per_minute: 0}
  limits: {ramp: false, dial_interval: 0, sessions_per_hour: 0, refusals_per_hour: 100000, controls_per_hour: 100000,
           refusal_ratio: 0, probes_per_minute: 0, idle: 5s}
`

// startDaemon builds a daemon and runs it in the town, behind what else the machine does.
func startDaemon(t *testing.T, m *townMap) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "soak") // Not t.TempDir: the socket's path would grow too long.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "verimaild")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/verimails/verimaild/cmd/verimaild").CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/verimaild: %v\n%s", err, out)
	}
	d := &daemon{t: t, dir: dir, scrape: freePort(t)}
	d.config = fmt.Sprintf(daemonConfig, dir, m.DNS, m.Port, m.Sources[0], m.Sources[1], d.scrape)
	d.configure("info")
	d.cmd = exec.Command(bin, "serve", "--config", filepath.Join(dir, "verimaild.yaml"))
	d.exited = lab.Start(t, d.cmd, d.log())
	d.waitForReady()
	return d
}

// freePort is an address of the loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (d *daemon) configure(level string) {
	d.t.Helper()
	text := d.config + "log: {level: " + level + "}\n"
	if err := os.WriteFile(filepath.Join(d.dir, "verimaild.yaml"), []byte(text), 0o600); err != nil {
		d.t.Error(err)
	}
}

// reload changes the configuration and sends SIGHUP.
func (d *daemon) reload() {
	d.reloads++
	d.configure([]string{"info", "warn"}[d.reloads%2])
	d.signal(syscall.SIGHUP)
}

func (d *daemon) signal(s os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Errorf("%v: %v", s, err)
	}
}

func (d *daemon) client() *client.Client { return &client.Client{Socket: filepath.Join(d.dir, "s")} }

func (d *daemon) waitForReady() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	c := d.client()
	defer c.CloseIdleConnections()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ready, err := c.Ready(ctx)
		if err == nil && ready.Ready {
			return
		}
		select {
		case <-tick.C:
		case err := <-d.exited:
			d.t.Fatalf("the daemon ended: %v\n%s", err, d.logged())
		case <-ctx.Done():
			d.t.Fatalf("the daemon is not ready after 30 s: %+v, %v\n%s", ready, err, d.logged())
		}
	}
}

// stop ends the daemon with SIGTERM, and wants it to end well.
func (d *daemon) stop() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	select {
	case err := <-d.exited:
		if err != nil {
			d.t.Errorf("the daemon, after SIGTERM: %v, want exit status 0", err)
		}
	case <-time.After(30 * time.Second):
		d.t.Error("the daemon has not exited 30 s after SIGTERM")
	}
}

func (d *daemon) log() string { return filepath.Join(d.dir, "log") }

// logged is the end of the daemon's log.
func (d *daemon) logged() string { return lab.Tail(d.log()) }
