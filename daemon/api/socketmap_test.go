package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// serveMap answers a mail server at a path of its own, for the length of a test.
func serveMap(t *testing.T, s *served, deadline time.Duration) (m *Map, dial func() net.Conn) {
	t.Helper()
	path := filepath.Join(shortDir(t), "m")
	l, err := Listen(Socket{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	m = s.NewMap(deadline)
	done := make(chan error, 1)
	go func() { done <- m.Serve(l) }()
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close() = %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
	return m, func() net.Conn {
		t.Helper()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
}

// mapVerifier answers by the local-part.
func mapVerifier(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	a := &verdict.Answer{Email: req.Email, Reason: verdict.MailboxAccepted}
	local, _, _ := strings.Cut(req.Email, "@")
	switch local {
	case "nobody", `"no body"`:
		a.Reason = verdict.MailboxNotFound
	case "null":
		a.Reason = verdict.NullMX
	case "bad":
		a.Reason = verdict.InvalidSyntax
	case "unknown":
		a.Reason = verdict.Greylisted
	case "fault":
		return nil, errors.New("a fault")
	case "slow":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return a, nil
}

func TestSocketmap(t *testing.T) {
	s := serve(t, Options{Verifier: verifierFunc(mapVerifier)})
	_, dial := serveMap(t, s, 100*time.Millisecond)
	conn := dial()
	r := bufio.NewReader(conn)
	for _, tt := range []struct{ key, want string }{
		{"nobody@example.com", "OK 550 5.1.1 The mail server says that there is no such mailbox; mail to it bounces."},
		{"no body@example.com", "OK 550 5.1.1 The mail server says that there is no such mailbox; mail to it bounces."},
		{"null@example.com", "OK 556 5.1.10 "},
		{"ada@example.com", notFound},
		{"unknown@example.com", notFound},
		{"bad@example.com", notFound},
		{"fault@example.com", notFound},
		{"slow@example.com", notFound},
		{"nobody@", notFound},
		{"example.com", notFound},
		{"@example.com", notFound},
		{"", notFound},
	} {
		if _, err := io.WriteString(conn, netstring("recipients "+tt.key)); err != nil {
			t.Fatal(err)
		}
		got, err := readNetstring(r)
		if err != nil || !strings.HasPrefix(got, tt.want) || tt.want == notFound && got != notFound {
			t.Errorf("%q is answered %q, %v, want %q", tt.key, got, err, tt.want)
		}
	}
}

// TestSocketmapNeverDefers: a quota, a scope and a stop are no reason to hold mail up.
func TestSocketmapNeverDefers(t *testing.T) {
	s := serve(t, Options{Verifier: verifierFunc(mapVerifier)}, notAdmins)
	_, dial := serveMap(t, s, time.Second)
	conn := dial()
	r := bufio.NewReader(conn)
	for _, tt := range []struct {
		name string
		do   func()
	}{
		{"no scope", func() { s.accounts.Replace(Apps{Only: true}) }},
		{"no quota", func() {
			s.accounts.Replace(Apps{List: []App{{Name: DefaultApp, Quota: Quota{PerDay: new(0)}}}, Charge: Charge{Cached: true}})
		}},
		{"a stop", s.Drain},
	} {
		tt.do()
		if _, err := io.WriteString(conn, netstring("r nobody@example.com")); err != nil {
			t.Fatal(err)
		}
		if got, err := readNetstring(r); err != nil || got != notFound {
			t.Errorf("%s: %q, %v, want not found", tt.name, got, err)
		}
	}
}

// TestSocketmapBadInput: what is no look-up ends the connection, and nothing else.
func TestSocketmapBadInput(t *testing.T) {
	s := serve(t, Options{Verifier: verifierFunc(mapVerifier)})
	_, dial := serveMap(t, s, time.Second)
	for _, bad := range []string{"x", "5", "5:abc", "-1:", "01:a,", "1:ab,", "99999:", "1025:", "3:abc;", ":,", strings.Repeat("9", 100)} {
		conn := dial()
		if _, err := io.WriteString(conn, bad); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
			t.Errorf("%q is answered %q, %v, want nothing", bad, got, err)
		}
	}
	conn := dial()
	if _, err := io.WriteString(conn, netstring("r nobody@example.com")); err != nil {
		t.Fatal(err)
	}
	if got, err := readNetstring(bufio.NewReader(conn)); err != nil || !strings.HasPrefix(got, "OK ") {
		t.Errorf("after all that: %q, %v", got, err)
	}
}

// TestSocketmapClose: a look-up that is under way is answered, and idle connections end at once.
func TestSocketmapClose(t *testing.T) {
	begun := make(chan struct{})
	s := serve(t, Options{Verifier: verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})})
	m, dial := serveMap(t, s, 300*time.Millisecond)
	idle, busy := dial(), dial()
	if _, err := io.WriteString(busy, netstring("r a@example.com")); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := m.Close(t.Context()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if got, err := readNetstring(bufio.NewReader(busy)); err != nil || got != notFound {
		t.Errorf("under way: %q, %v, want not found", got, err)
	}
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection: %v, want its end", err)
	}
}

func TestMapAddress(t *testing.T) {
	for _, tt := range []struct {
		key, want string
	}{
		{"ada@example.com", "ada@example.com"},
		{"ada+news@example.com", "ada+news@example.com"},
		{"a b@example.com", `"a b"@example.com`},
		{`a"b\c@example.com`, `"a\"b\\c"@example.com`},
		{".a@example.com", `".a"@example.com`},
		{"a@b@example.com", `"a@b"@example.com`},
		{`"a b"@example.com`, `"a b"@example.com`},
		{"user@", ""},
		{"@example.com", ""},
		{"example.com", ""},
	} {
		got, ok := mapAddress(tt.key)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("mapAddress(%q) = %q, %t, want %q", tt.key, got, ok, tt.want)
		}
	}
}
