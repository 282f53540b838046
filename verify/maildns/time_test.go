package maildns_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/maildns"
)

const (
	serverA = "192.0.2.53:53"
	serverB = "192.0.2.54:53"
)

// silent is the delay of a server that never answers.
func silent(dns.Question) time.Duration { return -1 }

// after is the delay of a server that takes d for every answer.
func after(d time.Duration) func(dns.Question) time.Duration {
	return func(dns.Question) time.Duration { return d }
}

// bubble runs f on virtual time, with a resolver that asks servers by in-memory connections.
func bubble(t *testing.T, servers map[string]*pipeServer, opts maildns.Options, f func(t *testing.T, r *maildns.Resolver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opts.Dial = pipeNet{servers}.dial
		if opts.Servers == nil {
			opts.Servers = []string{serverA}
			if servers[serverB] != nil {
				opts.Servers = append(opts.Servers, serverB)
			}
		}
		f(t, newResolver(t, opts))
	})
}

func TestTimeoutAllSilent(t *testing.T) {
	servers := map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: silent}, serverB: {zone: newZone(t, world), delay: silent}}
	bubble(t, servers, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		m := lookup(t, r, "plain.example")
		const want = "plain.example MX: no answer within 3s (192.0.2.53:53); no answer within 3s (192.0.2.54:53)"
		if m.Status != maildns.Timeout || m.Detail != want || m.TTL != 0 {
			t.Errorf("Lookup = %s, %s, TTL %s; want timeout, %s", m.Status, m.Detail, m.TTL, want)
		}
		if m.Took != 12*time.Second { // Two servers, twice, 3 s each.
			t.Errorf("Took = %s, want 12s", m.Took)
		}
	})
}

func TestTimeoutBudget(t *testing.T) {
	servers := map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: silent}}
	bubble(t, servers, maildns.Options{Timeout: time.Second, Attempts: 100}, func(t *testing.T, r *maildns.Resolver) {
		if m := lookup(t, r, "plain.example"); m.Status != maildns.Timeout || m.Took != 4*time.Second {
			t.Errorf("Lookup = %s after %s, want timeout after 4 times the time for one message", m.Status, m.Took)
		}
	})
}

func TestTimeoutWithFailureElsewhere(t *testing.T) {
	broken := newZone(t, world)
	broken.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg { return rcode(m, dns.RcodeServerFailure) }
	servers := map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: silent}, serverB: {zone: broken}}
	bubble(t, servers, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		m := lookup(t, r, "plain.example")
		if m.Status != maildns.Failure || !strings.Contains(m.Detail, "SERVFAIL ("+serverB) {
			t.Errorf("Lookup = %s (%s), want failure that names %s", m.Status, m.Detail, serverB)
		}
		if n := broken.count("plain.example.", "MX"); n != 1 {
			t.Errorf("the server that answered SERVFAIL was asked %d times, want 1", n)
		}
	})
}

func TestSilentServerIsAskedLast(t *testing.T) {
	a, b := newZone(t, world), newZone(t, world)
	var up atomic.Bool
	servers := map[string]*pipeServer{
		serverA: {zone: a, delay: func(dns.Question) time.Duration {
			if up.Load() {
				return 0
			}
			return -1
		}},
		serverB: {zone: b},
	}
	bubble(t, servers, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		steps := []struct {
			name   string
			wait   time.Duration
			alive  bool
			took   time.Duration
			server string
		}{
			{"first silence is waited out", 0, false, 3 * time.Second, serverB},
			{"then it is asked last", time.Second, false, 0, serverB},
			{"after the hold-down it is tried again", 31 * time.Second, false, 3 * time.Second, serverB},
			{"held down still", time.Second, true, 0, serverB},
			{"back in its place", 31 * time.Second, true, 0, serverA},
		}
		for _, s := range steps {
			time.Sleep(s.wait)
			up.Store(s.alive)
			m := lookup(t, r, "null.example") // One question.
			if m.Took != s.took || m.Server != s.server {
				t.Errorf("%s: took %s, by %s; want %s, by %s", s.name, m.Took, m.Server, s.took, s.server)
			}
		}
	})
}

func TestLostDatagram(t *testing.T) {
	var mu sync.Mutex
	lost := make(map[dns.Question]bool)
	servers := map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: func(q dns.Question) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if !lost[q] {
			lost[q] = true
			return -1
		}
		return 0
	}}}
	bubble(t, servers, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		if m := lookup(t, r, "mixed.example"); m.Status != maildns.Found || m.Took != 6*time.Second {
			t.Errorf("Lookup = %s (%s) after %s, want found after 6s", m.Status, m.Detail, m.Took)
		}
	})
}

// TestSlowHostIsNotWaitedFor has a backup mail host whose addresses never come.
func TestSlowHostIsNotWaitedFor(t *testing.T) {
	slow := func(name string) map[string]*pipeServer {
		return map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: func(q dns.Question) time.Duration {
			if q.Name == name {
				return -1
			}
			return 0
		}}}
	}
	bubble(t, slow("mx2.plain.example."), maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		m := lookup(t, r, "plain.example")
		if got, want := hostsText(m.Hosts), "mx1.plain.example 192.0.2.1; mx2.plain.example (timeout)"; got != want {
			t.Errorf("Hosts = %s, want %s", got, want)
		}
		if m.Status != maildns.Found || m.Took != time.Second {
			t.Errorf("Lookup = %s after %s, want found after 1s", m.Status, m.Took)
		}
	})
	// The best host is: what the others take may be worth nothing.
	bubble(t, slow("mx1.plain.example."), maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		m := lookup(t, r, "plain.example")
		if got, want := hostsText(m.Hosts), "mx1.plain.example (timeout); mx2.plain.example 192.0.2.2"; got != want {
			t.Errorf("Hosts = %s, want %s", got, want)
		}
		if m.Status != maildns.Found || m.Took != 6*time.Second {
			t.Errorf("Lookup = %s after %s, want found after 6s", m.Status, m.Took)
		}
	})
}

