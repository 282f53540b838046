package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/smtp"
)

// open connects to the hosts of the lane, best preference first. Only a network failure, or one refused greeting,
// leads to the next host: a refusal is not shopped around.
// If it fails, whatever waits in the lane has been answered, unless another session is there to do so.
func (s *session) open(ctx context.Context) bool {
	la := s.lane
	p := la.path.pool
	p.mu.Lock()
	opts, hosts, idle := p.opts, la.hosts, la.queue.waiting == 0
	p.mu.Unlock()
	if idle || ctx.Err() != nil { // Another session was faster, or the pool is closing.
		return false
	}
	a := newAttempt(la.path, &opts, hosts)
	defer a.letGo()
	for _, t := range a.ordered(targets(hosts, a.dialable)) {
		if !a.wants(t) || a.rests(t) || !a.may() {
			continue
		}
		err := s.try(ctx, &opts, a, t)
		if err == nil {
			s.reached(a)
			return true
		}
		if errors.Is(err, errOneTooMany) {
			return false // Who waits goes on waiting, until there is room for one more.
		}
		a.failed(t, err)
	}
	if ctx.Err() != nil { // What failed is no failure.
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	la.unreachable(a)
	return false
}

// errOneTooMany says that another connection to the site would be one more than its limits allow just now.
var errOneTooMany = errors.New("pool: the sessions of this hour are used up")

// try opens a session at one address; once more, in clear, where TLS broke.
func (s *session) try(ctx context.Context, opts *Options, a *attempt, t target) error {
	p := s.lane.path.pool
	policy := opts.TLS
	if policy == smtp.TLSOpportunistic && p.known(t.host, brokenTLS) {
		policy = smtp.TLSNever
	}
	err := s.connect(ctx, opts, a, t, policy)
	if e, ok := errors.AsType[*smtp.Error](err); ok && e.Kind == smtp.KindTLS && policy == smtp.TLSOpportunistic {
		p.learn(t.host, brokenTLS)
		if !s.lane.path.oneMore() {
			return errOneTooMany
		}
		return s.connect(ctx, opts, a, t, smtp.TLSNever)
	}
	return err
}

// connect dials t and takes the session through its opening. The error is a *dialError or an *smtp.Error.
func (s *session) connect(ctx context.Context, opts *Options, a *attempt, t target, tls smtp.TLSPolicy) error {
	p := s.lane.path.pool
	start := time.Now()
	nc, err := s.dial(ctx, opts, t)
	if err != nil {
		return err
	}
	a.connected(t)
	opts.took(PhaseConnect, start)
	start = time.Now()
	lockStep := p.known(t.host, brokenPipelining)
	conn, err := smtp.Open(ctx, nc, smtp.Config{
		LocalName: s.lane.path.source.EHLO, ServerName: t.host, TLS: tls, Timeouts: opts.Timeouts,
		NoPipelining: lockStep,
	})
	if err != nil {
		return err
	}
	opts.took(PhaseGreeting, start)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.conn, s.host, s.ip, s.fallback, s.opened, s.lockStep = conn, t.host, t.addr, t.fallback, time.Now(), lockStep
	pa := s.lane.path
	s.prefix, s.first = pa.source.prefix(t.addr), !pa.welcome
	pa.seen, pa.met = s.prefix, true
	s.noTLS = tls == smtp.TLSNever && opts.TLS == smtp.TLSOpportunistic
	p.total.Sessions++
	return nil
}

// dial connects to one address. The error is a *dialError.
func (s *session) dial(ctx context.Context, opts *Options, t target) (net.Conn, error) {
	s.lane.path.pool.count(func(c *counters) { c.Dials++ })
	ctx, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
	defer cancel()
	src, to := s.lane.path.source, netip.AddrPortFrom(t.addr, opts.Port)
	var conn net.Conn
	var err error
	if src.Proxy == (Proxy{}) {
		conn, err = opts.Dial(ctx, src.local(t.addr), to)
	} else {
		conn, err = src.connect(ctx, opts.Guard, to)
	}
	if err != nil {
		return nil, &dialError{target: t, err: err}
	}
	return conn, nil
}

// A dialError says that an address could not be connected to.
type dialError struct {
	target target
	err    error
}

func (e *dialError) Error() string {
	return fmt.Sprintf("connect to %s [%v]: %v", e.target.host, e.target.addr, e.err)
}

func (e *dialError) Unwrap() error { return e.err }

// reached notes that the session is open: the way to its host is free. What failed before it was not this host's fault.
func (s *session) reached(a *attempt) {
	p := s.lane.path.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.routes, route{s.lane.path.source, s.ip})
	delete(p.outages, s.ip)
	p.dialled(s.lane.path.site.key, false)
	a.fault()
	for _, ip := range a.shunned { // Another host of the site takes us; this one is not bothered again soon.
		p.routes.shun(route{a.path.source, ip}, p.now())
	}
}

// fault holds against routes what failed on them.
func (a *attempt) fault() {
	p := a.path.pool
	if p.opts.Forgiving {
		return
	}
	now := p.now()
	for _, s := range a.silent {
		p.routes.failed(route{a.path.source, s.to}, now, s.timedOut)
		if len(p.sources) > 1 {
			p.outages.failed(s, a, now)
		}
	}
	for _, to := range a.alive {
		delete(p.outages, to)
	}
	if len(a.silent) > 0 {
		a.path.site.tellOut(now)
	}
}

// unreachable settles what waits in a lane whose hosts gave it no session.
func (la *lane) unreachable(a *attempt) {
	pa, p := la.path, la.path.pool
	p.total.DialsFailed++
	if a.unbound {
		p.suspend(pa.source, a.outcome.Detail)
	}
	ours := a.resting == 0 && p.dialled(pa.site.key, a.muted())
	if ours && !la.spared {
		la.spared = true
		return // It is this host; who waits goes on waiting, once.
	}
	la.spared = false
	if !ours {
		a.fault()
	}
	o := a.result()
	if a.resting > 0 && o.Failure != FailNone {
		o.RetryAt = p.wall(a.resting)
	} else if out := la.allOut(p.now()); out != nil && a.weight == saysNetwork {
		o.RetryAt = out.RetryAt
	}
	switch {
	case la.busy > 1 || len(la.idle) > 0: // Others work; this one was one too many.
		la.restUntil = time.Now().Add(restAfterFailure)
	case a.unbound && a.weight == saysLocal: // Nothing has been sent, so this evades no refusal.
		pa.move(a.outcome.Detail)
	case pa.breaker.State(p.now()) == budget.HalfOpen:
		pa.breaker.Trip(p.now(), 0)
		pa.blocked(o)
	default:
		if o.Failure == FailNone || a.weight == saysBroken {
			pa.blame(o)
		}
		la.failAll(o)
	}
}
