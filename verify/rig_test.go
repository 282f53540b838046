package verify_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestMain(m *testing.M) {
	if os.Getenv(townEnv) != "" {
		if err := runTown(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A rig is everything from a question to the mail servers of a world without sockets, on virtual time.
type rig struct {
	t        *testing.T
	world    *mailworld.World
	pool     *pool.Pool
	cache    *cache.Cache // nil without memory.
	verifier *verify.Verifier
	guard    *netguard.Guard
	later    atomic.Int64 // How far the clock of ages is ahead, in nanoseconds.
}

// now is the clock of ages and stamps. It can be set ahead without living through the time in between, in which the
// store's housekeeping would tick a million times.
func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.later.Load())) }

// pass sets the clock of ages ahead.
func (r *rig) pass(d time.Duration) { r.later.Add(int64(d)) }

// options are what a test changes about its rig.
type options struct {
	spec     mailworld.Spec
	memory   bool
	settings verify.Settings // Its Prober is the rig's, unless blocked.
	blocked  bool
	sources  int                               // 0 means one.
	wrap     func(verify.Prober) verify.Prober // Stands between the verifier and the pool.
}

// sourceNames are the names of the rig's sources.
var sourceNames = []string{"a", "b"}

// poolOptions are the options of a pool that asks a world from so many sources.
func poolOptions(w *mailworld.World, guard *netguard.Guard, sources int) pool.Options {
	opts := pool.Options{
		Sender: "probe@source0.egress.test", Port: uint16(w.Port()), Guard: guard, Replies: reply.Builtin(), Limits: new(provider.Unpaced()),
		Dial: func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
			return w.Dial(ctx, netip.AddrPortFrom(laddr, 0), raddr)
		},
	}
	for i := range max(sources, 1) {
		opts.Sources = append(opts.Sources, pool.Source{
			Name: sourceNames[i], IPv4: w.SourceAddr(i), EHLO: fmt.Sprintf("source%d.egress.test", i),
		})
	}
	return opts
}

func newRig(t *testing.T, o options) *rig {
	t.Helper()
	w, err := mailworld.StartMemory(o.spec)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, world: w}
	guard := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	resolver, err := maildns.New(maildns.Options{Servers: []string{w.DNSAddr()}, Guard: guard, Dial: w.DialDNS})
	if err != nil {
		t.Fatal(err)
	}
	r.guard = guard
	r.pool, err = pool.New(poolOptions(w, guard, o.sources))
	if err != nil {
		t.Fatal(err)
	}
	r.pool.Start(context.Background())
	names, err := lists.New(lists.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opts := verify.Options{Lists: names, Resolver: resolver, Secret: []byte("0123456789abcdef"), Settings: o.settings, Now: r.now}
	if o.blocked {
		opts.Settings.Blocked = "egress.sender is not set"
	} else {
		opts.Settings.Prober = r.pool
		if o.wrap != nil {
			opts.Settings.Prober = o.wrap(r.pool)
		}
	}
	var stores *store.Stores
	if o.memory {
		if stores, err = store.Open(store.Options{InMemory: true}); err != nil {
			t.Fatal(err)
		}
		if r.cache, err = cache.New(cache.Options{Stores: stores, Now: r.now}); err != nil {
			t.Fatal(err)
		}
		opts.Memory, opts.Stores = memory{r.cache}, stores
	}
	opts.Settings.Sender = "probe@source0.egress.test"
	if r.verifier, err = verify.New(opts); err != nil {
		t.Fatal(err)
	}
	r.verifier.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.verifier.Close(ctx); err != nil {
			t.Errorf("verifier: %v", err)
		}
		if err := r.pool.Close(ctx); err != nil {
			t.Errorf("pool: %v", err)
		}
		resolver.Close()
		if stores != nil {
			if err := stores.Close(); err != nil {
				t.Errorf("stores: %v", err)
			}
		}
		if err := w.Close(); err != nil {
			t.Errorf("world: %v", err)
		}
		w.Check(t)
	})
	return r
}

