package api

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

// TestCrowd: a user who holds too many connections is told so, and may have more once it has closed some.
func TestCrowd(t *testing.T) {
	s := serve(t, Options{}, func(s *Server) { s.crowd.most = 3 })
	conns := make([]net.Conn, 3)
	ask := func(conn net.Conn) result {
		t.Helper()
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") // It may be closed already.
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return result{resp, body}
	}
	for i := range conns {
		conns[i] = s.dial(t)
		defer conns[i].Close()
		if r := ask(conns[i]); r.StatusCode != 200 {
			t.Fatalf("connection %d: %d", i+1, r.StatusCode)
		}
	}
	extra := s.dial(t)
	defer extra.Close()
	r := ask(extra)
	if e := errorOf(t, r.body); r.StatusCode != 503 || e.Code != apitype.CodeTooManyConnections || e.RetryAfterMS == nil {
		t.Errorf("one too many: %d %s, want 503 too_many_connections", r.StatusCode, r.body)
	}
	if st := s.Stats(); st.Connections != 3 || st.ConnectionsRefused != 1 {
		t.Errorf("Stats() = %+v, want 3 connections and 1 refused", st)
	}
	conns[0].Close()
	waitFor(t, "the first has left", func() bool { return s.Stats().Connections == 2 })
	again := s.dial(t)
	defer again.Close()
	if r := ask(again); r.StatusCode != 200 {
		t.Errorf("after one was closed: %d, want 200", r.StatusCode)
	}
}
