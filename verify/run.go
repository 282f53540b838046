package verify

import (
	"context"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// A run takes one address through the steps, as far as its depth asks.
type run struct {
	v      *Verifier
	s      *settings
	req    Request
	addr   address.Address
	flight *flight

	blind   bool // Something may be in memory that no caller has seen.
	refresh bool // Asks again behind an answer that was served.
	revisit bool // Asks again about somebody who was put off; holds one of Verifier.revisits.

	note     Note // Taken before anything is asked.
	ans      verdict.Answer
	hosts    []pool.Host
	provider *provider.Provider // nil if none is known.
	mode     provider.Mode
	fact     verdict.DomainFact // What was remembered of the domain; zero if it was not looked at.
	scouting *scout             // That r is; nil if it is none.
	settles  *verdict.Mailbox   // An acceptance of which only the control is missing; nil if there is none.
	ticket   *ticket            // From an earlier visit; nil if there was none.
	ticketed bool               // The answer is a ticket's.

	facts      judge.Facts
	target     pool.Outcome
	last       pool.Outcome // Of a made-up recipient.
	recalled   bool         // Postmaster and the made-up recipient were asked about a while ago.
	listened   int          // How often it has waited for the site to refuse somebody.
	trial      *trial       // That it makes of its domain; nil if it makes none.
	followed   int          // How often it has waited for another's.
	tests      bool         // It finds out whether the site still does, for all that want to know.
	acceptedAt time.Time    // When somebody at the domain was last accepted.
}

// newRun begins a run for a. The caller holds v.mu.
func (v *Verifier) newRun(req *Request, a address.Address) *run {
	r, _ := v.runs.Get().(*run)
	if r == nil {
		r = new(run)
	}
	r.v, r.s, r.req, r.addr = v, v.settings, *req, a
	return r
}

// endRun has r's room used for another run; nobody may hold on to r.
func (v *Verifier) endRun(r *run) {
	*r = run{}
	v.runs.Put(r)
}

// answer runs the steps. It never fails: what goes wrong is a reason.
func (r *run) answer(ctx context.Context) *verdict.Answer {
	if r.blind {
		if ans := r.foundMeanwhile(); ans != nil {
			return ans
		}
	}
	r.note = r.v.memory.Begin(r.addr)
	r.ans = r.v.describe(r.addr)
	r.steps(ctx)
	r.v.conclude(&r.ans, r.s.policy)
	ans := new(r.ans) // It outlives r.
	if r.req.Depth == DepthSMTP && !r.ticketed && r.v.remembers && (brakes(ans) || r.unbelieved()) {
		r.v.unknowns.keep(r.addr, ans, r.note, r.v.now())
	}
	return ans
}

// foundMeanwhile is what was found out since the caller looked; nil if that is nothing.
func (r *run) foundMeanwhile() *verdict.Answer {
	ans, stale := r.v.recall(r.v.memory.Again(), &r.req, r.addr, r.s)
	switch {
	case ans == nil || stale && r.refresh:
		ans = r.v.pending(&r.req, r.addr, r.s)
	case r.revisit: // Who was put off is known by now.
		r.v.tickets.drop(r.addr)
	}
	if ans == nil || r.s.suppresses(r.addr, ans.MX) {
		return nil
	}
	return ans
}

// unbelieved reports whether the target was accepted and nobody could be asked whether to believe that. Such an answer is
// given again for some minutes, and remembered no longer.
func (r *run) unbelieved() bool {
	return r.facts.Suspected && r.ans.Reason == verdict.AcceptedUntested
}

// steps goes from the cheapest question to the dearest, and stops at the first answer.
func (r *run) steps(ctx context.Context) {
	switch {
	case r.req.Depth == DepthSyntax:
		r.give(verdict.NotProbed, "The address is well-formed; nothing else was checked, because only its syntax was asked for.")
		return
	case r.addr.IsLiteral():
		r.give(verdict.ProbeSuppressed, "The address names a host by its IP address; such addresses are well-formed, and not asked about.")
		return
	case r.s.neverProbe(r.addr):
		r.give(verdict.ProbeSuppressed, "The address or its domain is on the list of those never to be asked about (never_probe).")
		return
	}
	r.stage(string(DepthDNS))
	hosts, ok := r.lookUp(ctx)
	if !ok || r.settledByProvider(hosts) {
		return
	}
	r.hosts = poolHosts(hosts)
	r.ticket = r.v.tickets.of(r.addr, r.s.sender)
	if r.ticket != nil && r.ticket.spent {
		r.ticket = nil // A new schedule begins.
	}
	if r.blind || !r.req.seen.blank {
		r.settles = r.v.unsettled(&r.req, r.addr)
	}
	r.probe(ctx)
}

func (r *run) stage(s string) {
	r.ans.Stage = s
	r.flight.stage.Store(s)
}

// give ends the run with a reason, and a sentence where the reason's own says too little.
func (r *run) give(reason verdict.Reason, explanation string) {
	r.ans.Reason, r.ans.Explanation = reason, explanation
}

// lookUp finds the mail hosts, from memory or the DNS; false means that the DNS was the answer.
func (r *run) lookUp(ctx context.Context) (*maildns.MailHosts, bool) {
	hosts, err := r.mailHosts(ctx)
	if err != nil {
		r.give(interrupted(ctx), "")
		return nil, false
	}
	r.ans.MX = mxOf(hosts)
	if reason := dnsReason(hosts.Status); reason != "" {
		r.give(reason, reason.Explanation()+detail(hosts.Detail))
		return nil, false
	}
	r.ans.Flags.ImplicitMX = verdict.TriOf(hosts.Implicit)
	if r.req.Depth == DepthDNS {
		r.give(verdict.NotProbed, "")
		return nil, false
	}
	return hosts, true
}

// dnsReason is the reason that a DNS status is by itself; "" if there are hosts to ask.
func dnsReason(s maildns.Status) verdict.Reason {
	switch s {
	case maildns.Found:
		return ""
	case maildns.NullMX:
		return verdict.NullMX
	case maildns.NoMailHost:
		return verdict.NoMailHost
	case maildns.DomainNotFound:
		return verdict.DomainNotFound
	case maildns.Unroutable:
		return verdict.MXUnroutable
	case maildns.Timeout:
		return verdict.DNSTimeout
	default:
		return verdict.DNSFailure
	}
}

// settledByProvider identifies the provider and reports whether asking it is pointless or forbidden.
func (r *run) settledByProvider(hosts *maildns.MailHosts) bool {
	names := hostNames(hosts)
	r.provider, _ = provider.Match(names)
	var note string
	r.mode, note = r.s.modeOf(r.domain(), names, r.provider)
	if p := r.provider; p != nil {
		r.ans.Provider = p.ID
	}
	if r.provider != nil || note != "" {
		r.ans.ProviderMode, r.ans.ModeNote = string(r.mode), note
	}
	switch {
	case r.s.neverProbeHosts(names):
		r.give(verdict.ProbeSuppressed, "The domain's mail hosts are on the list of those never to be asked (never_probe).")
	case r.mode == provider.ModeNoSignal:
		r.give(verdict.ProviderUnverifiable, verdict.ProviderUnverifiable.Explanation()+detail(note))
	case r.mode == provider.ModeSkip:
		r.give(verdict.ProbeSuppressed, "The provider's policy forbids such questions"+detail(note)+".")
	case r.s.prober == nil:
		r.give(verdict.EgressBlocked, verdict.EgressBlocked.Explanation()+detail(r.s.blocked))
	default:
		return false
	}
	return true
}
