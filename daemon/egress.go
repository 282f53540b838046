package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify"
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
	}}
	var err error
	if plan.replies, err = Replies(cfg); err != nil {
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
	if _, err := pool.New(opts); err != nil { // A pool that is not started is nothing but its options, checked.
		return plan, err
	}
	plan.pool = &opts
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
	var err error
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
		Sessions: l.Sessions, RecipientsPerTransaction: l.RecipientsPerTransaction,
		TransactionsPerSession: l.TransactionsPerSession, RefusalsPerSession: l.RefusalsPerSession,
		Idle: l.Idle, SessionAge: l.SessionAge,
	}
}
