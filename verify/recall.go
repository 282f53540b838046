package verify

import (
	"slices"
	"time"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/verdict"
)

// recall answers from memory, if memory has what req will take: about the mailbox, or else about its whole domain.
// refresh says that the answer is due to be asked about again behind it.
func (v *Verifier) recall(memory Reader, req *Request, a address.Address, s *settings) (ans *verdict.Answer, refresh bool) {
	if req.Depth != DepthSMTP || a.IsLiteral() {
		return nil, false
	}
	m, freshness := memory.Mailbox(a)
	if freshness == verdict.Missing {
		req.seen.blank = true
		return v.recallDomain(memory, req, a, s)
	}
	now := v.now()
	if m.Reason == verdict.AcceptedUntested || freshness == verdict.Stale && m.Reason.IsAcceptance() {
		fact, known := memory.Domain(a.Domain())
		switch habit := fact.AcceptsAll; {
		case known != verdict.Fresh:
		case habit == verdict.True && (m.Reason == verdict.AcceptedUntested || fact.CheckedAt.After(m.CheckedAt)): // It has been overtaken.
			return v.recallDomain(memory, req, a, s)
		case habit == verdict.False && m.Reason == verdict.AcceptedUntested && settleable(&m):
			m.Reason, m.AcceptAll = verdict.MailboxAccepted, verdict.AcceptAllTested
			m.Evidence = slices.Concat(m.Evidence[:1], fact.Evidence)
		}
	}
	if !outlasts(&m, freshness) && !req.takes(now.Sub(m.CheckedAt)) || unsettledSince(&m, now) {
		return nil, false
	}
	out := v.describe(a)
	out.Reason, out.AcceptAll, out.Evidence, out.MX = m.Reason, m.AcceptAll, m.Evidence, m.MX
	out.Flags.ImplicitMX, out.Flags.CatchAll = m.ImplicitMX, catchAllOf(m.Reason, m.AcceptAll)
	out.CheckedAt, out.ExpiresAt, out.Provider, out.RetryAt = m.CheckedAt, m.ExpiresAt, m.Provider, m.RetryAt
	if m.Reason != verdict.AcceptedUntested {
		out.RetryAt = time.Time{}
	}
	v.conclude(s.recalled(&out), s.policy)
	return &out, freshness == verdict.Stale
}

// recallDomain answers from what is remembered of the domain, if that is the answer for everybody there.
func (v *Verifier) recallDomain(memory Reader, req *Request, a address.Address, s *settings) (ans *verdict.Answer, refresh bool) {
	f, freshness := memory.Domain(a.Domain())
	reason := f.Reason
	if reason == "" && f.AcceptsAll == verdict.True {
		reason = verdict.AcceptedCatchAll
	}
	if freshness == verdict.Missing || reason == "" || !req.takes(v.now().Sub(f.CheckedAt)) {
		return nil, false
	}
	out := v.describe(a)
	out.Reason, out.AcceptAll, out.Evidence = reason, verdict.AcceptAllTested, f.Evidence
	out.Flags.CatchAll, out.CheckedAt, out.ExpiresAt = f.AcceptsAll, f.CheckedAt, f.ExpiresAt
	if hosts, freshness := memory.Hosts(a.Domain()); freshness != verdict.Missing {
		out.MX = mxOf(&hosts)
		out.Flags.ImplicitMX = verdict.TriOf(hosts.Implicit)
		if p, _ := provider.Match(hostNames(&hosts)); p != nil {
			out.Provider = p.ID
		}
	}
	v.conclude(s.recalled(&out), s.policy)
	return &out, freshness == verdict.Stale
}

// unsettledSince reports whether it is time to find out what m, an acceptance, is worth.
func unsettledSince(m *verdict.Mailbox, now time.Time) bool {
	return m.Reason == verdict.AcceptedUntested && !m.RetryAt.IsZero() && !now.Before(m.RetryAt)
}

// settleable reports whether nothing but the domain's habit is missing to m: the address itself was accepted, and by a
// host of the best preference.
func settleable(m *verdict.Mailbox) bool {
	if len(m.Evidence) == 0 || m.Evidence[0].Control || ofBackup(&m.Evidence[0], m.MX) {
		return false
	}
	f := judge.Remembered(&m.Evidence[0])
	return f.Accepted()
}

// unsettled returns what is remembered of a if all that is missing is a made-up recipient, and it is time to ask about one:
// nil if not.
func (v *Verifier) unsettled(req *Request, a address.Address) *verdict.Mailbox {
	m, freshness := v.memory.Again().Mailbox(a)
	now := v.now()
	if freshness == verdict.Missing || !unsettledSince(&m, now) || !settleable(&m) || !req.takes(now.Sub(m.CheckedAt)) {
		return nil
	}
	return &m
}

// takes reports whether the caller takes a remembered answer of this age. Nobody gets the same address asked about
// again within minRepeat.
func (r *Request) takes(age time.Duration) bool {
	return r.MaxAge < 0 || age < max(r.MaxAge, minRepeat)
}

// catchAllOf is what an answer for a mailbox says of its domain.
func catchAllOf(reason verdict.Reason, tested verdict.AcceptAll) verdict.Tri {
	switch {
	case reason == verdict.MailboxAccepted:
		return verdict.False
	case tested != verdict.AcceptAllTested:
		return verdict.Undetermined
	case reason == verdict.AcceptedCatchAll:
		return verdict.True
	default:
		return verdict.False
	}
}

// recalled marks an answer as remembered.
func (s *settings) recalled(ans *verdict.Answer) *verdict.Answer {
	ans.Cached, ans.Stage = true, string(smtp.StageRCPT)
	p := provider.ByID(ans.Provider)
	if p == nil && s.mode == nil {
		return ans
	}
	mode, note := s.modeOf(ans.Domain, namesOf(ans.MX), p)
	if p != nil || note != "" {
		ans.ProviderMode, ans.ModeNote = string(mode), note
	}
	return ans
}

// pending is the answer for a recipient that was put off, or whose server gave no answer a moment ago, and is left alone
// until its time; nil if there is none.
func (v *Verifier) pending(req *Request, a address.Address, s *settings) *verdict.Answer {
	if req.Depth != DepthSMTP {
		return nil
	}
	now := v.now()
	if t := v.tickets.of(a, s.sender); t != nil && t.answers(req, now) {
		out := v.describe(a)
		t.fill(&out)
		v.conclude(s.recalled(&out), s.policy)
		return &out
	}
	if ans := v.unknowns.of(a, now); ans != nil {
		out := *ans
		out.Cached = true
		return &out
	}
	return nil
}
