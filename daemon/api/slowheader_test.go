package api

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSlowHeader: a client that sends its header drop by drop loses its connection, and holds up nobody else.
func TestSlowHeader(t *testing.T) {
	s := serve(t, Options{}, func(s *Server) { s.http.ReadHeaderTimeout = 50 * time.Millisecond })
	conn := s.dial(t)
	defer conn.Close()
	drip := time.NewTicker(10 * time.Millisecond)
	defer drip.Stop()
	over := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(over)
	wg.Go(func() {
		_, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n")
		for err == nil {
			select {
			case <-drip.C:
				_, err = io.WriteString(conn, "X-A: b\r\n")
			case <-over:
				return
			}
		}
	})
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection = %v, want it closed", err)
	}
	if r := s.request(t, "GET", "/healthz", ""); r.StatusCode != 200 {
		t.Errorf("GET /healthz meanwhile = %d, want 200", r.StatusCode)
	}
}
