package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/preflight"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
)

// Preflight is what the last look at the sources found. It is nil if there was none, and must not be changed.
func (d *Daemon) Preflight() *preflight.Report { return d.monitor.Report() }

// preflightOptions is how the sources of plan are looked at. Nobody is connected to for the sake of a daemon that asks no
// mail server anyway, or only those of its sandbox.
func (d *Daemon) preflightOptions(cfg *config.Config, plan *egressPlan) preflight.MonitorOptions {
	opts := preflight.MonitorOptions{
		Options: preflightFor(cfg, d.resolver, d.guard), Interval: cfg.Preflight.Interval,
		Fitness: d.setFitness, Logger: d.log.Named("preflight"),
	}
	if d.sandbox != nil || plan.pool == nil {
		opts.Mode = preflight.Off
		return opts
	}
	opts.Sources = preflightSources(plan.pool.Sources)
	return opts
}

// preflightFor is the configuration in the words of preflight, without the sources.
func preflightFor(cfg *config.Config, r *maildns.Resolver, g *netguard.Guard) preflight.Options {
	p := &cfg.Preflight
	opts := preflight.Options{
		Mode: preflight.Mode(cfg.Egress.Preflight), Sender: senderInASCII(cfg.Egress.Sender), Port: uint16(cfg.Egress.Port), //nolint:gosec // G115: checked to be a port.
		PortTargets: withoutDots(p.PortTargets), NetworkTargets: p.NetworkTargets, Lists: withoutDots(p.DNSBL),
		DNS: preflightDNS{r}, Guard: g,
	}
	opts.Dial = func(ctx context.Context, s *preflight.Source, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
		if s.Proxied {
			return nil, errProxied
		}
		dialer := net.Dialer{Control: g.Control}
		return dialer.DialTCP(ctx, "tcp", netip.AddrPortFrom(laddr, 0), raddr)
	}
	return opts
}

// errProxied says that a port is not tried from a source with a proxy: what can be reached is the proxy's to say.
var errProxied = errors.New("connections go through a proxy")

// configuredSources is the sources of a configuration in the words of preflight. The error says why there are none.
func configuredSources(cfg *config.Config) ([]preflight.Source, error) {
	list, err := sources(cfg.Egress.Sources)
	if err != nil {
		return nil, err
	}
	return preflightSources(list), nil
}

func preflightSources(in []pool.Source) []preflight.Source {
	out := make([]preflight.Source, len(in))
	for i := range in {
		s := &in[i]
		out[i] = preflight.Source{
			Name: s.Name, IPv4: s.IPv4, IPv6: s.IPv6, PublicIPv4: s.PublicIPv4, PublicIPv6: s.PublicIPv6,
			EHLO: s.EHLO, Proxied: s.Proxy != pool.Proxy{},
		}
	}
	return out
}

// senderInASCII is the sender with its domain in A-labels, as it is sent.
func senderInASCII(sender string) string {
	a, err := address.Parse(sender)
	if err != nil {
		return ""
	}
	return a.Path()
}

func withoutDots(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToLower(strings.TrimSuffix(n, "."))
	}
	return out
}

// setFitness tells the pool, if there is one. A source that it does not know was taken away by a reload meanwhile.
func (d *Daemon) setFitness(source, why string) {
	d.mu.Lock()
	p := d.pool
	d.mu.Unlock()
	if p == nil {
		return
	}
	if err := p.Fitness(source, why); err != nil && !errors.Is(err, pool.ErrUnknownSource) {
		d.log.Error("fitness of a source not told", zap.String("source", source), zap.Error(err))
	}
}

