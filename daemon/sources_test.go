package daemon

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/config"
)

// TestProxyGone: where the only source's proxy is down, nobody is told anything about a mailbox, and readiness says why.
func TestProxyGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, smallWorld(t), func(cfg *config.Config) {
		cfg.Egress.Preflight = config.PreflightOff
		cfg.Egress.Sources = []config.Source{{Name: "a", Proxy: "socks5://u:geheim@" + proxy, EHLO: "source0.egress.test"}}
	})
	if ready := r.isReady(t); !ready.Ready {
		t.Errorf("Ready() = %+v before anything was tried, want ready", ready)
	}
	a := r.askFor(t, "ada@example.test", client.VerifyOptions{Deadline: time.Second})
	if a.Verdict != "unknown" || a.Subject != "local" {
		t.Errorf("answer = %s/%s about %s, want unknown, about this host", a.Verdict, a.Reason, a.Subject)
	}
	if strings.Contains(a.Explanation, "geheim") {
		t.Errorf("explanation = %q, in which the password stands", a.Explanation)
	}
	ready := r.isReady(t)
	if ready.Ready || len(ready.Problems) != 1 || !strings.Contains(ready.Problems[0].Message, "the proxy cannot be reached") {
		t.Errorf("Ready() = %+v, want a problem with the proxy", ready)
	}
	if line := r.status(); !strings.Contains(line, "no source can be used") {
		t.Errorf("status() = %q, want that no source can be used", line)
	}
}
