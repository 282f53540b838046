package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// A Reader looks up what is remembered. What it returns is shared and must not be changed.
type Reader interface {
	Mailbox(a address.Address) (verdict.Mailbox, verdict.Freshness)
	Domain(d address.Domain) (verdict.DomainFact, verdict.Freshness)
	Hosts(d address.Domain) (maildns.MailHosts, verdict.Freshness)
}

// Memory is what is remembered between requests. Its methods are called for every request, and must not wait for a disk
// to write.
type Memory interface {
	Reader

	// Again is the same memory for whoever has looked before: what it finds is not counted as a question.
	Again() Reader

	// Begin is called before something is found out about a or its domain. What is forgotten meanwhile is not written.
	Begin(a address.Address) Note
}

// A Note takes down what was found out about one domain.
type Note interface {
	// Mailbox returns until when what it was told is remembered; zero if it is not.
	Mailbox(a address.Address, m verdict.Mailbox) time.Time

	Domain(d address.Domain, f verdict.DomainFact)
	Hosts(h maildns.MailHosts)

	// Void reports whether the address or its domain was forgotten since the note was begun.
	Void() bool
}

// forgetful is the memory of a verifier that has none.
type forgetful struct{}

func (forgetful) Mailbox(address.Address) (m verdict.Mailbox, f verdict.Freshness)  { return m, f }
func (forgetful) Domain(address.Domain) (d verdict.DomainFact, f verdict.Freshness) { return d, f }
func (forgetful) Hosts(address.Domain) (h maildns.MailHosts, f verdict.Freshness)   { return h, f }
func (forgetful) Again() Reader                                                     { return forgetful{} }

func (forgetful) Begin(address.Address) Note { return noNote{} }

type noNote struct{}

func (noNote) Mailbox(address.Address, verdict.Mailbox) (t time.Time) { return t }
func (noNote) Domain(address.Domain, verdict.DomainFact)              {}
func (noNote) Hosts(maildns.MailHosts)                                {}
func (noNote) Void() bool                                             { return false }

// mailHosts is the domain's mail hosts: from memory while the DNS says that they hold, else from the DNS, and where that
// fails, from memory again.
func (r *run) mailHosts(ctx context.Context) (*maildns.MailHosts, error) {
	d := r.addr.Domain()
	kept, freshness := r.v.memory.Hosts(d)
	if freshness == verdict.Fresh && !r.req.fresh() {
		return &kept, nil
	}
	now, err := r.v.resolver.Lookup(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("mail hosts of %s: %w", d, err)
	}
	r.note.Hosts(now)
	if now.Status.Failed() && freshness != verdict.Missing && !kept.Status.Failed() {
		return &kept, nil
	}
	return &now, nil
}

// fresh reports whether the caller takes nothing that is remembered.
func (r *Request) fresh() bool { return r.MaxAge == 0 }

// rememberedAcceptAll is what is remembered of the domain's habit, if that need not be asked about again and is no older
// than the caller takes.
func (r *run) rememberedAcceptAll() verdict.Tri {
	f, freshness := r.v.memory.Again().Domain(r.addr.Domain())
	r.fact = f
	if freshness != verdict.Fresh || !r.req.takes(r.v.now().Sub(f.CheckedAt)) {
		return verdict.Undetermined
	}
	return f.AcceptsAll
}

// remember takes down what the run found out.
func (r *run) remember(d *judge.Decision) {
	now := r.v.now()
	r.ans.CheckedAt = now
	if fact, ok := r.learned(d, now); ok { // Before the mailbox, whose answer may rest on it.
		r.note.Domain(r.addr.Domain(), fact)
	}
	if d.Reason.OfMailbox() && !d.CutShort && !r.unbelieved() {
		m := verdict.Mailbox{
			Reason: d.Reason, AcceptAll: d.Tested, ImplicitMX: r.ans.Flags.ImplicitMX, Provider: r.ans.Provider,
			MX: r.ans.MX, Evidence: r.ans.Evidence, CheckedAt: now,
		}
		if d.Reason == verdict.AcceptedUntested {
			m.RetryAt = r.ans.RetryAt
		}
		r.ans.ExpiresAt = r.note.Mailbox(r.addr, m)
	}
}

// learned is what is known of the domain now and was not before.
func (r *run) learned(d *judge.Decision, now time.Time) (fact verdict.DomainFact, ok bool) {
	accepted := r.facts.Target.Accepted()
	switch {
	case d.Learned:
		fact = verdict.DomainFact{AcceptsAll: d.CatchAll, Evidence: controlEvidence(r.ans.Evidence), CheckedAt: now}
		fact.Accepted = accepted || r.fact.Accepted
	case d.Reason.OfDomain() && !r.recalled:
		fact = verdict.DomainFact{Reason: d.Reason, Evidence: r.ans.Evidence, CheckedAt: now}
	case accepted && !r.fact.Accepted && r.fact.AcceptsAll == verdict.False && !r.facts.Suspected:
		fact = r.fact // That recipients are told apart there is worth knowing.
		fact.Accepted = true
	default:
		return fact, false
	}
	return fact, true
}
