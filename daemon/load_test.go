package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
)

// crowd is a world of many domains at a few hosts, where addresses that begin with u exist.
func crowd(domains, hosts int) mailworld.Spec {
	var spec mailworld.Spec
	for i := range hosts {
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: fmt.Sprintf("mx%d.hosts.test", i)})
	}
	for i := range domains {
		spec.Domains = append(spec.Domains, mailworld.Domain{
			Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(fmt.Sprintf("mx%d.hosts.test", i%hosts)),
			Rcpt: func(path string) mailworld.Reply {
				if strings.HasPrefix(path, "u") {
					return mailworld.Say(250, "2.1.5 Ok")
				}
				return mailworld.Reply{}
			},
		})
	}
	return spec
}

// unlimited lifts what a site is spared, but for the linger, which is short.
func unlimited(cfg *config.Config) {
	none, eight, idle := 0, 8, time.Second
	l := &cfg.Egress.Limits
	l.Sessions, l.Idle = &eight, &idle
	l.RefusalsPerSession, l.TransactionsPerSession = &none, &none
}

// TestCrowd takes ten thousand requests from 64 clients through the socket, and looks for what they leave behind.
func TestCrowd(t *testing.T) {
	requests, clients := 10_000, 64
	if testing.Short() || raced {
		requests = 1_000
	}
	before := goleak.IgnoreCurrent()
	w, err := mailworld.Start(crowd(50, 10))
	if err != nil {
		t.Fatal(err)
	}
	files := openFiles(t)
	dir := shortDir(t)
	cfg := load(t, dir, configText(dir, w))
	unlimited(cfg)
	r := startWith(t, Options{Config: cfg})

	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= requests; i = int(next.Add(1)) {
				local, want := "u", "mailbox_accepted"
				if i%5 == 0 {
					local, want = "x", "mailbox_not_found"
				}
				email := fmt.Sprintf("%s%d@d%d.test", local, i, i%50)
				a, err := r.client.Verify(t.Context(), email)
				if err != nil || a.Reason != want {
					t.Errorf("Verify(%q) = %s (%s), %v, want %s", email, a.Reason, a.Explanation, err, want)
					next.Store(int64(requests)) // One is enough.
				}
			}
		})
	}
	wg.Wait()
	st := r.PoolStats()
	t.Logf("%d recipients in %d transactions, %d flights, %d sessions", st.Recipients, st.Transactions, st.Flights, st.SessionsOpened)

	eventually(t, "idle sessions are closed", func() bool { return r.PoolStats().SessionsOpen == 0 })
	if err := r.Stop(context.Background()); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	r.client.CloseIdleConnections()
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.Sessions("") {
		if s.Ended.IsZero() || !s.Quit {
			t.Errorf("session %d at %s: ended at %v, with QUIT: %v", s.ID, s.Host, s.Ended, s.Quit)
		}
	}
	w.Check(t)
	eventually(t, fmt.Sprintf("%d descriptors are open again", files), func() bool { return openFiles(t) <= files })
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// TestSameQuestionAtOnce asks one question many times over: it reaches the mail server once.
func TestSameQuestionAtOnce(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			a, err := r.client.Verify(t.Context(), "ada@example.test", client.VerifyOptions{Fresh: true})
			if err != nil || a.Reason != "mailbox_accepted" {
				t.Errorf("Verify = %s, %v, want mailbox_accepted", a.Reason, err)
			}
		})
	}
	wg.Wait()
	asked := 0
	for _, path := range w.Recipients("") {
		if path == "ada@example.test" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the mail server was asked about ada %d times, want once", asked)
	}
}
