package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A blocker is a Verifier that holds each question until it is released or its context ends.
type blocker struct {
	entered chan struct{}
	release chan struct{}
	ended   chan error // Why a context ended.
}

func newBlocker() *blocker {
	return &blocker{entered: make(chan struct{}, 16), release: make(chan struct{}), ended: make(chan error, 16)}
}

func (b *blocker) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	b.entered <- struct{}{}
	select {
	case <-b.release:
		return echo(ctx, req)
	case <-ctx.Done():
		b.ended <- ctx.Err()
		return nil, ctx.Err()
	}
}

const askRaw = "GET /v1/verify?email=a@b.example HTTP/1.1\r\nHost: x\r\n\r\n"

// quickBodies makes a slow body run out of time within the test.
func quickBodies(s *Server) { s.bodyTimeout = 50 * time.Millisecond }

func TestSlowBody(t *testing.T) {
	s := serve(t, Options{}, quickBodies)
	for _, tt := range []struct{ name, request string }{
		{"POST", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"email\":"},
		{"POST, nothing sent", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"},
		{"POST, chunked", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"e"},
		{"POST, waits for 100", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := s.dial(t)
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(conn) // To the end: the connection must be closed as well.
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(all, []byte(" 408 ")) || !bytes.Contains(all, []byte(apitype.CodeBodyTimeout)) {
				t.Errorf("the reply is %q, want 408 %s", all, apitype.CodeBodyTimeout)
			}
		})
	}
	// A body that no handler wants must not hold the connection either.
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(all, []byte(" 200 ")) {
		t.Errorf("GET with a slow body = %q, %v, want 200 and a closed connection", all, err)
	}
}

// TestLongAnswerAfterBody: once the body is there, its deadline must not end the request.
func TestLongAnswerAfterBody(t *testing.T) {
	b := newBlocker()
	s := serve(t, Options{Verifier: b}, quickBodies)
	got := make(chan result, 1)
	go func() { got <- s.request(t, http.MethodPost, "/v1/verify", `{"email":"a@b.example"}`) }()
	<-b.entered
	select {
	case err := <-b.ended:
		t.Fatalf("the request ended with %v while its handler worked", err)
	case <-time.After(2 * s.bodyTimeout):
	}
	close(b.release)
	answerOf(t, <-got)
}

func TestBodyBrokenOff(t *testing.T) {
	s := serve(t, Options{})
	conn := s.dial(t)
	defer conn.Close()
	const request = "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"email\":\"a@b\"}"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got := readReply(t, conn, request)
	if e := errorOf(t, got.body); got.StatusCode != 400 || e.Code != apitype.CodeInvalidJSON || !strings.Contains(e.Message, "15 bytes") {
		t.Errorf("half a body = %d %+v, want 400 invalid_json after 15 bytes", got.StatusCode, e)
	}
}

func TestClientGone(t *testing.T) {
	b := newBlocker()
	s := serve(t, Options{Verifier: b})
	conn := s.dial(t)
	if _, err := io.WriteString(conn, askRaw); err != nil {
		t.Fatal(err)
	}
	<-b.entered
	conn.Close()
	if err := <-b.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the verifier's context ended with %v, want context.Canceled", err)
	}
}

// TestHalfClosed: a client that closes its sending side is told why it gets no answer.
func TestHalfClosed(t *testing.T) {
	b := newBlocker()
	s := serve(t, Options{Verifier: b})
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, askRaw); err != nil {
		t.Fatal(err)
	}
	<-b.entered
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got := readReply(t, conn, askRaw)
	if e := errorOf(t, got.body); got.StatusCode != statusClientClosed || e.Code != apitype.CodeClientClosed {
		t.Errorf("half closed = %d %+v, want 499 client_closed", got.StatusCode, e)
	}
}

// TestPipelined: requests sent in one go are answered in order, on one connection.
func TestPipelined(t *testing.T) {
	s := serve(t, Options{})
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.Repeat(askRaw, 20)+"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(all, []byte("HTTP/1.1 200 OK")); n != 21 {
		t.Errorf("%d replies, want 21", n)
	}
}

func TestManyClients(t *testing.T) {
	s := serve(t, Options{})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 20 {
				answerOf(t, s.request(t, http.MethodGet, "/v1/verify?email=a+b@c.example", ""))
			}
		})
	}
	wg.Wait()
}