func TestHostsTimeOut(t *testing.T) {
	servers := map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: func(q dns.Question) time.Duration {
		if q.Qtype == dns.TypeMX {
			return 0
		}
		return -1
	}}}
	for _, name := range []string{"plain.example", "nomail.example"} {
		bubble(t, servers, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
			if m := lookup(t, r, name); m.Status != maildns.Timeout || !strings.Contains(m.Detail, " A: no answer") {
				t.Errorf("Lookup(%s) = %s (%s), want timeout of an A question", name, m.Status, m.Detail)
			}
		})
	}
}

func TestCallersShareALookup(t *testing.T) {
	z := newZone(t, world)
	bubble(t, map[string]*pipeServer{serverA: {zone: z, delay: after(time.Second)}}, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		var wg sync.WaitGroup
		ctx, leave := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer leave()
		wg.Go(func() { // The first caller gives up; its lookup goes on for the others.
			if _, err := r.Lookup(ctx, domain(t, "plain.example")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("first caller: %v, want its deadline", err)
			}
		})
		synctest.Wait()
		for i := range 50 {
			wg.Go(func() {
				m, err := r.Lookup(t.Context(), domain(t, "plain.example"))
				if err != nil || m.Status != maildns.Found || m.Took != 2*time.Second {
					t.Errorf("caller %d: %s after %s, %v; want found after 2s", i, m.Status, m.Took, err)
				}
				m.Hosts[0].Addrs[0] = m.Hosts[1].Addrs[0] // Each caller owns its result; -race would tell.
			})
		}
		wg.Wait()
		for _, name := range []string{"mx1.plain.example.", "mx2.plain.example."} {
			if mx, a := z.count("plain.example.", "MX"), z.count(name, "A"); mx != 1 || a != 1 {
				t.Errorf("asked %d times for MX and %d for A of %s, want once each", mx, a, name)
			}
		}
		if lookup(t, r, "plain.example"); z.count("plain.example.", "MX") != 2 {
			t.Error("a later lookup did not ask afresh")
		}
	})
}

// TestDomainsShareAHost has two domains with one mail host looked up at once.
func TestDomainsShareAHost(t *testing.T) {
	z := newZone(t, `
one.example. 600 IN MX 10 mx.example.
two.example. 600 IN MX 10 mx.example.
mx.example.  600 IN A 192.0.2.1`)
	bubble(t, map[string]*pipeServer{serverA: {zone: z, delay: after(time.Second)}}, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		var wg sync.WaitGroup
		for _, name := range []string{"one.example", "two.example"} {
			wg.Go(func() { lookup(t, r, name) })
		}
		wg.Wait()
		if n := z.count("mx.example.", "A"); n != 1 {
			t.Errorf("A of the common host asked %d times, want 1", n)
		}
	})
}

func TestNobodyWaits(t *testing.T) {
	z := newZone(t, world)
	bubble(t, map[string]*pipeServer{serverA: {zone: z, delay: after(2 * time.Second)}}, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := r.Lookup(ctx, domain(t, "plain.example")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lookup = %v, want the caller's deadline", err)
		}
		time.Sleep(time.Minute)
		if n := z.count("mx1.plain.example.", "A"); n != 0 {
			t.Errorf("a lookup that nobody waited for went on to A, %d times", n)
		}
		if _, err := r.Lookup(ctx, domain(t, "null.example")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lookup with a context that is over = %v, want its error", err)
		}
		if n := z.count("null.example.", "MX"); n != 0 {
			t.Errorf("a caller that was gone had a question sent")
		}
	})
}

func TestCloseEndsLookups(t *testing.T) {
	bubble(t, map[string]*pipeServer{serverA: {zone: newZone(t, world), delay: silent}}, maildns.Options{}, func(t *testing.T, r *maildns.Resolver) {
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.Lookup(t.Context(), domain(t, "plain.example")); !errors.Is(err, maildns.ErrClosed) {
				t.Errorf("Lookup = %v, want ErrClosed", err)
			}
		})
		wg.Go(func() {
			if _, err := r.LookupTXT(t.Context(), "plain.example"); !errors.Is(err, maildns.ErrClosed) {
				t.Errorf("LookupTXT = %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		time.Sleep(time.Second)
		r.Close()
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close let lookups run for %s more, want none", took-time.Second)
		}
	})
}

func TestReplace(t *testing.T) {
	a, b := newZone(t, world), newZone(t, world)
	servers := map[string]*pipeServer{serverA: {zone: a, delay: after(time.Second)}, serverB: {zone: b}}
	bubble(t, servers, maildns.Options{Servers: []string{serverA}}, func(t *testing.T, r *maildns.Resolver) {
		var wg sync.WaitGroup
		wg.Go(func() {
			if m := lookup(t, r, "null.example"); m.Server != serverA {
				t.Errorf("the lookup under way went to %s, want %s", m.Server, serverA)
			}
		})
		synctest.Wait()
		if err := r.Replace(maildns.Options{Servers: []string{"nonsense"}}); err == nil {
			t.Error("Replace(nonsense) = nil")
		}
		if err := r.Replace(maildns.Options{Servers: []string{serverB}, Dial: pipeNet{servers}.dial, Guard: allowDocs()}); err != nil {
			t.Fatal(err)
		}
		if m := lookup(t, r, "null.example"); m.Server != serverB || m.Took != 0 {
			t.Errorf("after Replace: answer of %s after %s, want %s at once", m.Server, m.Took, serverB)
		}
		wg.Wait()
	})
}
