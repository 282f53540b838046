package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/pool/smtp"
)

// An attempt gathers what came of opening a session.
type attempt struct {
	path     *path
	guard    *netguard.Guard
	reader   reader
	hosts    []Host
	outcome  Outcome // Of what says most about why there is no session.
	weight   weight  // How much that is.
	sessions int     // Hosts that let us connect, and then failed or refused.
	heard    string  // A host that has spoken; its other addresses say the same.
	noMail   int     // Hosts that said that they take no mail at all.
	final    bool    // Another host is not asked: the word was about us.
	unbound  bool    // The source's address could not be bound, or its proxy failed.
	spoke    int     // Connections that stood.
	lost     []target
	silent   []silence
	shunned  []netip.Addr  // Of hosts whose greeting refused us.
	alive    []netip.Addr  // Of hosts that spoke.
	trials   []netip.Addr  // That it is to find out about: they were out.
	resting  time.Duration // When the first of the routes that were left alone may be tried again; 0 if none was.
}

// A silence is an address that could not be connected to.
type silence struct {
	host     string
	to       netip.Addr
	timedOut bool
}

// A weight is how much a failure says. Of failures of equal weight the first counts, that of the better host.
type weight int

const (
	saysNothing weight = iota
	saysNoMail         // 521: true of the domain only if all its hosts say so, RFC 7504 §3.
	saysLocal          // This host could not even try.
	saysNetwork        // Nobody answered.
	saysBroken         // Somebody did, and no session came of it.
	saysReply          // The server said why.
)

func newAttempt(pa *path, opts *Options, hosts []Host) *attempt {
	a := &attempt{path: pa, guard: opts.Guard, reader: pa.site.reader(opts.Replies), hosts: hosts}
	a.outcome = Outcome{
		Stage: smtp.StageConnect, Failure: FailNoSource,
		Detail: fmt.Sprintf("source %s has no address of a family that the mail hosts have", pa.source.Name),
	}
	if err := a.forbidden(); err != nil {
		a.outcome.Failure, a.outcome.Detail = FailUnroutable, err.Error()
	}
	return a
}

// dialable reports whether addr may be dialled, and can be from this source.
func (a *attempt) dialable(addr netip.Addr) bool {
	return a.path.source.dialable(addr) && a.guard.Check(addr) == nil
}

// forbidden is why no address of any host may be dialled, nil if one may. Only that, and no fault of this host's, is
// a fact about the domain.
func (a *attempt) forbidden() (first error) {
	for _, h := range a.hosts {
		for _, addr := range h.Addrs {
			err := a.guard.Check(addr)
			if err == nil {
				return nil
			}
			if first == nil {
				first = fmt.Errorf("%s: %w", h.Name, err)
			}
		}
	}
	return first
}

// ordered is the targets in the order in which they are tried.
func (a *attempt) ordered(ts []target) []target {
	p := a.path.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return a.path.source.order(ts, time.Now())
}

// connected notes that t was connected to, whatever it said then.
func (a *attempt) connected(t target) {
	p := a.path.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	a.spoke++
	p.connected(a.path.source)
	a.path.source.reached(t, a.lost, time.Now())
}

// wants reports whether t is still to be tried.
func (a *attempt) wants(t target) bool {
	return !a.final && a.sessions < maxSessions && t.host != a.heard
}

// may reports whether one more connection may be made. The first that stands has its place; the receiver counts each.
func (a *attempt) may() bool { return a.spoke == 0 || a.path.oneMore() }

// rests reports whether the route to t has failed so often that it is left alone for now.
func (a *attempt) rests(t target) bool {
	p := a.path.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	rec := p.routes.rest(route{a.path.source, t.addr}, p.now())
	if rec == nil {
		return a.restsForAll(t)
	}
	until := rec.until
	if o := p.outages[t.addr]; o != nil {
		until = max(until, o.until)
	}
	a.restsUntil(until)
	o := Outcome{Stage: smtp.StageConnect, Host: t.host, IP: t.addr, At: time.Now(), Failure: FailConnectRefused}
	if rec.timedOut {
		o.Failure = FailConnectTimeout
	}
	o.Detail = fmt.Sprintf("connect to %s [%v] has failed %d times in a row; it is left alone for a while", t.host, t.addr, rec.failures)
	if rec.shunned {
		o.Detail = fmt.Sprintf("%s [%v] has refused us with its greeting; it is left alone for a while", t.host, t.addr)
	}
	a.note(saysNetwork, o)
	return true
}

