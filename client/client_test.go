package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/client/apitype"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A fake is a daemon that does as its handler says.
type fake struct {
	socket string
	conns  atomic.Int64 // How many connections were made.
}

// serve starts a fake on a socket of its own, or at the given path.
func serve(t testing.TB, path string, h http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{socket: path}
	if path == "" {
		f.socket = filepath.Join(shortDir(t), "s")
	}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			f.conns.Add(1)
		}
	}}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return f
}

// newClient is a Client that leaves nothing open.
func newClient(t testing.TB, socket string) *Client {
	t.Helper()
	c := &Client{Socket: socket}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", "r-1")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func TestVerify(t *testing.T) {
	asked := make(chan apitype.VerifyRequest, 1)
	f := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		var req apitype.VerifyRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v1/verify" || len(r.Header["Idempotency-Key"]) > 0 {
			t.Errorf("the daemon got %s %s with %v", r.Method, r.URL, r.Header)
		}
		asked <- req
		reply(w, 200, `{"email":"a+b@c.example","verdict":"risky","reason":"role_address","flags":{"role":true,"catch_all":null},"did_you_mean":null,"retry_at":null,"new_field":[1]}`)
	})
	c := newClient(t, f.socket)
	for _, tt := range []struct {
		name string
		opts []VerifyOptions
		want apitype.VerifyRequest
	}{
		{"plain", nil, apitype.VerifyRequest{Email: "a+b@c.example"}},
		{"an age", []VerifyOptions{{MaxAge: 24 * time.Hour}}, apitype.VerifyRequest{Email: "a+b@c.example", MaxAge: "24h0m0s"}},
		{"everything", []VerifyOptions{{Deadline: 90 * time.Second, Fresh: true, MaxAge: time.Hour, Depth: apitype.DepthDNS, Wait: true}}, apitype.VerifyRequest{
			Email: "a+b@c.example", Deadline: "1m30s", MaxAge: "0s", Depth: "dns", Wait: true,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := c.Verify(t.Context(), "a+b@c.example", tt.opts...)
			if err != nil {
				t.Fatal(err)
			}
			if got := <-asked; got != tt.want {
				t.Errorf("the daemon was asked %+v, want %+v", got, tt.want)
			}
			if a.Verdict != apitype.Risky || a.Flags.Role == nil || !*a.Flags.Role || a.Flags.CatchAll != nil || !a.RetryAt.IsZero() {
				t.Errorf("Verify() = %+v, want what the daemon said", a)
			}
		})
	}
}

func TestDeadlineOf(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name string
		left time.Duration // Of the context; 0 = it has no deadline.
		want string
	}{
		{"none", 0, ""},
		{"short", time.Second, "900ms"},
		{"some seconds", 10 * time.Second, "9.75s"},
		{"longer than the daemon's", time.Minute, ""},
		{"over", -time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if tt.left != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, now.Add(tt.left))
				defer cancel()
			}
			if got := deadlineOf(ctx, now); got != tt.want {
				t.Errorf("deadlineOf(%v left) = %q, want %q", tt.left, got, tt.want)
			}
		})
	}
}

func TestHealthReadyVersion(t *testing.T) {
	f := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			reply(w, 200, `{"status":"ok"}`)
		case "/readyz":
			reply(w, 503, `{"ready":false,"problems":[{"code":"egress_blocked","message":"egress.sender"}],"error":{"code":"not_ready","message":"x","retry_after_ms":null}}`)
		case "/v1/version":
			reply(w, 200, `{"version":"v1"}`)
		}
	})
	c := newClient(t, f.socket)
	if err := c.Health(t.Context()); err != nil {
		t.Errorf("Health() = %v, want nil", err)
	}
	r, err := c.Ready(t.Context())
	if err != nil || r.Ready || len(r.Problems) != 1 || r.Problems[0].Code != "egress_blocked" {
		t.Errorf("Ready() = %+v, %v, want not ready, egress_blocked", r, err)
	}
	v, err := c.Version(t.Context())
	if err != nil || v.Version != "v1" {
		t.Errorf("Version() = %+v, %v, want v1", v, err)
	}
	if n := f.conns.Load(); n != 1 {
		t.Errorf("three calls made %d connections, want 1", n)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   *Error // nil = an error of another kind.
	}{
		{"refusal", 400, `{"error":{"code":"missing_field","message":"No email.","retry_after_ms":null,"rule":null}}`, &Error{Code: "missing_field", Message: "No email.", Status: 400, RequestID: "r-1"}},
		{"refusal by a rule", 403, `{"error":{"code":"forbidden","message":"No.","retry_after_ms":null,"rule":"apps_only"}}`, &Error{Code: "forbidden", Message: "No.", Rule: "apps_only", Status: 403, RequestID: "r-1"}},
		{"somebody else's error", 404, "<html>", &Error{Message: "the reply with status 404 Not Found is none of verimaild's; is this its socket?", Status: 404, RequestID: "r-1"}},
		{"redirect", 302, "", &Error{Message: "the reply with status 302 Found is none of verimaild's; is this its socket?", Status: 302, RequestID: "r-1"}},
		{"not JSON", 200, "<html>", nil},
		{"too long", 200, strings.Repeat(" ", maxReply+1), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://elsewhere/")
				reply(w, tt.status, tt.body)
			})
			_, err := newClient(t, f.socket).Verify(t.Context(), "a@b")
			got, ok := errors.AsType[*Error](err)
			switch {
			case err == nil:
				t.Error("Verify() = nil, want an error")
			case tt.want == nil && ok:
				t.Errorf("Verify() = %+v, want no *Error", got)
			case tt.want != nil && (!ok || *got != *tt.want):
				t.Errorf("Verify() = %+v, want %+v", err, tt.want)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	const later = `{"error":{"code":"quota_exceeded","message":"x","retry_after_ms":20}}`
	const never = `{"error":{"code":"forbidden","message":"x","retry_after_ms":null}}`
	for _, tt := range []struct {
		name    string
		replies []string // One a request; the last is repeated. "" = success.
		status  int
		retries int
		timeout time.Duration
		asked   int64
		ok      bool
	}{
		{"429, then success", []string{later, later, ""}, 429, 0, time.Minute, 3, true},
		{"503, then success", []string{later, ""}, 503, 0, time.Minute, 2, true},
		{"503 without a time", []string{never, ""}, 503, 0, time.Minute, 1, false},
		{"403 with a time", []string{later, ""}, 403, 0, time.Minute, 1, false},
		{"as often as by default", []string{later}, 429, 0, time.Minute, 1 + defaultRetries, false},
		{"as often as asked for", []string{later}, 429, 2, time.Minute, 3, false},
		{"never", []string{later, ""}, 429, -1, time.Minute, 1, false},
		{"not past the context", []string{`{"error":{"code":"quota_exceeded","message":"x","retry_after_ms":3600000}}`}, 429, 0, time.Minute, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int64
			f := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
				n := int(asked.Add(1))
				if r := tt.replies[min(n, len(tt.replies))-1]; r != "" {
					reply(w, tt.status, r)
					return
				}
				reply(w, 200, `{"verdict":"unknown"}`)
			})
			c := newClient(t, f.socket)
			c.MaxRetries = tt.retries
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			_, err := c.Verify(ctx, "a@b")
			if (err == nil) != tt.ok || asked.Load() != tt.asked {
				t.Errorf("Verify() = %v after %d requests, want success %t after %d", err, asked.Load(), tt.ok, tt.asked)
			}
			if _, refused := errors.AsType[*Error](err); !tt.ok && !refused {
				t.Errorf("Verify() = %v, want the daemon's refusal", err)
			}
		})
	}
}

