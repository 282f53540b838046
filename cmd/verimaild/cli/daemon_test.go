package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
	"github.com/verimails/verimaild/internal/mailworld"
)

// serveEnv makes TestServeProcess the program itself.
const serveEnv = "TEST_VERIMAILD_ARGS"

// TestServeProcess is the program, for tests that need it as a process of its own.
func TestServeProcess(t *testing.T) {
	args := os.Getenv(serveEnv)
	if args == "" {
		t.Skip("not started by another test")
	}
	os.Exit(Main(strings.Fields(args), os.Stdin, os.Stdout, os.Stderr))
}

// A site is a world, and the configuration of a daemon that lives in it.
type site struct {
	*mailworld.World
	dir    string
	killed bool // Its daemon was killed, so that sessions may have ended without QUIT.
}

// newSite makes a world with the host mx.example.test and the domain example.test, where all of names exist.
func newSite(t *testing.T, names []string, change ...func(*mailworld.Host)) *site {
	t.Helper()
	host := mailworld.Host{Name: "mx.example.test"}
	for _, f := range change {
		f(&host)
	}
	return siteIn(t, mailworld.Spec{
		Hosts:   []mailworld.Host{host},
		Domains: []mailworld.Domain{{Name: "example.test", MX: mailworld.MXs(host.Name), Mailboxes: names}},
	})
}

// siteIn makes a world as described.
func siteIn(t testing.TB, spec mailworld.Spec) *site {
	t.Helper()
	w, err := mailworld.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "vm") // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	s := &site{World: w, dir: dir}
	t.Cleanup(func() {
		if !s.killed {
			w.Check(t)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	text := fmt.Sprintf(`socket: {path: %[1]s/s}
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
  limits: {sessions: 4, refusals_per_session: 0, ramp: false,
           dial_interval: 0, sessions_per_hour: 0, refusals_per_hour: 0, controls_per_hour: 0,
           refusal_ratio: 0, probes_per_minute: 0}
`, dir, w.DNSAddr(), w.Port(), w.SourceAddr(0))
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) config() string { return filepath.Join(s.dir, "verimaild.yaml") }

func (s *site) socket() string { return filepath.Join(s.dir, "s") }

// start runs a daemon in this process. stop may be called once; the test's end does it otherwise.
func (s *site) start(t *testing.T, log *zap.Logger) (stop func()) {
	t.Helper()
	cfg, err := config.Load(s.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := daemon.New(daemon.Options{Config: cfg, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := d.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// spawn runs the daemon as a process, and returns when it is ready.
func (s *site) spawn(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeProcess$")
	cmd.Env = append(os.Environ(), serveEnv+"=serve --config "+s.config())
	errOut, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may be gone.
		_ = cmd.Wait()
	})
	ready := make(chan []string, 2) // Gets nil when it is, and at the end what was said.
	go func() {                     // Ends with the process.
		var seen []string
		for lines := bufio.NewScanner(errOut); lines.Scan(); {
			if seen = append(seen, lines.Text()); strings.Contains(lines.Text(), `"ready"`) {
				ready <- nil
			}
		}
		ready <- seen
	}()
	if said := <-ready; said != nil {
		t.Fatalf("the daemon did not start:\n%s", strings.Join(said, "\n"))
	}
	return cmd
}

// A commandResult is what came of a command.
type commandResult struct {
	code     int
	out, err string
}

// command runs a command against the site's daemon.
func (s *site) command(stdin string, args ...string) commandResult {
	var out, errOut strings.Builder
	code := Main(append(args, "--socket", s.socket()), strings.NewReader(stdin), &out, &errOut)
	return commandResult{code, out.String(), errOut.String()}
}

// must runs a command that has to succeed.
func (s *site) must(t *testing.T, args ...string) string {
	t.Helper()
	r := s.command("", args...)
	if r.code != exitOK {
		t.Fatalf("%v = exit code %d: %s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

// verify asks about an address.
func (s *site) verify(t *testing.T, email string) (a apitype.Answer) {
	t.Helper()
	r := s.command("", "verify", "--json", email)
	if err := json.Unmarshal([]byte(r.out), &a); err != nil {
		t.Fatalf("verify %s = %d %q %q: %v", email, r.code, r.out, r.err, err)
	}
	return a
}

// asked is how often the mail host was asked about an address.
func (s *site) asked(email string) int {
	n := 0
	for _, r := range s.Recipients("mx.example.test") {
		if strings.EqualFold(r, email) {
			n++
		}
	}
	return n
}

// until waits for a condition that somebody else brings about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// files are the contents of all files below a directory.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// names are n local parts that appear nowhere by chance.
func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("zaphod.beeblebrox%d", i)
	}
	return slices.Clip(out)
}
