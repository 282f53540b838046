package soak

import (
	"context"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/preflight"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/warmup"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// A stack is everything between a question and the mail servers, wired as the daemon wires it, at its defaults.
type stack struct {
	stores   *store.Stores
	resolver *maildns.Resolver
	cache    *cache.Cache
	pool     *pool.Pool
	verifier *verify.Verifier
	monitor  *preflight.Monitor
	jobs     *bulk.Jobs
}

const sender = "probe@egress.test"

// startStack builds and starts a stack over what there is in dir.
func startStack(t *testing.T, w *mailworld.World, dir string, bind func(netip.Addr) error) *stack {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &stack{}
	var err error
	s.stores, err = store.Open(store.Options{Dir: filepath.Join(dir, "state"), Still: true})
	must(err)
	guard := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	s.resolver, err = maildns.New(maildns.Options{Servers: []string{w.DNSAddr()}, Guard: guard, Dial: w.DialDNS})
	must(err)
	s.cache, err = cache.New(cache.Options{Stores: s.stores, Entries: 1000})
	must(err)
	sources := []pool.Source{
		{Name: "a", IPv4: sourceAddr(0), EHLO: "source0.egress.test"},
		{Name: "b", IPv4: sourceAddr(1), EHLO: "source1.egress.test", Warmup: warmup.Default()},
	}
	s.pool, err = pool.New(pool.Options{
		Sender: sender, Sources: sources, Port: uint16(w.Port()), MaxSessions: 2000, DialsPerSecond: 20,
		SourceLimits: pool.SourceLimits{Sessions: 50, DialsPerMinute: 60},
		State:        s.stores.State(), Guard: guard, Replies: reply.Builtin(),
		Dial: func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
			return w.Dial(ctx, netip.AddrPortFrom(laddr, 0), raddr)
		},
	})
	must(err)
	names, err := lists.New(lists.Options{})
	must(err)
	secret := s.stores.Key(store.ControlNames)
	s.verifier, err = verify.New(verify.Options{
		Lists: names, Resolver: s.resolver, Memory: memory{s.cache}, Secret: secret[:], Stores: s.stores,
		Settings: verify.Settings{Prober: s.pool, Sender: sender, DeadNames: 300},
	})
	must(err)
	s.monitor = preflight.NewMonitor(s.watched(w, guard, sources, bind))
	s.jobs, err = bulk.New(bulk.Options{
		Dir: filepath.Join(dir, "jobs"), Store: s.stores.State(), Verifier: s.verifier,
		Settings: bulk.Settings{Window: 256, Patience: 12 * time.Hour, Retention: 20 * time.Hour},
		Free:     func(string) (uint64, error) { return math.MaxUint64, nil },
	})
	must(err)
	s.pool.Start(context.Background())
	s.verifier.Start(context.Background())
	s.monitor.Start(context.Background())
	s.jobs.Start(context.Background())
	return s
}

// watched has the sources looked at, and taken out where this host does not have their address, which bind says.
func (s *stack) watched(w *mailworld.World, guard *netguard.Guard, sources []pool.Source, bind func(netip.Addr) error) preflight.MonitorOptions {
	opts := preflight.MonitorOptions{Options: preflight.Options{
		Mode: preflight.Warn, Sender: sender, Port: uint16(w.Port()), Guard: guard, DNS: looker{s.resolver},
		PortTargets: portTargets,
		Dial: func(ctx context.Context, _ *preflight.Source, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
			return w.Dial(ctx, netip.AddrPortFrom(laddr, 0), raddr)
		},
		Bind: bind,
	}}
	// Only b: of two that are looked at together one waits by a mutex for what the other looks up, and while somebody does that,
	// the clock of a bubble stands.
	b := sources[1]
	opts.Sources = []preflight.Source{{Name: b.Name, IPv4: b.IPv4, EHLO: b.EHLO}}
	opts.Fitness = func(source, why string) {
		if err := s.pool.Fitness(source, why); err != nil {
			panic(err) // It knows both.
		}
	}
	return opts
}

// stop ends the stack in the daemon's order: those who are waited for have until ctx is done.
func (s *stack) stop(ctx context.Context, t *testing.T) {
	t.Helper()
	cut := ctx.Err() != nil
	s.verifier.StopWaiting()
	for _, step := range []struct {
		name string
		stop func(context.Context) error
	}{{"jobs", s.jobs.Close}, {"preflight", s.monitor.Close}, {"verifier", s.verifier.Close}, {"pool", s.pool.Close}} {
		if err := step.stop(ctx); err != nil && !cut {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	s.resolver.Close()
	if err := s.stores.Close(); err != nil {
		t.Errorf("stores: %v", err)
	}
}

// memory is a cache as the daemon hands it to verify.
type memory struct{ *cache.Cache }

func (m memory) Again() verify.Reader { return m.Cache.Again() }

func (m memory) Begin(a address.Address) verify.Note { return note{m.Cache, m.Cache.Begin(a)} }

type note struct {
	*cache.Cache
	token cache.Token
}

func (n note) Void() bool                { return n.token.Void() }
func (n note) Hosts(h maildns.MailHosts) { n.PutHosts(n.token, h) }

func (n note) Mailbox(a address.Address, m verdict.Mailbox) time.Time {
	until, err := n.PutMailbox(n.token, a, m)
	if err != nil {
		panic(err) // What verify stores may be stored.
	}
	return until
}

func (n note) Domain(d address.Domain, f verdict.DomainFact) {
	if err := n.PutDomain(n.token, d, f); err != nil {
		panic(err)
	}
}

// looker is a resolver in the words of preflight.
type looker struct{ r *maildns.Resolver }

func looked[T, V any](recs maildns.Records[V], err error, as func(V) T) preflight.Answer[T] {
	switch {
	case err != nil:
		return preflight.Answer[T]{Status: preflight.Failed, Detail: "ended"}
	case recs.Status != maildns.Found:
		return preflight.Answer[T]{Status: preflight.Absent}
	}
	a := preflight.Answer[T]{Status: preflight.Found}
	for _, v := range recs.Values {
		a.Values = append(a.Values, as(v))
	}
	return a
}

func same[T any](v T) T { return v }

func (l looker) Addrs(ctx context.Context, name string) preflight.Answer[netip.Addr] {
	recs, err := l.r.LookupAddrs(ctx, name)
	return looked(recs, err, same)
}

func (l looker) IPv4(ctx context.Context, name string) preflight.Answer[netip.Addr] {
	recs, err := l.r.LookupIPv4(ctx, name)
	return looked(recs, err, same)
}

func (l looker) MX(ctx context.Context, name string) preflight.Answer[preflight.MX] {
	recs, err := l.r.LookupMX(ctx, name)
	return looked(recs, err, func(mx maildns.MX) preflight.MX { return preflight.MX(mx) })
}

func (l looker) PTR(ctx context.Context, a netip.Addr) preflight.Answer[string] {
	recs, err := l.r.LookupPTR(ctx, a)
	return looked(recs, err, same)
}

func (l looker) TXT(ctx context.Context, name string) preflight.Answer[string] {
	recs, err := l.r.LookupTXT(ctx, name)
	return looked(recs, err, same)
}
