package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/preflight"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
)

// openStores opens the two databases; from then on the state directory is ours.
func (d *Daemon) openStores() error {
	s, err := store.Open(store.Options{
		Dir: d.cfg.StateDir, InMemory: d.sandbox != nil, Logger: d.log,
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
	guard, err := d.guardOptions(d.cfg)
	if err != nil {
		return err
	}
	d.guard = netguard.New(guard)
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
	egress, err := d.planEgress(d.cfg)
	if err != nil {
		return err
	}
	settings, err := d.applyEgress(egress)
	if err != nil {
		return err
	}
	d.verifier, err = verify.New(verify.Options{
		Lists: d.lists, Resolver: d.resolver, Memory: memory, Secret: secret[:], Stores: d.stores,
		Settings: settings, Logger: d.log.Named("verify"),
	})
	if err != nil {
		return err
	}
	d.later("verifier", d.closeVerifier)
	d.monitor = preflight.NewMonitor(d.preflightOptions(d.cfg, &egress))
	d.later("preflight", d.monitor.Close)
	if err := d.buildLedger(); err != nil {
		return err
	}
	d.answers = newAnswerLog(d.verifier, d.log.Named("verify"), d.stores.Key(store.LogHashes), d.cfg.Log)
	d.accounts, err = api.NewAccounts(api.AccountsOptions{
		Apps: apps(d.cfg), State: d.stores.State(), Observe: d.metrics.answered, Logger: d.log.Named("api"),
	})
	if err != nil {
		return err
	}
	d.later("usage", d.accounts.Close)
	if err := d.buildJobs(); err != nil {
		return err
	}
	opts := api.Options{
		Jobs: d.jobs, Verifier: d.answers, Accounts: d.accounts, Ready: d.ready, Egress: d.egress, Cache: d.cache, Ledger: d.ledger,
		Replies: d.replies.Load, Version: Version(), Logger: d.log.Named("api"), Status: d.overview, Metrics: d.exposition(),
	}
	if d.read != nil {
		opts.Reload = d.reloadByRequest
	}
	d.api = api.New(opts)
	d.metrics.registry.MustRegister(newGatherer(d))
	return nil
}

func (d *Daemon) buildResolver() (err error) {
	if d.resolver, err = maildns.New(d.resolverOptions(d.cfg)); err != nil {
		return fmt.Errorf("resolver.servers: %w", err)
	}
	d.later("resolver", func(context.Context) error { d.resolver.Close(); return nil })
	return nil
}

func (d *Daemon) resolverOptions(cfg *config.Config) maildns.Options {
	servers := cfg.Resolver.HostPorts()
	if d.sandbox != nil {
		servers = []string{d.sandbox.DNSAddr()}
	}
	return maildns.Options{Servers: servers, Timeout: cfg.Resolver.Timeout, Guard: d.guard, IPv6: d.dialsIPv6(cfg), Observe: d.metrics.looked}
}

// dialsIPv6 reports whether any source can dial IPv6. The kernel's own choice can, for all we know.
func (d *Daemon) dialsIPv6(cfg *config.Config) bool {
	if d.sandbox != nil {
		return false
	}
	has := func(s config.Source) bool {
		if s.Proxy != "" && !s.PublicIPv4.IsValid() { // What it can is seen by trying, unless it was said.
			return true
		}
		return s.IPv6.IsValid() || s.PublicIPv6.IsValid()
	}
	return len(cfg.Egress.Sources) == 0 || slices.ContainsFunc(cfg.Egress.Sources, has)
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

// Replies is the built-in rules under the operator's.
func Replies(cfg *config.Config) (*reply.Table, error) {
	rules := make([]reply.Rule, len(cfg.Replies))
	for i, r := range cfg.Replies {
		rules[i] = reply.Rule{
			Name: r.Name, Stage: r.Stage, Code: r.Code, Enhanced: r.Enhanced, Provider: r.Provider,
			Words: r.Words, Any: r.Any, Not: r.Not, Class: reply.Class(r.Class), Scope: reply.Scope(r.Scope), Retry: r.Retry,
		}
	}
	return reply.Compile(rules)
}
