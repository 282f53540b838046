//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/lab"
)

// buildDaemon builds verimaild once for all tests, into the directory that TestMain removes. INTEROP_DAEMON names a
// binary to ask instead, such as that of a release.
var buildDaemon = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("INTEROP_DAEMON"); path != "" {
		return path, nil
	}
	path := filepath.Join(os.Getenv(binEnv), "verimaild")
	out, err := exec.Command("go", "build", "-o", path, "github.com/verimails/verimaild/cmd/verimaild").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build ./cmd/verimaild: %w\n%s", err, out)
	}
	return path, nil
})

// patience is how long a test waits for what should come at once. A machine with little time for us makes it long.
const patience = 90 * time.Second

// binEnv is where TestMain says which directory is for binaries.
const binEnv = "INTEROP_BIN"

// A daemon is a running verimaild, reached only over its socket.
type daemon struct {
	cmd    *exec.Cmd
	exited <-chan error
	log    string // The file of its log.
	http   *http.Client
}

// daemonConfig is the configuration of every daemon here: all at the defaults but for where it asks, and how fast.
// %[6]s is more.
const daemonConfig = `socket: {path: %[1]s/socket}
state_dir: %[1]s/state
resolver: {servers: ["%[2]s"]}
log: {level: info, addresses: true}
egress:
  sender: probe@egress.test
  port: %[3]s
  allow_networks: [127.0.0.0/8]
  sources:
    - {name: a, ipv4: %[4]s, ehlo: %[5]s}
  dials_per_second: 0
  source_limits: {sessions: 0, dials_per_minute: 0}
%[6]s`

// limits is the section of limits, in which nothing limits the pace: these tests are about what servers say, and would
// take hours. more are the keys that a test is about.
func limits(more string) string {
	return "  limits: {ramp: false, dial_interval: 0, sessions_per_hour: 0, refusals_per_hour: 0, controls_per_hour: 0, " +
		"refusal_ratio: 0, probes_per_minute: 0, " + more + "}\n"
}

// startDaemon runs verimaild in the network and waits until it is ready. more are more lines of the configuration, in
// the section egress. The caller stops it; if it does not, the end of the test does.
func startDaemon(t testing.TB, n *network, more string) *daemon {
	t.Helper()
	bin, err := buildDaemon()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "interop") // Not t.TempDir: the socket's path would grow too long.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "verimaild.yaml")
	if !strings.Contains(more, "limits:") {
		more += limits("")
	}
	text := fmt.Sprintf(daemonConfig, dir, n.resolver, n.port(), n.source(), sourceName, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{
		cmd: exec.Command(bin, "serve", "--config", config),
		log: filepath.Join(dir, "log"),
		http: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "socket"))
			},
			MaxIdleConnsPerHost: 64,
		}},
	}
	d.exited = lab.Start(t, d.cmd, d.log)
	t.Cleanup(d.http.CloseIdleConnections)
	d.waitForReady(t)
	return d
}

// waitForReady returns once /readyz says so.
func (d *daemon) waitForReady(t testing.TB) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		resp, err := d.http.Get("http://verimaild/readyz")
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // So that the connection is used again.
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case err := <-d.exited:
			t.Fatalf("verimaild serve ended: %v\n%s", err, d.logged())
		case <-timeout:
			t.Fatalf("verimaild serve is not ready after %v: %v", patience, err)
		}
	}
}

// stop sends SIGTERM, and returns once the daemon has ended its sessions and exited with 0.
func (d *daemon) stop(t testing.TB) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.exited:
		if err != nil {
			t.Errorf("verimaild serve, after SIGTERM: %v, want exit status 0", err)
		}
	case <-time.After(patience):
		t.Errorf("verimaild serve has not exited %v after SIGTERM", patience)
	}
}

func (d *daemon) logged() string {
	b, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// get asks by GET /v1/verify?email=. The address is escaped but for a plus, which stays a plus.
func (d *daemon) get(ctx context.Context, email string) (apitype.Answer, error) {
	query := bytes.ReplaceAll([]byte(url.QueryEscape(email)), []byte("%2B"), []byte("+"))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://verimaild/v1/verify?deadline="+askTimeout.String()+"&email="+string(query), nil)
	if err != nil {
		return apitype.Answer{}, err
	}
	return d.ask(req)
}

// post asks by POST /v1/verify.
func (d *daemon) post(ctx context.Context, r apitype.VerifyRequest) (apitype.Answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return apitype.Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://verimaild/v1/verify", bytes.NewReader(body))
	if err != nil {
		return apitype.Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	return d.ask(req)
}

func (d *daemon) ask(req *http.Request) (apitype.Answer, error) {
	resp, err := d.http.Do(req)
	if err != nil {
		return apitype.Answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return apitype.Answer{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return apitype.Answer{}, fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, resp.Status, body)
	}
	var a apitype.Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return apitype.Answer{}, fmt.Errorf("%s %s: %w: %s", req.Method, req.URL, err, body)
	}
	return a, nil
}