// memory is a cache as the daemon hands it to verify.
type memory struct{ *cache.Cache }

func (m memory) Again() verify.Reader { return m.Cache.Again() }

func (m memory) Begin(a address.Address) verify.Note { return note{m.Cache, m.Cache.Begin(a)} }

type note struct {
	*cache.Cache
	token cache.Token
}

func (n note) Mailbox(a address.Address, m verdict.Mailbox) time.Time {
	expires, err := n.PutMailbox(n.token, a, m)
	mustStore(err)
	return expires
}

func (n note) Domain(d address.Domain, f verdict.DomainFact) { mustStore(n.PutDomain(n.token, d, f)) }
func (n note) Void() bool                                    { return n.token.Void() }
func (n note) Hosts(h maildns.MailHosts)                     { n.PutHosts(n.token, h) }

// mustStore panics where verify stores what may not be stored.
func mustStore(err error) {
	if err != nil {
		panic(err)
	}
}

func parse(email string) (address.Address, error) { return address.Parse(email) }

// anyAge asks with whatever memory vouches for.
func anyAge(email string) verify.Request { return verify.Request{Email: email, MaxAge: -1} }

// row asks with whatever memory vouches for, as for a row of a list.
func row(email string) verify.Request {
	return verify.Request{Email: email, MaxAge: -1, Class: verify.Bulk}
}

func (r *rig) ask(req verify.Request) *verdict.Answer {
	r.t.Helper()
	ans, err := r.verifier.Verify(r.t.Context(), req)
	if err != nil {
		r.t.Fatalf("Verify(%q) = %v, want an answer", req.Email, err)
	}
	return ans
}

func (r *rig) want(ans *verdict.Answer, reason verdict.Reason) {
	r.t.Helper()
	if ans.Reason != reason {
		r.t.Errorf("%s: reason = %s (%s), want %s; evidence %+v", ans.Email, ans.Reason, ans.Explain(), reason, ans.Evidence)
	}
}

// wantCached asks, and wants an answer for which nobody was asked.
func (r *rig) wantCached(req verify.Request, reason verdict.Reason) *verdict.Answer {
	r.t.Helper()
	ans := r.ask(req)
	r.want(ans, reason)
	if !ans.Cached {
		r.t.Errorf("%s: the answer was asked for again, want it from memory", ans.Email)
	}
	return ans
}

func (r *rig) wantAsked(host string, n int) {
	r.t.Helper()
	if got := r.world.Recipients(host); len(got) != n {
		r.t.Errorf("%s was asked about %d recipients, want %d: %q", host, len(got), n, got)
	}
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// village is a world with one honest domain and host, and one that accepts everyone.
func village() mailworld.Spec {
	return mailworld.Spec{
		Hosts: []mailworld.Host{{Name: "mx.a.test"}, {Name: "mx.all.test"}},
		Domains: []mailworld.Domain{
			{
				Name: "a.test", MX: mailworld.MXs("mx.a.test"), Mailboxes: []string{"ada", "bob", "info"},
				Replies: map[string]mailworld.Reply{
					"full":     mailworld.Say(552, "5.2.2 <{rcpt}>: mailbox full"),
					"disabled": mailworld.Say(550, "5.2.1 <{rcpt}>: mailbox disabled, not accepting messages"),
				},
			},
			{Name: "all.test", MX: mailworld.MXs("mx.all.test"), CatchAll: true},
			{Name: "null.test", MX: mailworld.NullMX()},
			{Name: "nomx.test"},
			{Name: "implicit.test", Host: "mx.a.test", Mailboxes: []string{"ada"}},
			{Name: "private.test", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}},
			{Name: "broken.test", Fault: mailworld.ServFail},
			{Name: "silent.test", Fault: mailworld.NoAnswer},
		},
	}
}
