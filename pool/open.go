package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// restAfterFailure is how long a path that has a working session does not try to open another one.
const restAfterFailure = 30 * time.Second

// An attempt gathers what came of opening a session.
type attempt struct {
	outcome  Outcome // Of the last thing that went wrong; a server's word outweighs silence.
	sessions int     // Hosts that greeted, or refused to.
	skip     string  // A host that has spoken; its other addresses say the same.
	final    bool    // Another host is not asked: the word was about us.
	bind     error   // The source's address could not be bound.
}

// open connects to the hosts of the domain whose turn it is, best preference first. Only a network failure, or
// one refused greeting, leads to the next host: a refusal is not shopped around (design, law 4).
// If it fails, whatever waits at the path has been answered, unless another session is there to do so.
func (s *session) open(ctx context.Context) bool {
	p := s.path.pool
	p.mu.Lock()
	domain := s.path.queue.head()
	if domain == nil || ctx.Err() != nil { // Another session was faster, or the pool is closing.
		p.mu.Unlock()
		return false
	}
	opts := p.opts
	name, hosts := domain.name, domain.hosts
	p.mu.Unlock()

	a := attempt{outcome: Outcome{
		Stage: smtp.StageConnect, Failure: FailNoSource,
		Detail: "no mail host of " + name + " has an address of a family that source " + s.path.source.Name + " has",
	}}
	for _, t := range targets(hosts, s.path.source.dialable) {
		if a.final || a.sessions >= maxSessions || t.host == a.skip {
			continue
		}
		if s.try(ctx, &opts, t, &a) {
			return true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.path.unreachable(&a)
	return false
}

// try opens a session at one address; once more in clear where TLS broke.
func (s *session) try(ctx context.Context, opts *Options, t target, a *attempt) bool {
	policy := opts.TLS
	if policy == smtp.TLSOpportunistic && s.path.pool.known(t.host, brokenTLS) {
		policy = smtp.TLSNever
	}
	err := s.connect(ctx, opts, t, policy, a)
	if e, ok := errors.AsType[*smtp.Error](err); ok && e.Kind == smtp.KindTLS && policy == smtp.TLSOpportunistic {
		s.path.pool.learn(t.host, brokenTLS)
		err = s.connect(ctx, opts, t, smtp.TLSNever, a)
	}
	return err == nil
}

// connect dials t and takes the session through its opening; it notes in a what went wrong.
func (s *session) connect(ctx context.Context, opts *Options, t target, tls smtp.TLSPolicy, a *attempt) error {
	p := s.path.pool
	p.count(func(c *counters) { c.Dials++ })
	nc, fail, err := s.dial(ctx, opts, t)
	if err != nil {
		a.network(s, t, fail, err)
		return err
	}
	lockStep := p.known(t.host, brokenPipelining)
	conn, err := smtp.Open(ctx, nc, smtp.Config{
		LocalName: s.path.source.EHLO, ServerName: t.host, TLS: tls, Timeouts: opts.Timeouts,
		NoPipelining: lockStep,
	})
	if err != nil {
		a.refused(s, t, err)
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.conn, s.host, s.ip, s.fallback, s.opened, s.lockStep = conn, t.host, t.addr, t.fallback, time.Now(), lockStep
	p.total.Sessions++
	return nil
}

// network notes that an address could not be connected to.
func (a *attempt) network(s *session, t target, fail Failure, err error) {
	if fail == FailNoSource {
		a.bind, a.final = err, true
	}
	if a.outcome.Reply.Code != 0 || fail == FailUnroutable && a.outcome.Failure != FailNoSource {
		return // A server's word, or a try that reached further, says more.
	}
	a.outcome = Outcome{Stage: smtp.StageConnect, Failure: fail, Detail: err.Error(), Host: t.host, IP: t.addr}
}

// refused notes that a session could not be opened on a connection that stands.
func (a *attempt) refused(s *session, t target, err error) {
	a.sessions++
	o := Outcome{Host: t.host, IP: t.addr, At: time.Now()}
	o.Failure, o.Detail, o.Reply = failureOf(err)
	o.Stage = smtp.StageConnect
	if e, ok := errors.AsType[*smtp.Error](err); ok {
		o.Stage = e.Stage
		o.opening = e.Opening
	}
	if o.Reply.Code == 0 {
		if o.Failure == FailTimeout && o.Stage == smtp.StageConnect {
			o.Failure = FailConnectTimeout
		}
		if a.outcome.Reply.Code == 0 {
			a.outcome = o
		}
		return
	}
	o.Meaning = s.path.meaning(o.Stage, &o.Reply)
	a.skip = t.host
	// A greeting is this host's word only, RFC 5321 §4.3.1; what comes after it is about us.
	a.final = o.Stage != smtp.StageConnect
	a.outcome = o
}

// unreachable settles what waits at a path whose site could not be reached.
func (pa *path) unreachable(a *attempt) {
	p := pa.pool
	p.total.DialsFailed++
	if a.bind != nil {
		p.suspend(pa.source, a.bind)
		pa.move(a.outcome)
		return
	}
	if pa.busy > 1 || len(pa.idle) > 0 { // Others work; this one was one too many.
		pa.restUntil = time.Now().Add(restAfterFailure)
		return
	}
	pa.failAll(a.outcome)
}

// suspend lets a source rest whose address this host does not have just now.
func (p *Pool) suspend(src *sourceState, why error) {
	src.suspendedUntil = time.Now().Add(suspension)
	src.suspendedWhy = why.Error()
	p.log.Warn("source suspended: its address cannot be bound", zapSource(src), zapFor(suspension), zapError(why))
}

// move hands what waits at a path, whose source is out, to the sources that its domains go to now.
// Nothing has been sent, so this evades no refusal.
func (pa *path) move(o Outcome) {
	p := pa.pool
	for _, pr := range pa.queue.all() {
		d := pr.domain
		req := Request{Domain: d.name, Hosts: d.hosts, App: pr.in.key.app, Class: pr.in.key.class, Source: pr.pinned}
		src, why := p.choose(&req)
		if src == nil {
			o.Detail = fmt.Sprintf("%s; %s", o.Detail, why)
			pa.finish(pr, o)
			continue
		}
		to := pa.site.path(src)
		pa.queue.remove(pr)
		for _, w := range pr.waiters {
			w.call.probes[w.index] = to.queue.add(&req, pr.rcpt, w)
			w.call.paths[w.index] = to
		}
		to.advance()
	}
}
