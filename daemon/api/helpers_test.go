package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// verifierFunc is a Verifier that does what its test says.
type verifierFunc func(ctx context.Context, req verify.Request) (*verdict.Answer, error)

func (f verifierFunc) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	return f(ctx, req)
}

// echo answers every question at once, with the address that it was asked about.
func echo(_ context.Context, req verify.Request) (*verdict.Answer, error) {
	return &verdict.Answer{Email: req.Email, Reason: verdict.MailboxAccepted, Stage: "rcpt", CheckedAt: nine}, nil
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

// A served is a Server that listens on a real socket for the length of a test.
type served struct {
	*Server
	path   string
	client *http.Client
}

// serve starts a Server; adjust may change it before it listens.
func serve(t testing.TB, opts Options, adjust ...func(*Server)) *served {
	t.Helper()
	if opts.Verifier == nil {
		opts.Verifier = verifierFunc(echo)
	}
	s := &served{Server: New(opts), path: filepath.Join(shortDir(t), "s")}
	for _, f := range adjust {
		f(s.Server)
	}
	l, err := Listen(Socket{Path: s.path})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.path)
	}}
	s.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		if _, err := os.Lstat(s.path); err == nil {
			t.Errorf("the socket file is still there after Shutdown")
		}
	})
	return s
}

// A result is a reply that was read to its end.
type result struct {
	*http.Response
	body []byte
}

// do sends a request and reads the reply, which must be JSON with a length and a request id.
func (s *served) do(t testing.TB, req *http.Request) result {
	t.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	checkReply(t, resp, body, req.Method)
	readContract().hold(t, req, resp, body)
	return result{resp, body}
}

// checkReply holds a reply to what every reply promises.
func checkReply(t testing.TB, resp *http.Response, body []byte, method string) {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q, want application/json", got)
	}
	if resp.Header.Get("X-Request-Id") == "" {
		t.Error("X-Request-Id is missing")
	}
	if resp.ContentLength < 0 {
		t.Error("Content-Length is missing")
	}
	if method == http.MethodHead {
		if len(body) > 0 {
			t.Errorf("HEAD got a body of %d bytes", len(body))
		}
		return
	}
	if !json.Valid(body) {
		t.Errorf("the body is not JSON: %s", body)
	}
	if resp.StatusCode >= 400 && errorOf(t, body).Code == "" {
		t.Errorf("status %d without an error code: %s", resp.StatusCode, body)
	}
}

func (s *served) request(t testing.TB, method, target, body string) result {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://verimaild"+target, r)
	if err != nil {
		t.Fatal(err)
	}
	got := s.do(t, req)
	if got.StatusCode < 300 {
		readContract().holdRequest(t, req, body)
	}
	return got
}

// raw sends bytes that http.Client would not, and reads the one reply.
func (s *served) raw(t testing.TB, request string) result {
	t.Helper()
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return readReply(t, conn, request)
}

// dial connects to the socket, with a deadline for all that the test does there.
func (s *served) dial(t testing.TB) *net.UnixConn {
	t.Helper()
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.UnixConn)
}

func readReply(t testing.TB, conn net.Conn, request string) result {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reply to %.60q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return result{resp, bytes.Clone(body)}
}

func errorOf(t testing.TB, body []byte) apitype.Error {
	t.Helper()
	var e apitype.ErrorReply
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return e.Error
}

func answerOf(t testing.TB, r result) apitype.Answer {
	t.Helper()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("status = %d, want 200: %s", r.StatusCode, r.body)
	}
	var a apitype.Answer
	if err := json.Unmarshal(r.body, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// newAccounts is NewAccounts with options that can't be wrong.
func newAccounts(opts AccountsOptions) *Accounts {
	a, err := NewAccounts(opts)
	if err != nil {
		panic(err)
	}
	return a
}