func TestDrain(t *testing.T) {
	b := newBlocker()
	s := serve(t, Options{Verifier: b})
	inside := make(chan result, 1)
	go func() { inside <- s.request(t, http.MethodGet, "/v1/verify?email=a@b.example", "") }()
	<-b.entered
	s.Drain()
	s.Drain()

	got := s.request(t, http.MethodGet, "/v1/verify?email=c@d.example", "")
	e := errorOf(t, got.body)
	if got.StatusCode != 503 || e.Code != apitype.CodeShuttingDown || e.RetryAfterMS == nil || *e.RetryAfterMS <= 0 {
		t.Errorf("new work while draining = %d %s, want 503 shutting_down with retry_after_ms", got.StatusCode, got.body)
	}
	for path, status := range map[string]int{"/healthz": 200, "/v1/version": 200, "/readyz": 503, "/nowhere": 404} {
		if got := s.request(t, http.MethodGet, path, ""); got.StatusCode != status {
			t.Errorf("GET %s while draining = %d, want %d", path, got.StatusCode, status)
		}
	}
	close(b.release)
	answerOf(t, <-inside)
}

// TestShutdownFinishesWork: what is inside is answered, and only then the listener goes.
func TestShutdownFinishesWork(t *testing.T) {
	b := newBlocker()
	s := serve(t, Options{Verifier: b})
	inside := make(chan result, 1)
	go func() { inside <- s.request(t, http.MethodGet, "/v1/verify?email=a@b.example", "") }()
	<-b.entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	// The socket still answers, with a refusal, while Shutdown waits.
	for {
		if got := s.request(t, http.MethodGet, "/readyz", ""); got.StatusCode == 503 {
			break
		}
	}
	if got := s.raw(t, askRaw); got.StatusCode != 503 {
		t.Errorf("a new connection during Shutdown = %d, want 503", got.StatusCode)
	}
	close(b.release)
	answerOf(t, <-inside)
	if err := <-done; err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	if _, err := net.Dial("unix", s.path); err == nil {
		t.Error("the socket still answers after Shutdown")
	}
}

// TestShutdownOutOfPatience: work that does not end is cancelled, and its client told so.
func TestShutdownOutOfPatience(t *testing.T) {
	b := newBlocker()
	s := serve(t, Options{Verifier: b})
	inside := make(chan result, 1)
	go func() { inside <- s.request(t, http.MethodGet, "/v1/verify?email=a@b.example", "") }()
	<-b.entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown() = %v, want context.DeadlineExceeded", err)
	}
	got := <-inside
	if e := errorOf(t, got.body); got.StatusCode != 503 || e.Code != apitype.CodeShuttingDown {
		t.Errorf("the request inside = %d %+v, want 503 shutting_down", got.StatusCode, e)
	}
}

// TestShutdownIdleConnections: clients that hold connections open don't hold up the stop.
func TestShutdownIdleConnections(t *testing.T) {
	s := serve(t, Options{})
	for _, sent := range []string{"", "GET /hea", askRaw} {
		conn := s.dial(t)
		defer conn.Close()
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	if d := time.Since(start); d > 4*hangUpTimeout {
		t.Errorf("Shutdown took %v with idle connections, want about %v", d, hangUpTimeout)
	}
}

func TestShutdownBeforeServe(t *testing.T) {
	s := New(Options{Verifier: verifierFunc(echo)})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	l, err := Listen(Socket{Path: filepath.Join(shortDir(t), "s")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("Serve() after Shutdown = %v, want nil", err)
	}
	if _, err := net.Dial("unix", l.path); err == nil {
		t.Error("the socket answers though the server is shut down")
	}
}

func TestServeRefusesTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Verifier: verifierFunc(echo)})
	if err := s.Serve(l); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Serve(tcp) = %v, want an error that names %v", err, l.Addr())
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the TCP listener is still open")
	}
}

// TestServeOtherListener: a listener that was handed over is served like one of our own.
func TestServeOtherListener(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{})
	second := make(chan error, 1)
	go func() { second <- s.Serve(l) }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, askRaw); err != nil {
		t.Fatal(err)
	}
	answerOf(t, readReply(t, conn, askRaw))
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	if err := <-second; err != nil {
		t.Errorf("Serve() = %v, want nil", err)
	}
}