func TestNoDaemon(t *testing.T) {
	dir := shortDir(t)
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, tt := range []struct {
		name, socket string
		cause        error
		says         string
	}{
		{"no socket", filepath.Join(dir, "none"), fs.ErrNotExist, "systemctl start verimaild"},
		{"dead socket", stale, syscall.ECONNREFUSED, "is gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := newClient(t, tt.socket).Health(t.Context())
			if !errors.Is(err, ErrNoDaemon) || !errors.Is(err, tt.cause) {
				t.Fatalf("Health() = %v, want ErrNoDaemon because of %v", err, tt.cause)
			}
			if nd, ok := errors.AsType[*NoDaemonError](err); !ok || nd.Socket != tt.socket {
				t.Errorf("Health() = %+v, want it to name %s", nd, tt.socket)
			}
			if msg := err.Error(); !strings.Contains(msg, tt.socket) || !strings.Contains(msg, tt.says) {
				t.Errorf("the error is %q, want it to name %s and say %q", msg, tt.socket, tt.says)
			}
		})
	}
	denied := &NoDaemonError{Socket: "/s", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}}
	if !errors.Is(denied, fs.ErrPermission) || !strings.Contains(denied.Error(), "group verimaild") {
		t.Errorf("a forbidden socket: %v, want a hint at the group", denied)
	}
}

// TestDaemonRestart: a kept connection of a daemon that is gone must not fail the first question to the next one.
func TestDaemonRestart(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	answer := func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `{"verdict":"unknown"}`) }
	c := newClient(t, path)
	for range 3 {
		t.Run("daemon", func(t *testing.T) { // Ends with its daemon.
			serve(t, path, answer)
			if _, err := c.Verify(t.Context(), "a@b"); err != nil {
				t.Errorf("Verify() = %v, want nil", err)
			}
		})
	}
}

func TestContextEnds(t *testing.T) {
	entered, gone := make(chan struct{}), make(chan struct{})
	f := serve(t, "", func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		close(entered)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	if _, err := newClient(t, f.socket).Verify(ctx, "a@b"); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify() = %v, want context.Canceled", err)
	}
	<-gone
}

func TestConcurrent(t *testing.T) {
	f := serve(t, "", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `{"verdict":"unknown"}`) })
	c := newClient(t, f.socket)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if _, err := c.Verify(t.Context(), "a@b"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := f.conns.Load(); n > 32 {
		t.Errorf("320 questions of 16 goroutines made %d connections, want them reused", n)
	}
}

func TestDefaultSocket(t *testing.T) {
	if _, err := os.Stat(SystemSocket); err == nil {
		t.Skip("a daemon of this host is in the way")
	}
	dir := t.TempDir()
	touch := func(path string) string {
		full := filepath.Join(dir, path, "verimaild/verimaild.sock")
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return full
	}
	run, state, home := touch("run"), touch("state"), touch("home/.local/state")
	for _, tt := range []struct{ name, env, run, state, home, want string }{
		{"nothing there", "", "", "", dir, SystemSocket},
		{"the variable wins", "/x/y", dir + "/run", "", "", "/x/y"},
		{"run time directory", "", dir + "/run", dir + "/state", dir + "/home", run},
		{"relative paths are ignored", "", "run", dir + "/state", dir + "/home", state},
		{"state directory", "", dir + "/none", dir + "/state", dir + "/home", state},
		{"home directory", "", "", "", dir + "/home", home},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(SocketEnv, tt.env)
			t.Setenv("XDG_RUNTIME_DIR", tt.run)
			t.Setenv("XDG_STATE_HOME", tt.state)
			t.Setenv("HOME", tt.home)
			if got := DefaultSocket(); got != tt.want {
				t.Errorf("DefaultSocket() = %s, want %s", got, tt.want)
			}
		})
	}
}
