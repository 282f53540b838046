package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/pool/warmup"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
)

// An egressPlan is the egress that a configuration asks for, found to be possible, and not yet in force.
type egressPlan struct {
	pool     *pool.Options // nil if mail servers cannot be asked.
	settings verify.Settings
	replies  *reply.Table
	problems []problem // Why not.
}

// planEgress finds out what cfg asks for, and touches nothing. Where mail servers cannot be asked, that is no error:
// the rest of the daemon is of use without.
func (d *Daemon) planEgress(cfg *config.Config) (egressPlan, error) {
	plan := egressPlan{settings: verify.Settings{
		NeverProbe: cfg.NeverProbe,
		Policy: verify.Policy{
			Role: cfg.Policy.Role, Disposable: cfg.Policy.Disposable, PrivacyRelay: cfg.Policy.PrivacyRelay,
		},
		DeadNames: cfg.Policy.DeadNames,
	}}
	var err error
	if plan.replies, err = Replies(cfg); err != nil {
		return plan, err
	}
	if plan.settings.Mode, err = siteModes(cfg.Egress.Sites); err != nil {
		return plan, err
	}
	opts, err := d.poolOptions(cfg, plan.replies)
	if b, blocked := errors.AsType[*blockedError](err); blocked {
		plan.problems = []problem{{code: "egress_blocked", message: b.why}}
		plan.settings.Blocked = b.why
		return plan, nil
	}
	if err != nil {
		return plan, err
	}
	check := opts
	check.State = nil                          // One pool at a time has it.
	if _, err := pool.New(check); err != nil { // A pool that is not started is nothing but its options, checked.
		return plan, err
	}
	plan.pool, plan.settings.Sender = &opts, opts.Sender
	return plan, nil
}

// applyEgress makes or reloads the pool, and says with what the verifier works from now on. A pool that is no longer
// wanted gets no more work, finishes what it has, and is there for the next sender.
func (d *Daemon) applyEgress(plan egressPlan) (verify.Settings, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.problems = plan.problems
	d.replies.Store(plan.replies)
	if plan.pool == nil {
		return plan.settings, nil
	}
	var err error
	if d.pool == nil {
		d.pool, err = pool.New(*plan.pool)
	} else {
		err = d.pool.Reload(*plan.pool)
	}
	if err != nil {
		return plan.settings, err
	}
	plan.settings.Prober = d.pool
	return plan.settings, nil
}

// closeVerifier lets the verifier finish what is under way while ctx lasts. After that the pool has to end its
// sessions first: what waits for a mail server's reply would otherwise wait for as long as the server likes.
func (d *Daemon) closeVerifier(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- d.verifier.Close(ctx) }() // Joined below.
	var err error
	select {
	case err = <-ended:
		return errors.Join(err, d.closePool(ctx))
	case <-ctx.Done():
		err = d.closePool(ctx)
		return errors.Join(<-ended, err)
	}
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
func (d *Daemon) poolOptions(cfg *config.Config, replies *reply.Table) (pool.Options, error) {
	e := &cfg.Egress
	opts := pool.Options{
		Sender: e.Sender, Port: uint16(e.Port), MaxSessions: e.MaxSessions, DialsPerSecond: e.DialsPerSecond, //nolint:gosec // G115: checked to be a port.
		SourceLimits: pool.SourceLimits{Sessions: e.SourceLimits.Sessions, DialsPerMinute: e.SourceLimits.DialsPerMinute},
		Limits:       new(limits(&e.Limits)), TLS: tlsPolicy(e.TLS),
		State: d.stores.State(), Guard: d.guard, Replies: replies, Observer: d.metrics, Logger: d.log.Named("pool"),
	}
	var err error
	if opts.Sites, err = siteRules(e.Sites); err != nil {
		return opts, err
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
	for i := range in {
		var err error
		if out[i], err = source(&in[i]); err != nil {
			return nil, err
		}
		if out[i].EHLO != "" {
			continue
		}
		name, err := os.Hostname()
		if err != nil || !strings.Contains(strings.Trim(name, "."), ".") {
			return nil, &blockedError{fmt.Sprintf(
				"egress.sources: source %s has no ehlo, and this host's name %q is no full one to greet with", in[i].Name, name)}
		}
		out[i].EHLO = strings.Trim(name, ".")
	}
	return out, nil
}

// source is a source in the words of the pool.
func source(s *config.Source) (pool.Source, error) {
	schedule, err := warmup.Parse(s.Warmup)
	if err != nil {
		return pool.Source{}, fmt.Errorf("egress.sources: source %s: warmup: %w", s.Name, err)
	}
	proxy, err := s.SOCKS5()
	if err != nil {
		return pool.Source{}, fmt.Errorf("egress.sources: source %s: proxy %w", s.Name, err)
	}
	return pool.Source{
		Name: s.Name, IPv4: s.IPv4, IPv6: s.IPv6, PublicIPv4: s.PublicIPv4, PublicIPv6: s.PublicIPv6, EHLO: s.EHLO,
		Proxy: pool.Proxy(proxy), Weight: s.Weight, Warmup: schedule,
	}, nil
}

// siteRules is the operator's rules for sites in the words of the pool.
func siteRules(in []config.SiteRule) ([]pool.SiteRule, error) {
	out := make([]pool.SiteRule, len(in))
	for i, r := range in {
		var err error
		if out[i], err = siteRule(&r); err != nil {
			return nil, fmt.Errorf("egress.sites[%d]: %w", i, err)
		}
	}
	return out, nil
}

// siteRule is one of them. Its domain is compared in A-labels.
func siteRule(r *config.SiteRule) (pool.SiteRule, error) {
	out := pool.SiteRule{Provider: r.Match.Provider, MX: r.Match.MX, Limits: limits(&r.Limits)}
	if r.Match.Domain != "" {
		domain, err := address.ParseDomain(r.Match.Domain)
		if err != nil {
			return out, err
		}
		out.Domain = domain.ASCII()
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

func limits(l *config.Limits) provider.Limits {
	return provider.Limits{
		Ramp: l.Ramp, Sessions: l.Sessions, SessionsPerHour: l.SessionsPerHour, DialInterval: l.DialInterval,
		RecipientsPerTransaction: l.RecipientsPerTransaction, TransactionsPerSession: l.TransactionsPerSession,
		RefusalsPerSession: l.RefusalsPerSession, RefusalsPerHour: l.RefusalsPerHour, ControlsPerHour: l.ControlsPerHour,
		RefusalRatio: l.RefusalRatio, ProbesPerMinute: l.ProbesPerMinute, Idle: l.Idle, SessionAge: l.SessionAge,
	}
}

// egress is the pool for people to look at; nil while no mail server is asked.
func (d *Daemon) egress() api.Egress {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pool == nil {
		return nil
	}
	return d.pool
}
