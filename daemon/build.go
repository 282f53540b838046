package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
)

// openStores opens the two databases; from then on the state directory is ours.
func (d *Daemon) openStores() error {
	s, err := store.Open(store.Options{
		Dir: d.cfg.StateDir, InMemory: d.sandbox != nil, Logger: d.log.Named("store"),
	})
	if err != nil {
		return err
	}
	d.stores = s
	d.later("stores", func(context.Context) error { return s.Close() })
	return nil
}

// build wires what stands between the stores and the socket.
func (d *Daemon) build() error {
	opts, err := d.guardOptions(d.cfg)
	if err != nil {
		return err
	}
	d.guard = netguard.New(opts)
	if d.lists, err = lists.New(listOptions(d.cfg)); err != nil {
		return err
	}
	if err := d.buildResolver(); err != nil {
		return err
	}
	memory, err := d.buildMemory()
	if err != nil {
		return err
	}
	secret := d.stores.Key(store.ControlNames)
	settings, err := d.egress(d.cfg)
	if err != nil {
		return err
	}
	d.later("pool", d.closePool)
	d.verifier, err = verify.New(verify.Options{
		Lists: d.lists, Resolver: d.resolver, Memory: memory, Secret: secret[:],
		Settings: settings, Logger: d.log.Named("verify"),
	})
	if err != nil {
		return err
	}
	d.later("verifier", d.verifier.Close)
	d.api = api.New(api.Options{
		Verifier: d.verifier, Ready: d.ready, Version: Version(), Logger: d.log.Named("api"),
	})
	return nil
}

func (d *Daemon) buildResolver() (err error) {
	servers := d.cfg.Resolver.HostPorts()
	if d.sandbox != nil {
		servers = []string{d.sandbox.DNSAddr()}
	}
	d.resolver, err = maildns.New(maildns.Options{
		Servers: servers, Timeout: d.cfg.Resolver.Timeout, Guard: d.guard, IPv6: d.wantsIPv6(),
	})
	if err != nil {
		return fmt.Errorf("resolver.servers: %w", err)
	}
	d.later("resolver", func(context.Context) error { d.resolver.Close(); return nil })
	return nil
}

// wantsIPv6 reports whether any source can dial IPv6.
func (d *Daemon) wantsIPv6() bool {
	for _, s := range d.cfg.Egress.Sources {
		if s.IPv6.IsValid() {
			return true
		}
	}
	return len(d.cfg.Egress.Sources) == 0
}

func (d *Daemon) guardOptions(cfg *config.Config) (netguard.Options, error) {
	own, err := ownAddrs(cfg)
	if err != nil {
		return netguard.Options{}, err
	}
	allow := cfg.Egress.AllowNetworks
	if d.sandbox != nil {
		allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	return netguard.Options{Allow: allow, Own: own}, nil
}

func listOptions(cfg *config.Config) lists.Options {
	overlay := func(o config.Overlay) lists.Overlay { return lists.Overlay{Add: o.Add, Remove: o.Remove} }
	return lists.Options{
		Disposable:   overlay(cfg.Lists.Disposable),
		PrivacyRelay: overlay(cfg.Lists.PrivacyRelay),
		Role:         overlay(cfg.Lists.Role),
		FreeProvider: overlay(cfg.Lists.FreeProvider),
	}
}

// egress makes or reloads the pool for cfg, and says with what the verifier works from now on.
// Where mail servers cannot be asked, that is no error: the rest of the daemon is of use without.
func (d *Daemon) egress(cfg *config.Config) (verify.Settings, error) {
	s := verify.Settings{
		NeverProbe: cfg.NeverProbe,
		Policy: verify.Policy{
			Role: cfg.Policy.Role, Disposable: cfg.Policy.Disposable, PrivacyRelay: cfg.Policy.PrivacyRelay,
		},
	}
	opts, err := d.poolOptions(cfg)
	if b, blocked := errors.AsType[*blockedError](err); blocked {
		d.problems = []problem{{code: "egress_blocked", message: b.why}}
		s.Blocked = b.why
		return s, nil
	}
	if err != nil {
		return s, err
	}
	d.problems = nil
	if d.pool == nil {
		if d.pool, err = pool.New(opts); err != nil {
			return s, err
		}
	} else if err := d.pool.Reload(opts); err != nil {
		return s, err
	}
	s.Prober = d.pool
	return s, nil
}

// closePool ends the pool, if there is one.
func (d *Daemon) closePool(ctx context.Context) error {
	if d.pool == nil {
		return nil
	}
	return d.pool.Close(ctx)
}

// A blockedError says why mail servers cannot be asked, naming the key to set.
type blockedError struct{ why string }

func (e *blockedError) Error() string { return e.why }

// poolOptions is the configuration in the words of the pool.
func (d *Daemon) poolOptions(cfg *config.Config) (pool.Options, error) {
	replies, err := replyTable(cfg)
	if err != nil {
		return pool.Options{}, err
	}
	e := &cfg.Egress
	opts := pool.Options{
		Sender: e.Sender, Port: uint16(e.Port), MaxSessions: e.MaxSessions, Limits: limits(e.Limits),
		TLS: tlsPolicy(e.TLS), Guard: d.guard, Replies: replies, Logger: d.log.Named("pool"),
	}
	if d.sandbox != nil {
		d.sandboxed(&opts)
		return opts, nil
	}
	if opts.Sender == "" {
		return opts, &blockedError{"egress.sender is not set: the reverse-path that mail servers are asked with"}
	}
	opts.Sources, err = sources(e.Sources)
	return opts, err
}

// sources is the configured sources, or the one that stands for the kernel's choice.
func sources(in []config.Source) ([]pool.Source, error) {
	if len(in) == 0 {
		in = []config.Source{{Name: "default"}}
	}
	out := make([]pool.Source, len(in))
	for i, s := range in {
		out[i] = pool.Source{Name: s.Name, IPv4: s.IPv4, IPv6: s.IPv6, EHLO: s.EHLO}
		if s.EHLO != "" {
			continue
		}
		name, err := os.Hostname()
		if err != nil || !strings.Contains(strings.Trim(name, "."), ".") {
			return nil, &blockedError{fmt.Sprintf(
				"egress.sources: source %s has no ehlo, and this host's name %q is no full one to greet with", s.Name, name)}
		}
		out[i].EHLO = strings.Trim(name, ".")
	}
	return out, nil
}

func tlsPolicy(t config.TLS) smtp.TLSPolicy {
	switch t {
	case config.TLSNever:
		return smtp.TLSNever
	case config.TLSRequired:
		return smtp.TLSRequired
	default:
		return smtp.TLSOpportunistic
	}
}

func limits(l config.Limits) *provider.Limits {
	return &provider.Limits{
		Ramp: l.Ramp, Sessions: l.Sessions, RecipientsPerTransaction: l.RecipientsPerTransaction,
		TransactionsPerSession: l.TransactionsPerSession, RefusalsPerSession: l.RefusalsPerSession,
		Idle: l.Idle, SessionAge: l.SessionAge,
	}
}

// replyTable is the built-in rules under the operator's.
func replyTable(cfg *config.Config) (*reply.Table, error) {
	rules := make([]reply.Rule, len(cfg.Replies))
	for i, r := range cfg.Replies {
		rules[i] = reply.Rule{
			Name: r.Name, Stage: r.Stage, Code: r.Code, Enhanced: r.Enhanced, Provider: r.Provider,
			Words: r.Words, Any: r.Any, Not: r.Not, Class: reply.Class(r.Class), Scope: reply.Scope(r.Scope), Retry: r.Retry,
		}
	}
	return reply.Compile(rules)
}
