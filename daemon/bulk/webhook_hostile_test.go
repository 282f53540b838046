package bulk

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestWebhookTalksForEver: whatever a webhook says in reply, little of it is read, and nothing of it kept.
func TestWebhookTalksForEver(t *testing.T) {
	for _, tt := range []struct {
		name, head, unit string
		delivered        bool
	}{
		{"a body", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", strings.Repeat("x", 1000), true},
		{"a header", "HTTP/1.1 200 OK\r\n", "X-More: " + strings.Repeat("x", 1000) + "\r\n", false},
		{"words before the last", "", "HTTP/1.1 103 Early Hints\r\n\r\n", false},
		{"no HTTP", "", "\x1b]0;owned\x07 go away \r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, sent := babbler(t, tt.head, tt.unit)
			r := newRig(t, &script{}, loopback)
			began := time.Now()
			i := r.delivered(r.create(Spec{Webhook: url}, "ada@a.test\n").ID)
			if got := !i.Delivery.Delivered.IsZero(); got != tt.delivered {
				t.Errorf("delivered: %t, want %t: %q", got, tt.delivered, i.Delivery.Problem)
			}
			if p := i.Delivery.Problem; len(p) > 1000 || strings.ContainsAny(p, "\x1b\x07\r\n") {
				t.Errorf("the problem reads %q", p)
			}
			if n, took := sent.Load(), time.Since(began); n > 64<<20 || took > webhookTimeout {
				t.Errorf("%d bytes were taken in %v", n, took)
			}
		})
	}
}

// babbler is an HTTP server that says head and then unit for as long as anybody listens.
func babbler(t *testing.T, head, unit string) (url string, sent *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sent = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			babble(conn, head, unit, sent)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String(), sent
}

func babble(conn net.Conn, head, unit string, sent *atomic.Int64) {
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	_ = conn.SetDeadline(time.Now().Add(webhookTimeout))
	for text := head; ; text = unit {
		n, err := io.WriteString(conn, text)
		if sent.Add(int64(n)); err != nil {
			return
		}
	}
}
