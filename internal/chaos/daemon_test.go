package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/cmd/verimaild/cli"
)

// serveEnv makes this test binary the daemon, with the configuration file that it names.
const serveEnv = "CHAOS_SERVE"

func TestMain(m *testing.M) {
	if config := os.Getenv(serveEnv); config != "" {
		os.Exit(serve(config))
	}
	goleak.VerifyTestMain(m)
}

// leaked is the exit code of a daemon that ended well and left goroutines behind.
const leaked = 70

// serve is the program. On its standard input it is asked to measure itself; when that ends, so does the process.
func serve(config string) int {
	go measureOnRequest()
	before := goleak.IgnoreCurrent()
	code := cli.Main([]string{"serve", "--config", config}, nil, io.Discard, os.Stderr)
	if code != 0 {
		return code
	}
	if err := goleak.Find(before, goleak.IgnoreTopFunction("os/signal.loop")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return leaked
	}
	return 0
}

// A measure is what a process holds.
type measure struct {
	Goroutines, Descriptors int
	Heap                    int64 // Bytes in use after a collection.
}

// measureOnRequest writes a measure for each line of standard input.
func measureOnRequest() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		m := measure{Goroutines: runtime.NumGoroutine(), Heap: int64(mem.HeapAlloc)}
		if list, err := os.ReadDir("/proc/self/fd"); err == nil {
			m.Descriptors = len(list)
		}
		if json.NewEncoder(os.Stdout).Encode(m) != nil {
			break
		}
	}
	os.Exit(3) // Whoever started it has gone.
}

// configuration is the daemon's: four sources in two networks, budgets that are large but at some sites, and a memory of
// the DNS that is short, so that it is asked much.
const configuration = `socket: {path: %[1]s/s}
state_dir: %[1]s/state
resolver: {servers: ["%[2]s"], timeout: 400ms}
drain_timeout: 3s
log: {level: warn}
cache:
  mail_hosts: {min: 1s, max: 1s, hard: 2s, negative: 1s, failure: 1s}
policy: {dead_names: 0}
bulk: {window: 256, patience: 1s}
egress:
  sender: probe@source0.egress.test
  port: %[3]d
  allow_networks: [127.0.0.0/8]
  preflight: "off"
  sources:
    - {name: a, ipv4: %[4]v, ehlo: source0.egress.test}
    - {name: b, ipv4: %[5]v, ehlo: source1.egress.test}
    - {name: c, ipv4: %[6]v, ehlo: source0.egress.test}
    - {name: d, ipv4: %[7]v, ehlo: source1.egress.test}
  dials_per_second: 0
  source_limits: {sessions: 0, dials_per_minute: 0}
  limits: {ramp: false, sessions: %[8]d, recipients_per_transaction: %[9]d, transactions_per_session: %[10]d, refusals_per_session: %[11]d,
           dial_interval: 0, sessions_per_hour: 0, refusals_per_hour: 0, controls_per_hour: 0, refusal_ratio: 0, probes_per_minute: 0,
           idle: 1s, session_age: 20s}
  sites:
    - {match: {mx: "*.tight.test"}, limits: {sessions: 1, refusals_per_hour: %[12]d, controls_per_hour: %[13]d}}
`

// The limits of the configuration that the servers hold the daemon to.
const (
	sessionsAtOnce, recipientsEach, transactionsEach, refusalsEach = 2, 3, 8, 3
	tightRefusals, tightControls                                   = 8, 4
)

// A process is a daemon.
type process struct {
	dir    string
	client *client.Client

	mu     sync.Mutex // Guards what follows.
	cmd    *exec.Cmd
	ended  chan error // Gets the end of cmd.
	ask    io.WriteCloser
	answer *bufio.Reader
	down   time.Time // Since when it may not answer; zero if it should.
	downs  []outage
	stderr bytes.Buffer // Of all its lives.
}

// An outage is a time in which calls may fail.
type outage struct{ from, to time.Time }

// newProcess writes the configuration of a daemon in w, and starts it.
func newProcess(ctx context.Context, t *testing.T, w *world) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "vm") // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	d := &process{dir: dir, client: &client.Client{Socket: filepath.Join(dir, "s"), MaxRetries: -1}}
	t.Cleanup(func() {
		d.client.CloseIdleConnections()
		if d.cmd != nil {
			d.kill()
		}
		if t.Failed() {
			t.Logf("what the daemon said at last:\n%s", tail(d.said(), 8000))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	text := fmt.Sprintf(configuration, dir, w.DNSAddr(), w.Port(),
		w.SourceAddr(0), w.SourceAddr(1), w.SourceAddrIn(1, 0), w.SourceAddrIn(1, 1),
		sessionsAtOnce, recipientsEach, transactionsEach, refusalsEach, tightRefusals, tightControls)
	if err := os.WriteFile(d.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.start(ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *process) config() string { return filepath.Join(d.dir, "verimaild.yaml") }

// Write takes what the daemon says on standard error.
func (d *process) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stderr.Write(p)
}

// said is what the daemon has said on standard error.
func (d *process) said() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.stderr.Bytes())
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// start begins a life of the daemon, and returns when it answers.
func (d *process) start(ctx context.Context) error {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+d.config())
	cmd.Stderr = d
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.mu.Lock()
	d.cmd, d.ask, d.answer, d.ended = cmd, in, bufio.NewReader(out), make(chan error, 1)
	d.mu.Unlock()
	go func() { d.ended <- cmd.Wait() }() // Whoever ends it takes that.
	for d.client.Health(ctx) != nil {
		select {
		case err := <-d.ended:
			d.cmd = nil
			return fmt.Errorf("the daemon ended at its start: %w", err)
		default:
		}
		if !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("the daemon does not answer: %w", ctx.Err())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.down.IsZero() {
		d.downs, d.down = append(d.downs, outage{d.down, time.Now()}), time.Time{}
	}
	return nil
}

// kill ends the daemon as kill -9 does.
func (d *process) kill() {
	d.mu.Lock()
	d.down = time.Now()
	d.mu.Unlock()
	_ = d.cmd.Process.Kill() // It may have ended by itself.
	<-d.ended
	d.cmd = nil
}

// wasDown reports whether the daemon was away at some time since.
func (d *process) wasDown(since time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.down.IsZero() {
		return true
	}
	for _, o := range d.downs {
		if o.to.After(since) {
			return true
		}
	}
	return false
}

// measure asks the daemon what it holds.
func (d *process) measure() (m measure, err error) {
	if _, err := io.WriteString(d.ask, "\n"); err != nil {
		return m, err
	}
	line, err := d.answer.ReadBytes('\n')
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(line, &m)
}

// dumpStacks makes the daemon say where all its goroutines are, and ends it.
func (d *process) dumpStacks() {
	d.mu.Lock()
	cmd := d.cmd
	d.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // It may be gone.
	}
}

// stop ends the daemon in good order.
func (d *process) stop(ctx context.Context) error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, d.dumpStacks)
	defer stop()
	err := <-d.ended
	d.cmd = nil
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == leaked {
		return errors.New("the daemon left goroutines behind")
	}
	return err
}
