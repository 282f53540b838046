package verify

import (
	"context"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// A run takes one address through the steps, as far as its depth asks.
type run struct {
	v      *Verifier
	s      *settings
	req    Request
	addr   address.Address
	source string // Asks from this source only; "" lets the pool choose.
	flight *flight

	refresh bool // Asks again behind an answer that was served.

	note     Note // Taken before anything is asked.
	ans      verdict.Answer
	provider *provider.Provider
	fact     verdict.DomainFact // What was remembered of the domain; zero if it was not looked at.
}

// answer runs the steps. It never fails: what goes wrong is a reason.
func (r *run) answer(ctx context.Context) *verdict.Answer {
	if ans, stale := r.v.recall(&r.req, r.addr, r.s.policy); ans != nil && !(stale && r.refresh) {
		return ans // Found out since the caller looked.
	}
	r.note = r.v.memory.Begin(r.addr)
	r.ans = r.v.describe(r.addr)
	r.steps(ctx)
	r.v.conclude(&r.ans, r.s.policy)
	return &r.ans
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
	r.stage("dns")
	hosts, ok := r.lookUp(ctx)
	if !ok {
		return
	}
	if r.settledByProvider(hosts) {
		return
	}
	r.probe(ctx, hosts)
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

// mxOf is the mail hosts as an answer lists them.
func mxOf(hosts *maildns.MailHosts) []verdict.MX {
	out := make([]verdict.MX, len(hosts.Hosts))
	for i, h := range hosts.Hosts {
		out[i] = verdict.MX{Host: h.Name, Preference: h.Preference}
	}
	return out
}

// hostNames is the names of the mail hosts.
func hostNames(hosts *maildns.MailHosts) []string {
	out := make([]string, len(hosts.Hosts))
	for i, h := range hosts.Hosts {
		out[i] = h.Name
	}
	return out
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
	if p := r.provider; p != nil {
		r.ans.Provider, r.ans.ProviderMode, r.ans.ModeNote = p.ID, string(p.Mode), p.Note
	}
	switch {
	case r.s.neverProbeHosts(names):
		r.give(verdict.ProbeSuppressed, "The domain's mail hosts are on the list of those never to be asked (never_probe).")
	case r.mode() == provider.ModeNoSignal:
		r.give(verdict.ProviderUnverifiable, verdict.ProviderUnverifiable.Explanation()+detail(r.provider.Note))
	case r.mode() == provider.ModeSkip:
		r.give(verdict.ProbeSuppressed, "The provider's policy forbids such questions"+detail(r.provider.Note))
	case r.s.prober == nil:
		r.give(verdict.EgressBlocked, verdict.EgressBlocked.Explanation()+detail(r.s.blocked))
	default:
		return false
	}
	return true
}

func (r *run) mode() provider.Mode {
	if r.provider == nil {
		return provider.ModeProbe
	}
	return r.provider.Mode
}

// probe asks about the target and, if it was accepted and nothing else says whether the domain accepts everything,
// about a made-up recipient. The first run at a domain does so for all that come meanwhile.
func (r *run) probe(ctx context.Context, hosts *maildns.MailHosts) {
	r.stage(string(smtp.StageRCPT))
	f := facts{mode: r.mode(), acceptAll: r.acceptAll()}
	var mine *scout
	if f.acceptAll == verdict.Undetermined && f.mode == provider.ModeProbe {
		mine = r.scoutFor(ctx, &f)
	}
	if f.acceptAll == verdict.True && !r.req.fresh() {
		r.ans.Evidence = r.fact.Evidence
		r.ans.Reason, r.ans.Flags.CatchAll, r.ans.AcceptAll = verdict.AcceptedCatchAll, verdict.True, verdict.AcceptAllTested
		r.report(mine, f.acceptAll, r.fact.Evidence)
		return
	}
	d := r.ask(ctx, hosts, f)
	r.remember(&d)
	if d.learned {
		f.acceptAll, r.fact.Evidence = d.catchAll, r.controlEvidence()
	}
	r.report(mine, f.acceptAll, r.fact.Evidence)
}

// scoutFor fills in f what another run finds out, or has found out since; else it makes r the scout.
func (r *run) scoutFor(ctx context.Context, f *facts) *scout {
	for range scoutRounds {
		mine, found := r.scout(ctx)
		if mine != nil {
			f.acceptAll = r.acceptAll() // An earlier scout may have come back since.
			return mine
		}
		if f.acceptAll = found.acceptAll; f.acceptAll != verdict.Undetermined {
			r.fact.Evidence = found.evidence
			return nil
		}
	}
	return nil
}

// ask asks, decides, and writes the decision into the answer.
func (r *run) ask(ctx context.Context, hosts *maildns.MailHosts, f facts) decision {
	out := r.target(ctx, hosts)
	f.target = findingOf(&out)
	r.ans.Stage = string(out.Stage)
	r.ans.Evidence = append(r.ans.Evidence, evidence(&out))
	if f.target.accepted() && f.acceptAll == verdict.Undetermined && f.mode == provider.ModeProbe {
		f.control = r.control(ctx, hosts, out.Source)
	}
	d := decide(f)
	if out.Failure == pool.FailCanceled {
		d.reason = interrupted(ctx)
	}
	r.ans.Reason, r.ans.Flags.CatchAll, r.ans.AcceptAll = d.reason, d.catchAll, d.tested
	r.ans.RetryAt = retryAt(d.reason, &out, r.v.now())
	return d
}

// target asks about the address, as long as somebody wants to know: if a caller comes at the moment when the last one has
// gone, once more.
func (r *run) target(ctx context.Context, hosts *maildns.MailHosts) pool.Outcome {
	req := r.request(hosts, pool.Recipient{Path: r.addr.Path(), SMTPUTF8: r.addr.NeedsSMTPUTF8()})
	for {
		wanted, stop := r.v.whileWanted(ctx, r.flight)
		out := r.s.prober.Probe(wanted, req)[0]
		stop()
		if out.Failure != pool.FailCanceled || ctx.Err() != nil || r.v.unwanted(r.flight) {
			return out
		}
	}
}

// control asks about made-up recipients, from the source that asked about the target, so that what one source was told
// is compared with what the same is told now. A domain that has refused before is not believed on one word: if it
// accepts a made-up recipient, another is tried, and where they differ nothing is known.
func (r *run) control(ctx context.Context, hosts *maildns.MailHosts, source string) finding {
	first := r.controlProbe(ctx, hosts, source, 0)
	if !first.accepted() || !r.doubted() {
		return first
	}
	if second := r.controlProbe(ctx, hosts, source, 1); !second.accepted() {
		return finding{asked: true, failure: second.failure}
	}
	return first
}

// controlProbe asks about the nth made-up recipient.
func (r *run) controlProbe(ctx context.Context, hosts *maildns.MailHosts, source string, n int) finding {
	req := r.request(hosts, pool.Recipient{Path: controlPath(r.v.secret, r.addr.Domain().ASCII(), n), Control: true})
	req.Source = source
	out := r.s.prober.Probe(ctx, req)[0]
	r.ans.Evidence = append(r.ans.Evidence, evidence(&out))
	return findingOf(&out)
}

// acceptAll is what is known of the domain without asking.
func (r *run) acceptAll() verdict.Tri {
	domain := r.addr.Domain()
	if provider.RefusesUnknown(domain.ASCII()) {
		return verdict.False
	}
	return r.rememberedAcceptAll()
}

func (r *run) request(hosts *maildns.MailHosts, rcpt pool.Recipient) pool.Request {
	req := pool.Request{
		Domain: r.addr.Domain().ASCII(), Hosts: make([]pool.Host, 0, len(hosts.Hosts)),
		Recipients: []pool.Recipient{rcpt}, App: r.req.App, Weight: r.req.Weight, Source: r.source,
	}
	if r.req.Class == Bulk {
		req.Class = pool.Bulk
	}
	for _, h := range hosts.Hosts {
		req.Hosts = append(req.Hosts, pool.Host{Name: h.Name, Preference: h.Preference, Addrs: h.Addrs})
	}
	return req
}

// interrupted is the reason for a run that was cut short.
func interrupted(ctx context.Context) verdict.Reason {
	if context.Cause(ctx) == ErrStopping {
		return verdict.ShuttingDown
	}
	return verdict.DeadlineExceeded
}

// evidence is an outcome as an answer shows it.
func evidence(o *pool.Outcome) verdict.Evidence {
	e := verdict.Evidence{
		Stage: string(o.Stage), Control: o.Recipient.Control, MX: o.Host, IP: o.IP, Source: o.Source, TLS: o.TLS,
		Code: o.Reply.Code, Enhanced: o.Reply.Enhanced.String(), Text: o.Reply.Text(),
		Class: string(o.Meaning.Class), Scope: string(o.Meaning.Scope), Rule: o.Meaning.Rule, At: o.At,
	}
	if o.Failure != pool.FailNone {
		e.Text = o.Detail
	}
	for _, l := range o.Dialogue() {
		e.Dialogue = append(e.Dialogue, verdict.Line{At: l.At, Client: l.Client, Text: l.Text})
	}
	return e
}

// retryAt is when asking again can change the answer; zero if it cannot, or if nobody knows.
func retryAt(reason verdict.Reason, o *pool.Outcome, now time.Time) time.Time {
	if reason.Verdict() != verdict.Unknown && reason != verdict.AcceptedUntested && reason != verdict.MailboxFull {
		return time.Time{}
	}
	if o != nil && o.Meaning.Retry > 0 {
		return now.Add(o.Meaning.Retry)
	}
	if d, ok := retryAfter[reason]; ok {
		return now.Add(d)
	}
	return time.Time{}
}

// retryAfter is when to ask again where the server did not say.
var retryAfter = map[verdict.Reason]time.Duration{
	verdict.Greylisted:        310 * time.Second, // Just past the 300 s that most greylists want.
	verdict.ServerTempfail:    15 * time.Minute,
	verdict.ServerBusy:        15 * time.Minute,
	verdict.ConnectTimeout:    15 * time.Minute,
	verdict.ConnectRefused:    15 * time.Minute,
	verdict.TLSFailure:        time.Hour,
	verdict.ProtocolError:     time.Hour,
	verdict.Disconnected:      5 * time.Minute,
	verdict.SourceRateLimited: time.Hour,
	verdict.SourceBlocked:     6 * time.Hour,
	verdict.SourceNoPTR:       6 * time.Hour,
	verdict.HarvestLimited:    6 * time.Hour,
	verdict.SenderRefused:     time.Hour,
	verdict.HELORefused:       time.Hour,
	verdict.SessionLimited:    time.Minute,
	verdict.RelayDenied:       6 * time.Hour,
	verdict.DNSTimeout:        2 * time.Minute,
	verdict.DNSFailure:        2 * time.Minute,
	verdict.DeadlineExceeded:  30 * time.Second,
	verdict.ShuttingDown:      10 * time.Second,
	verdict.MailboxFull:       6 * time.Hour,
	verdict.AcceptedUntested:  time.Hour,
	verdict.BudgetExhausted:   time.Hour,
}
