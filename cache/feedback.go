package cache

import (
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// What a real message met is worth more than what a server says to a question: a server that accepts everyone and
// bounces later can't be seen through otherwise. So a record that rests on a report ([verdict.Reported]) is kept for as
// long as an acceptance, and until its soft age nothing that a question finds out undoes it.

// Reported remembers what an application reported of a mailbox. The last of m.Evidence is the report. It takes the place
// of whatever is remembered, at once: who reports has judged that. The error is a [*NotStorableError] for a reason that
// is not about a mailbox, or for evidence without a report.
func (c *Cache) Reported(a address.Address, m verdict.Mailbox) error {
	if !m.Reason.OfMailbox() || verdict.Reported(m.Evidence) == nil {
		return &NotStorableError{Of: "mailbox", Reason: m.Reason}
	}
	c.storeMailbox(c.Begin(a), a, c.trimMailbox(m))
	return nil
}

// Exposed remembers that a domain accepts recipients that do not exist, as a report showed. The last of f.Evidence is the
// report. What was remembered of the domain goes, with every acceptance that leant on it; answers under way are not
// stored. The errors are those of [Cache.Reported].
func (c *Cache) Exposed(d address.Domain, f verdict.DomainFact) error {
	if f.AcceptsAll != verdict.True || verdict.Reported(f.Evidence) == nil {
		return &NotStorableError{Of: "domain", Reason: f.Reason}
	}
	c.Contradict(d)
	return c.PutDomain(c.BeginDomain(d), d, f)
}

// leansOnHabit reports whether r holds only as long as the domain's habit towards made-up recipients is known. What was
// reported does not.
func (r *mailboxRecord) leansOnHabit() bool {
	return leans(r.Reason) && verdict.Reported(r.Evidence) == nil
}

// mailboxAge is the age of a record. A bounce is kept for as long as an acceptance.
func (a *Ages) mailboxAge(m *verdict.Mailbox) Age {
	if m.Reason.IsRefusal() && verdict.Reported(m.Evidence) != nil {
		return a.Accepted
	}
	return a.mailbox(m.Reason)
}

// factAge is the age of a fact. What a report exposed is kept for as long as an acceptance.
func (a *Ages) factAge(f *verdict.DomainFact) Age {
	if verdict.Reported(f.Evidence) != nil {
		return a.Accepted
	}
	return a.fact(f)
}

// outranked reports whether what is remembered stays, because it was reported and a question can't undo it.
func outranked(old *mailboxRecord, answer *verdict.Mailbox, f verdict.Freshness) bool {
	if f != verdict.Fresh || verdict.Reported(old.Evidence) == nil || verdict.Reported(answer.Evidence) != nil {
		return false
	}
	return old.Reason.IsRefusal() || old.Reason.IsAcceptance() && answer.Reason.IsAcceptance()
}

// factOutranked is outranked for facts. An answer for every recipient is about another thing.
func factOutranked(old *factRecord, f *verdict.DomainFact, freshness verdict.Freshness) bool {
	return old != nil && freshness == verdict.Fresh && f.Reason == "" &&
		verdict.Reported(old.Evidence) != nil && verdict.Reported(f.Evidence) == nil
}