// unfit is the problems with sources that are taken out, and whether any source is left. d.mu is held.
func (d *Daemon) unfit() (problems []problem, left bool) {
	left = true
	if rep := d.monitor.Report(); rep != nil {
		for _, u := range rep.Out {
			problems = append(problems, problem{code: "source_unfit", message: fmt.Sprintf("source %s is not used: %s", u.Source, u.Why)})
		}
		left = len(problems) == 0 || len(problems) < max(1, len(d.cfg.Egress.Sources))
	}
	if d.pool == nil || len(d.problems) > 0 || !left {
		return problems, left
	}
	if why := d.pool.Trouble(); why != "" {
		return append(problems, problem{code: "no_source", message: "no source can be used: " + why}), false
	}
	if why := d.pool.SenderTrouble(); why != "" {
		return append(problems, problem{code: "sender_refused", message: why}), false
	}
	return problems, true
}

// preflightDNS is a resolver in the words of preflight.
type preflightDNS struct{ r *maildns.Resolver }

// readAnswer turns what the resolver says of records of one type into an answer. An error that is neither ctx's nor of a
// resolver that is closed means a name that cannot be in the DNS.
func readAnswer[T, V any](ctx context.Context, recs maildns.Records[V], err error, as func(V) T) preflight.Answer[T] {
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, maildns.ErrClosed)):
		return preflight.Answer[T]{Status: preflight.Failed, Detail: "the look-up was ended"}
	case err != nil, recs.Status == maildns.NoData, recs.Status == maildns.DomainNotFound:
		return preflight.Answer[T]{Status: preflight.Absent}
	case recs.Status != maildns.Found:
		return preflight.Answer[T]{Status: preflight.Failed, Detail: recs.Detail}
	}
	a := preflight.Answer[T]{Status: preflight.Found, Values: make([]T, len(recs.Values))}
	for i, v := range recs.Values {
		a.Values[i] = as(v)
	}
	return a
}

func asIs[T any](v T) T { return v }

func (d preflightDNS) Addrs(ctx context.Context, name string) preflight.Answer[netip.Addr] {
	recs, err := d.r.LookupAddrs(ctx, name)
	return readAnswer(ctx, recs, err, asIs)
}

func (d preflightDNS) IPv4(ctx context.Context, name string) preflight.Answer[netip.Addr] {
	recs, err := d.r.LookupIPv4(ctx, name)
	return readAnswer(ctx, recs, err, asIs)
}

func (d preflightDNS) MX(ctx context.Context, name string) preflight.Answer[preflight.MX] {
	recs, err := d.r.LookupMX(ctx, name)
	return readAnswer(ctx, recs, err, func(mx maildns.MX) preflight.MX { return preflight.MX(mx) })
}

func (d preflightDNS) PTR(ctx context.Context, a netip.Addr) preflight.Answer[string] {
	recs, err := d.r.LookupPTR(ctx, a)
	return readAnswer(ctx, recs, err, asIs)
}

func (d preflightDNS) TXT(ctx context.Context, name string) preflight.Answer[string] {
	recs, err := d.r.LookupTXT(ctx, name)
	return readAnswer(ctx, recs, err, asIs)
}

// Resolver makes a resolver as a daemon with cfg has it; Close it.
func Resolver(cfg *config.Config) (*maildns.Resolver, error) {
	own, err := ownAddrs(cfg)
	if err != nil {
		return nil, err
	}
	guard := netguard.New(netguard.Options{Allow: cfg.Egress.AllowNetworks, Own: own})
	return maildns.New(maildns.Options{Servers: cfg.Resolver.HostPorts(), Timeout: cfg.Resolver.Timeout, Guard: guard, IPv6: true})
}

// LookAtSources looks once at the sources of cfg, whatever egress.preflight says, without a daemon. The error says why
// that cannot be done.
func LookAtSources(ctx context.Context, cfg *config.Config) (*preflight.Report, error) {
	own, err := ownAddrs(cfg)
	if err != nil {
		return nil, err
	}
	r, err := Resolver(cfg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	opts := preflightFor(cfg, r, netguard.New(netguard.Options{Allow: cfg.Egress.AllowNetworks, Own: own}))
	if opts.Sources, err = configuredSources(cfg); err != nil {
		return nil, err
	}
	return preflight.Examine(ctx, opts), nil
}
