package pool_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everything lets the pool dial whatever a world has.
func everything() *netguard.Guard {
	return netguard.New(netguard.Options{Allow: []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
	}})
}

// A rig is a pool in a world without sockets, on virtual time.
type rig struct {
	t     *testing.T
	world *mailworld.World
	pool  *pool.Pool
	opts  pool.Options
}

// newRig starts a pool against spec; at the end it closes it and checks that the servers saw nothing rude.
func newRig(t *testing.T, spec mailworld.Spec, change func(*pool.Options)) *rig {
	t.Helper()
	r := newRigUnstarted(t, spec, change)
	r.pool.Start(context.Background())
	return r
}

// newRigUnstarted is newRig without the start of the pool.
func newRigUnstarted(t *testing.T, spec mailworld.Spec, change func(*pool.Options)) *rig {
	t.Helper()
	w, err := mailworld.StartMemory(spec)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, world: w}
	r.opts = pool.Options{
		Sender:  "probe@source0.egress.test",
		Sources: []pool.Source{{Name: "a", IPv4: w.SourceAddr(0), EHLO: "source0.egress.test"}},
		Port:    uint16(w.Port()),
		Guard:   everything(),
		Replies: reply.Builtin(),
		Dial: func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
			return w.Dial(ctx, netip.AddrPortFrom(laddr, 0), raddr)
		},
	}
	if change != nil {
		change(&r.opts)
	}
	if r.pool, err = pool.New(r.opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		time.Sleep(time.Second) // Sessions that are being opened without need are open, or closed, by then.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.pool.Close(ctx); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		if st := r.pool.Stats(); st.SessionsOpen != 0 || st.Waiting != 0 || st.Sites != 0 {
			t.Errorf("after Close: %+v, want no sessions, nothing waiting, no sites", st)
		}
		if err := w.Close(); err != nil {
			t.Errorf("world: %v", err)
		}
		w.Check(t)
	})
	return r
}

// hosts is how maildns would describe these mail hosts: preferences 10, 20, …
func (r *rig) hosts(names ...string) []pool.Host {
	out := make([]pool.Host, len(names))
	for i, n := range names {
		out[i] = pool.Host{Name: n, Preference: uint16(10 * (i + 1)), Addrs: []netip.Addr{r.world.HostAddr(n).Addr()}}
	}
	return out
}

// ask probes addresses of one domain, the domain being what follows the @ of the first.
func (r *rig) ask(hosts []pool.Host, paths ...string) []pool.Outcome {
	r.t.Helper()
	_, domain, _ := strings.Cut(paths[0], "@")
	req := pool.Request{Domain: domain, Hosts: hosts, App: "test"}
	for _, p := range paths {
		req.Recipients = append(req.Recipients, pool.Recipient{Path: p})
	}
	return r.pool.Probe(r.t.Context(), req)
}

func (r *rig) want(o pool.Outcome, class reply.Class) {
	r.t.Helper()
	if o.Failure != pool.FailNone || o.Meaning.Class != class {
		r.t.Errorf("%s: outcome = %s %q at %s, failure %q (%s), want class %s",
			o.Recipient.Path, o.Meaning.Class, o.Reply.String(), o.Stage, o.Failure, o.Detail, class)
	}
}

func (r *rig) wantFailure(o pool.Outcome, f pool.Failure) {
	r.t.Helper()
	if o.Failure != f {
		r.t.Errorf("%s: failure = %q (%s), reply %q, want %q", o.Recipient.Path, o.Failure, o.Detail, o.Reply.String(), f)
	}
}

func (r *rig) wantSessions(host string, n int) {
	r.t.Helper()
	if got := len(r.world.Sessions(host)); got != n {
		r.t.Errorf("%s saw %d sessions, want %d", host, got, n)
	}
}

// wantAskedAtMost holds the number of times that any recipient was named to a host.
func (r *rig) wantAskedAtMost(n int) {
	r.t.Helper()
	times := map[string]int{}
	for _, path := range r.world.Recipients("") {
		if times[path]++; times[path] == n+1 {
			r.t.Errorf("%s was asked about more than %d times", path, n)
		}
	}
}

// oneHost is a world with one host for a.test, where ada and bob live.
func oneHost(h mailworld.Host) mailworld.Spec {
	h.Name = "mx.a.test"
	return mailworld.Spec{
		RTT:     20 * time.Millisecond,
		Hosts:   []mailworld.Host{h},
		Domains: []mailworld.Domain{{Name: "a.test", MX: mailworld.MXs("mx.a.test"), Mailboxes: []string{"ada", "bob", "cleo"}}},
	}
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

//go:fix inline
func ptr[T any](v T) *T { return new(v) }

// slow skips a test that takes a second or more where -short is asked for, as mutation testing does.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a second or more")
	}
}

// bubble runs f on virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func lifted() *provider.Limits {
	l := unpaced()
	l.RecipientsPerTransaction, l.TransactionsPerSession, l.RefusalsPerSession = new(100), new(0), new(0)
	l.Sessions = new(10)
	return l
}

// unpaced lifts what says when, and how often, something may be asked.
func unpaced() *provider.Limits {
	return new(provider.Unpaced())
}