// restsForAll reports whether t is left alone for now because several sources failed to connect to it.
func (a *attempt) restsForAll(t target) bool {
	p := a.path.pool
	o, until := p.outages.rests(t.addr, a, p.now())
	if o == nil {
		if on := p.outages[t.addr]; on != nil && on.trial == a {
			a.trials = append(a.trials, t.addr)
		}
		return false
	}
	a.restsUntil(until)
	a.note(saysNetwork, o.outcome(p, t.addr))
	return true
}

// restsUntil notes that an address was left alone, and when that ends.
func (a *attempt) restsUntil(at time.Duration) {
	if a.resting == 0 || at < a.resting {
		a.resting = at
	}
}

// failed notes why there is no session at t.
func (a *attempt) failed(t target, err error) {
	o := Outcome{Stage: smtp.StageConnect, Host: t.host, IP: t.addr, At: time.Now(), Detail: err.Error()}
	e, ok := errors.AsType[*smtp.Error](err)
	if !ok {
		a.lost = append(a.lost, t)
		a.unconnected(err, o)
		return
	}
	o.Stage, o.opening = e.Stage, e.Opening
	if e.Kind == smtp.KindReply {
		a.refused(e, o)
		return
	}
	a.sessions++
	o.Failure = failures[e.Kind]
	if o.Failure == FailTimeout && o.Stage == smtp.StageConnect { // It takes connections and says nothing.
		o.Failure = FailConnectTimeout
		a.silent = append(a.silent, silence{o.Host, o.IP, true})
	}
	a.note(saysBroken, o)
}

// unconnected notes that an address could not be connected to.
func (a *attempt) unconnected(err error, o Outcome) {
	cause := causeOf(err)
	switch cause {
	case causeSource, causeLocal:
		o.Failure = FailNoSource
		a.unbound = a.unbound || cause == causeSource
		a.final = a.final || a.unbound
		a.note(saysLocal, o)
	case causeTimeout:
		o.Failure = FailConnectTimeout
		a.silent = append(a.silent, silence{o.Host, o.IP, true})
		a.note(saysNetwork, o)
	default:
		o.Failure = FailConnectRefused
		a.silent = append(a.silent, silence{o.Host, o.IP, false})
		a.note(saysNetwork, o)
	}
}

// refused notes that a host spoke, and would have no session with us.
func (a *attempt) refused(e *smtp.Error, o Outcome) {
	o.Detail, o.Reply, o.At = "", e.Reply, e.Reply.At
	o.Meaning = a.reader.read(o.Stage, &o.Reply)
	a.heard, a.alive = o.Host, append(a.alive, o.IP)
	if o.Stage == smtp.StageConnect && o.Reply.Code == 521 {
		a.noMail++
		a.note(saysNoMail, o)
		return
	}
	a.sessions++
	if o.Stage == smtp.StageConnect && o.Reply.Code >= 500 {
		a.shunned = append(a.shunned, o.IP)
	}
	// A greeting is this host's word only, RFC 5321 §4.3.1; what comes after it is about us.
	a.final = o.Stage != smtp.StageConnect
	a.note(saysReply, o)
}

func (a *attempt) note(w weight, o Outcome) {
	if w > a.weight {
		a.weight, a.outcome = w, o
	}
}

// result is the outcome of the attempt for those who wait.
func (a *attempt) result() *Outcome {
	o := &a.outcome
	if a.weight == saysNoMail && a.noMail < len(a.hosts) {
		o.Failure, o.Stage = FailConnectRefused, smtp.StageConnect
		o.Detail = fmt.Sprintf("%s takes no mail (%s), and the domain's other hosts could not be asked", o.Host, o.Reply)
		o.Reply, o.Meaning.Class, o.Meaning.Scope, o.Meaning.Detail, o.Meaning.Rule = smtp.Reply{}, "", "", "", ""
	}
	return o
}

// muted reports whether nothing at all came back: whoever refuses a connection is at least there.
func (a *attempt) muted() bool {
	refused := slices.ContainsFunc(a.silent, func(s silence) bool { return !s.timedOut })
	return !refused && (a.weight == saysNetwork || a.weight == saysLocal && !a.unbound)
}
