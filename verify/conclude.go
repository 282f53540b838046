package verify

import (
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/verdict"
)

// conclude writes a decision into the answer, with the time to ask again, and does what it says about tickets and paths.
func (r *run) conclude(d *judge.Decision) {
	now := r.v.now()
	r.ans.Reason, r.ans.Flags.CatchAll, r.ans.AcceptAll = d.Reason, d.CatchAll, d.Tested
	waitsFor := &r.target
	if r.facts.Target.Accepted() {
		waitsFor = &r.last
	}
	r.ans.RetryAt = retryAt(d.Reason, waitsFor, now)
	if d.Reason == verdict.AcceptedUntested && r.facts.Control.PutOff() && waitsFor.Meaning.Retry == 0 {
		r.ans.RetryAt = now.Add(visitWaits[0])
	}
	if d.Silenced {
		r.ans.RetryAt = r.v.paths.silence(r.path(), now)
	}
	r.explain(d)
	if f := &r.facts; f.Alike && d.Reason != verdict.UniformRefusal && f.Postmaster.Failure == pool.FailNone && f.Control.Failure == pool.FailNone {
		r.v.tallies.clear(r.domain(), now) // It tells recipients apart.
	}
	r.punch(d, now)
}

// explain gives the answer a sentence where the reason's own says too little, or too much.
func (r *run) explain(d *judge.Decision) {
	if d.Reason == verdict.MailboxAccepted && r.facts.Listed && d.Tested == verdict.AcceptAllNotTested {
		r.ans.Explanation = "The mail server accepted this recipient; at this provider, recipients that do not exist are known to be refused."
	}
	if d.Reason == verdict.AcceptedUntested && r.last.Failure == pool.FailBudget {
		r.ans.Explanation = "The mail server accepted this recipient. Whether it accepts made-up ones too was not asked: " +
			"the allowance for that is spent for now."
	}
}

// punch makes, renews or drops the address's ticket, as the visit went.
func (r *run) punch(d *judge.Decision, now time.Time) {
	switch {
	case r.facts.Target.PutOff():
		r.putOff(d, now)
	case r.ticket == nil:
	case d.Reason.Verdict() != verdict.Unknown, d.Reason == verdict.UniformRefusal, d.Reason == verdict.AcceptSuspect:
		r.v.tickets.drop(r.addr)
	default:
		r.postpone(now)
	}
}

// putOff notes that the recipient was put off, and until when it will not be asked about.
func (r *run) putOff(d *judge.Decision, now time.Time) {
	next := &ticket{
		addr: r.addr, source: r.target.Source, sender: r.s.sender, reason: d.Reason, checkedAt: now,
		control:  r.facts.Control.PutOff() || r.ticket != nil && r.ticket.control,
		provider: r.ans.Provider, mx: r.ans.MX, implicitMX: r.ans.Flags.ImplicitMX, evidence: r.ans.Evidence,
	}
	if !ofTicket(d.Reason) { // Its class says so, the reason that its words have says something else.
		return
	}
	r.ticket.schedule(next, r.target.Meaning.Retry, now)
	r.ans.RetryAt = next.due
	r.v.tickets.keep(next, now)
	r.ticketed = true
}

// postpone is for a visit that came to nothing: another is made, from the same source, while the schedule lasts. A source
// that is not there is waited for.
func (r *run) postpone(now time.Time) {
	next := r.ticket.postponed(later(r.ans.RetryAt, now.Add(minRepeat)))
	if next == nil {
		r.v.tickets.drop(r.addr)
		return
	}
	r.v.tickets.keep(next, now)
	if r.target.Failure != pool.FailNoSource {
		return
	}
	next.fill(&r.ans)
	r.ans.Explanation = r.ans.Reason.Explanation() + " That source cannot be used now; it is waited for."
	r.ticketed = true
}
