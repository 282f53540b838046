package verify

import (
	"time"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// recall answers from memory, if memory has what req will take: about the mailbox, or else about its whole domain.
// refresh says that the answer is due to be asked about again behind it.
func (v *Verifier) recall(req *Request, a address.Address, p Policy) (ans *verdict.Answer, refresh bool) {
	if req.Depth != DepthSMTP || a.IsLiteral() {
		return nil, false
	}
	now := v.now()
	m, freshness := v.memory.Mailbox(a)
	if freshness != verdict.Missing && (freshness == verdict.Fresh || !v.outdated(a, &m)) {
		if !outlasts(&m, freshness) && !req.takes(now.Sub(m.CheckedAt)) {
			return nil, false
		}
		out := v.describe(a)
		out.Reason, out.AcceptAll, out.Evidence, out.MX = m.Reason, m.AcceptAll, m.Evidence, m.MX
		out.Flags.ImplicitMX, out.Flags.CatchAll = m.ImplicitMX, catchAllOf(m.Reason, m.AcceptAll)
		out.CheckedAt, out.ExpiresAt, out.Provider = m.CheckedAt, m.ExpiresAt, m.Provider
		v.conclude(recalled(&out), p)
		return &out, freshness == verdict.Stale
	}
	f, freshness := v.memory.Domain(a.Domain())
	reason := f.Reason
	if reason == "" && f.AcceptsAll == verdict.True {
		reason = verdict.AcceptedCatchAll
	}
	if freshness == verdict.Missing || reason == "" || !req.takes(now.Sub(f.CheckedAt)) {
		return nil, false
	}
	out := v.describe(a)
	out.Reason, out.AcceptAll, out.Evidence = reason, verdict.AcceptAllTested, f.Evidence
	out.Flags.CatchAll, out.CheckedAt, out.ExpiresAt = f.AcceptsAll, f.CheckedAt, f.ExpiresAt
	if hosts, freshness := v.memory.Hosts(a.Domain()); freshness != verdict.Missing {
		out.MX = mxOf(&hosts)
		out.Flags.ImplicitMX = verdict.TriOf(hosts.Implicit)
		if p, _ := provider.Match(hostNames(&hosts)); p != nil {
			out.Provider = p.ID
		}
	}
	v.conclude(recalled(&out), p)
	return &out, freshness == verdict.Stale
}

// outdated reports whether m, an acceptance past its soft age, has been overtaken: the domain has been found to accept
// everyone since.
func (v *Verifier) outdated(a address.Address, m *verdict.Mailbox) bool {
	f, freshness := v.memory.Domain(a.Domain())
	return m.Reason.IsAcceptance() && freshness == verdict.Fresh && f.AcceptsAll == verdict.True && f.CheckedAt.After(m.CheckedAt)
}

// takes reports whether the caller takes a remembered answer of this age. Nobody gets the same address asked about
// again within minRepeat.
func (r *Request) takes(age time.Duration) bool {
	return r.MaxAge < 0 || age < max(r.MaxAge, minRepeat)
}

// catchAllOf is what an answer for a mailbox says of its domain.
func catchAllOf(reason verdict.Reason, tested verdict.AcceptAll) verdict.Tri {
	switch {
	case tested != verdict.AcceptAllTested:
		return verdict.Undetermined
	case reason == verdict.AcceptedCatchAll:
		return verdict.True
	default:
		return verdict.False
	}
}

// recalled marks an answer as remembered.
func recalled(ans *verdict.Answer) *verdict.Answer {
	ans.Cached, ans.Stage = true, "rcpt"
	if p := provider.ByID(ans.Provider); p != nil {
		ans.ProviderMode, ans.ModeNote = string(p.Mode), p.Note
	}
	return ans
}
